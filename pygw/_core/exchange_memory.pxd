# Owns: what an exchange holds: set up, counted, given back.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: decide anything.
# Read next: attempt.pxd.

from pygw._core.types.stream cimport stream_t
from pygw._core.types.exchange cimport exchange_t, host_t, plan_t

cdef enum:
    EXCHANGE_MAGIC = 0x45584348

# x is fresh from the freelist: pins the plan, empties both halves; `down` is where it came from.
cdef void exchange_init(exchange_t* x, host_t* host, plan_t* plan, stream_t* down) noexcept nogil
# Empties x.response for the next head from upstream (the first, and the one after each 1xx).
cdef void exchange_response_reset(exchange_t* x) noexcept nogil
# Drops all body on its way, in both halves.
cdef void exchange_body_drop(exchange_t* x) noexcept nogil
# Raises the counters of its outcome.
cdef void exchange_count(exchange_t* x) noexcept nogil
# Gives back what x holds but its own memory and its pin on the plan; after host.exchange_done, by
# the downstream.
cdef void exchange_fini(exchange_t* x) noexcept nogil
