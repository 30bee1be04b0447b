# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: reading a chunked body and its trailer section (RFC 9112 7.1), byte by byte in any split.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: keep or pass on a chunk extension, or accept a line end that is not CRLF.
# Read next: http1_chunk.pxd for the contract.
"""Chunked bodies of HTTP/1.1 messages, read strictly (RFC 9112 7.1)."""

from libc.string cimport memchr, memcpy, memset
from pygw._core.check cimport likely, unlikely
from pygw._core.limits cimport (
    BODY_SPANS, CHUNK_LINE_MAX, CHUNK_OVERHEAD_MAX, FIELD_NAME_MAX, TRAILERS_MAX)
from pygw._core.arena cimport arena_alloc
from pygw._core.headers cimport (
    header_id_of, header_id_sensitive, header_name_valid, header_value_valid, headers_append)
from pygw._core.http1_check cimport http1_check_trailer
from pygw._core.view cimport span, span_trim
from pygw._core.types.header cimport header_t, HF_SENSITIVE
from pygw._core.fault cimport (
    E_CORE_MEMORY, E_DOWN_CHUNK, E_DOWN_HEADER_COUNT, E_DOWN_TRAILER,
    E_UP_CHUNK, E_UP_HEADER_COUNT, E_UP_TRAILER)

# Which byte is due.
cdef enum chunk_place:
    CHUNK_SIZE = 0            # a hex digit, or what follows the size
    CHUNK_EXT_NAME            # a token byte of an extension's name, or what follows it
    CHUNK_EXT_NAME_MORE
    CHUNK_EXT_VALUE           # the first byte of its value
    CHUNK_EXT_TOKEN
    CHUNK_EXT_QUOTED
    CHUNK_EXT_ESCAPED
    CHUNK_EXT_END             # behind the closing quote
    CHUNK_LINE_LF
    CHUNK_DATA
    CHUNK_DATA_CR
    CHUNK_DATA_LF
    CHUNK_TRAILER

# What a chunk line's byte does to the place; the rest of the places are not bytewise.
cdef enum:
    STEP_BAD = -1


cdef void http1_chunks_init(http1_chunks_t* c, bint is_response,
                            uint16_t headers_max) noexcept nogil:
    memset(c, 0, sizeof(http1_chunks_t))
    c.is_response = is_response
    c.headers_max = headers_max


cdef inline int hex_digit(char c) noexcept nogil:
    if c'0' <= c <= c'9':
        return c - c'0'
    c |= 0x20
    return c - c'a' + 10 if c'a' <= c <= c'f' else -1


cdef inline bint is_token_byte(const char* p) noexcept nogil:
    return header_name_valid(span(p, 1))


# Where a size or an extension may end: another extension, or the line's end.
cdef inline int step_end(char b) noexcept nogil:
    if b == c'\r':
        return CHUNK_LINE_LF
    return CHUNK_EXT_NAME if b == c';' else STEP_BAD


# The place behind byte p[0] of a chunk extension (RFC 9112 7.1.1), STEP_BAD if it may not be there.
cdef int step_extension(uint8_t place, const char* p) noexcept nogil:
    cdef char b = p[0]
    if place == CHUNK_EXT_QUOTED:
        if b == c'"':
            return CHUNK_EXT_END
        if b == c'\\':
            return CHUNK_EXT_ESCAPED
        return CHUNK_EXT_QUOTED if header_value_byte(b) else STEP_BAD
    if place == CHUNK_EXT_ESCAPED:
        return CHUNK_EXT_QUOTED if header_value_byte(b) else STEP_BAD
    if place == CHUNK_EXT_END:
        return step_end(b)
    if is_token_byte(p):
        if place == CHUNK_EXT_VALUE or place == CHUNK_EXT_TOKEN:
            return CHUNK_EXT_TOKEN
        return CHUNK_EXT_NAME_MORE
    if place == CHUNK_EXT_NAME:
        return STEP_BAD
    if place == CHUNK_EXT_VALUE:
        return CHUNK_EXT_QUOTED if b == c'"' else STEP_BAD
    if place == CHUNK_EXT_NAME_MORE and b == c'=':
        return CHUNK_EXT_VALUE
    return step_end(b)


# HTAB, SP, visible ASCII, obs-text: what quoted-string and quoted-pair may hold besides '"', '\\'.
cdef inline bint header_value_byte(char b) noexcept nogil:
    cdef uint8_t u = <uint8_t>b
    return u == 9 or u >= 0x20 and u != 0x7f


# One byte of the size itself.
cdef int step_size(http1_chunks_t* c, char b) noexcept nogil:
    cdef int digit = hex_digit(b)
    if digit < 0:
        return step_end(b) if c.digits else STEP_BAD
    c.digits += 1
    if c.digits > 16 or c.left >> 59:
        return STEP_BAD
    c.left = c.left << 4 | <uint64_t>digit
    return CHUNK_SIZE


