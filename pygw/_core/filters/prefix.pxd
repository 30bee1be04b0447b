# Owns: the filter `prefix`: takes a prefix off the path, puts one before it.
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: take off half a segment: "/api" is no prefix of "/apis".
# Read next: ../retarget.pxd, query.pxd.
#
# {"filter": "prefix", "strip": path or "", "add": path or ""}; each begins with '/', does not end
# with it, and is clean. First strip, then add. Compared is the path as it stands, but for letters,
# digits and '-._~' that came encoded, and the case of hex digits. A path that does not begin with
# `strip` keeps all of it. What is left of the prefix itself is "/". "*" stays.

from pygw._core.part cimport Part
from pygw._core.types.exchange cimport filter_t
from pygw._core.types.memory cimport arena_t

cdef int prefix_build(Part part, arena_t* arena, filter_t* out) except -1
