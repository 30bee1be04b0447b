# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Owns: what each filter of a plan did to an exchange, head by head.
# Thread and GIL: one worker's loop; no GIL.
# Never does: run in a gateway that serves; see chain_trace.pxd.
# Read next: chain_trace.pxd for the contract.

from libc.string cimport memcpy
from pygw._core.arena cimport arena_bytes, arena_fini, arena_init, arena_zalloc
from pygw._core.fault cimport E_CORE_MEMORY
from pygw._core.limits cimport TRACE_BYTES_MAX
from pygw._core.types.exchange cimport (
    chain_t, verdict_t, PHASE_ATTEMPT, PHASE_REQUEST, PHASE_RESPONSE, VERDICT_REPLY)
from pygw._core.types.header cimport header_t, headers_t, HF_HOP, HF_REMOVED
from pygw._core.types.memory cimport slices_t
from pygw._core.view cimport decimal_write, span


cdef void trace_init(trace_t* trace) noexcept nogil:
    arena_init(&trace.arena, NULL, 0, TRACE_BYTES_MAX)
    trace.first = NULL
    trace.last = NULL
    trace.lost = 0


cdef void trace_clear(trace_t* trace) noexcept nogil:
    arena_fini(&trace.arena)
    trace_init(trace)


# --- pictures -------------------------------------------------------------------------------------


# Where a picture is written; with `to` NULL it is only measured.
cdef struct pen_t:
    char* to                  # arena: the next byte
    size_t size


cdef inline void put(pen_t* pen, const char* text, size_t size) noexcept nogil:
    if pen.to != NULL and size:
        memcpy(pen.to, text, size)         # COPY: fields change in place, the picture must not
        pen.to += size
    pen.size += size


cdef void put_fields(pen_t* pen, const headers_t* hs) noexcept nogil:
    cdef const header_t* h
    cdef int i
    for i in range(<int>hs.count):
        h = &hs.items[i]
        if h.flags & (HF_REMOVED | HF_HOP):
            continue
        put(pen, b"\n", 1)
        put(pen, h.name.ptr, h.name.len)
        put(pen, b": ", 2)
        put(pen, h.value.ptr, h.value.len)


cdef void put_request(pen_t* pen, const exchange_t* x) noexcept nogil:
    put(pen, x.request.method_name.ptr, x.request.method_name.len)
    put(pen, b" ", 1)
    put(pen, x.request.path.ptr, x.request.path.len)
    if x.request.query.len:
        put(pen, b"?", 1)
        put(pen, x.request.query.ptr, x.request.query.len)
    put_fields(pen, &x.request.half.headers)


cdef void put_response(pen_t* pen, const exchange_t* x) noexcept nogil:
    cdef char digits[20]
    put(pen, digits, decimal_write(digits, x.response.status))
    put_fields(pen, &x.response.half.headers)


# Empty when there is no room.
cdef span_t picture(trace_t* trace, const exchange_t* x, bint of_response) noexcept nogil:
    cdef pen_t pen
    cdef char* start
    pen.to = NULL
    pen.size = 0
    if of_response:
        put_response(&pen, x)
    else:
        put_request(&pen, x)
    start = arena_bytes(&trace.arena, pen.size)
    if start == NULL:
        return span(NULL, 0)
    pen.to = start
    if of_response:
        put_response(&pen, x)
    else:
        put_request(&pen, x)
    return span(start, <uint32_t>(pen.to - start))


# --- calls ----------------------------------------------------------------------------------------


cdef inline traced_t* traced_of(const filter_t* f) noexcept nogil:
    return <traced_t*>f.conf


