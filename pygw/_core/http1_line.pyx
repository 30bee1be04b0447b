# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: the rules on a start line: its bytes and shape, version, target, authority, reason.
# Thread and GIL: any; no GIL; pure functions on tables filled at import.
# Never does: accept what two servers could split, route or version differently.
# Read next: http1_line.pxd for the contract.
"""Start lines of HTTP/1 messages, read strictly (RFC 9112 3 and 4)."""

from libc.stdint cimport uint8_t, uintptr_t
from libc.string cimport memchr, memcmp, memcpy
from pygw._core.check cimport likely, unlikely
from pygw._core.headers cimport header_name_valid
from pygw._core.view cimport span, span_equal_nocase, span_is, span_is_nocase
from pygw._core.types.message cimport (
    FORM_ABSOLUTE, FORM_ASTERISK, FORM_ORIGIN, MF_LINE_EDITED)
from pygw._core.fault cimport (
    E_DOWN_CONNECT, E_DOWN_LINE, E_DOWN_TARGET, E_DOWN_VERSION, E_UP_PROTOCOL)
from pygw._core.libs.sockets cimport AF_INET6, in6_addr, inet_pton

# Classes of a byte in a request-target. Every byte that is not visible ASCII is TARGET_BAD.
cdef enum:
    TARGET_PLAIN = 0
    TARGET_QUERY = 1        # '?'
    TARGET_PERCENT = 2
    TARGET_BAD = 3

cdef enum:
    LINE_REQUEST = 1        # may stand in a request line
    LINE_REASON = 2         # may stand in a status line

cdef enum:
    TAIL = 9                # bytes of " HTTP/1.1"
    IPV6_LONGEST = 45       # bytes of the longest IPv6 address in text

cdef uint8_t target_class[256]
cdef uint8_t line_class[256]
cdef uint8_t host_byte[256]     # of a reg-name or IPv4 address


cdef int http1_line_end(const char* ptr, uint32_t at, uint32_t size, bint reason) noexcept nogil:
    cdef uint8_t wanted = LINE_REASON if reason else LINE_REQUEST
    cdef uint32_t i = at
    cdef uint32_t run = 8
    while run == 8 and i + 8 <= size:
        run = printable_run(ptr + i)
        i += run
    while i < size and line_class[<uint8_t>ptr[i]] & wanted:
        i += 1
    if i >= size:
        return 0
    if ptr[i] != c'\r':
        return -1
    if i + 1 >= size:
        return 0
    return <int>(i + 2) if ptr[i + 1] == c'\n' else -1


cdef inline bint is_digit(char c) noexcept nogil:
    return c'0' <= c <= c'9'


cdef inline bint is_hex(char c) noexcept nogil:
    return is_digit(c) or c'a' <= (c | 0x20) <= c'f'


cdef inline span_t offset_span(const char* base, const char* start, const char* end) noexcept nogil:
    return span(<const char*><uintptr_t>(start - base), <size_t>(end - start))


# The path and query between `p` and `end`; the path may be empty.
cdef int path_read(request_t* q, const char* base, const char* p, const char* end) noexcept nogil:
    cdef const char* start = p
    cdef uint8_t kind = TARGET_PLAIN
    while p < end:
        kind = target_class[<uint8_t>p[0]]
        if unlikely(kind != TARGET_PLAIN):
            if kind != TARGET_PERCENT:
                break
            if end - p < 3 or not is_hex(p[1]) or not is_hex(p[2]):
                return E_DOWN_TARGET
            if p[1] == c'0' and p[2] == c'0':
                return E_DOWN_TARGET
        p += 1
    q.path = offset_span(base, start, p)
    if p == end:
        return 0
    if kind == TARGET_BAD:
        return E_DOWN_TARGET
    p += 1
    q.query = offset_span(base, p, end)
    while p < end:
        if unlikely(target_class[<uint8_t>p[0]] == TARGET_BAD):
            return E_DOWN_TARGET
        p += 1
    return 0


# RFC 9112 3.2.2. Only "http": the connection speaks nothing else, and an origin behind us may act
# on the scheme.
cdef int absolute_read(request_t* q, const char* base, const char* p,
                       const char* end) noexcept nogil:
    cdef const char* start = p + 7
    cdef span_t host
    cdef uint16_t port
    if end - p <= 7 or not span_is_nocase(span(p, 7), b"http://", 7):
        return E_DOWN_TARGET
    p = start
    while p < end and p[0] != c'/' and p[0] != c'?':
        p += 1
    if not http1_authority_split(span(start, p - start), &host, &port):
        return E_DOWN_TARGET
    q.form = FORM_ABSOLUTE
    q.authority = offset_span(base, start, p)
    return path_read(q, base, p, end)


cdef int target_read(request_t* q, const char* base, const char* p, const char* end) noexcept nogil:
    q.target = offset_span(base, p, end)
    if likely(p[0] == c'/'):
        q.form = FORM_ORIGIN
        return path_read(q, base, p, end)
    if p[0] == c'*' and end - p == 1:
        q.form = FORM_ASTERISK
        q.path = q.target
        if span_is(span(base + <uintptr_t>q.method_name.ptr, q.method_name.len), b"OPTIONS", 7):
            return 0
        return E_DOWN_TARGET
    return absolute_read(q, base, p, end)


