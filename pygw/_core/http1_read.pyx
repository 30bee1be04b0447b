# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: reading HTTP/1.0 and 1.1 messages: the order of their parts, their limits, llhttp's answers.
# Thread and GIL: one worker's loop; no GIL; no I/O. llhttp's settings are filled once, at import.
# Never does: accept what two servers could read differently, or call anybody back.
# Read next: http1_read.pxd for the contract, http1_line.pyx, http1_check.pyx, http1_chunk.pyx.
"""Reading of HTTP/1.0 and 1.1 messages (RFC 9112) from bytes in any split."""

from libc.stdint cimport uintptr_t
from pygw._core.check cimport BUG_ON, likely, unlikely
from pygw._core.limits cimport EMPTY_LINES_MAX
from pygw._core.headers cimport headers_append
from pygw._core.http1_check cimport http1_check_request, http1_check_response
from pygw._core.http1_chunk cimport http1_chunks_init, http1_chunks_read
from pygw._core.http1_line cimport http1_line_end, http1_line_request, http1_line_status
from pygw._core.view cimport span
from pygw._core.types.header cimport header_t, headers_t
from pygw._core.types.message cimport (
    FRAMING_CHUNKED, FRAMING_CLOSE, FRAMING_LENGTH, HALF_BODY, HALF_DONE, HALF_HEAD)
from pygw._core.fault cimport (
    E_CORE_MEMORY, E_DOWN_CLOSED, E_DOWN_FRAMING, E_DOWN_HEADER, E_DOWN_HEADER_COUNT,
    E_DOWN_HEAD_LENGTH, E_DOWN_LINE, E_DOWN_LINE_LENGTH, E_DOWN_METHOD, E_DOWN_TARGET,
    E_UP_CLOSED, E_UP_FRAMING, E_UP_HEADER, E_UP_HEADER_COUNT, E_UP_HEAD_LENGTH, E_UP_INCOMPLETE,
    E_UP_PROTOCOL)
from pygw._core.libs.llhttp cimport (
    llhttp, llhttp_settings_t, HPE_INVALID_CONTENT_LENGTH, HPE_INVALID_TRANSFER_ENCODING,
    HPE_INVALID_URL, HPE_OK, HPE_PAUSED, HPE_UNEXPECTED_CONTENT_LENGTH, HPE_USER, HTTP_CONNECT,
    HTTP_PRI, HTTP_REQUEST, HTTP_RESPONSE)

# Which part of the message is being read, in this order.
cdef enum read_place:
    PLACE_LINE = 0            # empty lines and the start line: llhttp has seen nothing yet
    PLACE_FIELDS = 1          # llhttp has the start line
    PLACE_LENGTH = 2
    PLACE_CHUNKS = 3
    PLACE_CLOSE = 4
    PLACE_DONE = 5

cdef llhttp_settings_t settings


# A field's name, or a further piece of one (only then does it begin where the last one stopped).
# Values are not asked for: the next line's name tells where a line ends, and http1_check takes the
# value out of it.
cdef int reader_on_name(llhttp_t* parser, const char* at, size_t size) noexcept nogil:
    cdef http1_reader_t* r = <http1_reader_t*>parser
    cdef headers_t* hs = &r.half.headers
    cdef header_t* h = hs.items + hs.count - 1
    if hs.count and unlikely(r.base + <uintptr_t>h.name.ptr + h.name.len == at):
        h.name.len += <uint32_t>size
        return 0
    if unlikely(hs.count >= r.limits.headers):
        r.error = E_UP_HEADER_COUNT if r.is_response else E_DOWN_HEADER_COUNT
        return HPE_USER
    h = headers_append(hs, r.half.arena)
    if unlikely(h == NULL):
        r.error = E_CORE_MEMORY
        return HPE_USER
    h.name = span(<const char*><uintptr_t>(at - r.base), size)
    return 0


# The head ends llhttp's work: bodies are read by http1_chunk and by counting.
cdef int reader_on_head(llhttp_t* parser) noexcept nogil:
    return HPE_PAUSED


cdef void reader_init(http1_reader_t* r, half_t* half, const limits_t* limits) noexcept nogil:
    r.half = half
    r.limits = limits
    r.base = NULL
    r.head_bytes = 0
    r.line_at = 0
    r.error = 0
    r.place = PLACE_LINE
    r.empty_lines = 0


