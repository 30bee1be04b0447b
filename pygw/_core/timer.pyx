# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: the timer wheel: arming, moving, disarming, and firing what is due.
# Thread and GIL: one worker's loop; no GIL.
# Never does: call libuv.
# Read next: timer.pxd for the contract.

from libc.stdint cimport int64_t, uint32_t, uint64_t, UINT64_MAX
from libc.string cimport memset
from pygw._core.check cimport BUG_ON
from pygw._core.types.timer cimport timer_t

cdef extern from *:
    """
    /* Position of the lowest, of the highest bit that is set; x is not 0. */
    static inline unsigned bit_lowest(uint64_t x) { return (unsigned)__builtin_ctzll(x); }
    static inline unsigned bit_highest(uint64_t x) { return 63u - (unsigned)__builtin_clzll(x); }
    """
    unsigned int bit_lowest(uint64_t x) noexcept nogil
    unsigned int bit_highest(uint64_t x) noexcept nogil

cdef enum:
    DIGIT_BITS = 6            # a level is one digit of the tick, base WHEEL_SLOTS
    SOON_MS = 1               # deadline of what hangs in w.soon: it is over in any case


cdef void wheel_init(wheel_t* w, uint64_t now_ms) noexcept nogil:
    memset(w, 0, sizeof(wheel_t))
    w.now_ms = now_ms
    w.start_ms = now_ms
    w.wake_ms = UINT64_MAX


cdef inline uint64_t tick_ms(const wheel_t* w, uint64_t tick) noexcept nogil:
    return w.start_ms + (tick << TIMER_TICK_BITS)


# The first tick that is not before `ms`.
cdef inline uint64_t tick_of(const wheel_t* w, uint64_t ms) noexcept nogil:
    if ms <= w.start_ms:
        return 0
    return (ms - w.start_ms + TIMER_TICK_MS - 1) >> TIMER_TICK_BITS


cdef inline void list_push(timer_t** head, timer_t* t) noexcept nogil:
    t.next = head[0]
    t.link = head
    if t.next != NULL:
        t.next.link = &t.next
    head[0] = t


