# Owns: the timer wheel: arming, moving, disarming, and firing what is due.
# Thread and GIL: one worker's loop; no GIL.
# Never does: call libuv: clock.pxd drives it in a worker, a test by hand.
# Read next: clock.pxd.
#
# Deadlines are rounded up to TIMER_TICK_MS: a timer never fires before its time on the wheel's
# clock (which a loop reads once a turn), and late by at most one tick and a turn. Six levels of 64
# slots: a timer hangs on the level of the highest digit (base 64) in which its tick differs from
# the wheel's, and moves down when the wheel reaches its slot: O(1) a timer and level.

from libc.stdint cimport int64_t, uint32_t, uint64_t
from pygw._core.types.timer cimport timer_t, timer_fn

cdef enum:
    TIMER_TICK_BITS = 3
    TIMER_TICK_MS = 8
    WHEEL_LEVELS = 6          # 64^6 ticks: 17 years after wheel_init
    WHEEL_SLOTS = 64

# Says that a timer now hangs before wheel.wake_ms: whoever drives the wheel must come earlier.
ctypedef void (*wheel_sooner_fn)(wheel_t* w) noexcept nogil
# The time in ms, never falling.
ctypedef uint64_t (*wheel_clock_fn)(const void* source) noexcept nogil

cdef struct wheel_t:
    uint64_t now_ms                   # the clock as it was last read
    uint64_t start_ms                 # tick 0
    uint64_t tick                     # ticks before and with this one have been looked at
    uint64_t wake_ms                  # when wheel_advance will come; UINT64_MAX: nobody promised
    wheel_clock_fn clock              # static; NULL: only wheel_advance moves the time
    const void* clock_source          # borrow(loop, until the worker ends)
    wheel_sooner_fn sooner            # static; NULL: nobody wants to know
    void* driver                      # borrow(clock, until clock_close)
    timer_t* due                      # borrow(timers, until wheel_advance ends): still to be seen
    timer_t* soon                     # borrow(timers, until wheel_advance): of timer_soon
    uint64_t occupied[6]              # one bit a slot
    timer_t* slots[6][64]             # borrow(timers, until they fire or timer_detach)

cdef void wheel_init(wheel_t* w, uint64_t now_ms) noexcept nogil
# Fires what is due at now_ms; returns how many fired. A callback may arm, disarm and detach any
# timer, its own included, and free its owner. now_ms below an earlier one changes nothing.
cdef uint32_t wheel_advance(wheel_t* w, uint64_t now_ms) noexcept nogil
# Fires with the next wheel_advance, whatever the time; those of one turn in their order. One that
# hangs is taken from where it hung; timer_disarm and timer_detach as ever.
cdef void timer_soon(wheel_t* w, timer_t* t) noexcept nogil
# Milliseconds until wheel_advance has something to look at; -1: no timer hangs.
cdef int64_t wheel_next_ms(const wheel_t* w) noexcept nogil
# Hangs t at its deadline, taking it from where it hung. Use timer_arm.
cdef void timer_hang(wheel_t* w, timer_t* t) noexcept nogil
# Takes t off the wheel and disarms it. Must be called before the timer's memory goes or moves.
cdef void timer_detach(wheel_t* w, timer_t* t) noexcept nogil

cdef inline uint64_t wheel_now(wheel_t* w) noexcept nogil:
    if w.clock != NULL:
        w.now_ms = w.clock(w.clock_source)
    return w.now_ms

cdef inline void timer_init(timer_t* t, timer_fn fire) noexcept nogil:
    t.next = NULL
    t.link = NULL
    t.deadline_ms = 0
    t.slot_ms = 0
    t.fire = fire

# Lazy: the timer stays in its slot and is let go when the wheel comes by.
cdef inline void timer_disarm(timer_t* t) noexcept nogil:
    t.deadline_ms = 0

# Fires once, ms from now; moves the deadline of an armed timer. ms 0 disarms. A deadline in or
# behind the slot where the timer hangs is only written down.
cdef inline void timer_arm(wheel_t* w, timer_t* t, uint32_t ms) noexcept nogil:
    if ms == 0:
        t.deadline_ms = 0
        return
    t.deadline_ms = wheel_now(w) + ms
    if t.link == NULL or t.deadline_ms + TIMER_TICK_MS <= t.slot_ms:
        timer_hang(w, t)
