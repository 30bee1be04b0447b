# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: the bytes of a head, a chunk line and a trailer section as they leave.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: copy what was not changed: an untouched run of fields leaves as one piece.
# Read next: http1_write.pxd for the contract.
"""Heads, chunk lines and trailer sections of HTTP/1.1 messages as they leave (RFC 9112)."""

from libc.stdint cimport uint8_t, uint16_t
from libc.string cimport memcpy, strlen
from pygw._core.check cimport likely, unlikely
from pygw._core.limits cimport GATHER_MAX
from pygw._core.arena cimport arena_bytes
from pygw._core.view cimport decimal_write, span, span_to_length
from pygw._core.types.header cimport (
    header_t, HF_EDITED, HF_HOP, HF_REMOVED, H_CONNECTION, H_CONTENT_LENGTH, H_HOST,
    H_TRANSFER_ENCODING,
    H_UPGRADE)
from pygw._core.types.message cimport (
    FORM_ABSOLUTE, FRAMING_CHUNKED, FRAMING_LENGTH, FRAMING_NONE, MF_HEAD_ONLY, MF_LINE_EDITED)
from pygw._core.fault cimport E_CORE_MEMORY
from pygw._core.libs.llhttp cimport HTTP_PATCH, HTTP_POST, HTTP_PUT

# A head on its way out.
cdef struct writer_t:
    pieces_t* out             # borrow(caller, until the call ends)
    arena_t* arena            # borrow(exchange, until the call ends)
    uint64_t length           # of the body, for FRAMING_LENGTH
    uint8_t framing           # the body will leave with it
    uint8_t zero_stays        # FRAMING_NONE: "Content-Length: 0" is kept
    uint8_t any_length_stays  # FRAMING_NONE: any Content-Length is kept
    uint8_t upgrade_stays     # WRITE_UPGRADE
    uint8_t length_written
    uint8_t host_written

cdef const char* reasons[600]     # static texts, by status


# The pieces that were not yet made of several become one, in the arena; all of them once there is
# no other room. So a byte is copied twice at most up to GATHER_MAX * GATHER_MAX / 2 pieces.
cdef int pieces_flatten(pieces_t* out, arena_t* arena) noexcept nogil:
    cdef uint32_t first = out.flat if out.flat < GATHER_MAX - 1 else 0
    cdef size_t size = 0
    cdef char* memory
    cdef char* p
    cdef uint32_t i
    for i in range(first, out.count):
        size += out.items[i].len
    memory = p = arena_bytes(arena, size)
    if memory == NULL:
        return E_CORE_MEMORY
    for i in range(first, out.count):
        memcpy(p, out.items[i].ptr, out.items[i].len)     # COPY: more pieces than one write takes
        p += out.items[i].len
    out.items[first] = span(memory, size)
    out.count = out.flat = first + 1
    return 0


# Appends a piece; one that begins where the last one ends makes that longer.
cdef inline int piece_add(pieces_t* out, arena_t* arena, const char* ptr,
                          uint32_t size) noexcept nogil:
    cdef span_t* last
    if likely(out.count != 0):
        last = &out.items[out.count - 1]
        if last.ptr + last.len == ptr:
            last.len += size
            out.bytes += size
            return 0
        if unlikely(out.count == GATHER_MAX):
            if pieces_flatten(out, arena):
                return E_CORE_MEMORY
    out.items[out.count] = span(ptr, size)
    out.count += 1
    out.bytes += size
    return 0


cdef inline char* put(char* p, const char* ptr, size_t size) noexcept nogil:
    if size:
        memcpy(p, ptr, size)      # COPY: a part of a new line; callers say why it is new
    return p + size


# A field that was edited in place has no line: one is made.
cdef int field_rebuild(writer_t* w, const header_t* h) noexcept nogil:
    cdef uint32_t size = h.name.len + h.value.len + 4
    cdef char* line = arena_bytes(w.arena, size)
    cdef char* p = line
    if line == NULL:
        return E_CORE_MEMORY
    p = put(p, h.name.ptr, h.name.len)      # COPY: a new line is new memory
    p = put(p, b": ", 2)
    p = put(p, h.value.ptr, h.value.len)
    put(p, b"\r\n", 2)
    return piece_add(w.out, w.arena, line, size)