cdef void http1_reader_request(http1_reader_t* r, request_t* request,
                               const limits_t* limits) noexcept nogil:
    reader_init(r, &request.half, limits)
    r.is_response = False
    r.head_request = False


cdef void http1_reader_response(http1_reader_t* r, response_t* response,
                                const limits_t* limits, bint head_request) noexcept nogil:
    reader_init(r, &response.half, limits)
    r.is_response = True
    r.head_request = head_request


cdef void http1_reader_move(http1_reader_t* r, const char* base) noexcept nogil:
    BUG_ON(r.place > PLACE_FIELDS)
    r.base = base


# Passes empty lines before a request (RFC 9112 2.2). A response has none.
cdef int lines_skip(http1_reader_t* r, uint32_t size) noexcept nogil:
    while (size - r.line_at >= 2 and r.base[r.line_at] == c'\r'
           and r.base[r.line_at + 1] == c'\n'):
        if r.is_response:
            return E_UP_PROTOCOL
        r.empty_lines += 1
        if r.empty_lines > EMPTY_LINES_MAX:
            return E_DOWN_LINE
        r.line_at += 2
    return 0


# The start line, in r.base[:size]. 0 and place PLACE_FIELDS when it is complete; 0 and the place as it
# was when it goes on; or a fault.
cdef int line_read(http1_reader_t* r, uint32_t size) noexcept nogil:
    cdef uint32_t most = r.limits.head
    cdef uint32_t at
    cdef int length
    cdef int error = lines_skip(r, size)
    if error:
        return error
    if not r.is_response and r.limits.request_line + 2 + r.line_at < most:
        most = r.limits.request_line + 2 + r.line_at
    at = r.line_at if r.head_bytes <= r.line_at else r.head_bytes - 1
    length = http1_line_end(r.base + r.line_at, at - r.line_at,
                            (size if size < most else most) - r.line_at, r.is_response)
    if unlikely(length < 0):
        return E_UP_PROTOCOL if r.is_response else E_DOWN_LINE
    if unlikely(length == 0):
        if size < most:
            return 0
        if r.is_response:
            return E_UP_HEAD_LENGTH
        return E_DOWN_LINE_LENGTH if most < r.limits.head else E_DOWN_HEAD_LENGTH
    r.place = PLACE_FIELDS
    llhttp.init(&r.parser, HTTP_RESPONSE if r.is_response else HTTP_REQUEST, &settings)
    if r.is_response:
        return http1_line_status(<response_t*>r.half, r.base, r.line_at, <uint32_t>length)
    return http1_line_request(<request_t*>r.half, r.base, r.line_at, <uint32_t>length)


# What llhttp's refusal means. It has seen only start lines that http1_line found good.
cdef int refusal_map(http1_reader_t* r, int code) noexcept nogil:
    if code == HPE_USER:
        return r.error
    if (code == HPE_INVALID_CONTENT_LENGTH or code == HPE_UNEXPECTED_CONTENT_LENGTH
            or code == HPE_INVALID_TRANSFER_ENCODING):
        return E_UP_FRAMING if r.is_response else E_DOWN_FRAMING
    if r.half.headers.count:
        return E_UP_HEADER if r.is_response else E_DOWN_HEADER
    if llhttp.get_error_pos(&r.parser) >= r.base + <uintptr_t>r.half.line.ptr + r.half.line.len:
        return E_UP_HEADER if r.is_response else E_DOWN_HEADER
    if r.is_response:
        return E_UP_PROTOCOL
    return E_DOWN_TARGET if code == HPE_INVALID_URL else E_DOWN_METHOD


# The body's way, and the rules on the head that ends before `end`.
cdef int head_settle(http1_reader_t* r, const char* end) noexcept nogil:
    cdef half_t* half = r.half
    cdef request_t* request
    cdef int error
    if r.is_response:
        error = http1_check_response(<response_t*>half, r.base, end, r.head_request)
    else:
        request = <request_t*>half
        request.method = llhttp.get_method(&r.parser)
        if unlikely(request.method == HTTP_CONNECT or request.method == HTTP_PRI):
            return E_DOWN_METHOD
        error = http1_check_request(request, r.base, end)
    if unlikely(error):
        return error
    half.state = HALF_BODY
    if half.framing == FRAMING_CHUNKED:
        r.place = PLACE_CHUNKS
        http1_chunks_init(&r.chunks, r.is_response, <uint16_t>r.limits.headers)
    elif half.framing == FRAMING_CLOSE:
        r.place = PLACE_CLOSE
    else:
        r.place = PLACE_LENGTH if half.framing == FRAMING_LENGTH and half.length else PLACE_DONE
    return 0


