# Owns: the filter `redirect`: sends the client elsewhere.
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: let anything of the request into Location.
# Read next: echo.pxd.
#
# {"filter": "redirect", "status": 301 | 302 | 303 | 307 | 308, "location": text}.

from pygw._core.part cimport Part
from pygw._core.types.exchange cimport filter_t
from pygw._core.types.memory cimport arena_t

cdef int redirect_build(Part part, arena_t* arena, filter_t* out) except -1
