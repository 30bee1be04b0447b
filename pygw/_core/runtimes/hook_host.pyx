# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: what a hook may call, as one table of C functions for every language.
# Thread and GIL: one worker's loop; no GIL.
# Never does: let a byte out that the wire forbids, or act when no hook runs.
# Read next: hook_host.pxd, ../types/hook.pxd for the contract.

from libc.stdint cimport uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy
from pygw._core.arena cimport arena_alloc, arena_bytes, arena_zalloc
from pygw._core.buffer cimport (
    buffer_data, buffer_take_sized, buffer_unref, slices_add, slices_clear)
from pygw._core.check cimport likely, unlikely
from pygw._core.headers cimport header_value_valid
from pygw._core.hook_cache cimport *
from pygw._core.hook_mask cimport mask_allows, mask_allows_name
from pygw._core.hooks cimport hook_log, hook_views
from pygw._core.ids cimport ids_t, ids_uuid7, UUID_LENGTH
from pygw._core.limits cimport (
    HOOK_BODY_MAX, HOOK_ERROR_MAX, HOOK_REPLY_FIELDS, HOOK_VARS, HOOK_VAR_BYTES)
from pygw._core.pb.http_views cimport PYGW_HTTP_VIEWS
from pygw._core.runtimes.hook_head cimport *
from pygw._core.runtimes.native_fetch cimport native_fetch
from pygw._core.types.exchange cimport (
    exchange_t, PHASE_LOG, PHASE_REQUEST_BODY, PHASE_RESPONSE_BODY, XF_ID_MADE,
    XF_RESPONSE_STARTED)
from pygw._core.types.header cimport header_t, span_t, H_DATE
from pygw._core.types.hook cimport *
from pygw._core.types.memory cimport buffer_t
from pygw._core.types.message cimport half_t, FRAMING_NONE, MF_HEAD_ONLY
from pygw._core.view cimport span

cdef hook_host_t table


cdef span_t nothing = span(b"", 0)


# Whether a write may be done.
cdef inline int watch(hook_call_t* call, int what, uint32_t number, span_t name,
                      span_t value) noexcept nogil:
    if unlikely(call.hook.watched):
        return hook_watch(call, what, number, name, value)
    return 0


cdef inline hook_call_t* running(void* ctx) noexcept nogil:
    return (<hooks_t*>ctx).running


# --- replies --------------------------------------------------------------------------------------


cdef int on_reply(void* ctx, uint32_t status, const char* content_type, uint32_t type_len,
                  const char* body, uint32_t body_len) noexcept nogil:
    cdef hook_call_t* call = running(ctx)
    cdef exchange_t* x
    cdef reply_t* r
    cdef int error
    if unlikely(call == NULL):
        return HOST_DEAD
    x = call.x
    if call.phase == PHASE_LOG or x.flags & XF_RESPONSE_STARTED or call.reply != NULL:
        return HOST_LATE
    if not 200 <= status <= 599 or not header_value_valid(span(content_type, type_len)):
        return HOST_BAD
    error = watch(call, OP_REPLY, status, span(content_type, type_len), span(body, body_len))
    if unlikely(error != 0):
        return error
    r = <reply_t*>arena_zalloc(&x.arena, sizeof(reply_t))
    if unlikely(r == NULL or body_len > HOOK_BODY_MAX):
        return hook_unwritten(call, HOST_FULL)
    r.status = status
    r.content_type = hook_keep(x, content_type, type_len)
    r.body = hook_keep(x, body, body_len)
    if unlikely(r.content_type.ptr == NULL or r.body.ptr == NULL):
        return hook_unwritten(call, HOST_FULL)
    call.reply = r
    return 0


