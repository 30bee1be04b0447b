# Owns: exchanges without a client: a request of our own to an upstream, its answer in memory.
# Thread and GIL: one worker's loop; no GIL; no I/O of its own.
# Never does: begin within the call that asks for it: it begins with the next turn of the loop.
# Read next: detached.pyx; types/stream.pxd for what it stands in for.
#
# What a hook fetches and what a route mirrors is such an exchange. It is balanced, pooled, retried,
# timed and judged by the upstream's own settings, as any other. It has no chain, no line in the
# access log, and is not counted among requests and responses (its attempts are among attempts). It
# pins the plan that it was made by.
#
#   detached_make > fill d.x.request > [detached_body*, detached_body_end] > detached_start
#   > (next turn) attempts > on.head > on.body* > on.end > gone
# or at any time outside of its own calls: detached_cancel > gone, and nothing is called any more.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from pygw._core.types.address cimport address_t
from pygw._core.types.memory cimport blocks_t, slices_t
from pygw._core.types.stream cimport stream_t
from pygw._core.types.timer cimport timer_t
from pygw._core.types.upstream cimport upstream_t
from pygw._core.types.exchange cimport exchange_t, host_t, plan_t, route_t

# What its maker hears; static. NULL for head and body: nobody wants them, and they are dropped.
# head  the answer's head is d.x.response. Good until `end` returns. Only the final one is told.
# body  a piece of it: what is left in `body` is dropped.
# Both answer 0, or a negative E_* that ends the exchange: `end` hears it.
# end   exactly once. error 0: the whole answer was told; else the E_* that ended it, and what was
#       told before is cut. d and its exchange are gone when it returns.
cdef struct detached_on_t:
    int (*head)(detached_t* d) noexcept nogil
    int (*body)(detached_t* d, slices_t* body) noexcept nogil
    void (*end)(detached_t* d, int error) noexcept nogil

cdef struct detached_t:
    stream_t stream                   # the client that it has not; `paused`: request body waits
    const detached_on_t* on           # static; NULL: nobody listens
    void* owner                       # borrow(its maker, until on.end or detached_cancel)
    detacheds_t* home                 # borrow(worker, for ever)
    detached_t* next                  # borrow(detacheds, until it is gone): list of all
    detached_t** link                 # borrow(detacheds, until it is gone): what points here
    timer_t timer                     # its beginning, then its deadline
    uint32_t deadline_ms              # of the whole; 0: none
    uint8_t begun
    address_t peer                    # what X-Forwarded-For says: that of the exchange it is for
    route_t route                     # of its own: no filters
    exchange_t x

cdef struct detacheds_t:
    host_t host                       # as the worker's, but for the end and the log
    host_t* of                        # borrow(worker, for ever)
    detached_t* first                 # own
    blocks_t blocks
    uint32_t count
    void (*plan_unpin)(host_t* h, plan_t* plan) noexcept nogil    # static

cdef void detacheds_init(detacheds_t* home, host_t* host,
                         void (*plan_unpin)(host_t* h, plan_t* plan) noexcept nogil) noexcept nogil
cdef void detacheds_fini(detacheds_t* home) noexcept nogil
# The worker stops: each that is left ends with E_CORE_STOPPED.
cdef void detacheds_stop(detacheds_t* home) noexcept nogil

# One for `x`, to an upstream of x.plan: with x's plan, client, request id (copied) and the
# upstream's timeouts. NULL: DETACHED_MAX are there, or no memory.
# The caller fills d.x.request before it starts: method (number and name), authority, path, query,
# fields, and framing with length. All that it points at lies in d.x.arena, in the plan, or is
# static. half.version is 11, framing NONE, scheme http. d.peer and d.x.timeouts may be changed.
cdef detached_t* detached_make(const exchange_t* x, upstream_t* upstream) noexcept nogil
# Request body: takes all slices, before the start or while it runs (not while `stream.paused`, but
# for the bound's sake). Both may end it.
cdef void detached_body(detached_t* d, slices_t* body) noexcept nogil
# Nothing follows. For FRAMING_NONE as well.
cdef void detached_body_end(detached_t* d) noexcept nogil
# It begins with the next turn, and ends at the latest after deadline_ms (0: no such bound).
cdef void detached_start(detached_t* d, const detached_on_t* on, void* owner,
                         uint32_t deadline_ms) noexcept nogil
# Nobody cares any more, whether it was started or not. Not within one of its own calls.
cdef void detached_cancel(detached_t* d) noexcept nogil
