# Owns: identifiers that nobody can guess, from buffered randomness.
# Thread and GIL: one worker's loop; no GIL.
# Never does: use a byte twice, or a generator of its own: ids must not tell what the next will be.
# Read next: address.pxd.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from pygw._core.types.header cimport span_t

cdef enum:
    IDS_POOL = 4096           # bytes fetched from the kernel at once
    UUID_LENGTH = 36
    TRACEPARENT_LENGTH = 55

cdef struct ids_t:
    uint32_t at               # bytes of `pool` handed out
    uint8_t pool[4096]        # IDS_POOL

# Fetches the first bytes; 0, or E_CORE_INTERNAL when the kernel gives none.
cdef int ids_init(ids_t* ids) noexcept nogil
# `size` (at most 64) random bytes.
cdef const uint8_t* ids_random(ids_t* ids, uint32_t size) noexcept nogil
# A version 7 UUID (RFC 9562 5.7) as text: UUID_LENGTH bytes.
cdef void ids_uuid7(ids_t* ids, uint64_t unix_ms, char* out) noexcept nogil
# A traceparent (W3C Trace Context) of TRACEPARENT_LENGTH bytes. A valid `inbound` is continued:
# its trace id and its flags sampled and random are kept, the parent id is new: True. Else (empty
# included) a new, sampled trace is begun: False; a tracestate that came along must then go. Its
# trace id is the UUID at `uuid` (one id to look for in logs and traces), or with NULL a random one.
cdef bint ids_traceparent(ids_t* ids, span_t inbound, const char* uuid,
                          char* out) noexcept nogil
