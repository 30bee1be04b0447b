# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: requests that a hook makes: asked, sent, answered, given back.
# Thread and GIL: one worker's loop; no GIL.
# Never does: go anywhere but to the upstreams that the hook's `fetch` names.
# Read next: hook_fetch.pxd for the contract.

from libc.stdint cimport uint16_t, uint32_t
from libc.string cimport memcmp, memcpy, memset
from pygw._core.block cimport block_give, block_take, blocks_init
from pygw._core.buffer cimport (
    buffer_data, buffer_take_sized, buffer_unref, slices_add, slices_clear, slices_init,
    slices_move)
from pygw._core.check cimport unlikely
from pygw._core.detached cimport *
from pygw._core.fault cimport *
from pygw._core.headers cimport (
    header_value_valid, headers_find, headers_set, headers_write)
from pygw._core.hook_cache cimport hook_unkept
from pygw._core.http1_line cimport http1_authority_split
from pygw._core.libs.llhttp cimport HTTP_PATCH, HTTP_POST, HTTP_PUT, llhttp
from pygw._core.limits cimport (
    FETCH_BODY_MAX, FETCH_FIELDS, FETCH_MAX_MS, FETCH_MS, FETCHES_MAX, FETCHES_RUN)
from pygw._core.retarget cimport retarget_path, retarget_query
from pygw._core.runtimes.hook_head cimport hook_keep, hook_method_number, hook_name_check
from pygw._core.stats cimport ST_FETCH_FAULTS, ST_FETCHES, stat_add
from pygw._core.types.exchange cimport exchange_t, PHASE_LOG
from pygw._core.types.header cimport *
from pygw._core.types.hook cimport *
from pygw._core.types.memory cimport buffer_t, buffers_t, slice_t, slices_t
from pygw._core.types.message cimport FRAMING_LENGTH
from pygw._core.types.upstream cimport target_t, upstream_t, TARGET_TCP
from pygw._core.view cimport span

cdef detached_on_t on


# --- asked ----------------------------------------------------------------------------------------


cdef upstream_t* upstream_of(const hook_t* hook, span_t name) noexcept nogil:
    cdef uint32_t i
    for i in range(hook.fetch_count):
        if (hook.fetch_names[i].len == name.len
                and memcmp(hook.fetch_names[i].ptr, name.ptr, name.len) == 0):
            return hook.fetch_to[i]
    return NULL


# What a client of the service itself would call it: the first target as it is configured.
cdef span_t authority_of(const upstream_t* upstream) noexcept nogil:
    cdef const target_t* target = &upstream.targets[0]
    cdef span_t host
    cdef uint16_t port
    cdef span_t name = target.url
    if target.family != TARGET_TCP or name.len <= 7:
        return span(b"localhost", 9)
    name = span(name.ptr + 7, name.len - 7)                  # behind http://
    return name if http1_authority_split(name, &host, &port) else upstream.name


# The request is part of the same trace, unless the hook says which it is part of.
cdef int trace_keep(exchange_t* x, const exchange_t* of, uint16_t id) noexcept nogil:
    cdef header_t* h = headers_find(<headers_t*>&of.request.half.headers, id, NULL)
    cdef span_t value
    if h == NULL:
        return 0
    value = hook_keep(x, h.value.ptr, h.value.len)
    if unlikely(value.ptr == NULL or headers_write(
            &x.request.half.headers, &x.arena, id, h.name, value) != 0):
        return HOST_FULL
    x.request.half.headers.items[x.request.half.headers.count - 1].flags = 0
    return 0


cdef fetch_t* fetch_open(hook_call_t* call, span_t upstream, int* error) noexcept nogil:
    cdef hooks_t* k = call.hooks
    cdef upstream_t* to = upstream_of(call.hook, upstream)
    cdef fetch_t* f
    error[0] = HOST_NONE
    if to == NULL:
        return NULL
    error[0] = HOST_PHASE
    if not call.hook.may_wait or call.phase == PHASE_LOG:
        return NULL
    error[0] = HOST_FULL
    if k.fetch_count >= FETCHES_MAX or call.fetched >= FETCHES_RUN:
        hook_unkept(call)                 # what it decides without an answer is not kept
        return NULL
    if k.fetches.size == 0:
        blocks_init(&k.fetches, sizeof(fetch_t))
    f = <fetch_t*>block_take(&k.fetches)
    if unlikely(f == NULL):
        return NULL
    memset(f, 0, sizeof(fetch_t))
    f.hooks = k
    f.call = call
    k.fetch_count += 1
    call.fetched += 1
    f.d = detached_make(call.x, to)
    if unlikely(f.d == NULL):
        fetch_drop(f)
        return NULL
    pend(call, &f.pending)
    f.d.peer = call.x.client
    f.d.x.request.authority = authority_of(to)
    if unlikely(trace_keep(&f.d.x, call.x, H_TRACEPARENT) != 0
                or trace_keep(&f.d.x, call.x, H_TRACESTATE) != 0):
        fetch_drop(f)
        return NULL
    error[0] = 0
    return f


