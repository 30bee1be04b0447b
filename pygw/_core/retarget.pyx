# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: where a request goes on to: another path, another query.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: route again, touch request.target (the log tells what was asked), or let a path out
#   that an origin could read as another.
# Read next: retarget.pxd for the contract.

from libc.stdint cimport uint8_t
from libc.string cimport memcpy
from pygw._core.arena cimport arena_bytes
from pygw._core.check cimport unlikely
from pygw._core.fault cimport E_CORE_MEMORY, E_DOWN_TARGET
from pygw._core.types.message cimport FORM_ASTERISK, MF_LINE_EDITED, request_t
from pygw._core.view cimport hex_value, span

# What a segment is so far, in the most lenient reading: its dots, or that it has other bytes.
cdef enum:
    DOTS_OTHER = -1


cdef inline bint target_byte(uint8_t c) noexcept nogil:
    return 0x21 <= c <= 0x7E and c != c'#' and c != c'\\'


# The byte at `i`, a triplet decoded; -1 when it can not stand in a path.
cdef inline int path_byte(span_t path, uint32_t i) noexcept nogil:
    cdef uint8_t c = <uint8_t>path.ptr[i]
    cdef int high, low
    if c != c'%':
        return c if target_byte(c) and c != c'?' else -1
    if path.len - i < 3:
        return -1
    high = hex_value(path.ptr[i + 1])
    low = hex_value(path.ptr[i + 2])
    return -1 if high < 0 or low < 0 or high + low == 0 else high * 16 + low


cdef uint32_t path_clean(span_t path, char* out) noexcept nogil:
    cdef uint32_t i = 0, n = 0, size
    cdef int dots = 0, c
    if path.len == 0 or path.ptr[0] != c'/':
        return 0
    while i < path.len:
        c = path_byte(path, i)
        if unlikely(c < 0):
            return 0
        if c == c'/' or c == c'\\' or c == c';':
            if dots == 1 or dots == 2:
                return 0
            dots = DOTS_OTHER if c == c';' else 0
        elif dots >= 0:
            dots = dots + 1 if c == c'.' else <int>DOTS_OTHER
        size = 3 if path.ptr[i] == c'%' else 1
        if not (path.ptr[i] == c'/' and n and out[n - 1] == c'/'):
            while size:
                out[n] = path.ptr[i]
                n += 1
                i += 1
                size -= 1
        else:
            i += 1
    return 0 if dots == 1 or dots == 2 else n


cdef int retarget_path(exchange_t* x, span_t prefix, span_t path) noexcept nogil:
    cdef request_t* q = &x.request
    cdef size_t size = <size_t>prefix.len + path.len
    cdef char* text
    if q.form == FORM_ASTERISK or (q.path.len == 1 and q.path.ptr[0] == c'*'):
        return 0
    text = arena_bytes(&x.arena, size)
    if unlikely(text == NULL):
        return E_CORE_MEMORY
    if prefix.len:
        memcpy(text, prefix.ptr, prefix.len)              # COPY: the path is a new one
    if path.len:
        memcpy(text + prefix.len, path.ptr, path.len)     # COPY: as above
    size = path_clean(span(text, size), text)             # in place: it only gets shorter
    if unlikely(size == 0):
        return E_DOWN_TARGET
    q.path = span(text, size)
    q.half.flags |= MF_LINE_EDITED
    return 0


cdef int retarget_query(exchange_t* x, span_t query) noexcept nogil:
    cdef request_t* q = &x.request
    cdef uint32_t i
    if q.form == FORM_ASTERISK or (q.path.len == 1 and q.path.ptr[0] == c'*'):
        return 0
    for i in range(query.len):
        if unlikely(not target_byte(<uint8_t>query.ptr[i])):
            return E_DOWN_TARGET
    q.query = query if query.len else span(NULL, 0)
    q.half.flags |= MF_LINE_EDITED
    return 0
