# Owns: address ranges of a plan.
# Thread and GIL: holds the GIL; building only.
# Never does: match (cidr_set.pxd does).
# Read next: ip.pxd.

from pygw._core.part cimport Part
from pygw._core.types.address cimport cidr_set_t
from pygw._core.types.memory cimport arena_t

# The list of CIDR ranges or single addresses under `key`.
cdef int ranges_build(Part part, str key, arena_t* arena, cidr_set_t* out) except -1
