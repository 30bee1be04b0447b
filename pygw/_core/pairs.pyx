# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: reading the pairs of a query, "a=1&b=2".
# Thread and GIL: any; no GIL, no state.
# Never does: decode a value: what comes from a URL keeps the spelling it came in.
# Read next: pairs.pxd for the contract.

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memchr
from pygw._core.types.header cimport span_t
from pygw._core.view cimport hex_value, span


cdef bint pair_next(span_t* rest, pair_t* pair) noexcept nogil:
    cdef uint32_t i = 0
    cdef const char* found
    if rest.ptr == NULL or rest.len == 0:
        return False
    found = <const char*>memchr(rest.ptr, c'&', rest.len)
    i = rest.len if found == NULL else <uint32_t>(found - rest.ptr)
    pair.whole = span(rest.ptr, i)
    if found == NULL:
        rest.ptr = NULL
        rest.len = 0
    else:
        rest.ptr += i + 1
        rest.len -= i + 1
    pair.name = pair.whole
    pair.value = span(pair.whole.ptr + i, 0)
    found = <const char*>memchr(pair.whole.ptr, c'=', i)
    if found != NULL:
        pair.name.len = <uint32_t>(found - pair.whole.ptr)
        pair.value = span(found + 1, i - pair.name.len - 1)
    return True


cdef bint pair_is(span_t name, span_t plain) noexcept nogil:
    cdef uint32_t i = 0, n = 0
    cdef int high, low
    cdef uint8_t c
    while i < name.len:
        c = <uint8_t>name.ptr[i]
        i += 1
        if c == c'+':
            c = c' '
        elif c == c'%' and i + 1 < name.len:
            high = hex_value(name.ptr[i])
            low = hex_value(name.ptr[i + 1])
            if high >= 0 and low >= 0:
                c = <uint8_t>(high * 16 + low)
                i += 2
        if n >= plain.len or <uint8_t>plain.ptr[n] != c:
            return False
        n += 1
    return n == plain.len


cdef span_t pair_find(span_t query, span_t plain) noexcept nogil:
    cdef pair_t pair
    while pair_next(&query, &pair):
        if pair_is(pair.name, plain):
            return pair.value
    return span(NULL, 0)
