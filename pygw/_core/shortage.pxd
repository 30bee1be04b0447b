# Owns: allocations that fail on purpose, so that tests reach every path of "out of memory".
# Thread and GIL: one thread at a time sets it; no GIL.
# Never does: anything at all in a release build.
# Read next: arena.pxd, block.pxd, buffer.pxd: the three that ask.

from libc.stdint cimport int64_t, uint64_t
from pygw._core.check cimport PYGW_DEBUG

# Does this allocation fail? Counts it.
cdef bint shortage_due() noexcept nogil

cdef inline bint shortage() noexcept nogil:
    return PYGW_DEBUG and shortage_due()

# The next `good` allocations succeed, then `bad` ones fail, then all succeed again; good < 0: none
# fails.
cdef void shortage_set(int64_t good, uint64_t bad) noexcept nogil
# Allocations since shortage_set, those that failed included.
cdef uint64_t shortage_count() noexcept nogil
