# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, nonecheck=False
# Owns: exchanges without a client: a request of our own to an upstream, its answer in memory.
# Thread and GIL: one worker's loop; no GIL; no I/O of its own.
# Never does: begin within the call that asks for it.
# Read next: detached.pxd for the contract.

from libc.stdint cimport uint32_t
from libc.string cimport memcpy, memset
from pygw._core.arena cimport arena_bytes
from pygw._core.block cimport block_give, block_take, blocks_fini, blocks_init
from pygw._core.buffer cimport slices_clear, slices_move
from pygw._core.check cimport BUG_ON, unlikely
from pygw._core.exchange cimport exchange_abort, exchange_on_down, exchange_resume
from pygw._core.exchange_memory cimport exchange_body_drop, exchange_fini, exchange_init
from pygw._core.fault cimport E_CORE_STOPPED, E_CORE_TOTAL_TIMEOUT, E_DOWN_CLOSED
from pygw._core.limits cimport DETACHED_MAX
from pygw._core.types.exchange cimport *
from pygw._core.types.header cimport headers_t
from pygw._core.types.message cimport half_t, response_t, MF_LINE_EDITED, MF_SELF_MADE
from pygw._core.types.stream cimport stream_ops_t
from pygw._core.view cimport span


cdef inline detached_t* of_stream(stream_t* s) noexcept nogil:
    return <detached_t*>(<char*>s - <size_t>&(<detached_t*>NULL).stream)


cdef inline detached_t* of_exchange(exchange_t* x) noexcept nogil:
    return <detached_t*>(<char*>x - <size_t>&(<detached_t*>NULL).x)


# --- the home -------------------------------------------------------------------------------------


cdef void detacheds_init(detacheds_t* home, host_t* host,
                         void (*plan_unpin)(host_t* h, plan_t* plan) noexcept nogil) noexcept nogil:
    memset(home, 0, sizeof(detacheds_t))
    home.of = host
    home.plan_unpin = plan_unpin
    blocks_init(&home.blocks, sizeof(detached_t))


cdef void detacheds_fini(detacheds_t* home) noexcept nogil:
    blocks_fini(&home.blocks)


cdef void detacheds_stop(detacheds_t* home) noexcept nogil:
    while home.first != NULL:
        detached_end(home.first, E_CORE_STOPPED)


cdef void no_log(exchange_t* x) noexcept nogil:
    pass


# --- life -----------------------------------------------------------------------------------------


cdef detached_t* detached_make(const exchange_t* x, upstream_t* upstream) noexcept nogil:
    cdef detacheds_t* home = <detacheds_t*>x.host.detacheds
    cdef detached_t* d
    if home.count >= DETACHED_MAX:
        return NULL
    d = <detached_t*>block_take(&home.blocks)
    if unlikely(d == NULL):
        return NULL
    memset(d, 0, <size_t>&(<detached_t*>NULL).x)
    home.host = home.of[0]
    home.host.exchange_done = on_done
    home.host.log = no_log
    d.home = home
    d.stream.ops = &ops
    d.stream.version = 11
    d.peer = x.peer[0]
    d.link = &home.first
    d.next = home.first
    if d.next != NULL:
        d.next.link = &d.next
    home.first = d
    home.count += 1
    exchange_fill(&d.x, d, x, upstream)
    if unlikely(request_id_keep(&d.x, x) != 0):
        detached_cancel(d)
        return NULL
    return d


cdef void exchange_fill(exchange_t* x, detached_t* d, const exchange_t* of,
                        upstream_t* upstream) noexcept nogil:
    exchange_init(x, &d.home.host, of.plan, &d.stream)
    x.flags = XF_DETACHED
    d.stream.on = exchange_on_down()
    d.stream.sink = x
    x.peer = &d.peer
    x.client = of.client
    x.listener = of.listener
    d.route.name = upstream.name
    d.route.upstream = upstream
    d.route.timeouts = upstream.timeouts
    x.route = &d.route
    x.upstream = upstream
    x.timeouts = &upstream.timeouts
    x.request.half.version = 11
    x.request.half.flags = MF_LINE_EDITED
    x.request.scheme = span(b"http", 4)


cdef int request_id_keep(exchange_t* x, const exchange_t* of) noexcept nogil:
    cdef char* copy
    if of.request_id.len == 0:
        return 0
    copy = arena_bytes(&x.arena, of.request_id.len)
    if unlikely(copy == NULL):
        return -1
    memcpy(copy, of.request_id.ptr, of.request_id.len)   # COPY: it may outlive the other exchange
    x.request_id = span(copy, of.request_id.len)
    x.flags |= of.flags & XF_ID_MADE
    return 0


