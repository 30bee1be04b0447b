# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Owns: the tables that balance reads: whose turn it is by weight, and who has a hash's slot.
# Thread and GIL: the thread that builds a plan; holds the GIL but for the slots.
# Never does: change after the plan was built.
# Read next: balance_table.pxd for the contract.
"""The tables of weighted round robin and of consistent hash."""

from math import gcd

from libc.math cimport log
from libc.stdint cimport uint16_t, uint32_t, uint64_t
from pygw._core.balance cimport balance_mix
from pygw._core.limits cimport HASH_SLOTS, TURNS_MAX
from pygw._core.part cimport plan_alloc


cdef list weights_of(group_t* group):
    cdef uint32_t i
    weights = [group.targets[i].weight for i in range(group.count)]
    common = gcd(*weights)
    return [weight // common for weight in weights]


cdef int turns_build(group_t* group, arena_t* arena) except -1:
    cdef uint32_t i
    weights = weights_of(group)
    if len(set(weights)) == 1:
        return 0
    total = sum(weights)
    if total > TURNS_MAX:
        weights = [max(1, weight * (TURNS_MAX - len(weights)) // total) for weight in weights]
    # Each target's turns are due at equal distances, each target's first at another phase: in the
    # order in which they are due they lie evenly.
    turns = sorted(((k + (place + 0.5) / len(weights)) / weight, place)
                   for place, weight in enumerate(weights) for k in range(weight))
    group.turn_count = <uint32_t>len(turns)
    group.turns = <uint16_t*>plan_alloc(arena, len(turns) * sizeof(uint16_t))
    for i in range(group.turn_count):
        group.turns[i] = turns[i][1]
    return 0


# A number above 0 and below 1 for a target and a slot.
cdef inline double draw(uint64_t key, uint64_t slot) noexcept nogil:
    return (<double>(balance_mix(key ^ slot) >> 11) + 0.5) / 9007199254740992.0


cdef uint16_t slot_owner(const group_t* g, uint64_t slot, bint weighted) noexcept nogil:
    cdef double score, best = -1.0
    cdef uint32_t i
    cdef uint16_t owner = 0
    for i in range(g.count):
        score = draw(g.targets[i].key, slot)
        if weighted:
            score = -<double>g.targets[i].weight / log(score)
        if score > best:
            best = score
            owner = <uint16_t>i
    return owner


cdef int slots_build(group_t* group, arena_t* arena) except -1:
    cdef uint32_t i
    cdef bint weighted = len(set(weights_of(group))) > 1
    if group.count < 2:
        return 0
    group.slots = <uint16_t*>plan_alloc(arena, HASH_SLOTS * sizeof(uint16_t))
    with nogil:
        for i in range(HASH_SLOTS):
            group.slots[i] = slot_owner(
                group, balance_mix((i + 1) * <uint64_t>0x9E3779B97F4A7C15), weighted)
    return 0