cdef inline int field_write(writer_t* w, const header_t* h) noexcept nogil:
    if likely(h.raw_len):
        return piece_add(w.out, w.arena, h.name.ptr, h.raw_len)
    return field_rebuild(w, h)


# Whether a Content-Length field may leave. An edited one must say what the body will be.
cdef bint length_leaves(writer_t* w, const header_t* h) noexcept nogil:
    cdef uint64_t length = 0
    if w.framing == FRAMING_LENGTH:
        if w.length_written:
            return False
        if h.flags & HF_EDITED and not (span_to_length(h.value, &length) and length == w.length):
            return False
        w.length_written = True
        return True
    if w.any_length_stays:
        return True
    return w.zero_stays and h.value.len == 1 and h.value.ptr[0] == c'0'


# Whether a field that frames or routes leaves: what leaves is our own framing.
cdef bint field_leaves(writer_t* w, const header_t* h) noexcept nogil:
    if h.id == H_UPGRADE:
        return w.upgrade_stays
    if h.id == H_TRANSFER_ENCODING or h.id == H_CONNECTION or h.flags & HF_HOP:
        return False
    if h.id == H_HOST:
        w.host_written = True
        return True
    return length_leaves(w, h)


cdef inline bint id_is_ours(uint16_t id) noexcept nogil:
    return (id == H_CONTENT_LENGTH or id == H_TRANSFER_ENCODING or id == H_CONNECTION
            or id == H_UPGRADE or id == H_HOST)


cdef int fields_write(writer_t* w, const headers_t* hs) noexcept nogil:
    cdef const header_t* h = hs.items
    cdef const header_t* end = h + hs.count
    cdef int error = 0
    cdef bint leaves
    while h < end and not error:
        if unlikely(h.flags & HF_REMOVED):
            leaves = False
        elif id_is_ours(h.id):
            leaves = field_leaves(w, h)
        else:
            leaves = not h.flags & HF_HOP
        if leaves:
            error = field_write(w, h)
        h += 1
    return error


cdef int length_write(writer_t* w) noexcept nogil:
    cdef char* line = arena_bytes(w.arena, 38)      # "Content-Length: ", 20 digits, CRLF
    cdef uint32_t digits
    if line == NULL:
        return E_CORE_MEMORY
    memcpy(line, b"Content-Length: ", 16)     # COPY: a new line is new memory
    digits = decimal_write(line + 16, w.length)
    memcpy(line + 16 + digits, b"\r\n", 2)    # COPY: as above
    return piece_add(w.out, w.arena, line, digits + 18)


# Our own framing and connection fields and the empty line, as few pieces as may be.
cdef int end_write(writer_t* w, uint32_t flags) noexcept nogil:
    cdef const char* text = b"Transfer-Encoding: chunked\r\n"
    if w.framing == FRAMING_CHUNKED and piece_add(w.out, w.arena, text, 28):
        return E_CORE_MEMORY
    if w.framing == FRAMING_LENGTH and not w.length_written and length_write(w):
        return E_CORE_MEMORY
    if flags & WRITE_CLOSE:
        return piece_add(w.out, w.arena, b"Connection: close\r\n\r\n", 21)
    if flags & WRITE_UPGRADE:
        return piece_add(w.out, w.arena, b"Connection: upgrade\r\n\r\n", 23)
    if flags & WRITE_KEEP_ALIVE:
        return piece_add(w.out, w.arena, b"Connection: keep-alive\r\n\r\n", 26)
    return piece_add(w.out, w.arena, b"\r\n", 2)


