# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, nonecheck=False
# Owns: the write side of an HTTP/1 connection: one message at a time, its framing kept.
# Thread and GIL: one worker's loop; no GIL.
# Never does: send a byte more or less than the framing says.
# Read next: outlet.pxd for the contract.

from pygw._core.check cimport unlikely
from pygw._core.types.memory cimport buffer_t
from pygw._core.types.message cimport (
    FRAMING_NONE, FRAMING_LENGTH, FRAMING_CHUNKED, FRAMING_CLOSE, FRAMING_TUNNEL,
    MF_HEAD_ONLY, MF_BODY_EDITED)
from pygw._core.buffer cimport slices_clear
from pygw._core.fault cimport E_CORE_INTERNAL
from pygw._core.http1_write cimport (
    pieces_t, http1_write_request, http1_write_response, http1_write_chunk_line,
    http1_write_trailers)
from pygw._core.transport cimport transport_put, transport_put_scratch, transport_put_slices

cdef const char* CRLF = b"\r\n"


cdef bint outlet_is_static(const char* ptr) noexcept nogil:
    return CRLF <= ptr < CRLF + 2


cdef int outlet_framing(const half_t* half, bint is_request, uint8_t version) noexcept nogil:
    if half.flags & MF_HEAD_ONLY or half.framing == FRAMING_NONE:
        return FRAMING_NONE
    if half.framing == FRAMING_TUNNEL:
        return FRAMING_TUNNEL
    if half.framing == FRAMING_LENGTH and not half.flags & MF_BODY_EDITED:
        return FRAMING_LENGTH
    if is_request or version >= 11:
        return FRAMING_CHUNKED
    return FRAMING_CLOSE


cdef void outlet_pieces(outlet_t* o, const pieces_t* pieces, buffer_t* holds) noexcept nogil:
    cdef uint32_t i
    for i in range(pieces.count):
        transport_put(o.transport, pieces.items[i].ptr, pieces.items[i].len, holds)


cdef int outlet_request(outlet_t* o, request_t* request, uint32_t flags) noexcept nogil:
    cdef pieces_t pieces
    cdef int error
    o.framing = outlet_framing(&request.half, True, 11)
    o.left = request.half.length
    o.open = True
    o.arena = request.half.arena
    pieces.count = 0
    pieces.bytes = 0
    error = http1_write_request(request, o.framing, flags, &pieces)
    if unlikely(error != 0):
        return error
    outlet_pieces(o, &pieces, NULL)
    return 0


cdef int outlet_response(outlet_t* o, response_t* response, int framing,
                         uint32_t flags) noexcept nogil:
    cdef pieces_t pieces
    cdef int error
    o.framing = framing
    o.left = response.half.length
    o.open = response.status >= 200 or response.status == 101
    o.arena = response.half.arena
    pieces.count = 0
    pieces.bytes = 0
    error = http1_write_response(response, framing, flags, &pieces)
    if unlikely(error != 0):
        return error
    # An informational head's buffer is let go when the next head comes, not with the exchange.
    outlet_pieces(o, &pieces, NULL if o.open else response.half.head)
    return 0


cdef int outlet_body(outlet_t* o, slices_t* slices) noexcept nogil:
    cdef char[24] line
    if slices.bytes == 0:
        return 0
    if o.framing == FRAMING_NONE:
        slices_clear(o.transport.home.buffers, slices)
        return 0
    if o.framing == FRAMING_LENGTH:
        if unlikely(slices.bytes > o.left):
            slices_clear(o.transport.home.buffers, slices)
            return E_CORE_INTERNAL
        o.left -= slices.bytes
    elif o.framing == FRAMING_CHUNKED:
        transport_put_scratch(o.transport, line, http1_write_chunk_line(line, slices.bytes))
        transport_put_slices(o.transport, slices)
        transport_put(o.transport, CRLF, 2, NULL)
        return 0
    transport_put_slices(o.transport, slices)
    return 0


cdef int outlet_end(outlet_t* o, headers_t* trailers) noexcept nogil:
    cdef pieces_t pieces
    cdef int error
    if o.framing == FRAMING_LENGTH and unlikely(o.left != 0):
        return E_CORE_INTERNAL
    o.open = False
    if o.framing == FRAMING_CHUNKED:
        pieces.count = 0
        pieces.bytes = 0
        error = http1_write_trailers(trailers, o.arena, &pieces)
        if unlikely(error != 0):
            return error
        outlet_pieces(o, &pieces, NULL)
    return 0
