# Owns: the shape of a timer and of the wheel it hangs in.
# Thread and GIL: one worker's loop; declarations only (functions: timer.pyx).
# Never does: promise better than TIMER_TICK_MS; a timer is late by at most one tick and a turn.
# Read next: types/exchange.pxd.

from libc.stdint cimport uint8_t, uint32_t, uint64_t

ctypedef void (*timer_fn)(timer_t* t) noexcept nogil

# A wait that can be armed, moved and disarmed in O(1). Moving a deadline later, and disarming, only
# write `deadline_ms`: the wheel meets the timer at the old slot and hangs it on again or lets go.
# Embedded in its owner; `fire` recovers the owner from the address. Zeroed memory plus timer_init.
cdef struct timer_t:
    timer_t* next         # borrow(wheel, while it hangs in a slot): else NULL
    timer_t** link        # borrow(wheel, while it hangs in a slot): what points here
    uint64_t deadline_ms  # on the loop's clock; 0 = disarmed
    uint64_t slot_ms      # when the wheel will look at it
    timer_fn fire         # static