# The chunk line is complete; left is the size.
cdef int line_end(http1_chunks_t* c) noexcept nogil:
    cdef uint64_t free = CHUNK_FREE + (c.left >> 2)
    if c.line_bytes > free:
        c.overhead += c.line_bytes - <uint32_t>free
        if c.overhead > CHUNK_OVERHEAD_MAX:
            return STEP_BAD
    c.line_bytes = 0
    c.digits = 0
    return CHUNK_DATA if c.left else CHUNK_TRAILER


# One byte outside of data and trailers. 0 or E_*_CHUNK.
cdef int byte_read(http1_chunks_t* c, const char* p) noexcept nogil:
    cdef int step = STEP_BAD
    if c.place < CHUNK_DATA:
        c.line_bytes += 1
        if likely(c.line_bytes <= CHUNK_LINE_MAX):
            if c.place == CHUNK_SIZE:
                step = step_size(c, p[0])
            elif c.place == CHUNK_LINE_LF:
                step = line_end(c) if p[0] == c'\n' else STEP_BAD
            else:
                step = step_extension(c.place, p)
    elif c.place == CHUNK_DATA_CR:
        step = CHUNK_DATA_LF if p[0] == c'\r' else STEP_BAD
    elif p[0] == c'\n':
        step = CHUNK_SIZE
    if unlikely(step == STEP_BAD):
        return E_UP_CHUNK if c.is_response else E_DOWN_CHUNK
    c.place = <uint8_t>step
    return 0


cdef inline int trailer_fault(const http1_chunks_t* c) noexcept nogil:
    return E_UP_TRAILER if c.is_response else E_DOWN_TRAILER


# One complete field line of `size` bytes at `line`, CRLF included.
cdef int trailer_add(http1_chunks_t* c, half_t* half, const char* line,
                     uint32_t size) noexcept nogil:
    cdef const char* colon = <const char*>memchr(line, c':', size)
    cdef span_t value
    cdef header_t* h
    if colon == NULL or size < 2 or line[size - 2] != c'\r':
        return trailer_fault(c)
    value = span_trim(span(colon + 1, line + size - 2 - colon - 1))
    if colon - line > FIELD_NAME_MAX or not header_name_valid(span(line, colon - line)):
        return trailer_fault(c)
    if not header_value_valid(value):
        return trailer_fault(c)
    if half.headers.count + half.trailers.count >= c.headers_max:
        return E_UP_HEADER_COUNT if c.is_response else E_DOWN_HEADER_COUNT
    h = headers_append(&half.trailers, half.arena)
    if h == NULL:
        return E_CORE_MEMORY
    h.name = span(line, colon - line)
    h.value = value
    h.id = header_id_of(h.name)
    h.flags = HF_SENSITIVE if header_id_sensitive(h.id) else 0
    h.raw_len = size
    return 0 if http1_check_trailer(h) else trailer_fault(c)


# Takes bytes of the trailer section up to a line's end. Lines are gathered in the arena, for the
# fields outlive the bytes they came in.
cdef int trailer_read(http1_chunks_t* c, half_t* half, const char* p,
                      uint32_t size) noexcept nogil:
    cdef const char* end = <const char*>memchr(p, c'\n', size)
    cdef uint32_t taken = size if end == NULL else <uint32_t>(end - p) + 1
    cdef char* line
    cdef uint32_t line_size
    if c.trailer == NULL:
        c.trailer = <char*>arena_alloc(half.arena, TRAILERS_MAX)
        if c.trailer == NULL:
            return E_CORE_MEMORY
    if taken > TRAILERS_MAX - c.line_bytes:
        return trailer_fault(c)
    memcpy(c.trailer + c.line_bytes, p, taken)   # COPY: trailers outlive the buffers of the body
    c.line_bytes += taken
    c.used += taken
    if end == NULL:
        return 0
    line = c.trailer + c.trailer_line
    line_size = c.line_bytes - c.trailer_line
    c.trailer_line = c.line_bytes
    if line_size == 2 and line[0] == c'\r':
        c.done = True
        return 0
    return trailer_add(c, half, line, line_size)


cdef int http1_chunks_read(http1_chunks_t* c, half_t* half, span_t bytes,
                           span_t* body, uint32_t* count) noexcept nogil:
    cdef const char* p
    cdef uint32_t size
    cdef int error = 0
    c.used = 0
    while c.used < bytes.len and not c.done and not error:
        p = bytes.ptr + c.used
        if c.place == CHUNK_DATA:
            if count[0] >= BODY_SPANS:
                return 0
            size = bytes.len - c.used
            if size > c.left:
                size = <uint32_t>c.left
            body[count[0]] = span(p, size)
            count[0] += 1
            half.received += size
            c.used += size
            c.left -= size
            if c.left == 0:
                c.place = CHUNK_DATA_CR
        elif c.place == CHUNK_TRAILER:
            if likely(c.trailer == NULL and p[0] == c'\r' and bytes.len - c.used >= 2
                      and p[1] == c'\n'):
                c.used += 2
                c.done = True
                return 0
            error = trailer_read(c, half, p, bytes.len - c.used)
        else:
            error = byte_read(c, p)
            c.used += 1
    return error
