# Owns: the field Vary of a response (RFC 9110 12.5.5).
# Thread and GIL: one worker's loop; no GIL.
# Never does: say a name twice, or add one to "*".
# Read next: cors.pxd.

from pygw._core.types.header cimport span_t, headers_t
from pygw._core.types.memory cimport arena_t

# Adds `name` (lower or upper case, a token) unless a Vary field has it or "*". 0 or E_CORE_MEMORY.
cdef int vary_add(headers_t* hs, arena_t* arena, span_t name) noexcept nogil
