# Owns: address ranges of a plan.
# Thread and GIL: holds the GIL; building only.
# Never does: match (address.pxd does).
# Read next: ip.pxd.

from libc.stdint cimport uint32_t
from pygw._core.part cimport Part
from pygw._core.types.address cimport cidr_t
from pygw._core.types.memory cimport arena_t

# The list of CIDR ranges or single addresses under `key`.
cdef cidr_t* ranges_build(Part part, str key, arena_t* arena, uint32_t* count) except NULL
