# Owns: which target of an upstream the next attempt goes to.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: open a connection.
# Read next: balance_table.pxd, affinity.pxd, pool.pxd.
#
# The first group that has a usable target gives it. Usable is what is in rotation and was not tried
# by the attempt before. A target whose ejection is over is usable once: taking it ejects it anew
# for as long as before, so that one attempt at a time tells whether it is back; a success ends
# that. When nothing is usable the first group's targets take turns all the same: the last target
# is never ejected.

from libc.stdint cimport uint64_t
from pygw._core.types.upstream cimport health_t, statuses_t, target_t, upstream_t

cdef struct ask_t:
    target_t* tried           # plan: target of the attempt before; NULL: none
    uint64_t now_ns           # monotonic
    uint64_t hash             # of what BALANCE_HASH goes by; 0: the request has none
    uint64_t sticky_id        # what the client's cookie says; 0: nothing

# NULL: the upstream has no target.
cdef target_t* balance_pick(const upstream_t* upstream, const ask_t* ask) noexcept nogil
# A number that no other number shares, with all bits mixed.
cdef uint64_t balance_mix(uint64_t x) noexcept nogil
# Hash of bytes, the same in every process; never 0.
cdef uint64_t balance_hash(const char* ptr, uint64_t size) noexcept nogil

cdef inline bint status_in(const statuses_t* set, int status) noexcept nogil:
    return (400 <= status < 600
            and (set.bits[(status - 400) >> 6] >> <uint64_t>((status - 400) & 63)) & 1)