# Takes bytes up to the end of the head. `found.consumed` tells how many.
cdef int head_read(http1_reader_t* r, const char* data, uint32_t size,
                   http1_found_t* found) noexcept nogil:
    cdef const char* at = data
    cdef const char* end = data + size
    cdef const char* stop
    cdef int code
    if r.head_bytes == 0:
        r.base = data
        r.line_at = 0
    BUG_ON(r.base + r.head_bytes != data)
    if r.place == PLACE_LINE:
        code = line_read(r, r.head_bytes + size)
        if unlikely(code != 0 or r.place == PLACE_LINE):
            return line_pause(r, size, code, found)
        at = r.base + r.line_at
        r.half.state = HALF_HEAD
    stop = r.base + r.limits.head
    code = llhttp.execute(&r.parser, at, (end if end < stop else stop) - at)
    if likely(code == HPE_PAUSED):
        end = llhttp.get_error_pos(&r.parser)
        code = head_settle(r, end)
        if unlikely(code):
            return code
        found.events = READ_HEAD
        found.consumed = <uint32_t>(end - data)
        r.head_bytes = <uint32_t>(end - r.base)
        return 0
    if code != HPE_OK:
        return refusal_map(r, code)
    if end >= stop:
        return E_UP_HEAD_LENGTH if r.is_response else E_DOWN_HEAD_LENGTH
    r.head_bytes += size
    found.consumed = size
    return 0


# The start line is not complete, or bad (`code`). Empty lines alone are forgotten.
cdef int line_pause(http1_reader_t* r, uint32_t size, int code,
                    http1_found_t* found) noexcept nogil:
    if code == 0:
        found.consumed = size
        r.head_bytes += size
        if r.head_bytes == r.line_at:
            r.head_bytes = 0
            return 0
    r.half.state = HALF_HEAD
    return code


# Body bytes but for chunked ones: until `length` or the peer's close.
cdef void plain_read(http1_reader_t* r, const char* data, uint32_t size,
                     http1_found_t* found) noexcept nogil:
    cdef half_t* half = r.half
    cdef uint64_t left = half.length - half.received
    if r.place == PLACE_LENGTH and size >= left:
        size = <uint32_t>left
        r.place = PLACE_DONE
    if size == 0:
        return
    found.body[0] = span(data, size)
    found.count = 1
    found.consumed += size
    half.received += size


cdef int http1_read(http1_reader_t* r, const char* data, uint32_t size,
                    http1_found_t* found) noexcept nogil:
    found.events = 0
    found.consumed = 0
    found.count = 0
    if r.place <= PLACE_FIELDS and size:
        r.error = head_read(r, data, size, found)
        if r.error or r.place <= PLACE_FIELDS:
            return r.error
        data += found.consumed
        size -= found.consumed
    if r.place == PLACE_CHUNKS:
        r.error = http1_chunks_read(&r.chunks, r.half, span(data, size), found.body, &found.count)
        found.consumed += r.chunks.used
        if r.chunks.done:
            r.place = PLACE_DONE
    elif r.place == PLACE_LENGTH or r.place == PLACE_CLOSE:
        plain_read(r, data, size, found)
    if r.place == PLACE_DONE:
        found.events |= READ_END
        r.half.state = HALF_DONE
    return r.error


cdef int http1_read_finish(http1_reader_t* r) noexcept nogil:
    if r.place == PLACE_DONE:
        return 0
    if r.place == PLACE_CLOSE:
        r.place = PLACE_DONE
        r.half.state = HALF_DONE
        return 0
    if r.is_response:
        return E_UP_CLOSED if r.place <= PLACE_FIELDS else E_UP_INCOMPLETE
    return E_DOWN_CLOSED if r.head_bytes else 0


cdef void fill_settings() noexcept nogil:
    llhttp.settings_init(&settings)
    settings.on_header_field = reader_on_name
    settings.on_headers_complete = reader_on_head


fill_settings()