cdef int fetch_line(fetch_t* f, span_t method, span_t target) noexcept nogil:
    cdef exchange_t* x = &f.d.x
    cdef int number = hook_method_number(method)
    cdef uint32_t at = 0
    cdef int error
    if number < 0:
        return number
    x.request.method = <unsigned char>number
    x.request.method_name = span(llhttp.method_name(number), method.len)
    while at < target.len and target.ptr[at] != c'?':
        at += 1
    error = retarget_path(x, span(b"", 0), span(target.ptr, at))
    if error == 0 and at < target.len:
        target = hook_keep(x, target.ptr + at + 1, target.len - at - 1)
        if unlikely(target.ptr == NULL):
            return HOST_FULL
        error = retarget_query(x, target)
    if unlikely(error != 0):
        return HOST_FULL if error == E_CORE_MEMORY else HOST_BAD
    return 0


cdef int fetch_field(fetch_t* f, span_t name, span_t value) noexcept nogil:
    cdef exchange_t* x = &f.d.x
    cdef span_t host
    cdef uint16_t id = 0, port
    cdef int error = hook_name_check(SIDE_REQUEST, name, &id)
    if unlikely(error != 0):
        return error
    if unlikely(not header_value_valid(value)):
        return HOST_BAD
    if unlikely(f.fields >= FETCH_FIELDS):
        return HOST_FULL
    f.fields += 1
    if id == H_HOST:
        if not http1_authority_split(value, &host, &port):
            return HOST_BAD
        x.request.authority = hook_keep(x, value.ptr, value.len)
        return 0 if x.request.authority.ptr != NULL else <int>HOST_FULL
    if id == H_TRACEPARENT or id == H_TRACESTATE:
        error = headers_set(&x.request.half.headers, &x.arena, name, value)
    else:
        error = headers_write(&x.request.half.headers, &x.arena, id, name, value)
    return 0 if error == 0 else <int>HOST_FULL


# --- sent -----------------------------------------------------------------------------------------


# RFC 9110 8.6: methods that may have a body say that they have none.
cdef inline bint says_length(int method) noexcept nogil:
    return method == HTTP_POST or method == HTTP_PUT or method == HTTP_PATCH


cdef int body_put(fetch_t* f, span_t body) noexcept nogil:
    cdef exchange_t* x = &f.d.x
    cdef buffers_t* buffers = x.host.buffers
    cdef slices_t q
    cdef buffer_t* copy
    cdef int error
    if body.ptr == NULL and not says_length(x.request.method):
        return 0
    x.request.half.framing = FRAMING_LENGTH
    x.request.half.length = body.len
    if body.len == 0:
        return 0
    copy = buffer_take_sized(buffers, body.len)
    if unlikely(copy == NULL):
        return HOST_FULL
    memcpy(buffer_data(copy), body.ptr, body.len)        # COPY: the hook's bytes are its own
    copy.used = body.len
    slices_init(&q)
    error = slices_add(buffers, &q, copy, buffer_data(copy), body.len)
    buffer_unref(copy)
    if unlikely(error != 0):
        return HOST_FULL
    detached_body(f.d, &q)
    return 0


cdef int fetch_send(fetch_t* f, span_t body, uint32_t timeout_ms,
                    fetch_done_fn done, void* owner) noexcept nogil:
    cdef int error
    if body.len > FETCH_BODY_MAX:
        return HOST_FULL
    if timeout_ms > FETCH_MAX_MS:
        return HOST_BAD
    error = body_put(f, body)
    if unlikely(error != 0):
        return error
    stat_add(f.hooks.host.counters, ST_FETCHES, 1)
    f.done = done
    f.owner = owner
    detached_body_end(f.d)
    detached_start(f.d, &on, f, timeout_ms if timeout_ms else FETCH_MS)
    return 0


