# Owns: the plan's picture of the upstream side: timeouts, targets, pools' bounds.
# Thread and GIL: built under the GIL, then read only; declarations only.
# Never does: change after publishing; what changes (pool_t, health) is reached through `pool`.
# Read next: types/exchange.pxd.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from pygw._core.types.header cimport span_t

# Milliseconds; 0 = off. Resolved when the plan is built: global < upstream < route.
cdef struct timeouts_t:
    uint32_t connect_ms
    uint32_t response_ms        # from the request's last byte sent to the first byte of the answer
    uint32_t between_bytes_ms   # within a response
    uint32_t total_ms           # the whole exchange; never covers tunnels

cdef struct pool_limits_t:
    uint32_t idle               # connections kept for reuse, a target
    uint32_t connections        # open at once, a target
    uint32_t queue              # exchanges that wait for a connection, a target
    uint32_t queue_timeout_ms
    uint32_t idle_timeout_ms
    uint32_t lifetime_ms        # a connection older than this is not reused

cdef enum target_family:
    TARGET_TCP = 0
    TARGET_UNIX = 1

# How a target has done lately; lives in its pool and survives plans.
cdef struct health_t:
    uint64_t ejected_until_ns   # monotonic; 0: in rotation
    uint32_t faults             # attempts that failed in a row
    uint32_t back_off_ms        # of the last ejection; 0 after a success

cdef struct target_t:
    span_t url                  # plan: as configured; its pool goes by family, host and port
    span_t host                 # plan: name or address; socket path for TARGET_UNIX; terminated
    uint16_t port
    uint8_t family              # target_family
    health_t* health            # borrow(pool, until the plan is freed); NULL: never judged
    void* pool                  # borrow(worker, until the plan is freed): pool_t of pool.pxd

cdef struct upstream_t:
    span_t name                 # plan
    target_t* targets           # plan
    uint32_t target_count
    uint32_t retries            # further attempts after the first
    uint32_t replay_body        # bytes of request body kept for a further attempt
    timeouts_t timeouts
    pool_limits_t limits
    uint32_t* cursor            # plan: round robin's place; the one word that moves (loop only)
