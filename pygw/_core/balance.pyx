# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: which target of an upstream the next attempt goes to.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: open a connection.
# Read next: balance.pxd for the contract.

from libc.stdint cimport uint32_t, uint64_t
from pygw._core.types.upstream cimport upstream_t, target_t


cdef inline target_t* balance_next(upstream_t* upstream) noexcept nogil:
    cdef uint32_t place = upstream.cursor[0]
    if place >= upstream.target_count:
        place = 0
    upstream.cursor[0] = place + 1
    return &upstream.targets[place]


cdef inline bint ejected(const target_t* target, uint64_t now_ns) noexcept nogil:
    return target.health != NULL and target.health.ejected_until_ns > now_ns


cdef target_t* balance_pick(upstream_t* upstream, target_t* tried, uint64_t now_ns) noexcept nogil:
    cdef target_t* target
    cdef target_t* fallback = NULL
    cdef uint32_t _i
    for _i in range(upstream.target_count):
        target = balance_next(upstream)
        if target != tried and not ejected(target, now_ns):
            return target
        if fallback == NULL or (fallback == tried and target != tried):
            fallback = target
    if fallback != NULL:       # the look at all of them brought the turn back to where it was
        upstream.cursor[0] = <uint32_t>(fallback - upstream.targets) + 1
    return fallback
