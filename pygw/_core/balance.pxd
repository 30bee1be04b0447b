# Owns: which target of an upstream the next attempt goes to.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: open a connection.
# Read next: pool.pxd.

from libc.stdint cimport uint64_t
from pygw._core.types.upstream cimport upstream_t, target_t

# Round robin over the targets that are in rotation. `tried` is the target of the attempt before
# (NULL: none), avoided if there is another. When all are ejected, they take turns all the same: the
# last target is never ejected. NULL: the upstream has no target.
cdef target_t* balance_pick(upstream_t* upstream, target_t* tried, uint64_t now_ns) noexcept nogil