cdef int request_line_write(writer_t* w, request_t* q) noexcept nogil:
    cdef uint64_t size = <uint64_t>q.method_name.len + q.path.len + q.query.len + 13
    cdef char* line
    cdef char* p
    # An empty query is one all the same: a target leaves as it came (RFC 9110 7.1). One that was
    # taken out has no address.
    cdef bint has_query = q.query.len != 0 or (
        q.query.ptr != NULL and q.target.len != 0 and q.target.ptr[q.target.len - 1] == c'?')
    if (likely(q.half.version == 11 and q.form != FORM_ABSOLUTE and q.half.line.len
               and not q.half.flags & MF_LINE_EDITED)):
        return piece_add(w.out, w.arena, q.half.line.ptr, q.half.line.len)
    line = arena_bytes(w.arena, size)
    if line == NULL or size > 0xFFFFFFFFU:
        return E_CORE_MEMORY
    p = put(line, q.method_name.ptr, q.method_name.len)   # COPY: the line is not ours to keep
    p = put(p, b" ", 1)
    p = put(p, q.path.ptr, q.path.len)
    p = put(p, b"?", 1 if has_query else 0)
    p = put(p, q.query.ptr, q.query.len)
    p = put(p, b" HTTP/1.1\r\n", 11)
    return piece_add(w.out, w.arena, line, <uint32_t>(p - line))


# A 1.0 request may come without Host; in 1.1 it may not leave so (RFC 9112 3.2).
cdef int host_write(writer_t* w, span_t authority) noexcept nogil:
    cdef uint64_t size = <uint64_t>authority.len + 8
    cdef char* line = arena_bytes(w.arena, size)
    cdef char* p
    if line == NULL:
        return E_CORE_MEMORY
    p = put(line, b"Host: ", 6)
    p = put(p, authority.ptr, authority.len)      # COPY: a new line is new memory
    put(p, b"\r\n", 2)
    return piece_add(w.out, w.arena, line, <uint32_t>size)


cdef void writer_init(writer_t* w, const half_t* half, int framing, uint32_t flags,
                      pieces_t* out) noexcept nogil:
    w.out = out
    w.arena = half.arena
    w.length = half.length
    w.framing = <uint8_t>framing
    w.zero_stays = False
    w.any_length_stays = False
    w.upgrade_stays = flags & WRITE_UPGRADE != 0
    w.length_written = False
    w.host_written = False
    out.count = 0
    out.flat = 0
    out.bytes = 0


cdef int http1_write_request(request_t* request, int framing, uint32_t flags,
                             pieces_t* out) noexcept nogil:
    cdef writer_t w
    writer_init(&w, &request.half, framing, flags, out)
    w.zero_stays = framing == FRAMING_NONE and (
        request.method == HTTP_POST or request.method == HTTP_PUT or request.method == HTTP_PATCH)
    if request_line_write(&w, request) or fields_write(&w, &request.half.headers):
        return E_CORE_MEMORY
    if unlikely(not w.host_written) and host_write(&w, request.authority):
        return E_CORE_MEMORY
    return end_write(&w, flags)


