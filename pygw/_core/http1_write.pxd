# Owns: the bytes of a head, a chunk line and a trailer section as they leave.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: copy what was not changed: an untouched run of fields leaves as one piece.
# Read next: exchange.pxd.

from libc.stdint cimport uint32_t, uint64_t
from pygw._core.types.header cimport span_t, headers_t
from pygw._core.types.memory cimport arena_t
from pygw._core.types.message cimport half_t, request_t, response_t

# Pieces of output in order. They lie in the half's head buffer, its arena, the plan or static
# memory, and stay until the exchange is done.
cdef struct pieces_t:
    uint32_t count
    uint32_t flat             # of them, from the first on, were made of several
    uint64_t bytes
    span_t items[64]          # GATHER_MAX

cdef enum write_flag:
    WRITE_CLOSE = 1           # "Connection: close"
    WRITE_KEEP_ALIVE = 2      # "Connection: keep-alive" (to an HTTP/1.0 peer)
    WRITE_UPGRADE = 4         # "Connection: upgrade" and the half's own Upgrade field

# A head as HTTP/1.1, ending with its empty line. `framing` is what the body will leave with:
#   FRAMING_LENGTH   Content-Length as it came, or `length` when the field was removed or never came
#   FRAMING_CHUNKED  "Transfer-Encoding: chunked"; any Content-Length is dropped
#   FRAMING_NONE/CLOSE  no field of ours. A Content-Length of a MF_HEAD_ONLY response stays; a
#                    request without body gets none, but POST/PUT/PATCH that came with 0 keep it.
# An edited Content-Length that does not say `length` is replaced. Transfer-Encoding and Connection
# never leave as they came, Upgrade only with WRITE_UPGRADE. A request without Host (1.0) gets one
# that says `authority`. Fields marked HF_REMOVED or HF_HOP never leave. The start line leaves as it
# came when it is ours to keep (version 1.1, origin-form or '*', not MF_LINE_EDITED), else it is
# rebuilt in the arena. More pieces than fit are flattened into the arena. 0 or E_CORE_MEMORY.
cdef int http1_write_request(request_t* request, int framing, uint32_t flags,
                             pieces_t* out) noexcept nogil
cdef int http1_write_response(response_t* response, int framing, uint32_t flags,
                              pieces_t* out) noexcept nogil

# "<hex>\r\n" into `out` (at least 18 bytes); returns its length. Each chunk's data is followed by
# "\r\n"; the body ends with http1_write_trailers.
cdef uint32_t http1_write_chunk_line(char* out, uint64_t size) noexcept nogil
# "0\r\n", the trailers (may be NULL or empty), "\r\n". 0 or E_CORE_MEMORY.
cdef int http1_write_trailers(headers_t* trailers, arena_t* arena, pieces_t* out) noexcept nogil
# The reason phrase of RFC 9110 15 for our own answers; empty for unknown codes.
cdef span_t http1_reason(uint32_t status) noexcept nogil
