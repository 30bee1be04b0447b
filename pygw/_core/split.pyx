# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Owns: which of a route's upstreams a request goes to.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: look at targets or at their health.
# Read next: split.pxd for the contract.

from libc.stdint cimport uint32_t, uint64_t
from pygw._core.types.exchange cimport route_t
from pygw._core.types.upstream cimport split_t


# Multiples of the golden ratio, without their whole parts, fill the unit interval evenly, whatever
# few or many of them are taken.
cdef void split_choose(exchange_t* x) noexcept nogil:
    cdef const route_t* route = x.route
    cdef const split_t* s = route.splits
    cdef uint64_t place
    cdef uint32_t i
    s.upstream.standing.turn += <uint64_t>0x9E3779B97F4A7C15
    place = ((s.upstream.standing.turn >> 32) * route.split_weights) >> 32
    for i in range(route.split_count):
        s = &route.splits[i]
        if place < s.weight:
            break
        place -= s.weight
    x.upstream = s.upstream
    x.timeouts = &s.timeouts
