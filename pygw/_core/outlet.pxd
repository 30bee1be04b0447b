# Owns: the write side of an HTTP/1 connection: one message at a time, its framing kept.
# Thread and GIL: one worker's loop; no GIL.
# Never does: send a byte more or less than the framing says.
# Read next: upstream.pxd, downstream.pxd.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from pygw._core.types.header cimport headers_t
from pygw._core.types.memory cimport arena_t, slices_t
from pygw._core.types.message cimport half_t, request_t, response_t
from pygw._core.types.transport cimport transport_t

cdef struct outlet_t:
    transport_t* transport    # borrow(the connection, which embeds both)
    arena_t* arena            # borrow(exchange, until the message's end)
    uint64_t left             # FRAMING_LENGTH: bytes to come
    uint8_t framing           # framing as it leaves
    uint8_t open              # a final head was sent and its end was not

# How a half's body leaves towards a peer of `version`: LENGTH stays unless a filter may edit the
# body; what has no known length is chunked, or ends with the connection for an HTTP/1.0 client.
cdef int outlet_framing(const half_t* half, bint is_request, uint8_t version) noexcept nogil
# Heads; `flags` are WRITE_* of http1_write. 0 or a negative E_*.
cdef int outlet_request(outlet_t* o, request_t* request, uint32_t flags) noexcept nogil
cdef int outlet_response(outlet_t* o, response_t* response, int framing,
                         uint32_t flags) noexcept nogil
# Takes all slices. 0, or E_CORE_INTERNAL when there are more bytes than announced.
cdef int outlet_body(outlet_t* o, slices_t* slices) noexcept nogil
# Trailers may be NULL; they leave only with chunked framing. E_CORE_INTERNAL if bytes are missing.
cdef int outlet_end(outlet_t* o, headers_t* trailers) noexcept nogil
# Whether these bytes are framing that lies in no exchange.
cdef bint outlet_is_static(const char* ptr) noexcept nogil