cdef int on_reply_header(void* ctx, const char* name, uint32_t name_len,
                         const char* value, uint32_t value_len) noexcept nogil:
    cdef hook_call_t* call = running(ctx)
    cdef reply_t* r
    cdef header_t* h
    cdef uint16_t id = 0
    cdef int error
    if unlikely(call == NULL):
        return HOST_DEAD
    r = call.reply
    if r == NULL:
        return HOST_PHASE
    error = hook_name_check(SIDE_RESPONSE, span(name, name_len), &id)
    if error != 0 or id == H_DATE:
        return error if error != 0 else <int>HOST_OURS
    if not header_value_valid(span(value, value_len)):
        return HOST_BAD
    error = watch(call, OP_REPLY_HEADER, 0, span(name, name_len), span(value, value_len))
    if unlikely(error != 0):
        return error
    if r.fields == NULL:
        r.fields = <header_t*>arena_alloc(&call.x.arena, HOOK_REPLY_FIELDS * sizeof(header_t))
    if unlikely(r.fields == NULL or r.field_count == HOOK_REPLY_FIELDS):
        return hook_unwritten(call, HOST_FULL)
    h = &r.fields[r.field_count]
    h.name = hook_keep(call.x, name, name_len)
    h.value = hook_keep(call.x, value, value_len)
    h.id = id
    if unlikely(h.name.ptr == NULL or h.value.ptr == NULL):
        return hook_unwritten(call, HOST_FULL)
    r.field_count += 1
    return 0


# --- bodies ---------------------------------------------------------------------------------------


cdef int on_body_set(void* ctx, const char* ptr, uint32_t size) noexcept nogil:
    cdef hook_call_t* call = running(ctx)
    cdef exchange_t* x
    cdef half_t* half
    cdef buffer_t* copy
    cdef int error
    if unlikely(call == NULL):
        return HOST_DEAD
    x = call.x
    if call.phase != PHASE_REQUEST_BODY and call.phase != PHASE_RESPONSE_BODY:
        return HOST_PHASE
    half = &x.request.half if call.phase == PHASE_REQUEST_BODY else &x.response.half
    if half.flags & MF_HEAD_ONLY or (half.framing == FRAMING_NONE and (
            call.hook.body != HOOK_BODY_WHOLE or x.response.status == 205)):
        return HOST_PHASE                                     # no body can follow that head
    if size > HOOK_BODY_MAX:
        return HOST_FULL
    error = watch(call, OP_BODY, 0, span(b"", 0), span(b"", 0))
    if unlikely(error != 0):
        return error
    copy = buffer_take_sized(x.host.buffers, size)
    if unlikely(copy == NULL):
        return HOST_FULL
    if size:
        memcpy(buffer_data(copy), ptr, size)                  # COPY: the hook's bytes are its own
    copy.used = size
    slices_clear(x.host.buffers, &call.fresh)
    error = slices_add(x.host.buffers, &call.fresh, copy, buffer_data(copy), size)
    if likely(error == 0):
        call.replaced = True
        call.body = span(buffer_data(copy), size) if size else span(b"", 0)
        hook_views(call)
    buffer_unref(copy)
    return 0 if error == 0 else <int>HOST_FULL


# --- variables ------------------------------------------------------------------------------------


cdef var_t* var_find(exchange_t* x, span_t name, uint32_t* count) noexcept nogil:
    cdef var_t* v = <var_t*>x.vars
    while v != NULL:
        if v.name.len == name.len and memcmp(v.name.ptr, name.ptr, name.len) == 0:
            return v
        count[0] += 1
        v = v.next
    return NULL


cdef const span_t* on_var_get(void* ctx, const char* name, uint32_t name_len) noexcept nogil:
    cdef hook_call_t* call = running(ctx)
    cdef uint32_t count = 0
    cdef var_t* v
    if unlikely(call == NULL):
        return NULL
    if unlikely(not mask_allows_name(call.hook.reads, MASK_VARS, span(name, name_len))):
        return NULL
    v = var_find(call.x, span(name, name_len), &count)
    return &v.value if v != NULL else NULL


