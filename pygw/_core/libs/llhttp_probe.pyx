# cython: language_level=3
# Owns: the proof that a library's callbacks sit where llhttp.pxd declares them.
# Thread and GIL: runs once, while llhttp is imported, under the GIL; its memory is not shared.
# Never does: serve traffic.
# Read next: llhttp.pyx, which calls it.

from itertools import zip_longest

from libc.stddef cimport size_t
from libc.string cimport memcpy, memset, strlen

from pygw._core.libs.llhttp_abi cimport (
    HPE_OK,
    HTTP_REQUEST,
    llhttp_api,
    llhttp_settings_t,
    llhttp_t,
)

cdef enum:
    PROBE_BYTES = 1024                # far above any size that can be right
    TRACE_BYTES = 2048

cdef char trace[TRACE_BYTES]
cdef size_t trace_len = 0
cdef const char* message_at = NULL    # borrow(slots_problem, until it returns)
cdef const char* message_end = NULL

# A message of each kind and what it must leave in the trace, slot by slot. Every slot has its part:
# the chunk extension for its four, and a second message for on_reset.
cdef bytes REQUEST = (
    b"POST /a HTTP/1.1\r\nX: v\r\nTransfer-Encoding: chunked\r\n\r\n2;e=f\r\nhi\r\n0\r\n\r\n"
    b"GET /b HTTP/1.1\r\n\r\n"
)
cdef bytes REQUEST_LINE = (
    b"method=%b method_complete url=%b url_complete protocol=HTTP protocol_complete"
    b" version=1.1 version_complete "
)
cdef bytes RESPONSE = (
    b"HTTP/1.1 200 OK\r\nX: v\r\nTransfer-Encoding: chunked\r\n\r\n2;e=f\r\nhi\r\n0\r\n\r\n"
    b"HTTP/1.1 204 No\r\n\r\n"
)
cdef bytes STATUS_LINE = (
    b"protocol=HTTP protocol_complete version=1.1 version_complete status=%b status_complete "
)
cdef bytes REST = (
    b"header_field=X header_field_complete header_value=v header_value_complete"
    b" header_field=Transfer-Encoding header_field_complete header_value=chunked"
    b" header_value_complete headers_complete"
    b" chunk_extension_name=e chunk_extension_name_complete"
    b" chunk_extension_value=f chunk_extension_value_complete"
    b" chunk_header body=hi chunk_complete chunk_header chunk_complete message_complete"
    b" reset message_begin "
)
cdef bytes END = b"headers_complete message_complete"


# Appends one word to the trace: the slot's name, and the text that a data slot was given. In a
# wrong layout a data slot may be called without text: what is not in the message is not read.
cdef int note(const char* slot, const char* at, size_t n) noexcept nogil:
    global trace_len
    cdef size_t size = strlen(slot)
    if n > 0 and (at < message_at or at > message_end or n > <size_t>(message_end - at)):
        n = 0
    if trace_len + size + n + 1 > TRACE_BYTES:
        return -1
    memcpy(trace + trace_len, slot, size)
    if n > 0:
        memcpy(trace + trace_len + size, at, n)
    trace_len += size + n
    trace[trace_len] = c" "
    trace_len += 1
    return 0


cdef int seen_message_begin(llhttp_t* p) noexcept nogil:
    return note(b"message_begin", NULL, 0)


cdef int seen_protocol(llhttp_t* p, const char* at, size_t n) noexcept nogil:
    return note(b"protocol=", at, n)


cdef int seen_url(llhttp_t* p, const char* at, size_t n) noexcept nogil:
    return note(b"url=", at, n)


cdef int seen_status(llhttp_t* p, const char* at, size_t n) noexcept nogil:
    return note(b"status=", at, n)


cdef int seen_method(llhttp_t* p, const char* at, size_t n) noexcept nogil:
    return note(b"method=", at, n)


cdef int seen_version(llhttp_t* p, const char* at, size_t n) noexcept nogil:
    return note(b"version=", at, n)


cdef int seen_header_field(llhttp_t* p, const char* at, size_t n) noexcept nogil:
    return note(b"header_field=", at, n)


cdef int seen_header_value(llhttp_t* p, const char* at, size_t n) noexcept nogil:
    return note(b"header_value=", at, n)


cdef int seen_chunk_extension_name(llhttp_t* p, const char* at, size_t n) noexcept nogil:
    return note(b"chunk_extension_name=", at, n)


cdef int seen_chunk_extension_value(llhttp_t* p, const char* at, size_t n) noexcept nogil:
    return note(b"chunk_extension_value=", at, n)


cdef int seen_headers_complete(llhttp_t* p) noexcept nogil:
    return note(b"headers_complete", NULL, 0)


cdef int seen_body(llhttp_t* p, const char* at, size_t n) noexcept nogil:
    return note(b"body=", at, n)


cdef int seen_message_complete(llhttp_t* p) noexcept nogil:
    return note(b"message_complete", NULL, 0)


cdef int seen_protocol_complete(llhttp_t* p) noexcept nogil:
    return note(b"protocol_complete", NULL, 0)


cdef int seen_url_complete(llhttp_t* p) noexcept nogil:
    return note(b"url_complete", NULL, 0)


cdef int seen_status_complete(llhttp_t* p) noexcept nogil:
    return note(b"status_complete", NULL, 0)