cdef verdict_t trace_head(exchange_t* x, const filter_t* f, int phase) noexcept nogil:
    cdef traced_t* t = traced_of(f)
    cdef trace_t* trace = t.trace
    cdef trace_step_t* step = <trace_step_t*>arena_zalloc(&trace.arena, sizeof(trace_step_t))
    cdef bint of_response = phase == PHASE_RESPONSE
    cdef verdict_t verdict
    if step != NULL:
        step.before = picture(trace, x, of_response)
    if phase == PHASE_REQUEST:
        verdict = t.inner.ops.request(x, &t.inner)
    elif phase == PHASE_ATTEMPT:
        verdict = t.inner.ops.attempt(x, &t.inner)
    else:
        verdict = t.inner.ops.response(x, &t.inner)
    if step == NULL:
        trace.lost += 1
        return verdict
    step.after = picture(trace, x, of_response or verdict == VERDICT_REPLY)
    step.place = t.place
    step.phase = <uint8_t>phase
    step.verdict = <uint8_t>verdict
    if step.before.len == 0 or step.after.len == 0:
        trace.lost += 1
        return verdict
    if trace.last == NULL:
        trace.first = step
    else:
        trace.last.next = step
    trace.last = step
    return verdict


cdef verdict_t on_request(exchange_t* x, const filter_t* f) noexcept nogil:
    return trace_head(x, f, PHASE_REQUEST)


cdef verdict_t on_attempt(exchange_t* x, const filter_t* f) noexcept nogil:
    return trace_head(x, f, PHASE_ATTEMPT)


cdef verdict_t on_response(exchange_t* x, const filter_t* f) noexcept nogil:
    return trace_head(x, f, PHASE_RESPONSE)


cdef verdict_t on_request_body(exchange_t* x, const filter_t* f, slices_t* body,
                               bint last) noexcept nogil:
    cdef traced_t* t = traced_of(f)
    return t.inner.ops.request_body(x, &t.inner, body, last)


cdef verdict_t on_response_body(exchange_t* x, const filter_t* f, slices_t* body,
                                bint last) noexcept nogil:
    cdef traced_t* t = traced_of(f)
    return t.inner.ops.response_body(x, &t.inner, body, last)


cdef void on_log(exchange_t* x, const filter_t* f) noexcept nogil:
    cdef traced_t* t = traced_of(f)
    t.inner.ops.log(x, &t.inner)


cdef void on_gather(exchange_t* x, const filter_t* f, int phase) noexcept nogil:
    cdef traced_t* t = traced_of(f)
    t.inner.ops.gather(x, &t.inner, phase)


cdef void on_cancel(exchange_t* x, const filter_t* f, int phase) noexcept nogil:
    cdef traced_t* t = traced_of(f)
    t.inner.ops.cancel(x, &t.inner, phase)


cdef void on_conf_free(void* conf) noexcept nogil:
    cdef traced_t* t = <traced_t*>conf
    t.inner.ops.conf_free(t.inner.conf)


# --- wrapping -------------------------------------------------------------------------------------


# A member that is NULL stays so: the filter takes part in the same phases as before.
cdef void wrap(traced_t* t) noexcept nogil:
    t.ops = t.inner.ops[0]
    if t.ops.request != NULL:
        t.ops.request = on_request
    if t.ops.request_body != NULL:
        t.ops.request_body = on_request_body
    if t.ops.attempt != NULL:
        t.ops.attempt = on_attempt
    if t.ops.response != NULL:
        t.ops.response = on_response
    if t.ops.response_body != NULL:
        t.ops.response_body = on_response_body
    if t.ops.log != NULL:
        t.ops.log = on_log
    if t.ops.cancel != NULL:
        t.ops.cancel = on_cancel
    if t.ops.gather != NULL:
        t.ops.gather = on_gather
    if t.ops.conf_free != NULL:
        t.ops.conf_free = on_conf_free


cdef int trace_plan(trace_t* trace, plan_t* plan) noexcept nogil:
    cdef chain_t* chain
    cdef traced_t* t
    cdef uint32_t i, k
    for i in range(plan.route_count):
        chain = &plan.routes[i].chain
        for k in range(chain.filter_count):
            t = <traced_t*>arena_zalloc(&plan.arena, sizeof(traced_t))
            if t == NULL:
                return E_CORE_MEMORY
            t.inner = chain.filters[k]
            t.place = <uint16_t>k
            t.trace = trace
            wrap(t)
            chain.filters[k].ops = &t.ops
            chain.filters[k].conf = t
    return 0