cdef int on_var_set(void* ctx, const char* name, uint32_t name_len,
                    const char* value, uint32_t value_len) noexcept nogil:
    cdef hook_call_t* call = running(ctx)
    cdef uint32_t count = 0
    cdef var_t* v
    cdef span_t copy
    cdef int error
    if unlikely(call == NULL):
        return HOST_DEAD
    if name_len == 0 or <uint64_t>name_len + value_len > HOOK_VAR_BYTES:
        return HOST_BAD if name_len == 0 else HOST_FULL
    error = watch(call, OP_VAR, 0, span(name, name_len), span(value, value_len))
    if unlikely(error != 0):
        return error
    v = var_find(call.x, span(name, name_len), &count)
    if v == NULL and count >= HOOK_VARS:
        return hook_unwritten(call, HOST_FULL)
    copy = hook_keep(call.x, value, value_len)
    if unlikely(copy.ptr == NULL):
        return hook_unwritten(call, HOST_FULL)
    if v == NULL:
        v = <var_t*>arena_zalloc(&call.x.arena, sizeof(var_t))
        if unlikely(v == NULL):
            return hook_unwritten(call, HOST_FULL)
        v.name = hook_keep(call.x, name, name_len)
        if unlikely(v.name.ptr == NULL):
            return hook_unwritten(call, HOST_FULL)
        v.next = <var_t*>call.x.vars
        call.x.vars = v
    v.value = copy
    return 0


# --- the rest -------------------------------------------------------------------------------------


cdef int on_log(void* ctx, uint32_t level, const char* ptr, uint32_t size) noexcept nogil:
    cdef hook_call_t* call = running(ctx)
    if unlikely(call == NULL):
        return HOST_DEAD
    if level >= LOG_LEVELS:
        return HOST_BAD
    return 0 if hook_log(call, level, ptr, size) else <int>HOST_FULL


cdef uint64_t on_unix_ms(void* ctx) noexcept nogil:
    return (<hooks_t*>ctx).host.unix_ms((<hooks_t*>ctx).host)


cdef uint64_t on_monotonic_ns(void* ctx) noexcept nogil:
    return (<hooks_t*>ctx).host.now_ns((<hooks_t*>ctx).host)


cdef const span_t* on_request_id(void* ctx) noexcept nogil:
    cdef hook_call_t* call = running(ctx)
    cdef exchange_t* x
    cdef char* text
    if unlikely(call == NULL):
        return NULL
    x = call.x
    if unlikely(not mask_allows(call.hook.reads, FIELD_ID)):
        return &nothing
    if x.request_id.len == 0:
        text = arena_bytes(&x.arena, UUID_LENGTH)
        if unlikely(text == NULL):
            return NULL
        ids_uuid7(<ids_t*>x.host.ids, x.host.unix_ms(x.host), text)
        x.request_id = span(text, UUID_LENGTH)
        x.flags |= XF_ID_MADE
        hook_views(call)
    return &x.request_id


cdef int on_fail(void* ctx, const char* ptr, uint32_t size) noexcept nogil:
    cdef hook_call_t* call = running(ctx)
    if unlikely(call == NULL):
        return HOST_DEAD
    if size >= HOOK_ERROR_MAX:
        size = HOOK_ERROR_MAX - 1
    memcpy(call.error, ptr, size)                             # COPY: the hook's bytes are its own
    call.error[size] = 0
    return 0


cdef const char* host_error_text(int error) noexcept nogil:
    if error == HOST_DEAD:
        return b"the request is over"
    if error == HOST_BAD:
        return b"a value that cannot stand there"
    if error == HOST_OURS:
        return b"the gateway writes this field itself"
    if error == HOST_LATE:
        return b"too late: that head has left, or there is a reply already"
    if error == HOST_PHASE:
        return b"this has no meaning in this phase"
    if error == HOST_FULL:
        return b"too much of it, or no memory"
    if error == HOST_MASKED:
        return b"the hook's writes does not name it"
    return b"there is no such thing"


table.size = sizeof(hook_host_t)
table.abi = HOOK_ABI
table.layout = PYGW_HTTP_VIEWS
table.request = hook_request_view
table.response = hook_response_view
table.header_find = hook_header_find
table.header_next = hook_header_next
table.header_set = hook_header_set
table.header_add = hook_header_add
table.header_del = hook_header_del
table.method_set = hook_method_set
table.path_set = hook_path_set
table.query_set = hook_query_set
table.status_set = hook_status_set
table.reply = on_reply
table.reply_header = on_reply_header
table.body_set = on_body_set
table.var_get = on_var_get
table.var_set = on_var_set
table.log = on_log
table.unix_ms = on_unix_ms
table.monotonic_ns = on_monotonic_ns
table.request_id = on_request_id
table.fail = on_fail
table.fetch = native_fetch


cdef const hook_host_t* hook_host() noexcept nogil:
    return &table