cdef void detached_start(detached_t* d, const detached_on_t* on, void* owner,
                         uint32_t deadline_ms) noexcept nogil:
    d.on = on
    d.owner = owner
    d.deadline_ms = deadline_ms
    d.timer.fire = on_begin
    d.home.of.timer_soon(d.home.of, &d.timer)


# Its request chain is empty: it goes on as if that had just been waited for.
cdef void on_begin(timer_t* t) noexcept nogil:
    cdef detached_t* d = <detached_t*>(<char*>t - <size_t>&(<detached_t*>NULL).timer)
    cdef exchange_t* x = &d.x
    cdef host_t* host = d.home.of
    d.begun = True
    x.started_ns = host.now_ns(host)
    t.fire = on_late
    if d.deadline_ms:
        host.timer_arm(host, t, d.deadline_ms)
    x.waiting[<int>PHASE_REQUEST] = 1
    exchange_resume(x, PHASE_REQUEST, VERDICT_NEXT)
    host.flush(host)


cdef void on_late(timer_t* t) noexcept nogil:
    cdef detached_t* d = <detached_t*>(<char*>t - <size_t>&(<detached_t*>NULL).timer)
    cdef host_t* host = d.home.of
    exchange_abort(&d.x, E_CORE_TOTAL_TIMEOUT)
    host.flush(host)


# Ends it from outside.
cdef void detached_end(detached_t* d, int error) noexcept nogil:
    if d.begun:
        exchange_abort(&d.x, error)
    else:
        d.x.error = error
        exchange_body_drop(&d.x)
        on_done(&d.x)


cdef void detached_cancel(detached_t* d) noexcept nogil:
    d.on = NULL
    detached_end(d, E_DOWN_CLOSED)


# host.exchange_done: it is over.
cdef void on_done(exchange_t* x) noexcept nogil:
    cdef detached_t* d = of_exchange(x)
    cdef detacheds_t* home = d.home
    cdef const detached_on_t* on = d.on
    cdef plan_t* plan = x.plan
    home.of.timer_detach(home.of, &d.timer)
    d.link[0] = d.next
    if d.next != NULL:
        d.next.link = d.link
    home.count -= 1
    if on != NULL:
        d.on = NULL
        on.end(d, x.error)
    exchange_fini(x)
    block_give(&home.blocks, d)
    plan.refs -= 1
    if unlikely(plan.refs == 0):
        home.plan_unpin(home.of, plan)


# --- request body ---------------------------------------------------------------------------------


cdef void detached_body(detached_t* d, slices_t* body) noexcept nogil:
    d.x.request.half.received += body.bytes
    if d.begun:
        d.stream.on.body(&d.stream, body)
    else:
        slices_move(&d.x.request_side.arrived, body)


cdef void detached_body_end(detached_t* d) noexcept nogil:
    if d.begun:
        d.stream.on.end(&d.stream)
    else:
        d.x.request_side.end_arrived = True


# --- what the exchange takes for its client -------------------------------------------------------


cdef int on_head(stream_t* s, half_t* half) noexcept nogil:
    cdef detached_t* d = of_stream(s)
    if half.flags & MF_SELF_MADE or (<response_t*>half).status < 200:
        return 0                                     # what became of it is told by `end`
    if d.on != NULL and d.on.head != NULL:
        return d.on.head(d)
    return 0


cdef int on_body(stream_t* s, slices_t* slices) noexcept nogil:
    cdef detached_t* d = of_stream(s)
    cdef int error = 0
    if d.on != NULL and d.on.body != NULL and not d.x.response.half.flags & MF_SELF_MADE:
        error = d.on.body(d, slices)
    slices_clear(d.home.of.buffers, slices)
    return error


cdef int on_end(stream_t* s, headers_t* trailers) noexcept nogil:
    return 0


cdef void on_flush(stream_t* s) noexcept nogil:
    pass


cdef void on_pause(stream_t* s) noexcept nogil:
    s.paused = True


cdef void on_resume(stream_t* s) noexcept nogil:
    s.paused = False


cdef void on_reset(stream_t* s, int error) noexcept nogil:
    BUG_ON(of_stream(s).x.error == 0)


cdef stream_ops_t ops
ops.head = on_head
ops.body = on_body
ops.end = on_end
ops.flush = on_flush
ops.pause = on_pause
ops.resume = on_resume
ops.reset = on_reset
