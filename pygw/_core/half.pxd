# Owns: the moves of a half: the one place where its state changes.
# Thread and GIL: one worker's loop; inline, no GIL.
# Never does: move a half backward.
# Read next: exchange_memory.pxd.

from libc.stdint cimport uint8_t
from pygw._core.check cimport BUG_ON
from pygw._core.types.message cimport (
    half_t, HALF_WAITING, HALF_HEAD, HALF_BODY, HALF_DONE, HALF_CUT)

# The table: from WAITING to HEAD; from HEAD to HEAD (more of it), BODY; from BODY to DONE; from all
# but DONE to CUT, from CUT only to CUT. A half that was read to its end stays DONE whatever becomes
# of its exchange.
cdef inline bint half_may_move(uint8_t old, uint8_t new) noexcept nogil:
    if new == HALF_CUT:
        return old != HALF_DONE
    if new == HALF_HEAD:
        return old <= HALF_HEAD
    return new == old + 1

cdef inline void half_move(half_t* half, uint8_t state) noexcept nogil:
    BUG_ON(not half_may_move(half.state, state))
    half.state = state

# The half will not come to its end, if it has not.
cdef inline void half_cut(half_t* half) noexcept nogil:
    if half.state != HALF_DONE:
        half_move(half, HALF_CUT)
