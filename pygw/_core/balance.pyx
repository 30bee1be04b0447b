# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: which target of an upstream the next attempt goes to.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: open a connection.
# Read next: balance.pxd for the contract.

from libc.stdint cimport uint32_t, uint64_t
from pygw._core.check cimport likely, unlikely
from pygw._core.types.upstream cimport (
    group_t, standing_t, target_t, upstream_t, BALANCE_HASH,
    BALANCE_LEAST_CONNECTIONS, BALANCE_RANDOM_TWO)

cdef enum:
    PROBES = 16               # further slots looked at before targets take turns


# splitmix64's output function.
cdef uint64_t balance_mix(uint64_t x) noexcept nogil:
    x = (x ^ (x >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    x = (x ^ (x >> 27)) * <uint64_t>0x94D049BB133111EB
    return x ^ (x >> 31)


# FNV-1a, mixed: keys are short.
cdef uint64_t balance_hash(const char* ptr, uint64_t size) noexcept nogil:
    cdef uint64_t x = <uint64_t>0xCBF29CE484222325
    cdef uint64_t i
    for i in range(size):
        x = (x ^ <unsigned char>ptr[i]) * <uint64_t>0x100000001B3
    x = balance_mix(x)
    return x if x else 1


cdef inline bint usable(const target_t* target, const ask_t* ask) noexcept nogil:
    return (target != ask.tried
            and (target.health == NULL or target.health.ejected_until_ns <= ask.now_ns))


# Its ejection is over and nobody has tried it since.
cdef inline bint due(const target_t* target) noexcept nogil:
    return target.health != NULL and target.health.ejected_until_ns != 0


cdef inline target_t* taken(target_t* target, const ask_t* ask) noexcept nogil:
    if due(target):
        target.health.ejected_until_ns = (
            ask.now_ns + <uint64_t>target.health.back_off_ms * 1000000)
    return target


# Whose turn it is: by weight, or one after the other.
cdef inline target_t* group_turn(const group_t* g, uint32_t* cursor) noexcept nogil:
    cdef uint32_t place = cursor[0]
    if g.turns == NULL:
        if place >= g.count:
            place = 0
        cursor[0] = place + 1
        return &g.targets[place]
    if place >= g.turn_count:
        place = 0
    cursor[0] = place + 1
    return &g.targets[g.turns[place]]


# The next turn of a usable target. A heavy one that is out may have many turns in a row: after
# some, what follows the last one in the list is taken.
cdef target_t* group_robin(const group_t* g, uint32_t* cursor, const ask_t* ask) noexcept nogil:
    cdef target_t* target = NULL
    cdef uint32_t _i, i, start
    for _i in range(2 * g.count):
        target = group_turn(g, cursor)
        if usable(target, ask):
            return target
    start = <uint32_t>(target - g.targets)
    for i in range(g.count):
        target = &g.targets[(start + i) % g.count]
        if usable(target, ask):
            return target
    return NULL


cdef inline uint32_t active(const target_t* target) noexcept nogil:
    return 0 if target.health == NULL else target.health.active


cdef inline bint lighter(const target_t* a, const target_t* b) noexcept nogil:
    return <uint64_t>active(a) * b.weight < <uint64_t>active(b) * a.weight


# The fewest running attempts for its weight; among equals whose turn it is.
cdef target_t* group_least(const group_t* g, uint32_t* cursor, const ask_t* ask) noexcept nogil:
    cdef target_t* best = NULL
    cdef target_t* target
    cdef uint32_t _i, start = <uint32_t>(group_turn(g, cursor) - g.targets)
    for _i in range(g.count):
        target = &g.targets[start]
        start += 1
        if start == g.count:
            start = 0
        if not usable(target, ask):
            continue
        if due(target):
            return target
        if best == NULL or lighter(target, best):
            best = target
    return best


cdef inline uint64_t random_next(standing_t* s) noexcept nogil:
    s.random += <uint64_t>0x9E3779B97F4A7C15
    return balance_mix(s.random)


cdef inline target_t* group_random(const group_t* g, uint32_t random) noexcept nogil:
    if g.turns == NULL:
        return &g.targets[(<uint64_t>random * g.count) >> 32]
    return &g.targets[g.turns[(<uint64_t>random * g.turn_count) >> 32]]


# The lighter of two that chance has named by their weights.
cdef target_t* group_two(const group_t* g, standing_t* s, uint32_t* cursor,
                         const ask_t* ask) noexcept nogil:
    cdef uint64_t random = random_next(s)
    cdef target_t* a = group_random(g, <uint32_t>random)
    cdef target_t* b = group_random(g, <uint32_t>(random >> 32))
    if a == b:
        b = group_random(g, <uint32_t>random_next(s))
    if not usable(a, ask):
        return b if usable(b, ask) else group_robin(g, cursor, ask)
    if due(a) or not usable(b, ask):
        return a
    return b if due(b) or lighter(b, a) else a


# The slot's target. Keys of one that is out go on to other slots, each key by itself, so that all
# that are left share them, and those of the others stay.
cdef target_t* group_hash(const group_t* g, uint32_t* cursor, const ask_t* ask) noexcept nogil:
    cdef uint64_t hash = ask.hash
    cdef target_t* target
    cdef uint32_t _i
    if g.slots == NULL or hash == 0:
        return group_robin(g, cursor, ask)
    for _i in range(PROBES + 2 * g.count):
        target = &g.targets[g.slots[hash >> 48]]
        if usable(target, ask):
            return target
        hash = balance_mix(hash + <uint64_t>0x9E3779B97F4A7C15)
    return group_robin(g, cursor, ask)


cdef target_t* group_pick(const upstream_t* u, uint32_t place, const ask_t* ask) noexcept nogil:
    cdef const group_t* g = &u.groups[place]
    cdef uint32_t* cursor = &u.standing.cursors[place]
    if u.balance == BALANCE_LEAST_CONNECTIONS:
        return group_least(g, cursor, ask)
    if u.balance == BALANCE_RANDOM_TWO:
        return group_two(g, u.standing, cursor, ask)
    if u.balance == BALANCE_HASH:
        return group_hash(g, cursor, ask)
    return group_robin(g, cursor, ask)


cdef target_t* sticky_pick(const upstream_t* u, const ask_t* ask) noexcept nogil:
    cdef uint32_t i
    for i in range(u.target_count):
        if u.targets[i].sticky_id == ask.sticky_id:
            return &u.targets[i] if usable(&u.targets[i], ask) else NULL
    return NULL


# Nothing is in rotation: the first group's targets take turns, but not the one tried just now.
cdef target_t* last_pick(const upstream_t* u, const ask_t* ask) noexcept nogil:
    cdef target_t* target = group_turn(&u.groups[0], &u.standing.cursors[0])
    if target == ask.tried:
        target = group_turn(&u.groups[0], &u.standing.cursors[0])
    return target


cdef target_t* balance_pick(const upstream_t* upstream, const ask_t* ask) noexcept nogil:
    cdef target_t* target
    cdef uint32_t i
    if likely(upstream.target_count == 1):
        return upstream.targets
    if unlikely(upstream.target_count == 0):
        return NULL
    if ask.sticky_id:
        target = sticky_pick(upstream, ask)
        if target != NULL:
            return taken(target, ask)
    for i in range(upstream.group_count):
        target = group_pick(upstream, i, ask)
        if target != NULL:
            return taken(target, ask)
    return last_pick(upstream, ask)
