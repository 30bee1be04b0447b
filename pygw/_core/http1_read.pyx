# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: reading HTTP/1.0 and 1.1 messages: the order of their parts, their limits, llhttp's answers.
# Thread and GIL: one worker's loop; no GIL; no I/O. llhttp's settings are filled once, at import.
# Never does: accept what two servers could read differently, or call anybody back.
# Read next: http1_read.pxd for the contract, http1_line.pyx, http1_check.pyx, http1_chunk.pyx.
"""Reading of HTTP/1.0 and 1.1 messages (RFC 9112) from bytes in any split."""

from libc.string cimport memcmp
from libc.stdint cimport uintptr_t
from pygw._core.check cimport BUG_ON, likely, unlikely
from pygw._core.limits cimport EMPTY_LINES_MAX
from pygw._core.half cimport half_move
from pygw._core.headers cimport headers_append
from pygw._core.http1_check cimport (
    http1_check_lines, http1_check_request, http1_check_response)
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
    HPE_INVALID_URL, HPE_OK, HPE_PAUSED, HPE_UNEXPECTED_CONTENT_LENGTH, HPE_USER, HTTP_PRI,
    HTTP_REQUEST, HTTP_RESPONSE)

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
        r.name_over = True
        return 0
    h = headers_append(hs, r.half.arena)
    if unlikely(h == NULL):
        r.error = E_CORE_MEMORY
        return HPE_USER
    h.name = span(<const char*><uintptr_t>(at - r.base), size)
    return 0


# The name is whole and good. Only now does one too many count: a bad name is a bad name however few
# of its bytes came at once.
cdef int reader_on_name_complete(llhttp_t* parser) noexcept nogil:
    cdef http1_reader_t* r = <http1_reader_t*>parser
    if likely(not r.name_over):
        return 0
    r.error = E_UP_HEADER_COUNT if r.is_response else E_DOWN_HEADER_COUNT
    return HPE_USER


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
    r.cr_pending = False
    r.name_over = False


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


# Passes empty lines before a request (RFC 9112 2.2). A response has none. The CR of one may have
# come in an earlier call: it was forgotten, so that a connection between two requests holds
# nothing.
cdef int lines_skip(http1_reader_t* r, uint32_t size) noexcept nogil:
    cdef const char* p = r.base
    while True:
        if unlikely(r.cr_pending):
            if p[0] != c'\n':
                return E_DOWN_LINE
            r.cr_pending = False
            r.line_at = 1
        elif (size - r.line_at >= 2 and p[r.line_at] == c'\r' and p[r.line_at + 1] == c'\n'):
            r.line_at += 2
        else:
            return 0
        if r.is_response:
            return E_UP_PROTOCOL
        r.empty_lines += 1
        if r.empty_lines > EMPTY_LINES_MAX:
            return E_DOWN_LINE


# Is this how a status line begins? What is none is told at once, not when its line ends.
cdef inline bint status_line_begins(const char* line, uint32_t size) noexcept nogil:
    return memcmp(line, b"HTTP/1.", size if size < 7 else 7) == 0


# Looks for the end of the start line in r.base[:size]. 0 with `length` its length or 0 when it goes
# on; or a fault.
cdef int line_find(http1_reader_t* r, uint32_t size, uint32_t* length) noexcept nogil:
    cdef uint32_t most = r.limits.head
    cdef uint32_t at
    cdef int found
    if not r.is_response and r.limits.request_line + 2 + r.line_at < most:
        most = r.limits.request_line + 2 + r.line_at
    at = r.line_at if r.head_bytes <= r.line_at else r.head_bytes - 1
    found = http1_line_end(r.base + r.line_at, at - r.line_at,
                           (size if size < most else most) - r.line_at, r.is_response)
    length[0] = 0
    if r.is_response and unlikely(not status_line_begins(r.base + r.line_at, size - r.line_at)):
        return E_UP_PROTOCOL
    if unlikely(found < 0):
        return E_UP_PROTOCOL if r.is_response else E_DOWN_LINE
    if likely(found):
        length[0] = <uint32_t>found
        return 0
    if size < most:
        return 0
    if r.is_response:
        return E_UP_HEAD_LENGTH
    return E_DOWN_LINE_LENGTH if most < r.limits.head else E_DOWN_HEAD_LENGTH


cdef inline int line_read(http1_reader_t* r, uint32_t size) noexcept nogil:
    if r.is_response:
        return http1_line_status(<response_t*>r.half, r.base, r.line_at, size)
    return http1_line_request(<request_t*>r.half, r.base, r.line_at, size)


# What llhttp's refusal means. It has seen only start lines that http1_line found good.
cdef int refusal_map(http1_reader_t* r, int code) noexcept nogil:
    if r.error:
        return r.error            # a callback's
    if (code == HPE_INVALID_CONTENT_LENGTH or code == HPE_UNEXPECTED_CONTENT_LENGTH
            or code == HPE_INVALID_TRANSFER_ENCODING):
        return E_UP_FRAMING if r.is_response else E_DOWN_FRAMING
    if not r.is_response and llhttp.get_method(&r.parser) == HTTP_PRI:
        return E_DOWN_METHOD      # it wants the rest of HTTP/2's preface
    if r.half.headers.count:
        return E_UP_HEADER if r.is_response else E_DOWN_HEADER
    if llhttp.get_error_pos(&r.parser) >= r.base + <uintptr_t>r.half.line.ptr + r.half.line.len:
        return E_UP_HEADER if r.is_response else E_DOWN_HEADER
    if r.is_response:
        return E_UP_PROTOCOL
    return E_DOWN_TARGET if code == HPE_INVALID_URL else E_DOWN_METHOD


