# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: what a hook may do to heads: look fields up, edit them, and the start lines.
# Thread and GIL: one worker's loop; no GIL.
# Never does: let a byte out that the wire forbids, or a field that frames a message.
# Read next: hook_head.pxd for the contract.

from libc.stdint cimport uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, strlen
from pygw._core.arena cimport arena_bytes
from pygw._core.check cimport likely, unlikely
from pygw._core.fault cimport E_CORE_MEMORY
from pygw._core.headers cimport (
    header_id_valid, header_value_valid, headers_remove_name, headers_scan, headers_write)
from pygw._core.hook_cache cimport *
from pygw._core.hook_mask cimport mask_has_name
from pygw._core.hooks cimport hook_views
from pygw._core.http1_line cimport http1_authority_split
from pygw._core.http1_write cimport http1_reason
from pygw._core.libs.llhttp cimport (
    HTTP_CONNECT, HTTP_HEAD, HTTP_PRI, HTTP_QUERY, HTTP_SOURCE, llhttp)
from pygw._core.limits cimport FIELD_NAME_MAX, HOOK_NAMES
from pygw._core.retarget cimport retarget_path, retarget_query
from pygw._core.types.exchange cimport (
    exchange_t, AF_HEAD_SENT, PHASE_ATTEMPT, PHASE_LOG, PHASE_RESPONSE, XF_RESPONSE_STARTED)
from pygw._core.types.header cimport *
from pygw._core.types.hook cimport *
from pygw._core.types.message cimport half_t, MF_HEAD_ONLY, MF_LINE_EDITED
from pygw._core.view cimport span, word_of


# The half of a side that may be edited now; NULL: `error` says why not.
cdef half_t* half_open(hook_call_t* call, int side, int* error) noexcept nogil:
    cdef exchange_t* x
    if unlikely(call == NULL):
        error[0] = HOST_DEAD
        return NULL
    x = call.x
    if side == SIDE_REQUEST:
        if likely(call.phase <= PHASE_ATTEMPT and not x.attempt.flags & AF_HEAD_SENT):
            return &x.request.half
        error[0] = HOST_LATE
    elif side != SIDE_RESPONSE:
        error[0] = HOST_BAD
    elif call.phase < PHASE_RESPONSE:
        error[0] = HOST_PHASE
    elif likely(call.phase != PHASE_LOG and not x.flags & XF_RESPONSE_STARTED):
        return &x.response.half
    else:
        error[0] = HOST_LATE
    return NULL


cdef span_t hook_keep(exchange_t* x, const char* ptr, uint32_t size) noexcept nogil:
    cdef char* copy = arena_bytes(&x.arena, size + 1)
    if unlikely(copy == NULL):
        return span(NULL, 0)
    if size:
        memcpy(copy, ptr, size)       # COPY: the hook's bytes are its own
    return span(copy, size)


# --- views ----------------------------------------------------------------------------------------


cdef const request_view_t* hook_request_view(void* ctx) noexcept nogil:
    return &(<hooks_t*>ctx).request if (<hooks_t*>ctx).running != NULL else NULL


cdef const response_view_t* hook_response_view(void* ctx) noexcept nogil:
    return &(<hooks_t*>ctx).response if (<hooks_t*>ctx).running != NULL else NULL


cdef headers_t* headers_of(void* ctx, int side) noexcept nogil:
    cdef hook_call_t* call = (<hooks_t*>ctx).running
    if unlikely(call == NULL):
        return NULL
    if side == SIDE_REQUEST:
        return &call.x.request.half.headers
    if side == SIDE_RESPONSE and call.phase >= PHASE_RESPONSE:
        return &call.x.response.half.headers
    return NULL


# Where to go on behind an entry; one that is none of the list's ends the search.
cdef inline header_t* behind(headers_t* hs, const header_t* after) noexcept nogil:
    cdef header_t* end = hs.items + hs.count
    if after == NULL:
        return hs.items
    return <header_t*>after + 1 if hs.items <= after < end else end


cdef const header_t* hook_header_next(void* ctx, int side, const header_t* after) noexcept nogil:
    cdef headers_t* hs = headers_of(ctx, side)
    cdef const mask_t* reads
    cdef header_t* h
    if unlikely(hs == NULL):
        return NULL
    reads = (<hooks_t*>ctx).running.hook.reads
    h = behind(hs, after)
    while h < hs.items + hs.count:
        if not h.flags & (HF_REMOVED | HF_HOP):
            if likely(reads == NULL) or mask_has_name(reads, side, h.name):
                return h
        h += 1
    return NULL


