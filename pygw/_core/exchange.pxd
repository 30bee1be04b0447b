# Owns: the life of an exchange: the only functions that move its halves and its attempts.
# Thread and GIL: one worker's loop; no GIL; no I/O of its own (streams and host_t do it).
# Never does: know which protocol version or transport carries a stream.
# Read next: exchange.pyx, chain.pxd.
#
# Life of a request:
#   begin > request chain > try > [ready > attempt chain > head, body, end to upstream]
#         > response head > response chain > head, body, end to downstream > settle > end (log)
# The two halves run at once from `try` on; either may end first. `fail` and `abort` lead to `end`
# from anywhere. Moves of a half: WAITING > HEAD > BODY > DONE, and any but DONE > CUT.

from libc.stdint cimport uint32_t, uint64_t
from pygw._core.types.memory cimport slices_t
from pygw._core.types.stream cimport stream_t, stream_on_t
from pygw._core.types.address cimport address_t
from pygw._core.types.exchange cimport (
    exchange_t, host_t, plan_t, listener_conf_t, verdict_t, PHASE_REQUEST_BODY)

# The request head is complete and valid: routing and the request chain run. May end the exchange.
cdef void exchange_begin(exchange_t* x) noexcept nogil
# The head could not be read: the client is answered with the fault's status and log still runs.
cdef void exchange_refuse(exchange_t* x, int error) noexcept nogil
# The client is gone, or the connection must end: the attempt is let go, log runs, x is done.
cdef void exchange_abort(exchange_t* x, int error) noexcept nogil

# Answers to host.attempt_start; at most one of the two, never both.
cdef void exchange_attempt_ready(exchange_t* x, stream_t* up) noexcept nogil
cdef void exchange_attempt_failed(exchange_t* x, int error) noexcept nogil
# Answer to host.tunnel_start: both sides have ended.
cdef void exchange_tunnel_ended(exchange_t* x, uint64_t bytes_up, uint64_t bytes_down,
                                int error) noexcept nogil

# Body of the response moves on as far as its filters and the client let it. May end the exchange.
cdef void exchange_pump_response(exchange_t* x) noexcept nogil

# What a downstream stream reports to (stream_t.on).
cdef const stream_on_t* exchange_on_down() noexcept nogil
# For filters. The verdict of a filter that answered WAIT in `phase`; body it wants to emit goes
# into exchange_hand(x, phase) before. Legal in any callback of the worker's loop until `cancel`.
cdef void exchange_resume(exchange_t* x, int phase, verdict_t verdict) noexcept nogil
cdef inline slices_t* exchange_hand(exchange_t* x, int phase) noexcept nogil:
    return &x.request_side.hand if phase == PHASE_REQUEST_BODY else &x.response_side.hand
