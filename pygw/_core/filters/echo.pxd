# Owns: the filter `echo`: answers with the request as text; the quickstart's service.
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: show what is secret (masked as ***), keep the request's body, or answer as a type that
#   a browser would run.
# Read next: ../build.pxd.
#
# {"filter": "echo"}. 200, text/plain: the request line, then the fields as this filter's place in
# the chain sees them, one a line. The body of the request is dropped by the exchange.

from pygw._core.part cimport Part
from pygw._core.types.exchange cimport filter_t
from pygw._core.types.memory cimport arena_t

cdef int echo_build(Part part, arena_t* arena, filter_t* out) except -1
