# Owns: reading HTTP/1.0 and 1.1 messages, strictly: bytes in; head, pieces of body, end out.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: accept what two servers could read differently, or call anybody back.
# Read next: http1_read.pyx; the rules on a head: http1_line.pxd, http1_check.pxd; http1_chunk.pxd.
#
# llhttp tokenises a head; every rule it leaves out is in http1_line, http1_check and http1_chunk
# (no lenient flag is ever set). What is read, accepted or refused never depends on how the bytes
# were split over calls. A reader reads ONE message into one half, then stops, even in the middle of
# the given bytes: what follows belongs to the next message (pipelining), or is a fault (an idle
# upstream connection). It moves half.state: WAITING > HEAD (first byte that is no empty line) >
# BODY (head complete) > DONE (end seen), and fills head data, framing, received and trailers;
# nothing else.
#
# While state is HALF_HEAD the bytes of the head must stay contiguous in memory, beginning at
# `base`; the caller may move them between two calls if it says so (http1_reader_move). In
# HALF_WAITING nothing needs to be kept: empty lines before a request are forgotten at once. Body
# bytes may lie anywhere.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from pygw._core.types.header cimport span_t
from pygw._core.types.message cimport half_t, request_t, response_t
from pygw._core.types.exchange cimport limits_t
from pygw._core.http1_chunk cimport http1_chunks_t
from pygw._core.libs.llhttp cimport llhttp_t

cdef enum read_event:
    READ_HEAD = 1             # the head is complete in this call: spans are valid pointers now
    READ_END = 2              # the message is complete: nothing after `consumed` belongs to it

# What one call of http1_read found.
cdef struct http1_found_t:
    uint32_t events           # READ_* mask
    # bytes used; less than given after READ_END, after an error, and when `body` is full: then the
    # rest is to be given again
    uint32_t consumed
    uint32_t count            # pieces of body
    span_t body[64]           # BODY_SPANS; borrow(caller's bytes): in order, chunk framing removed

cdef struct http1_reader_t:
    llhttp_t parser           # first, so that a callback recovers the reader
    half_t* half              # borrow(exchange, until the message ends): the half being filled
    const limits_t* limits    # plan
    const char* base          # borrow(caller's buffer, until READ_HEAD): first byte of the head
    uint32_t head_bytes       # head bytes read so far
    uint32_t line_at          # where in the head the start line begins
    int error                 # 0 or the first E_DOWN_* / E_UP_*
    uint8_t is_response
    uint8_t head_request      # responses: the request was HEAD
    uint8_t place             # which part of the message is being read (http1_read.pyx)
    uint8_t empty_lines       # before the request, so far
    uint8_t name_over         # a field beyond limits.headers has begun
    uint8_t cr_pending        # half an empty line was the last that came
    http1_chunks_t chunks     # a chunked body

# `half` is zeroed but for headers, trailers and arena, which the caller has set up.
# Of `limits` a request uses request_line (bytes of the line without its CRLF), head and headers; a
# response the latter two.
cdef void http1_reader_request(http1_reader_t* r, request_t* request,
                               const limits_t* limits) noexcept nogil
cdef void http1_reader_response(http1_reader_t* r, response_t* response,
                                const limits_t* limits, bint head_request) noexcept nogil

# Reads `size` more bytes. 0, or a negative E_* (then `found` holds what came before the fault, and
# the reader must not be used again). A 1xx response ends with READ_HEAD | READ_END in one call: the
# caller starts another reader for what follows. A 101 leaves framing FRAMING_TUNNEL and READ_END.
# Limits hold while bytes still trickle in: E_DOWN_LINE_LENGTH, E_*_HEAD_LENGTH, E_*_HEADER_COUNT.
# Everything else is listed at http1_line_*, http1_check_* and http1_chunks_read; besides,
#   E_DOWN_METHOD   a token that llhttp does not know as a method of HTTP
#   E_DOWN_HEADER / E_UP_HEADER   what llhttp refuses in a field line (RFC 9112 5): no token before
#                   the colon, white space there, folding, bare CR or LF, control bytes
cdef int http1_read(http1_reader_t* r, const char* data, uint32_t size,
                    http1_found_t* found) noexcept nogil

# The peer has closed. 0 when that completes the message (FRAMING_CLOSE), when it was complete, or
# when no byte of a request had come; else the fault: E_DOWN_CLOSED; E_UP_CLOSED before a whole head
# (also before its first byte), E_UP_INCOMPLETE after it.
cdef int http1_read_finish(http1_reader_t* r) noexcept nogil

# The head so far was copied to `base` (only in HALF_HEAD).
cdef void http1_reader_move(http1_reader_t* r, const char* base) noexcept nogil
