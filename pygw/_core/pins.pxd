# Owns: letting old plans go while exchanges that began with them still run.
# Thread and GIL: one worker's loop; no GIL.
# Never does: move an exchange of which more is left than bytes to pass on and a line to log.
# Read next: host.pxd.
#
# An exchange pins the plan it began with. Downloads, event streams and tunnels may last for days,
# and what they still need of it is little: the name of their route, its timeouts, their target.
# Once their head has left, they go over to the parts of the same names in the current plan. Who
# stays: a response that is our own or passes a filter, one whose head still waits for the client,
# and one whose route, upstream or target is no more.

from pygw._core.down cimport downs_t

# Looks at PINS_STEP connections and moves what may move; call it again while old plans live.
cdef void pins_move(downs_t* home) noexcept nogil
