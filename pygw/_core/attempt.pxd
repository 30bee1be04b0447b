# Owns: one try at one target, seen from the exchange: choice, request bytes out, whether a further
#   try is allowed.
# Thread and GIL: one worker's loop; no GIL; no I/O of its own.
# Never does: end an exchange; it reports and the exchange decides.
# Read next: answer.pxd.

from pygw._core.types.stream cimport stream_t, stream_on_t
from pygw._core.types.exchange cimport exchange_t

# A new attempt at the target that balance chose; host.attempt_start comes next. 0 or an E_CORE_*.
cdef int attempt_choose(exchange_t* x) noexcept nogil
# The stream is there: it reports to `on`.
cdef void attempt_attach(exchange_t* x, stream_t* up, const stream_on_t* on) noexcept nogil
# Sends the request head and what must be sent again of its body. 0 or a negative E_*.
cdef int attempt_send_head(exchange_t* x) noexcept nogil
# Sends what left the request chain, and the end when it is due. 0 or a negative E_*.
cdef int attempt_send_body(exchange_t* x) noexcept nogil
# Lets the attempt go, whatever its state; its stream may serve others only if `reusable`.
cdef void attempt_end(exchange_t* x, bint reusable) noexcept nogil
# May the exchange try again after this fault? Call before attempt_end. Only within the upstream's
# conditions, number and budget of retries, while nothing was answered, and if bytes had left, only
# for idempotent methods whose body is still here (RFC 9110 9.2.2, RFC 9112 9.3.1). The next attempt
# then gets a fresh connection. True takes one retry off the budget.
cdef bint attempt_may_retry(exchange_t* x, int error) noexcept nogil
# Does another attempt take the place of the answer whose final head just came? Only for listed
# statuses while the client has heard nothing, 1xx included; else as above. True: this attempt is
# over and the answer forgotten.
cdef bint attempt_replace(exchange_t* x) noexcept nogil
# The final head is the answer: the target is judged, and marked in a sticky cookie. 0 or E_CORE_*.
cdef int attempt_answered(exchange_t* x) noexcept nogil
# How the target did: a head came, or a fault of its own. Too many faults in a row take it out of
# rotation for a while.
cdef void attempt_judge(exchange_t* x, int error) noexcept nogil
# Stops reading the client while too much of its body lies here, lets it go on below the low mark.
cdef void attempt_throttle(exchange_t* x) noexcept nogil