cdef int seen_method_complete(llhttp_t* p) noexcept nogil:
    return note(b"method_complete", NULL, 0)


cdef int seen_version_complete(llhttp_t* p) noexcept nogil:
    return note(b"version_complete", NULL, 0)


cdef int seen_header_field_complete(llhttp_t* p) noexcept nogil:
    return note(b"header_field_complete", NULL, 0)


cdef int seen_header_value_complete(llhttp_t* p) noexcept nogil:
    return note(b"header_value_complete", NULL, 0)


cdef int seen_chunk_extension_name_complete(llhttp_t* p) noexcept nogil:
    return note(b"chunk_extension_name_complete", NULL, 0)


cdef int seen_chunk_extension_value_complete(llhttp_t* p) noexcept nogil:
    return note(b"chunk_extension_value_complete", NULL, 0)


cdef int seen_chunk_header(llhttp_t* p) noexcept nogil:
    return note(b"chunk_header", NULL, 0)


cdef int seen_chunk_complete(llhttp_t* p) noexcept nogil:
    return note(b"chunk_complete", NULL, 0)


cdef int seen_reset(llhttp_t* p) noexcept nogil:
    return note(b"reset", NULL, 0)


cdef void settings_fill(llhttp_settings_t* settings) noexcept nogil:
    settings.on_message_begin = seen_message_begin
    settings.on_protocol = seen_protocol
    settings.on_url = seen_url
    settings.on_status = seen_status
    settings.on_method = seen_method
    settings.on_version = seen_version
    settings.on_header_field = seen_header_field
    settings.on_header_value = seen_header_value
    settings.on_chunk_extension_name = seen_chunk_extension_name
    settings.on_chunk_extension_value = seen_chunk_extension_value
    settings.on_headers_complete = seen_headers_complete
    settings.on_body = seen_body
    settings.on_message_complete = seen_message_complete
    settings.on_protocol_complete = seen_protocol_complete
    settings.on_url_complete = seen_url_complete
    settings.on_status_complete = seen_status_complete
    settings.on_method_complete = seen_method_complete
    settings.on_version_complete = seen_version_complete
    settings.on_header_field_complete = seen_header_field_complete
    settings.on_header_value_complete = seen_header_value_complete
    settings.on_chunk_extension_name_complete = seen_chunk_extension_name_complete
    settings.on_chunk_extension_value_complete = seen_chunk_extension_value_complete
    settings.on_chunk_header = seen_chunk_header
    settings.on_chunk_complete = seen_chunk_complete
    settings.on_reset = seen_reset


# The length of the run that was written at the start of `after`, which held `fill` everywhere.
cdef int written(const unsigned char* after, unsigned char fill) noexcept nogil:
    cdef int size = PROBE_BYTES
    while size > 0 and after[size - 1] == fill:
        size -= 1
    return -1 if size == PROBE_BYTES else size


cdef int settings_bytes(const llhttp_api* api) noexcept nogil:
    cdef unsigned char[PROBE_BYTES] memory
    cdef int i, size
    memset(memory, 0xAA, PROBE_BYTES)
    api.settings_init(<llhttp_settings_t*>memory)
    size = written(memory, 0xAA)
    for i in range(size):
        if memory[i] != 0:
            return -1
    return size


cdef int parser_bytes(const llhttp_api* api) noexcept nogil:
    cdef unsigned char[PROBE_BYTES] memory
    cdef llhttp_settings_t settings
    cdef int size, other
    memset(&settings, 0, sizeof(settings))
    memset(memory, 0xAA, PROBE_BYTES)
    api.init(<llhttp_t*>memory, HTTP_REQUEST, &settings)
    size = written(memory, 0xAA)
    # A second fill, because the last byte written may happen to be the first one.
    memset(memory, 0x55, PROBE_BYTES)
    api.init(<llhttp_t*>memory, HTTP_REQUEST, &settings)
    other = written(memory, 0x55)
    if size < 0 or other < 0:
        return -1
    return size if size > other else other


# The words that `type`'s message must leave.
cdef list words_wanted(int type):
    cdef bytes first, second
    if type == HTTP_REQUEST:
        first = REQUEST_LINE % (b"POST", b"/a")
        second = REQUEST_LINE % (b"GET", b"/b")
    else:
        first = STATUS_LINE % b"OK"
        second = STATUS_LINE % b"No"
    return (b"message_begin " + first + REST + second + END).split()


cdef str slots_problem(const llhttp_api* api, int type):
    global trace_len, message_at, message_end
    cdef llhttp_settings_t settings
    cdef llhttp_t parser
    cdef bytes message = REQUEST if type == HTTP_REQUEST else RESPONSE
    cdef const char* at = message
    cdef size_t size = len(message)
    cdef int status
    message_at = at
    message_end = at + size
    trace_len = 0
    api.settings_init(&settings)
    settings_fill(&settings)
    api.init(&parser, type, &settings)
    status = api.execute(&parser, at, size)
    seen = trace[:trace_len].split()
    for got, wanted in zip_longest(seen, words_wanted(type), fillvalue=b"nothing"):
        if got != wanted:
            return f"{got.decode(errors='replace')} is called where {wanted.decode()} is due"
    return "" if status == HPE_OK else f"a well-formed message ends in error {status}"
