# Owns: reading a chunked body and its trailer section (RFC 9112 7.1), byte by byte in any split.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: keep or pass on a chunk extension, or accept a line end that is not CRLF.
# Read next: http1_chunk.pyx, http1_read.pxd.
#
# llhttp is not asked here: it tells neither where a chunk line begins nor its size, and both are
# needed for the bounds. tests/unit holds this reader against it.
#
# Accepted: 1 to 16 hex digits (at most 2^63-1), then extensions without blanks (";" token ["="
# token or quoted-string]), CRLF, exactly so many bytes, CRLF. A chunk line is at most
# CHUNK_LINE_MAX bytes. Each chunk may spend CHUNK_FREE bytes and a quarter of its data on its line;
# what it spends beyond adds up over the body, at most to CHUNK_OVERHEAD_MAX.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from pygw._core.types.header cimport span_t
from pygw._core.types.message cimport half_t

cdef enum:
    CHUNK_FREE = 20           # bytes of a chunk's line that are not counted as overhead

cdef struct http1_chunks_t:
    uint64_t left             # bytes of the current chunk's data still to come
    char* trailer             # arena: the trailer section so far; NULL before its first field
    uint32_t used             # bytes the last call used
    uint32_t line_bytes       # of the chunk line being read; then of the trailer section
    uint32_t trailer_line     # where in `trailer` the line being read begins
    uint32_t overhead         # bytes of chunk lines beyond what is free
    uint16_t headers_max      # fields that head and trailer may have together
    uint8_t place             # which byte is due (http1_chunk.pyx)
    uint8_t digits            # of the chunk size being read
    uint8_t is_response       # faults are E_UP_*, not E_DOWN_*
    uint8_t done              # the message is complete

cdef void http1_chunks_init(http1_chunks_t* c, bint is_response,
                            uint16_t headers_max) noexcept nogil

# Reads from `bytes`: puts pieces of data into body[count[0]] and on, raises the count and
# half.received, and stops before data that would be a piece beyond BODY_SPANS. c.used tells how far
# it came: less than all only when done, when the pieces are full, or after an error. Trailers are
# complete when done, in half.trailers; their bytes lie in half.arena.
# 0, E_*_CHUNK, E_*_TRAILER (malformed, forbidden or longer than TRAILERS_MAX), E_*_HEADER_COUNT,
# E_CORE_MEMORY.
cdef int http1_chunks_read(http1_chunks_t* c, half_t* half, span_t bytes,
                           span_t* body, uint32_t* count) noexcept nogil
