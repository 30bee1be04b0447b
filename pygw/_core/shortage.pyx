# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Owns: allocations that fail on purpose, so that tests reach every path of "out of memory".
# Thread and GIL: one thread at a time sets it; no GIL.
# Never does: anything at all in a release build.
# Read next: shortage.pxd for the contract.

from libc.stdint cimport int64_t, uint64_t

cdef int64_t first_bad = -1
cdef uint64_t bad_count = 0
cdef uint64_t asked = 0


cdef bint shortage_due() noexcept nogil:
    global asked
    cdef uint64_t number = asked
    asked += 1
    return first_bad >= 0 and <uint64_t>first_bad <= number < <uint64_t>first_bad + bad_count


cdef void shortage_set(int64_t good, uint64_t bad) noexcept nogil:
    global first_bad, bad_count, asked
    first_bad = good
    bad_count = bad
    asked = 0


cdef uint64_t shortage_count() noexcept nogil:
    return asked
