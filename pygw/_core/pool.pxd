# Owns: the connections to one target: idle ones, the bound on open ones, who waits for one.
# Thread and GIL: one worker's loop; no GIL.
# Never does: forget a target's state because a plan was replaced: pools outlive plans.
# Read next: downstream.pxd.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from pygw._core.types.memory cimport blocks_t
from pygw._core.types.transport cimport transports_t
from pygw._core.types.upstream cimport health_t, target_t, pool_limits_t
from pygw._core.types.exchange cimport exchange_t, attempt_t, host_t
from pygw._core.resolver cimport resolver_t, watch_t
from pygw._core.timer cimport wheel_t
from pygw._core.upstream cimport up_t, ups_t

cdef enum:
    POOL_BUCKETS = 1024       # a reload looks for the pool of each target while nobody is served

# Invariants: idle_count <= open <= limits.connections; queued > 0 only while no idle connection is
# at hand. A pool without references and connections is given back.
cdef struct pool_t:
    pool_t* next              # borrow(pools, until pool_sweep): its list
    pool_t* near              # borrow(pools, until pool_sweep): its bucket
    pools_t* home             # borrow(worker, for ever)
    watch_t* watch            # own: the name's addresses; NULL for a unix socket
    up_t* idle                # own: most recently used first
    up_t* opening             # own: on their way
    attempt_t* queue          # borrow(exchanges, until queue_remove): first in, first out
    attempt_t** queue_end     # borrow(queue, until queue_remove)
    pool_limits_t limits      # of the newest plan that names it
    health_t health
    uint32_t connect_ms
    uint32_t refs             # targets of living plans
    uint32_t idle_count
    uint32_t open             # connecting, busy, idle and closing
    uint32_t connecting       # of these, on their way
    uint32_t queued
    uint32_t next_address     # round robin over a name's addresses
    uint32_t faults           # connects failed in a row: all addresses are tried before giving up
    uint16_t port
    uint8_t family            # target_family
    char host[256]            # name, address, or socket path; terminated

cdef struct pools_t:
    host_t* host              # borrow(worker, for ever)
    wheel_t* wheel            # borrow(worker, for ever)
    resolver_t* resolver      # borrow(worker, for ever)
    pool_t* first             # own
    pool_t* buckets[1024]     # own: POOL_BUCKETS; the same pools, by place
    blocks_t blocks
    ups_t ups
    uint64_t open             # connections of all pools
    uint8_t stopping          # no further connection is opened

cdef void pools_init(pools_t* home, host_t* host, transports_t* transports, wheel_t* wheel,
                     resolver_t* resolver) noexcept nogil
cdef void pools_fini(pools_t* home) noexcept nogil
# Closes every connection and refuses new ones; `open` falls to 0 in later turns.
cdef void pools_stop(pools_t* home) noexcept nogil
# The pool of a target (made when it is new), with one reference more; NULL: out of memory.
cdef pool_t* pool_get(pools_t* home, target_t* target) noexcept nogil
# What the plan that becomes current says of it.
cdef void pool_bound(pool_t* pool, const pool_limits_t* limits, uint32_t connect_ms) noexcept nogil
cdef void pool_unref(pool_t* pool) noexcept nogil

# host.attempt_start and host.attempt_end (types/exchange.pxd).
cdef void pool_attempt_start(pools_t* home, exchange_t* x) noexcept nogil
cdef void pool_attempt_end(pools_t* home, exchange_t* x, bint reusable) noexcept nogil