# --- answered -------------------------------------------------------------------------------------


cdef void pend(hook_call_t* call, pending_t* p) noexcept nogil:
    p.over = on_over
    p.next = call.pending
    p.link = &call.pending
    if p.next != NULL:
        p.next.link = &p.next
    call.pending = p


cdef void unpend(pending_t* p) noexcept nogil:
    if p.link == NULL:
        return
    p.link[0] = p.next
    if p.next != NULL:
        p.next.link = p.link
    p.link = NULL
    p.next = NULL


cdef int on_body(detached_t* d, slices_t* body) noexcept nogil:
    cdef fetch_t* f = <fetch_t*>d.owner
    if f.body.bytes + body.bytes > FETCH_BODY_MAX:
        return E_HOOK_BODY_LENGTH
    slices_move(&f.body, body)
    return 0


# The body in one piece. 0 or E_CORE_MEMORY.
cdef int body_join(fetch_t* f) noexcept nogil:
    cdef buffers_t* buffers = f.hooks.host.buffers
    cdef slice_t* s = f.body.first
    cdef buffer_t* whole
    cdef int error = 0
    if s != NULL and s.next != NULL:
        whole = buffer_take_sized(buffers, <uint32_t>f.body.bytes)
        if unlikely(whole == NULL):
            return E_CORE_MEMORY
        while s != NULL:
            memcpy(buffer_data(whole) + whole.used, s.ptr, s.len)   # COPY: a hook sees one piece
            whole.used += s.len
            s = s.next
        slices_clear(buffers, &f.body)
        error = slices_add(buffers, &f.body, whole, buffer_data(whole), whole.used)
        buffer_unref(whole)
    s = f.body.first
    f.result.body = span(s.ptr, s.len) if s != NULL else span(b"", 0)
    return error


# What an E_* is to a hook.
cdef const char* word_of(int error) noexcept nogil:
    if (error == E_CORE_TOTAL_TIMEOUT or error == E_UP_CONNECT_TIMEOUT or error == E_UP_STALLED
            or error == E_UP_RESPONSE_TIMEOUT or error == E_CORE_QUEUE_TIMEOUT):
        return b"timeout"
    if (error == E_UP_REFUSED or error == E_UP_UNREACHABLE or error == E_UP_NAME
            or error == E_CORE_NO_TARGET):
        return b"unreachable"
    if (error == E_UP_CLOSED or error == E_UP_RESET or error == E_UP_BROKEN
            or error == E_UP_INCOMPLETE):
        return b"closed"
    if error == E_HOOK_BODY_LENGTH:
        return b"too large"
    if error == E_CORE_QUEUE_FULL:
        return b"limit"
    if error == E_CORE_MEMORY:
        return b"memory"
    return b"bad answer" if fault_get(error).side == SIDE_UP else b"stopped"


cdef void on_end(detached_t* d, int error) noexcept nogil:
    cdef fetch_t* f = <fetch_t*>d.owner
    if error == 0:
        error = body_join(f)
    if error != 0:
        stat_add(f.hooks.host.counters, ST_FETCH_FAULTS, 1)
        hook_unkept(f.call)               # what it decides without an answer is not kept
        f.result.error = word_of(error)
        f.result.cause = fault_get(error).label
        f.result.body = span(NULL, 0)
    else:
        f.result.status = d.x.response.status
        f.result.fields = d.x.response.half.headers.items
        f.result.field_count = d.x.response.half.headers.count
    f.d = NULL
    unpend(&f.pending)
    f.done(f)


# The run that asked is over.
cdef void on_over(pending_t* p) noexcept nogil:
    cdef fetch_t* f = <fetch_t*>p
    cdef detached_t* d = f.d
    unpend(p)
    if f.done == NULL:
        fetch_drop(f)
        return
    f.d = NULL
    detached_cancel(d)
    f.result.error = b"over"
    f.result.cause = b"hook_over"
    f.done(f)


cdef void fetch_drop(fetch_t* f) noexcept nogil:
    cdef hooks_t* k = f.hooks
    cdef detached_t* d = f.d
    unpend(&f.pending)
    f.d = NULL
    if d != NULL:
        detached_cancel(d)
    slices_clear(k.host.buffers, &f.body)
    k.fetch_count -= 1
    block_give(&k.fetches, f)


on.head = NULL
on.body = on_body
on.end = on_end
