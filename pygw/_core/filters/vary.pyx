# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: the field Vary of a response (RFC 9110 12.5.5).
# Thread and GIL: one worker's loop; no GIL.
# Never does: say a name twice, or add one to "*".
# Read next: vary.pxd for the contract.

from pygw._core.headers cimport headers_add, headers_find_name
from pygw._core.types.header cimport header_t
from pygw._core.view cimport span, span_equal_nocase, span_is, span_next_member


cdef int vary_add(headers_t* hs, arena_t* arena, span_t name) noexcept nogil:
    cdef header_t* h = headers_find_name(hs, span(b"Vary", 4), NULL)
    cdef span_t rest, member
    while h != NULL:
        rest = h.value
        while span_next_member(&rest, &member):
            if span_is(member, b"*", 1) or span_equal_nocase(member, name):
                return 0
        h = headers_find_name(hs, span(b"Vary", 4), h)
    return headers_add(hs, arena, span(b"Vary", 4), name)
