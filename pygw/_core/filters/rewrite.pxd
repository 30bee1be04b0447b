# Owns: the filter `rewrite`: another path and query for the service, by templates.
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: choose another route; routing is over.
# Read next: ../template.pxd, ../retarget.pxd, prefix.pxd.
#
# {"filter": "rewrite", "path": TEMPLATE or null, "query": TEMPLATE or null}. Both are read from the
# request as earlier filters left it; null leaves that part alone. A path that is not clean, and a
# value that its place refuses: 400; longer than TEMPLATE_MAX: 414. "*" stays.

from pygw._core.part cimport Part
from pygw._core.types.exchange cimport filter_t
from pygw._core.types.memory cimport arena_t

cdef int rewrite_build(Part part, arena_t* arena, filter_t* out) except -1