cdef int status_line_write(writer_t* w, response_t* response) noexcept nogil:
    cdef half_t* half = &response.half
    cdef span_t reason = response.reason
    cdef char* line
    cdef char* p
    if likely(half.version == 11 and half.line.len and not half.flags & MF_LINE_EDITED):
        return piece_add(w.out, w.arena, half.line.ptr, half.line.len)
    if reason.len == 0:
        reason = http1_reason(response.status)
    line = arena_bytes(w.arena, <size_t>reason.len + 15)
    if line == NULL:
        return E_CORE_MEMORY
    p = put(line, b"HTTP/1.1 ", 9)
    p[0] = <char>(c'0' + response.status // 100 % 10)
    p[1] = <char>(c'0' + response.status // 10 % 10)
    p[2] = <char>(c'0' + response.status % 10)
    p[3] = c' '
    p = put(p + 4, reason.ptr, reason.len)        # COPY: the line is not ours to keep
    p = put(p, b"\r\n", 2)
    return piece_add(w.out, w.arena, line, <uint32_t>(p - line))


cdef int http1_write_response(response_t* response, int framing, uint32_t flags,
                              pieces_t* out) noexcept nogil:
    cdef writer_t w
    writer_init(&w, &response.half, framing, flags, out)
    w.any_length_stays = framing == FRAMING_NONE and response.half.flags & MF_HEAD_ONLY != 0
    if status_line_write(&w, response) or fields_write(&w, &response.half.headers):
        return E_CORE_MEMORY
    return end_write(&w, flags)


cdef uint32_t http1_write_chunk_line(char* out, uint64_t size) noexcept nogil:
    cdef const char* digits = b"0123456789abcdef"
    cdef uint32_t count = 1, i
    while count < 16 and size >> 4 * count:
        count += 1
    for i in range(count):
        out[count - 1 - i] = digits[size >> 4 * i & 15]
    out[count] = c'\r'
    out[count + 1] = c'\n'
    return count + 2


# Trailers of a filter's making are held to what the reader holds a peer's to: none that frames.
cdef int trailers_fields(writer_t* w, const headers_t* hs) noexcept nogil:
    cdef const header_t* h = hs.items
    cdef const header_t* end = h + hs.count
    cdef int error = 0
    while h < end and not error:
        if not h.flags & (HF_REMOVED | HF_HOP) and not id_is_ours(h.id):
            error = field_write(w, h)
        h += 1
    return error


cdef int http1_write_trailers(headers_t* trailers, arena_t* arena, pieces_t* out) noexcept nogil:
    cdef writer_t w
    out.count = 0
    out.flat = 0
    out.bytes = 0
    if likely(trailers == NULL or trailers.count == 0):
        return piece_add(out, arena, b"0\r\n\r\n", 5)
    w.out = out
    w.arena = arena
    if piece_add(out, arena, b"0\r\n", 3) or trailers_fields(&w, trailers):
        return E_CORE_MEMORY
    return piece_add(out, arena, b"\r\n", 2)


cdef span_t http1_reason(uint32_t status) noexcept nogil:
    if status >= 600 or reasons[status] == NULL:
        return span(b"", 0)
    return span(reasons[status], strlen(reasons[status]))


# RFC 9110 15, and 103 of RFC 8297, 428 to 431 and 511 of RFC 6585, 508 of RFC 5842.
cdef void fill_reasons() noexcept nogil:
    reasons[100] = b"Continue"
    reasons[101] = b"Switching Protocols"
    reasons[103] = b"Early Hints"
    reasons[200] = b"OK"
    reasons[201] = b"Created"
    reasons[202] = b"Accepted"
    reasons[203] = b"Non-Authoritative Information"
    reasons[204] = b"No Content"
    reasons[205] = b"Reset Content"
    reasons[206] = b"Partial Content"
    reasons[300] = b"Multiple Choices"
    reasons[301] = b"Moved Permanently"
    reasons[302] = b"Found"
    reasons[303] = b"See Other"
    reasons[304] = b"Not Modified"
    reasons[307] = b"Temporary Redirect"
    reasons[308] = b"Permanent Redirect"
    reasons[400] = b"Bad Request"
    reasons[401] = b"Unauthorized"
    reasons[402] = b"Payment Required"
    reasons[403] = b"Forbidden"
    reasons[404] = b"Not Found"
    reasons[405] = b"Method Not Allowed"
    reasons[406] = b"Not Acceptable"
    reasons[407] = b"Proxy Authentication Required"
    reasons[408] = b"Request Timeout"
    reasons[409] = b"Conflict"
    reasons[410] = b"Gone"
    reasons[411] = b"Length Required"
    reasons[412] = b"Precondition Failed"
    reasons[413] = b"Content Too Large"
    reasons[414] = b"URI Too Long"
    reasons[415] = b"Unsupported Media Type"
    reasons[416] = b"Range Not Satisfiable"
    reasons[417] = b"Expectation Failed"
    reasons[421] = b"Misdirected Request"
    reasons[422] = b"Unprocessable Content"
    reasons[426] = b"Upgrade Required"
    reasons[428] = b"Precondition Required"
    reasons[429] = b"Too Many Requests"
    reasons[431] = b"Request Header Fields Too Large"
    reasons[500] = b"Internal Server Error"
    reasons[501] = b"Not Implemented"
    reasons[502] = b"Bad Gateway"
    reasons[503] = b"Service Unavailable"
    reasons[504] = b"Gateway Timeout"
    reasons[505] = b"HTTP Version Not Supported"
    reasons[508] = b"Loop Detected"
    reasons[511] = b"Network Authentication Required"


fill_reasons()
