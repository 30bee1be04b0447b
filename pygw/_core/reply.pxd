# Owns: answers of the gateway's own: what a filter replies, what a fault becomes.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: send; it fills exchange.response, the exchange sends it.
# Read next: exchange.pxd.

from libc.stdint cimport uint32_t
from pygw._core.types.header cimport span_t
from pygw._core.types.exchange cimport exchange_t

# Makes x.response a self-made answer, whatever it was: status (200 to 599), its reason, no fields
# but Content-Length (absent for 204 and 304), Date and, if `content_type` is not empty,
# Content-Type; x.reply_body = body, which must lie in the plan, in x.arena or be static. A status
# that has no body (204, 205, 304) gets none. HEAD hears the length and gets MF_HEAD_ONLY.
# More fields: headers_add on the response's list.
# A filter calls it and returns VERDICT_REPLY. 0, E_CORE_MEMORY, or E_CORE_INTERNAL when a response
# head has left already (nothing is changed then).
cdef int reply_set(exchange_t* x, uint32_t status, span_t content_type,
                   span_t body) noexcept nogil
# The same from a fault: status, body as application/problem+json (RFC 9457) or text/plain by the
# request's Accept, Proxy-Status (RFC 9209), Retry-After for 503, Allow for 405. Nothing of the
# request is repeated. The fault becomes x.error if that is still 0. OPTIONS where routes take other
# methods (E_CORE_METHOD) is answered 204 with those and OPTIONS in Allow, and is no fault.
cdef int reply_fault(exchange_t* x, int error) noexcept nogil
# "Sun, 06 Nov 1994 08:49:37 GMT" for Date, cached by the second. The bytes are static and change
# with the next second: who keeps them copies them (headers_add does). One loop a process.
cdef span_t reply_date() noexcept nogil
