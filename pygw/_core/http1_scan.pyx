# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: the short way through a head that arrived whole and holds nothing unusual.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: refuse anything. What it does not take is llhttp's to judge, from the first byte on.
# Read next: http1_scan.pxd for the contract.
"""Field lines of ordinary HTTP/1 heads, read at once (RFC 9112 5)."""

from libc.string cimport memcmp
from pygw._core.check cimport likely, unlikely
from pygw._core.headers cimport header_token_byte, headers_append
from pygw._core.http1_line cimport printable_run
from pygw._core.view cimport span
from pygw._core.types.header cimport header_t
from pygw._core.libs.llhttp cimport (
    HTTP_DELETE, HTTP_GET, HTTP_HEAD, HTTP_OPTIONS, HTTP_PATCH, HTTP_POST, HTTP_PUT)


cdef inline bint is_printable(char c) noexcept nogil:
    return c'\x20' <= c <= c'\x7e'


cdef const char* http1_scan_fields(half_t* half, const char* line, const char* end,
                                   uint32_t most) noexcept nogil:
    cdef const char* p = line
    cdef const char* value
    cdef header_t* h
    cdef uint32_t run
    while likely(end - p >= 2):
        if p[0] == c'\r':
            return p + 2 if p[1] == c'\n' else NULL
        line = p
        while p < end and header_token_byte(p[0]):
            p += 1
        if unlikely(p == line or p == end or p[0] != c':' or half.headers.count >= most):
            return NULL
        h = headers_append(&half.headers, half.arena)
        if unlikely(h == NULL):
            return NULL
        h.name = span(line, p - line)
        p += 1
        while p < end and p[0] == c' ':
            p += 1
        value = p
        run = 8
        while run == 8 and end - p >= 8:
            run = printable_run(p)
            p += run
        while run == 8 and p < end and is_printable(p[0]):
            p += 1
        if unlikely(end - p < 2 or p[0] != c'\r' or p[1] != c'\n'):
            return NULL
        h.value = span(value, p - value)
        while h.value.len and value[h.value.len - 1] == c' ':
            h.value.len -= 1
        p += 2
        h.raw_len = <uint32_t>(p - line)
    return NULL


cdef int http1_scan_method(const char* name, uint32_t size) noexcept nogil:
    if size == 3:
        if likely(memcmp(name, b"GET", 3) == 0):
            return HTTP_GET
        return HTTP_PUT if memcmp(name, b"PUT", 3) == 0 else -1
    if size == 4:
        if memcmp(name, b"POST", 4) == 0:
            return HTTP_POST
        return HTTP_HEAD if memcmp(name, b"HEAD", 4) == 0 else -1
    if size == 5:
        return HTTP_PATCH if memcmp(name, b"PATCH", 5) == 0 else -1
    if size == 6:
        return HTTP_DELETE if memcmp(name, b"DELETE", 6) == 0 else -1
    if size == 7:
        return HTTP_OPTIONS if memcmp(name, b"OPTIONS", 7) == 0 else -1
    return -1
