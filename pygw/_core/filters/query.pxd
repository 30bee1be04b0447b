# Owns: the filter `query`: which pairs of the query the service gets.
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: touch a query of which nothing was to be changed, or the spelling of pairs that stay.
# Read next: ../pairs.pxd, ../retarget.pxd, cors.pxd.
#
# {"filter": "query", "keep": [name, ...] or null, "remove": [name, ...],
# "rename": [[from, to], ...], "set": [[name, VALUE], ...], "add": [[name, VALUE], ...]}; VALUE is
# text or a TEMPLATE. In effect: keep (only these stay), remove, rename, set (takes out every pair
# of the name), add. Names are compared decoded, and by case. Values of templates see the query as
# it came here. A value that is refused: 400; a query beyond QUERY_MAX bytes: 414.

from pygw._core.part cimport Part
from pygw._core.types.exchange cimport filter_t
from pygw._core.types.memory cimport arena_t

cdef int query_build(Part part, arena_t* arena, filter_t* out) except -1
