# Owns: the filter `redirect`: sends the client elsewhere.
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: let the request choose the scheme or host, unless the operator wrote {host} or a name
#   of the path there; nor let what is a path become a host ("//evil").
# Read next: ../template.pxd, echo.pxd.
#
# {"filter": "redirect", "status": 301 | 302 | 303 | 307 | 308, "location": text} or, in place of
# location, "to": {"origin": TEMPLATE, "path": TEMPLATE, "query": TEMPLATE or null,
# "fragment": text, "keep_query": true | false}. An empty origin means the same host, an empty path
# "/". The path is made clean as for a service (retarget.pxd), the origin must be "scheme://" and a
# valid authority; else 400. keep_query puts the request's own query behind.

from pygw._core.part cimport Part
from pygw._core.types.exchange cimport filter_t
from pygw._core.types.memory cimport arena_t

cdef int redirect_build(Part part, arena_t* arena, filter_t* out) except -1
