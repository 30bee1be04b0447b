# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: the readings of a path: how servers may take the bytes of a request's path.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: change the bytes that are forwarded, or choose a route.
# Read next: path.pxd for the readings.

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memmove
from pygw._core.check cimport likely
from pygw._core.types.header cimport span_t
from pygw._core.view cimport span

cdef enum byte_kind:
    ORDINARY = 0
    SLASH = 1
    ODD = 2               # makes a path not plain
    FORBIDDEN = 3         # in no path that has a route

cdef uint8_t KINDS[256]
cdef uint8_t UNRESERVED[256]      # RFC 3986 2.3
cdef int HEX[256]                 # value of a hexadecimal digit, else -1
cdef const char* DIGITS = b"0123456789ABCDEF"


cdef void fill_tables() noexcept nogil:
    cdef int c
    for c in range(256):
        KINDS[c] = ODD if c >= 0x7F else FORBIDDEN if c <= 0x20 else ORDINARY
        UNRESERVED[c] = (c'0' <= c <= c'9' or c'A' <= c <= c'Z' or c'a' <= c <= c'z'
                         or c == c'-' or c == c'.' or c == c'_' or c == c'~')
        HEX[c] = -1
        if c'0' <= c <= c'9':
            HEX[c] = c - c'0'
        elif c'A' <= c <= c'F':
            HEX[c] = c - c'A' + 10
        elif c'a' <= c <= c'f':
            HEX[c] = c - c'a' + 10
    KINDS[<int>c'/'] = SLASH
    KINDS[<int>c'%'] = ODD
    KINDS[<int>c'\\'] = ODD
    KINDS[<int>c';'] = ODD
    KINDS[<int>c'#'] = FORBIDDEN
    KINDS[<int>c'?'] = FORBIDDEN
    KINDS[0x7F] = FORBIDDEN


fill_tables()


# Whether the segment that begins at `ptr` is "." or "..".
cdef inline bint segment_is_dots(const char* ptr, uint32_t size) noexcept nogil:
    if size == 0 or ptr[0] != c'.':
        return False
    if size == 1 or ptr[1] == c'/':
        return True
    return ptr[1] == c'.' and (size == 2 or ptr[2] == c'/')


cdef bint path_is_plain(span_t path) noexcept nogil:
    cdef uint32_t i = 0
    cdef uint8_t kind
    while i < path.len:
        kind = KINDS[<uint8_t>path.ptr[i]]
        i += 1
        if likely(kind == ORDINARY):
            continue
        if kind != SLASH:
            return False
        if i < path.len and (path.ptr[i] == c'/'
                             or segment_is_dots(path.ptr + i, path.len - i)):
            return False
    return True


# The byte that the triplet at `ptr` stands for; -1 when it is malformed or stands for NUL.
cdef inline int triplet(const char* ptr, uint32_t size) noexcept nogil:
    cdef int high, low
    if size < 3:
        return -1
    high = HEX[<uint8_t>ptr[1]]
    low = HEX[<uint8_t>ptr[2]]
    if high < 0 or low < 0 or high + low == 0:
        return -1
    return high * 16 + low


cdef uint32_t path_literal(span_t path, char* out) noexcept nogil:
    cdef uint32_t i = 0, n = 0
    cdef int c
    while i < path.len:
        c = <uint8_t>path.ptr[i]
        if n + 3 > ROUTE_SCRATCH or KINDS[c] == FORBIDDEN:
            return 0
        if c == c'%':
            c = triplet(path.ptr + i, path.len - i)
            i += 2
            if c < 0:
                return 0
            if not UNRESERVED[c]:
                c += 256
        elif c >= 0x80:
            c += 256
        i += 1
        if c < 256:
            out[n] = <char>c
            n += 1
        else:
            out[n] = c'%'
            out[n + 1] = DIGITS[(c - 256) >> 4]
            out[n + 2] = DIGITS[c & 15]
            n += 3
    return n


# The lenient reading without resolving; its length, 0 when the path has none.
cdef uint32_t read_lenient(span_t path, char* out) noexcept nogil:
    cdef uint32_t i = 0, n = 0
    cdef int c
    cdef bint skipping = False        # within parameters
    while i < path.len:
        c = <uint8_t>path.ptr[i]
        if n >= ROUTE_SCRATCH or KINDS[c] == FORBIDDEN:
            return 0
        if c == c'%':
            c = triplet(path.ptr + i, path.len - i)
            i += 2
            if c < 0:
                return 0
        i += 1
        if c == c'/' or c == c'\\':
            if skipping and path.ptr[i - 1] != c'/':
                return 0              # does it end the parameters, or belong to them?
            skipping = False
            if n and out[n - 1] == c'/':
                continue
            out[n] = c'/'
            n += 1
        elif skipping or c == c';':
            skipping = True
        else:
            out[n] = <char>c
            n += 1
    return n


cdef uint32_t count_byte(const char* ptr, uint32_t size, char byte) noexcept nogil:
    cdef uint32_t i, count = 0
    for i in range(size):
        count += ptr[i] == byte
    return count


# Whether a lenient reading is the path itself but for triplets of ordinary bytes: nothing was cut
# off or merged, and no slash is new.
cdef bint lenient_is_literal(span_t path, const char* lenient, uint32_t size) noexcept nogil:
    return (size + 2 * count_byte(path.ptr, path.len, c'%') == path.len
            and count_byte(lenient, size, c'/') == count_byte(path.ptr, path.len, c'/'))


cdef uint32_t count_dots(const char* ptr, uint32_t size) noexcept nogil:
    cdef uint32_t i, count = 0
    for i in range(1, size):
        if ptr[i - 1] == c'/' and segment_is_dots(ptr + i, size - i):
            count += 1
    return count


# RFC 3986 5.2.4.
cdef uint32_t path_resolve(char* p, uint32_t size) noexcept nogil:
    cdef uint32_t i = 0, end, n = 0
    while i < size:
        end = i + 1
        while end < size and p[end] != c'/':
            end += 1
        if not segment_is_dots(p + i + 1, end - i - 1):
            memmove(p + n, p + i, end - i)
            n += end - i
            i = end
            continue
        if end - i == 3:
            if n == 0:
                return 0
            n -= 1
            while p[n] != c'/':
                n -= 1
        if end == size:
            p[n] = c'/'
            n += 1
        i = end
    return n


cdef uint32_t path_lenient(span_t path, char* out) noexcept nogil:
    cdef uint32_t dots = count_dots(path.ptr, path.len)
    cdef uint32_t size = read_lenient(path, out)
    if size == 0 or count_dots(out, size) != dots:
        return 0
    if dots and not lenient_is_literal(path, out, size):
        return 0
    return path_resolve(out, size)


cdef uint32_t path_decode(span_t text, char* out) noexcept nogil:
    cdef uint32_t i = 0, n = 0
    cdef int c
    while i < text.len:
        c = <uint8_t>text.ptr[i]
        if c == c'%':
            c = triplet(text.ptr + i, text.len - i)
            i += 2
        i += 1
        out[n] = <char>c
        n += 1
    return n


cdef uint32_t path_prepare(span_t path, char* out) noexcept nogil:
    cdef char[ROUTE_SCRATCH] scratch
    cdef uint32_t size, lenient
    if path.len == 0 or path.ptr[0] != c'/':
        return 0
    size = path_literal(path, out)
    if size == 0 or count_dots(out, size):
        return 0
    lenient = read_lenient(span(out, size), scratch)
    return size if lenient and lenient_is_literal(span(out, size), scratch, lenient) else 0