cdef int http1_line_request(request_t* request, const char* base, uint32_t at,
                            uint32_t size) noexcept nogil:
    cdef const char* p = base + at
    cdef const char* end = p + size - 2
    cdef const char* space = <const char*>memchr(p, c' ', size)
    cdef const char* tail = end - TAIL
    if space == NULL or tail <= space + 1 or not header_name_valid(span(p, space - p)):
        return E_DOWN_LINE
    if memcmp(tail, b" HTTP/", 6) != 0 or not is_digit(tail[6]) or tail[7] != c'.':
        return E_DOWN_LINE
    if not is_digit(tail[8]) or memchr(space + 1, c' ', tail - space - 1) != NULL:
        return E_DOWN_LINE
    if tail[6] != c'1' or tail[8] > c'1':
        return E_DOWN_VERSION
    request.half.version = <uint8_t>(10 + tail[8] - c'0')
    request.half.line = span(<const char*><uintptr_t>at, size)
    request.method_name = offset_span(base, p, space)
    if unlikely(span_is(span(p, space - p), b"CONNECT", 7)):
        return E_DOWN_CONNECT
    return target_read(request, base, space + 1, tail)


cdef int http1_line_status(response_t* response, const char* base, uint32_t at,
                           uint32_t size) noexcept nogil:
    cdef const char* p = base + at
    cdef const char* end = p + size - 2
    if end - p < 12 or memcmp(p, b"HTTP/1.", 7) != 0 or p[7] < c'0' or p[7] > c'1':
        return E_UP_PROTOCOL
    if p[8] != c' ' or p[9] < c'1' or p[9] > c'5' or not is_digit(p[10]) or not is_digit(p[11]):
        return E_UP_PROTOCOL
    response.half.version = <uint8_t>(10 + p[7] - c'0')
    response.half.line = span(<const char*><uintptr_t>at, size)
    response.status = <uint16_t>(100 * (p[9] - c'0') + 10 * (p[10] - c'0') + p[11] - c'0')
    if end - p == 12:
        response.half.flags |= MF_LINE_EDITED
        response.reason = offset_span(base, end, end)
        return 0
    if p[12] != c' ':
        return E_UP_PROTOCOL
    response.reason = offset_span(base, p + 13, end)
    return 0


cdef inline void rebase(span_t* s, const char* base) noexcept nogil:
    s.ptr = base + <uintptr_t>s.ptr


cdef void http1_line_rebase_request(request_t* request, const char* base) noexcept nogil:
    rebase(&request.half.line, base)
    rebase(&request.method_name, base)
    rebase(&request.target, base)
    rebase(&request.path, base)
    rebase(&request.query, base)
    rebase(&request.authority, base)
    request.scheme = span(b"http", 4)
    if likely(request.path.len):
        return
    # An absolute-form target without path: '/', and for OPTIONS '*' (RFC 9112 3.2.4).
    if request.query.len == 0 and span_is(request.method_name, b"OPTIONS", 7):
        request.path = span(b"*", 1)
    else:
        request.path = span(b"/", 1)


cdef void http1_line_rebase_response(response_t* response, const char* base) noexcept nogil:
    rebase(&response.half.line, base)
    rebase(&response.reason, base)


cdef bint ipv6_valid(span_t text) noexcept nogil:
    cdef char buffer[46]
    cdef in6_addr address
    if text.len < 2 or text.len > IPV6_LONGEST:
        return False
    memcpy(buffer, text.ptr, text.len)      # COPY: inet_pton wants a terminated string
    buffer[text.len] = 0
    return inet_pton(AF_INET6, buffer, &address) == 1


# `text` begins behind the colon.
cdef bint port_read(span_t text, uint16_t* port) noexcept nogil:
    cdef uint32_t n = 0, i
    if text.len == 0 or text.len > 5 or text.ptr[0] == c'0':
        return False
    for i in range(text.len):
        if not is_digit(text.ptr[i]):
            return False
        n = 10 * n + <uint32_t>(text.ptr[i] - c'0')
    port[0] = <uint16_t>n
    return n <= 65535


cdef bint http1_authority_split(span_t authority, span_t* host, uint16_t* port) noexcept nogil:
    cdef uint32_t i = 0
    cdef const char* closing
    port[0] = 0
    if authority.len and authority.ptr[0] == c'[':
        closing = <const char*>memchr(authority.ptr, c']', authority.len)
        if closing == NULL:
            return False
        i = <uint32_t>(closing - authority.ptr) + 1
        if not ipv6_valid(span(authority.ptr + 1, i - 2)):
            return False
    else:
        while i < authority.len and host_byte[<uint8_t>authority.ptr[i]]:
            i += 1
    host[0] = span(authority.ptr, i)
    if likely(i == authority.len):
        return i != 0
    return (i != 0 and authority.ptr[i] == c':'
            and port_read(span(authority.ptr + i + 1, authority.len - i - 1), port))


cdef bint http1_authority_equal(span_t a, span_t b) noexcept nogil:
    cdef span_t a_host, b_host
    cdef uint16_t a_port, b_port
    if not http1_authority_split(a, &a_host, &a_port):
        return False
    if not http1_authority_split(b, &b_host, &b_port):
        return False
    return (a_port or 80) == (b_port or 80) and span_equal_nocase(a_host, b_host)


cdef void fill_bytes() noexcept nogil:
    cdef uint32_t i
    for i in range(256):
        target_class[i] = TARGET_PLAIN if 0x21 <= i <= 0x7e else TARGET_BAD
        line_class[i] = 0
        if 0x20 <= i <= 0x7e:
            line_class[i] = LINE_REQUEST | LINE_REASON
        elif i == 9 or i >= 0x80:
            line_class[i] = LINE_REASON
        host_byte[i] = (c'0' <= i <= c'9' or c'a' <= i <= c'z' or c'A' <= i <= c'Z'
                        or i == c'-' or i == c'.' or i == c'_' or i == c'~')
    target_class[c'?'] = TARGET_QUERY
    target_class[c'%'] = TARGET_PERCENT
    target_class[c'#'] = TARGET_BAD
    target_class[c'\\'] = TARGET_BAD


fill_bytes()