# The rules on the head, whose lines are known; `method` is llhttp's number.
cdef inline int head_check(http1_reader_t* r, int method) noexcept nogil:
    if r.is_response:
        return http1_check_response(<response_t*>r.half, r.base, r.head_request)
    (<request_t*>r.half).method = <uint8_t>method
    return http1_check_request(<request_t*>r.half, r.base)


# The head is good and ends before `end`: the body's way.
cdef void head_settle(http1_reader_t* r, const char* data, const char* end,
                      http1_found_t* found) noexcept nogil:
    cdef half_t* half = r.half
    found.events = READ_HEAD
    found.consumed = <uint32_t>(end - data)
    r.head_bytes = <uint32_t>(end - r.base)
    half_move(half, HALF_BODY)
    if half.framing == FRAMING_CHUNKED:
        r.place = PLACE_CHUNKS
        http1_chunks_init(&r.chunks, r.is_response, <uint16_t>r.limits.headers)
    elif half.framing == FRAMING_CLOSE:
        r.place = PLACE_CLOSE
    else:
        r.place = PLACE_LENGTH if half.framing == FRAMING_LENGTH and half.length else PLACE_DONE


# The start line. 0 and place PLACE_FIELDS when llhttp is to go on from it; 0 and the place as it
# was when it is not complete.
cdef int start_read(http1_reader_t* r, const char* data, uint32_t size,
                    http1_found_t* found) noexcept nogil:
    cdef uint32_t length
    cdef int error = lines_skip(r, r.head_bytes + size)
    if likely(error == 0):
        error = line_find(r, r.head_bytes + size, &length)
    if unlikely(error != 0 or length == 0):
        return line_pause(r, size, error, found)
    half_move(r.half, HALF_HEAD)
    r.place = PLACE_FIELDS
    error = line_read(r, length)
    if unlikely(error):
        return error
    llhttp.init(&r.parser, HTTP_RESPONSE if r.is_response else HTTP_REQUEST, &settings)
    return 0


# Gives llhttp bytes of the head: from `at`, up to the end of the head.
cdef int fields_read(http1_reader_t* r, const char* at, const char* data, const char* end,
                     http1_found_t* found) noexcept nogil:
    cdef const char* stop = r.base + r.limits.head
    cdef int code = llhttp.execute(&r.parser, at, (end if end < stop else stop) - at)
    if code == HPE_PAUSED:
        end = llhttp.get_error_pos(&r.parser)
        # No llhttp we know tells names that do not add up; another might.
        if unlikely(not http1_check_lines(r.half, r.base, end)):
            return E_UP_HEADER if r.is_response else E_DOWN_HEADER
        code = 0 if r.is_response else llhttp.get_method(&r.parser)
        code = head_check(r, code)
        if likely(code == 0):
            head_settle(r, data, end, found)
        return code
    if code != HPE_OK:
        return refusal_map(r, code)
    if end >= stop:
        return E_UP_HEAD_LENGTH if r.is_response else E_DOWN_HEAD_LENGTH
    r.head_bytes += <uint32_t>(end - data)
    found.consumed = <uint32_t>(end - data)
    return 0


# Takes bytes up to the end of the head. `found.consumed` tells how many.
cdef int head_read(http1_reader_t* r, const char* data, uint32_t size,
                   http1_found_t* found) noexcept nogil:
    cdef int error
    if r.head_bytes == 0:
        r.base = data
        r.line_at = 0
    BUG_ON(r.base + r.head_bytes != data)
    if r.place == PLACE_FIELDS:
        return fields_read(r, data, data, data + size, found)
    error = start_read(r, data, size, found)
    if error or r.place != PLACE_FIELDS:
        return error
    return fields_read(r, r.base + r.line_at, data, data + size, found)


# The start line is not complete, or bad (`code`). Empty lines alone are forgotten.
cdef int line_pause(http1_reader_t* r, uint32_t size, int code,
                    http1_found_t* found) noexcept nogil:
    cdef uint32_t left
    if code == 0:
        found.consumed = size
        r.head_bytes += size
        left = r.head_bytes - r.line_at
        if left == 1 and r.base[r.line_at] == c'\r' and not r.is_response:
            r.cr_pending = True
            left = 0
        if left == 0:
            r.head_bytes = 0
            return 0
    half_move(r.half, HALF_HEAD)
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
        half_move(r.half, HALF_DONE)
    return r.error


cdef int http1_read_finish(http1_reader_t* r) noexcept nogil:
    if r.place == PLACE_DONE:
        return 0
    if r.place == PLACE_CLOSE:
        r.place = PLACE_DONE
        half_move(r.half, HALF_DONE)
        return 0
    if r.is_response:
        return E_UP_CLOSED if r.place <= PLACE_FIELDS else E_UP_INCOMPLETE
    return E_DOWN_CLOSED if r.head_bytes else 0


cdef void fill_settings() noexcept nogil:
    llhttp.settings_init(&settings)
    settings.on_header_field = reader_on_name
    settings.on_header_field_complete = reader_on_name_complete
    settings.on_headers_complete = reader_on_head


fill_settings()
