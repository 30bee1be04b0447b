# Owns: sending the response half to the client: heads, body, end, and which 1xx pass.
# Thread and GIL: one worker's loop; no GIL; no I/O of its own.
# Never does: end an exchange; it reports and the exchange decides.
# Read next: chain.pxd.

from pygw._core.types.exchange cimport exchange_t

# What a head that came from upstream is.
cdef enum answer_kind:
    ANSWER_FINAL = 0
    ANSWER_PASS = 1           # an informational head the client is to see
    ANSWER_SWALLOW = 2        # one it is not to see
    ANSWER_TUNNEL = 3         # the 101 that was asked for

# The kind, or E_UP_UPGRADE, E_UP_INFORMATIONAL.
cdef int answer_kind_of(exchange_t* x) noexcept nogil
# Makes the answer to a fault, with the fields that filters give it; without them when the response
# chain `waited` or memory ran out. 0 or a negative E_*.
cdef int answer_fault(exchange_t* x, int error, bint waited) noexcept nogil
# Sends x.response's head as it stands. 0 or a negative E_*.
cdef int answer_send_head(exchange_t* x) noexcept nogil
# Sends an informational head.
cdef int answer_send_informational(exchange_t* x) noexcept nogil
# Sends what left the response chain, and the end when it is due. 0 or a negative E_*.
cdef int answer_send_body(exchange_t* x) noexcept nogil
# Stops reading the upstream while too much lies here, lets it go on below the low mark.
cdef void answer_throttle(exchange_t* x) noexcept nogil