cdef const header_t* hook_header_find(void* ctx, int side, const char* name, uint32_t name_len,
                                    const header_t* after) noexcept nogil:
    cdef headers_t* hs = headers_of(ctx, side)
    cdef span_t wanted = span(name, name_len)
    if unlikely(hs == NULL or name_len == 0):
        return NULL
    if unlikely((<hooks_t*>ctx).running.hook.masked):
        if not mask_has_name((<hooks_t*>ctx).running.hook.reads, side, wanted):
            return NULL
    return headers_scan(behind(hs, after), hs.items + hs.count, wanted, HF_REMOVED | HF_HOP)


# Whether a write may be done.
cdef inline int watch(hook_call_t* call, int what, uint32_t number, span_t name,
                      span_t value) noexcept nogil:
    if unlikely(call.hook.watched):
        return hook_watch(call, what, number, name, value)
    return 0


# --- heads ----------------------------------------------------------------------------------------


# RFC 9110 7.6.1, 8.6; RFC 9112 6: these frame a message or belong to one connection.
cdef inline bint id_is_ours(uint16_t id) noexcept nogil:
    return (<uint64_t>1 << H_CONNECTION | <uint64_t>1 << H_CONTENT_LENGTH
            | <uint64_t>1 << H_KEEP_ALIVE | <uint64_t>1 << H_PROXY_CONNECTION
            | <uint64_t>1 << H_TE | <uint64_t>1 << H_TRAILER
            | <uint64_t>1 << H_TRANSFER_ENCODING | <uint64_t>1 << H_UPGRADE) >> id & 1


# header_id_valid, which short names that were written lately need not go through again.
cdef inline int name_id(hooks_t* k, span_t name) noexcept nogil:
    cdef named_t* n
    cdef uint64_t head, tail = 0
    cdef int id
    if unlikely(name.len == 0 or name.len > 16):
        return header_id_valid(name) if name.len <= FIELD_NAME_MAX else -1
    head = word_of(name.ptr, name.len)
    if name.len > 8:
        tail = word_of(name.ptr + name.len - 8, 8)
    n = &k.names[(name.len ^ name.ptr[name.len - 1]) & (HOOK_NAMES - 1)]
    if likely(n.head == head and n.tail == tail and n.len == name.len):
        return n.id
    id = header_id_valid(name)
    if id >= 0:
        n.head, n.tail, n.len, n.id = head, tail, name.len, <uint16_t>id
    return id


# 0, or why a name with this id (-1: none) may not be written here.
cdef inline int name_refused(int side, span_t name, int id) noexcept nogil:
    if unlikely(id < 0):
        return HOST_BAD
    if unlikely(id_is_ours(<uint16_t>id) or (id == H_HOST and side == SIDE_RESPONSE)):
        return HOST_OURS
    return 0


cdef int hook_name_check(int side, span_t name, uint16_t* id) noexcept nogil:
    cdef int found = header_id_valid(name) if name.len <= FIELD_NAME_MAX else -1
    id[0] = <uint16_t>found
    return name_refused(side, name, found)


cdef inline int field_check(hooks_t* k, int side, span_t name, span_t value, bint more,
                            uint16_t* id) noexcept nogil:
    cdef uint16_t port
    cdef span_t host
    cdef int found = name_id(k, name)
    cdef int error = name_refused(side, name, found)
    id[0] = <uint16_t>found
    if unlikely(error != 0):
        return error
    if unlikely(not header_value_valid(value)):
        return HOST_BAD
    if unlikely(id[0] == H_HOST):                                # RFC 9110 7.2: exactly one
        if more:
            return HOST_OURS
        return 0 if http1_authority_split(value, &host, &port) else <int>HOST_BAD
    return 0


cdef int field_put(void* ctx, int side, span_t name, span_t value, bint more) noexcept nogil:
    cdef hook_call_t* call = (<hooks_t*>ctx).running
    cdef int error = 0
    cdef uint16_t id = 0
    cdef half_t* half = half_open(call, side, &error)
    if unlikely(half == NULL):
        return error
    error = field_check(call.hooks, side, name, value, more, &id)
    if unlikely(error != 0):
        return error
    error = watch(call, OP_HEADER_ADD if more else OP_HEADER_SET, <uint32_t>side, name, value)
    if unlikely(error != 0):
        return error
    if not more:
        headers_remove_name(&half.headers, name)
    error = headers_write(&half.headers, &call.x.arena, id, name, value)
    if unlikely(call.hook.masked):
        hook_views(call)
    elif side == SIDE_REQUEST:
        call.hooks.request.headers = half.headers.items
        call.hooks.request.header_count = half.headers.count
    else:
        call.hooks.response.headers = half.headers.items
        call.hooks.response.header_count = half.headers.count
    return 0 if likely(error == 0) else hook_unwritten(call, HOST_FULL)


cdef int hook_header_set(void* ctx, int side, const char* name, uint32_t name_len,
                       const char* value, uint32_t value_len) noexcept nogil:
    return field_put(ctx, side, span(name, name_len), span(value, value_len), False)


