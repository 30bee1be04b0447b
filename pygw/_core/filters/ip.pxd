# Owns: the filter `ip`: who may come, by the client's address.
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: look at the peer: who the client is behind trusted proxies is decided before.
# Read next: body_limit.pxd.
#
# {"filter": "ip", "allow": [cidr, ...], "deny": [cidr, ...], "closed": true}. Deny wins; if `allow`
# is not empty, or the optional `closed` is true, everything else is denied, clients without an
# address (unix sockets) too. Denied: 403.

from pygw._core.part cimport Part
from pygw._core.types.exchange cimport filter_t
from pygw._core.types.memory cimport arena_t

cdef int ip_build(Part part, arena_t* arena, filter_t* out) except -1
