# Owns: a worker's data plane as one struct: every home, wired together; what exchanges may ask.
# Thread and GIL: one worker's loop; no GIL.
# Never does: talk to Python (worker.pyx does).
# Read next: worker.pyx.

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from pygw._core.libs.uv cimport uv_loop_t
from pygw._core.types.memory cimport buffers_t
from pygw._core.types.timer cimport timer_t
from pygw._core.types.transport cimport transports_t
from pygw._core.types.exchange cimport host_t, plan_t
from pygw._core.types.hook cimport hooks_t
from pygw._core.access_log cimport access_log_t
from pygw._core.bills cimport bills_t
from pygw._core.clock cimport loop_clock_t
from pygw._core.deflater cimport deflaters_t
from pygw._core.detached cimport detacheds_t
from pygw._core.down cimport downs_t
from pygw._core.ids cimport ids_t
from pygw._core.listener cimport listeners_t
from pygw._core.malformed cimport malformed_t
from pygw._core.mirror cimport mirrors_t
from pygw._core.steps cimport steps_t
from pygw._core.pool cimport pools_t
from pygw._core.relay cimport relays_t
from pygw._core.resolver cimport resolver_t
from pygw._core.standing cimport standings_t
from pygw._core.timer cimport wheel_t

cdef struct worker_t:
    host_t host               # first: what exchanges see
    plan_t* plan              # own: the current one (one reference)
    uint32_t plans            # alive: current, pinned and prepared
    size_t plans_bytes        # of all of them
    uint64_t* counters        # borrow(Worker, for ever): shared memory or a page of its own
    uv_loop_t* loop           # borrow(loop, until host_closed); NULL: in memory, time by hand
    uint8_t log_open
    uint8_t resolver_open
    uint8_t clock_open
    timer_t heartbeat
    buffers_t buffers
    deflaters_t deflaters
    steps_t steps
    transports_t transports
    wheel_t wheel
    loop_clock_t clock
    ids_t ids
    resolver_t resolver
    pools_t pools
    downs_t downs
    relays_t relays
    standings_t standings
    listeners_t listeners
    access_log_t log
    malformed_t malformed
    hooks_t hooks
    detacheds_t detacheds
    bills_t bills
    mirrors_t mirrors

# `w` is zeroed. `log_fd` is taken over. 0 or a negative E_*.
cdef int host_init(worker_t* w, uv_loop_t* loop, uint64_t* counters, int log_fd) noexcept nogil
# Everything is closed: gives memory back.
cdef void host_fini(worker_t* w) noexcept nogil
# Two steps to a new plan. Prepare does all that can fail: it ties the plan's targets to pools and
# loads its hooks. 0, and commit or drop must follow; or a negative E_*, `plan` is still the
# caller's, and `why` (HOOK_ERROR_MAX bytes) says what a hook said, or nothing.
cdef int host_prepare(worker_t* w, plan_t* plan, char* why) noexcept nogil
# Makes a prepared plan current by one store; the old one goes when its last exchange does.
cdef void host_commit(worker_t* w, plan_t* plan) noexcept nogil
# A prepared plan is not wanted: it goes.
cdef void host_drop(worker_t* w, plan_t* plan) noexcept nogil
# No further connection, one further request at most on each: see downs_drain, listeners_close.
cdef void host_drain(worker_t* w, uint32_t idle_ms, bint last) noexcept nogil
# Connections of clients that are there.
cdef uint64_t host_clients(worker_t* w) noexcept nogil
# Everything ends now; host_open falls to 0 in later turns.
cdef void host_stop(worker_t* w) noexcept nogil
# The last things: plan, log, names, clock. Call when host_open is 0; then wait for host_closed.
cdef void host_close(worker_t* w) noexcept nogil
# Connections, listeners and tunnels that are still there.
cdef uint64_t host_open(worker_t* w) noexcept nogil
cdef bint host_closed(worker_t* w) noexcept nogil
