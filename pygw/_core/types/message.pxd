# Owns: one half of an exchange as data: head, framing, trailers; request and response.
# Thread and GIL: one worker's loop; declarations only.
# Never does: know which protocol version carried it, beyond `version`.
# Read next: types/stream.pxd.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from pygw._core.types.header cimport span_t, header_t, headers_t
from pygw._core.types.memory cimport buffer_t, arena_t

# How the length of a body is known (RFC 9112 6.3).
cdef enum framing:
    FRAMING_NONE = 0      # no body follows
    FRAMING_LENGTH = 1    # `length` bytes
    FRAMING_CHUNKED = 2   # until its own end; trailers may follow
    FRAMING_CLOSE = 3     # until the peer closes (responses only)
    FRAMING_TUNNEL = 4    # after 101: bytes without end in both directions

# A half only moves forward; half.pxd holds the table of moves.
cdef enum half_state:
    HALF_WAITING = 0      # nothing yet
    HALF_HEAD = 1         # head being read
    HALF_BODY = 2         # head complete, body may follow
    HALF_DONE = 3         # end seen
    HALF_CUT = 4          # ended before its end: reset, timeout, refusal

cdef enum half_flag:
    MF_KEEP_ALIVE = 1     # the connection it came on may carry another message
    MF_EXPECT_CONTINUE = 2   # request: the client waits for 100 before it sends the body
    MF_UPGRADE = 4        # request: asks for a protocol change; response: it is a 101
    MF_HEAD_ONLY = 8      # response: no body whatever the fields say (HEAD, 204, 304)
    MF_TE_TRAILERS = 16   # request: accepts trailers
    MF_SELF_MADE = 32     # response: made by the gateway, there is no raw head
    MF_HAS_VIA = 64       # Via is present
    MF_LINE_EDITED = 128  # the start line must be rebuilt
    MF_BODY_EDITED = 256  # a filter may change the body: its length is no longer known
    MF_CONNECTION_LISTED = 512   # Connection names further fields

cdef struct half_t:
    uint8_t state         # half_state
    uint8_t framing       # framing as it came
    uint8_t version       # 10, 11 (20 later)
    uint32_t flags        # MF_* mask
    uint64_t length       # FRAMING_LENGTH: announced bytes; else 0
    uint64_t received     # body bytes that came
    uint64_t sent         # body bytes passed on
    headers_t headers
    headers_t trailers    # framing and routing fields in them are refused
    arena_t* arena        # borrow(exchange, until host.exchange_done): further headers
    buffer_t* head        # own (one counted reference): holds the raw head, NULL when self-made
    span_t line           # raw start line, CRLF included; empty when self-made or edited

cdef struct request_t:
    half_t half
    uint8_t method        # llhttp method number
    uint8_t form          # request_form
    span_t method_name
    span_t target         # request-target as it came
    span_t scheme         # static: "http"; of the connection, or of an absolute-form target
    span_t authority      # host[:port] that decides: absolute-form, else Host
    span_t path           # begins with '/', or is "*"
    span_t query          # without '?', empty when there is none

cdef enum request_form:   # RFC 9112 3.2
    FORM_ORIGIN = 0
    FORM_ABSOLUTE = 1
    FORM_ASTERISK = 2

cdef struct response_t:
    half_t half
    uint16_t status
    span_t reason
