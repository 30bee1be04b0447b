# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, nonecheck=False
# Owns: what an exchange holds: set up, counted, given back.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: decide anything.
# Read next: exchange_memory.pxd for the contract.

from libc.string cimport memset
from pygw._core.check cimport PYGW_DEBUG
from pygw._core.limits cimport ARENA_MAX, HEADERS_INLINE
from pygw._core.types.stream cimport stream_t
from pygw._core.types.exchange cimport *
from pygw._core.arena cimport arena_init, arena_fini
from pygw._core.buffer cimport buffer_unref, slices_clear
from pygw._core.headers cimport headers_init
from pygw._core.stats cimport (
    stat_add, ST_RESPONSES_1XX, ST_RESPONSES_CUT, ST_CLIENT_GONE)


cdef void exchange_init(exchange_t* x, host_t* host, plan_t* plan, stream_t* down) noexcept nogil:
    memset(x, 0, <size_t>(<char*>&x.request_headers - <char*>x))
    x.magic = EXCHANGE_MAGIC if PYGW_DEBUG else 0
    x.host = host
    x.plan = plan
    plan.refs += 1
    x.down = down
    arena_init(&x.arena, x.inline_memory, sizeof(x.inline_memory), ARENA_MAX)
    x.request.half.arena = &x.arena
    x.response.half.arena = &x.arena
    headers_init(&x.request.half.headers, x.request_headers, HEADERS_INLINE)
    headers_init(&x.response.half.headers, x.response_headers, HEADERS_INLINE)
    x.attempt.exchange = x


cdef void exchange_response_reset(exchange_t* x) noexcept nogil:
    buffer_unref(x.response.half.head)
    memset(&x.response, 0, sizeof(x.response))
    x.response.half.arena = &x.arena
    headers_init(&x.response.half.headers, x.response_headers, HEADERS_INLINE)


cdef void exchange_fini(exchange_t* x) noexcept nogil:
    buffer_unref(x.request.half.head)
    buffer_unref(x.response.half.head)
    arena_fini(&x.arena)
    x.magic = 0


cdef void exchange_body_drop(exchange_t* x) noexcept nogil:
    slices_clear(x.host.buffers, &x.request_side.arrived)
    slices_clear(x.host.buffers, &x.request_side.hand)
    slices_clear(x.host.buffers, &x.request_side.passed)
    slices_clear(x.host.buffers, &x.response_side.arrived)
    slices_clear(x.host.buffers, &x.response_side.hand)
    slices_clear(x.host.buffers, &x.response_side.passed)


cdef void exchange_count(exchange_t* x) noexcept nogil:
    cdef int family = x.response.status // 100
    if x.flags & XF_CLIENT_GONE and not x.flags & XF_DETACHED:
        stat_add(x.host.counters, ST_CLIENT_GONE, 1)
    if x.flags & XF_CUT and not x.flags & XF_DETACHED:
        stat_add(x.host.counters, ST_RESPONSES_CUT, 1)
    if x.flags & (XF_RESPONSE_STARTED | XF_DETACHED) == XF_RESPONSE_STARTED and 1 <= family <= 5:
        stat_add(x.host.counters, ST_RESPONSES_1XX + family - 1, 1)
