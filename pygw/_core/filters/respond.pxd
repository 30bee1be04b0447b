# Owns: the filter `respond`: a fixed answer.
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: copy the body: it leaves from the plan.
# Read next: redirect.pxd.
#
# {"filter": "respond", "status": 200..599, "headers": [[name, value], ...], "body": text}.
# Content-Length and Date are the gateway's; a status that has no body (204, 205, 304) gets none.

from pygw._core.part cimport Part
from pygw._core.types.exchange cimport filter_t
from pygw._core.types.memory cimport arena_t

cdef int respond_build(Part part, arena_t* arena, filter_t* out) except -1
