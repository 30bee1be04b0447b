# Owns: the rules on a start line: its bytes and shape, version, target, authority, reason.
# Thread and GIL: any; no GIL; pure functions.
# Never does: accept what two servers could split, route or version differently.
# Read next: http1_line.pyx, http1_check.pxd.
#
# Spans set here are offsets from the head's first byte until http1_line_rebase turns them into
# pointers: the head may still move.

from libc.stdint cimport uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy
from pygw._core.types.header cimport span_t
from pygw._core.types.message cimport request_t, response_t

cdef extern from *:
    int __builtin_ctzll(unsigned long long value) noexcept nogil

# How many of the eight bytes at `ptr` come before the first that is not in 0x20..0x7e. A borrow or
# carry only starts in a byte that is itself out of range, so the lowest mark is exact (and lowest
# is first: both platforms we promise are little-endian).
cdef inline uint32_t printable_run(const char* ptr) noexcept nogil:
    cdef uint64_t v, marks
    memcpy(&v, ptr, 8)        # COPY: a word is read where it may lie unaligned
    marks = (v | (v - 0x2020202020202020U) | (v + 0x0101010101010101U)) & 0x8080808080808080U
    return 8 if marks == 0 else <uint32_t>__builtin_ctzll(marks) >> 3

# Finds the CRLF of the line at `ptr`, of which `at` bytes are known to be good, in `size` bytes.
# Returns the line's length, CRLF included; 0 when it goes on; -1 at a byte that no line may have.
# A request line has visible ASCII and SP; `reason` also allows HTAB and obs-text (RFC 9112 3, 4).
cdef int http1_line_end(const char* ptr, uint32_t at, uint32_t size, bint reason) noexcept nogil

# Reads the whole line of `size` bytes at base + at. 0, or
#   E_DOWN_LINE     not "token SP target SP HTTP/d.d": two spaces, a missing part (RFC 9112 3)
#   E_DOWN_VERSION  neither 1.0 nor 1.1 (2.3)
#   E_DOWN_CONNECT  CONNECT (RFC 9110 9.3.6)
#   E_DOWN_TARGET   neither origin-form, nor absolute-form with "http", nor '*' of OPTIONS (3.2); a
#                   '#', a backslash (browsers read it as '/', servers do not), and in the path a
#                   '%' without two hex digits or %00
# Whether the method is known is not asked here.
cdef int http1_line_request(request_t* request, const char* base, uint32_t at,
                            uint32_t size) noexcept nogil
# 0, or E_UP_PROTOCOL: not "HTTP/1.x SP 3DIGIT SP reason", status not in 100..599 (RFC 9110 15). A
# missing SP before an empty reason is accepted and marked MF_LINE_EDITED.
cdef int http1_line_status(response_t* response, const char* base, uint32_t at,
                           uint32_t size) noexcept nogil

# The head is complete and stays where it is: offsets become pointers.
cdef void http1_line_rebase_request(request_t* request, const char* base) noexcept nogil
cdef void http1_line_rebase_response(response_t* response, const char* base) noexcept nogil

# Splits host[:port] (RFC 3986 3.2.2, without userinfo, percent-encoding, sub-delims and IPvFuture:
# nothing that resolves has them, and servers differ on them). Port 0: none was given. False when it
# is malformed, the host is empty or the port is not in 1..65535 without leading zero.
cdef bint http1_authority_split(span_t authority, span_t* host, uint16_t* port) noexcept nogil
# Equal but for case and a port 80 that only one of them spells out. Both must be valid.
cdef bint http1_authority_equal(span_t a, span_t b) noexcept nogil