cdef int hook_header_add(void* ctx, int side, const char* name, uint32_t name_len,
                       const char* value, uint32_t value_len) noexcept nogil:
    return field_put(ctx, side, span(name, name_len), span(value, value_len), True)


cdef int hook_header_del(void* ctx, int side, const char* name, uint32_t name_len) noexcept nogil:
    cdef hook_call_t* call = (<hooks_t*>ctx).running
    cdef uint16_t id = 0
    cdef int error = 0
    cdef half_t* half = half_open(call, side, &error)
    if unlikely(half == NULL):
        return error
    error = hook_name_check(side, span(name, name_len), &id)
    if unlikely(error == HOST_OURS and id == H_CONTENT_LENGTH and half.flags & MF_HEAD_ONLY):
        error = 0        # RFC 9110 8.6: it says what GET would get, or it is not there
    if unlikely(error != 0):
        return error
    if unlikely(id == H_HOST):
        return HOST_OURS
    error = watch(call, OP_HEADER_DEL, <uint32_t>side, span(name, name_len), span(b"", 0))
    if unlikely(error != 0):
        return error
    return <int>headers_remove_name(&half.headers, span(name, name_len))


cdef int hook_method_number(span_t name) noexcept nogil:
    cdef const char* known
    cdef int number
    for number in range(HTTP_QUERY + 1):
        if HTTP_SOURCE < number < HTTP_QUERY or number == HTTP_PRI or number == HTTP_CONNECT:
            continue
        known = llhttp.method_name(number)
        if strlen(known) == name.len and memcmp(known, name.ptr, name.len) == 0:
            return number
    return HOST_BAD


# The length of a HEAD's answer, and of none, is known before: it does not become another's.
cdef int hook_method_set(void* ctx, const char* ptr, uint32_t size) noexcept nogil:
    cdef hook_call_t* call = (<hooks_t*>ctx).running
    cdef int error = 0, number
    cdef half_t* half = half_open(call, SIDE_REQUEST, &error)
    if unlikely(half == NULL):
        return error
    number = hook_method_number(span(ptr, size))
    if number < 0 or (number == HTTP_HEAD) != (call.x.request.method == HTTP_HEAD):
        return HOST_BAD
    error = watch(call, OP_METHOD, 0, span(b"", 0), span(ptr, size))
    if unlikely(error != 0):
        return error
    call.x.request.method = <unsigned char>number
    call.x.request.method_name = span(llhttp.method_name(number), size)
    half.flags |= MF_LINE_EDITED
    hook_views(call)
    return 0


cdef int hook_path_set(void* ctx, const char* ptr, uint32_t size) noexcept nogil:
    cdef hook_call_t* call = (<hooks_t*>ctx).running
    cdef int error = 0
    if unlikely(half_open(call, SIDE_REQUEST, &error) == NULL):
        return error
    error = watch(call, OP_PATH, 0, span(b"", 0), span(ptr, size))
    if unlikely(error != 0):
        return error
    error = retarget_path(call.x, span(b"", 0), span(ptr, size))
    hook_views(call)
    if unlikely(error != 0):
        return hook_unwritten(call, HOST_FULL if error == E_CORE_MEMORY else HOST_BAD)
    return 0


cdef int hook_query_set(void* ctx, const char* ptr, uint32_t size) noexcept nogil:
    cdef hook_call_t* call = (<hooks_t*>ctx).running
    cdef int error = 0
    cdef span_t copy
    if unlikely(half_open(call, SIDE_REQUEST, &error) == NULL):
        return error
    error = watch(call, OP_QUERY, 0, span(b"", 0), span(ptr, size))
    if unlikely(error != 0):
        return error
    copy = hook_keep(call.x, ptr, size)
    if unlikely(copy.ptr == NULL):
        return hook_unwritten(call, HOST_FULL)
    error = retarget_query(call.x, copy)
    hook_views(call)
    return 0 if error == 0 else hook_unwritten(call, HOST_BAD)


cdef inline bint bodiless(uint32_t status) noexcept nogil:    # RFC 9110 15.3.5, 15.4.5
    return status == 204 or status == 304


cdef int hook_status_set(void* ctx, uint32_t status) noexcept nogil:
    cdef hook_call_t* call = (<hooks_t*>ctx).running
    cdef int error = 0
    cdef half_t* half = half_open(call, SIDE_RESPONSE, &error)
    if unlikely(half == NULL):
        return error
    if (not 200 <= status <= 599 or call.x.response.status == 101
            or bodiless(status) != bodiless(call.x.response.status)):
        return HOST_BAD
    error = watch(call, OP_STATUS, status, span(b"", 0), span(b"", 0))
    if unlikely(error != 0):
        return error
    call.x.response.status = <uint16_t>status
    call.x.response.reason = http1_reason(status)
    half.flags |= MF_LINE_EDITED
    hook_views(call)
    return 0
