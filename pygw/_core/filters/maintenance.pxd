# Owns: the filter `maintenance`: 503 for everybody but a few.
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: look at the peer: who the client is behind trusted proxies is decided before.
# Read next: cors.pxd.
#
# {"filter": "maintenance", "allow": [cidr, ...], "retry_after_s": n, "body": text or null,
# "content_type": text}. Without a body the answer is that of a fault (reply.pxd); content_type is
# that of the body. The log's cause is "maintenance" either way.

from pygw._core.part cimport Part
from pygw._core.types.exchange cimport filter_t
from pygw._core.types.memory cimport arena_t

cdef int maintenance_build(Part part, arena_t* arena, filter_t* out) except -1
