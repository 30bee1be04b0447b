# Owns: the filter `mirror`: which requests of a route are copied, and when they are whole.
# Thread and GIL: one worker's loop, no GIL (build_mirrors.pyx builds it).
# Never does: change a byte, or wait.
# Read next: ../mirror.pxd.
#
# It stands behind all other filters of its route, so that what it copies is what the route's
# upstream gets. A request is copied once it is whole and has passed every filter; if its attempt
# never got a connection, when it is over.

from pygw._core.types.exchange cimport filter_ops_t

# conf is a mirror_conf_t.
cdef const filter_ops_t* mirror_ops() noexcept nogil
