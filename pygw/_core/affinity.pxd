# Owns: what of a request ties it to a target: the hashed value, the sticky cookie.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: choose; what a client sends is compared with configured targets only.
# Read next: balance.pxd.

from libc.stdint cimport uint64_t
from pygw._core.types.exchange cimport exchange_t
from pygw._core.types.header cimport span_t

# Hash of what x.upstream goes by; 0 when the request does not have it.
cdef uint64_t affinity_hash(exchange_t* x) noexcept nogil
# What the client's sticky cookie says; 0: nothing that a cookie of ours could say.
cdef uint64_t affinity_sticky(exchange_t* x) noexcept nogil
# Adds Set-Cookie to the response when it comes from another target than the client's cookie says.
# 0 or an E_CORE_*.
cdef int affinity_answer(exchange_t* x) noexcept nogil
# The id of 16 hexadecimal digits; 0 for anything else.
cdef uint64_t affinity_id(span_t text) noexcept nogil
