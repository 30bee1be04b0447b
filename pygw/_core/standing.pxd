# Owns: how upstreams go on from plan to plan: turns, chance, the retry budget; by name.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: forget an upstream's state because a plan was replaced.
# Read next: types/upstream.pxd.

from libc.stdint cimport uint64_t
from pygw._core.types.header cimport span_t
from pygw._core.types.memory cimport blocks_t
from pygw._core.types.upstream cimport retry_t, standing_t

cdef struct standings_t:
    standing_t* first         # own
    blocks_t blocks
    uint64_t seed             # of the next one's chance

cdef void standings_init(standings_t* home, uint64_t seed) noexcept nogil
cdef void standings_fini(standings_t* home) noexcept nogil
# The state of the upstream of that name (made when it is new), with one reference more; NULL: out
# of memory.
cdef standing_t* standing_get(standings_t* home, span_t name) noexcept nogil
cdef void standing_unref(standings_t* home, standing_t* s) noexcept nogil

# Counts a first attempt.
cdef void budget_request(standing_t* s, uint64_t now_ns) noexcept nogil
# Is there room for a retry among those of the last BUDGET_MS? Counts it if so.
cdef bint budget_retry(standing_t* s, const retry_t* retry, uint64_t now_ns) noexcept nogil
