# Owns: the contract between an exchange and what carries a half of it.
# Thread and GIL: one worker's loop, no GIL; declarations only.
# Never does: know an exchange: whoever listens is `sink`, reached through `on`.
# Read next: types/upstream.pxd.
#
# A stream is one request with its response on a connection: HTTP/1.1 has one at a time, HTTP/2
# many. The exchange borrows two: the downstream one (requests come in, a response goes out) and
# the current attempt's upstream one (a request goes out, responses come in).
#
# Calls (exchange -> stream), all legal only between the stream's handing over and its release:
#   head     sends a head. Borrows spans until it returns.
#   body     sends slices; takes all of them, whatever the peer's speed. Framing is the stream's.
#   end      ends the half that is sent; trailers may be NULL.
#   flush    what was sent goes on the wire now; else at the end of the callback it was sent in.
#   pause    stop delivering body; resume: deliver again. Idempotent.
#   reset    the half being sent or received will not end well: the peer must be able to tell.
# All int results: 0 or a negative E_*. After an error nothing more is sent; the sink hears nothing.
#
# Events (stream -> sink), in this order:
#   on_head (responses: each 1xx, then the final one), on_body*, on_end | on_fault.
#   on_rest   all that was read has been told and the half goes on: what comes next is not here yet
#             (responses only, after on_head or on_body).
#   on_drain  the peer took queued bytes.
# An event handler may call any of the stream's calls, reset included. After on_end or on_fault no
# event but on_drain follows.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from pygw._core.types.header cimport headers_t
from pygw._core.types.memory cimport slices_t
from pygw._core.types.message cimport half_t

cdef struct stream_ops_t:
    int (*head)(stream_t* s, half_t* half) noexcept nogil
    int (*body)(stream_t* s, slices_t* slices) noexcept nogil
    int (*end)(stream_t* s, headers_t* trailers) noexcept nogil
    void (*flush)(stream_t* s) noexcept nogil
    void (*pause)(stream_t* s) noexcept nogil
    void (*resume)(stream_t* s) noexcept nogil
    void (*reset)(stream_t* s, int error) noexcept nogil

cdef struct stream_on_t:
    void (*head)(stream_t* s) noexcept nogil
    void (*body)(stream_t* s, slices_t* slices) noexcept nogil
    void (*end)(stream_t* s) noexcept nogil
    void (*rest)(stream_t* s) noexcept nogil       # NULL on the request's side
    void (*fault)(stream_t* s, int error) noexcept nogil
    void (*drain)(stream_t* s) noexcept nogil

cdef struct stream_t:
    const stream_ops_t* ops     # static
    const stream_on_t* on       # static; NULL: nobody listens, events are dropped
    void* sink                  # borrow(exchange, until released)
    uint64_t queued             # bytes sent and not yet taken by the kernel
    uint8_t version             # 10, 11: what the peer speaks
    uint8_t paused              # delivery stopped by the sink