# Takes t out of its list; the bit of a slot that this empties is cleared.
cdef void list_remove(wheel_t* w, timer_t* t) noexcept nogil:
    cdef timer_t** first = &w.slots[0][0]
    cdef size_t index
    BUG_ON(t.link[0] != t)
    t.link[0] = t.next
    if t.next != NULL:
        t.next.link = t.link
    elif t.link >= first and t.link < first + WHEEL_LEVELS * WHEEL_SLOTS:
        index = <size_t>(t.link - first)
        w.occupied[index // WHEEL_SLOTS] &= ~(<uint64_t>1 << (index % WHEEL_SLOTS))
    t.next = NULL
    t.link = NULL


# Finds the slot that the wheel reaches next: its tick, and where it is. False: nothing hangs.
# WHY the first level that is occupied: timers of a level share all higher digits with the wheel, so
# each comes before all of a higher level. Within a level no slot lies at or behind the wheel's.
cdef bint next_slot(const wheel_t* w, uint64_t* tick, unsigned int* level,
                    unsigned int* slot) noexcept nogil:
    cdef unsigned int i, shift
    for i in range(WHEEL_LEVELS):
        if w.occupied[i]:
            shift = i * DIGIT_BITS
            level[0] = i
            slot[0] = bit_lowest(w.occupied[i])
            tick[0] = (w.tick >> (shift + DIGIT_BITS) << (shift + DIGIT_BITS)) \
                + (<uint64_t>slot[0] << shift)
            BUG_ON(tick[0] <= w.tick)
            return True
    return False


# Brings the wheel to the clock where nothing lies between: a timer hung after an idle time then
# hangs on its proper level, and wakes nobody just to move down.
cdef void wheel_catch_up(wheel_t* w) noexcept nogil:
    cdef uint64_t last = (w.now_ms - w.start_ms) >> TIMER_TICK_BITS, tick = 0
    cdef unsigned int level = 0, slot = 0
    if last > w.tick and (not next_slot(w, &tick, &level, &slot) or tick > last):
        w.tick = last


# Hangs t, which hangs nowhere, at its deadline.
cdef void slot_put(wheel_t* w, timer_t* t) noexcept nogil:
    cdef uint64_t tick = tick_of(w, t.deadline_ms)
    cdef uint64_t differs
    cdef unsigned int level = 0, slot
    if tick <= w.tick:
        tick = w.tick + 1
    differs = tick ^ w.tick
    level = bit_highest(differs) // DIGIT_BITS
    BUG_ON(level >= WHEEL_LEVELS)
    slot = (tick >> (level * DIGIT_BITS)) % WHEEL_SLOTS
    list_push(&w.slots[level][slot], t)
    w.occupied[level] |= <uint64_t>1 << slot
    t.slot_ms = tick_ms(w, tick)
    if t.slot_ms < w.wake_ms and w.sooner != NULL:
        w.sooner(w)


cdef void timer_hang(wheel_t* w, timer_t* t) noexcept nogil:
    if t.link != NULL:
        list_remove(w, t)
    wheel_catch_up(w)
    slot_put(w, t)


cdef void timer_detach(wheel_t* w, timer_t* t) noexcept nogil:
    t.deadline_ms = 0
    if t.link != NULL:
        list_remove(w, t)


# Empties w.due: fires what is due, hangs the rest on again, lets the disarmed go.
cdef uint32_t settle_due(wheel_t* w) noexcept nogil:
    cdef uint32_t fired = 0
    cdef timer_t* t
    while w.due != NULL:
        t = w.due
        list_remove(w, t)
        if t.deadline_ms == 0:
            continue
        if tick_of(w, t.deadline_ms) > w.tick:
            slot_put(w, t)
        else:
            t.deadline_ms = 0
            fired += 1
            t.fire(t)
    return fired


cdef void timer_soon(wheel_t* w, timer_t* t) noexcept nogil:
    if t.link != NULL:
        list_remove(w, t)
    t.deadline_ms = SOON_MS
    t.slot_ms = 0
    list_push(&w.soon, t)
    if w.wake_ms > w.now_ms and w.sooner != NULL:
        w.sooner(w)


# Fires what timer_soon hung before this turn: what it hangs meanwhile comes with the next one.
cdef uint32_t settle_soon(wheel_t* w) noexcept nogil:
    cdef uint32_t fired = 0
    cdef timer_t* t
    while w.soon != NULL:
        t = w.soon
        list_remove(w, t)
        list_push(&w.due, t)                 # turns the order round: first come, first served
    while w.due != NULL:
        t = w.due
        list_remove(w, t)
        if t.deadline_ms == SOON_MS:
            t.deadline_ms = 0
            fired += 1
            t.fire(t)
        elif t.deadline_ms:                  # it was armed for another time since
            slot_put(w, t)
    return fired


cdef uint32_t wheel_advance(wheel_t* w, uint64_t now_ms) noexcept nogil:
    cdef uint64_t last, tick = 0
    cdef unsigned int level = 0, slot = 0
    cdef uint32_t fired = 0
    if now_ms < w.now_ms or now_ms < w.start_ms:
        now_ms = w.now_ms
    w.now_ms = now_ms
    if w.soon != NULL:
        fired = settle_soon(w)
    last = (now_ms - w.start_ms) >> TIMER_TICK_BITS
    while next_slot(w, &tick, &level, &slot) and tick <= last:
        w.tick = tick
        w.due = w.slots[level][slot]
        w.due.link = &w.due
        w.slots[level][slot] = NULL
        w.occupied[level] &= ~(<uint64_t>1 << slot)
        fired += settle_due(w)
    if last > w.tick:
        w.tick = last
    return fired


cdef int64_t wheel_next_ms(const wheel_t* w) noexcept nogil:
    cdef uint64_t tick = 0, at
    cdef unsigned int level = 0, slot = 0
    if w.soon != NULL:
        return 0
    if not next_slot(w, &tick, &level, &slot):
        return -1
    at = tick_ms(w, tick)
    return <int64_t>(at - w.now_ms) if at > w.now_ms else 0
