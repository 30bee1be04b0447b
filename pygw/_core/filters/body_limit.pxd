# Owns: the filter `body_limit`: how many bytes of request body a route takes.
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: buffer; bytes up to the limit go on as they come.
# Read next: respond.pxd.
#
# {"filter": "body_limit", "max_bytes": n}. A Content-Length beyond n is answered 413 before any
# attempt; a body without a length is counted, and the exchange aborts with E_DOWN_BODY_LENGTH (413
# while no answer has begun, else a cut answer) at the first byte beyond.

from pygw._core.part cimport Part
from pygw._core.types.exchange cimport filter_t
from pygw._core.types.memory cimport arena_t

cdef int body_limit_build(Part part, arena_t* arena, filter_t* out) except -1
