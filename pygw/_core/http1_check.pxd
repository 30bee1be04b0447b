# Owns: the rules on a complete head: fields, Host, framing, connection options.
# Thread and GIL: any; no GIL; pure functions.
# Never does: look at a byte of a body, or guess what a peer meant.
# Read next: http1_check.pyx, http1_line.pxd (start lines), http1_chunk.pxd (bodies).

from libc.stdint cimport uint16_t
from pygw._core.types.header cimport header_t
from pygw._core.types.message cimport half_t, request_t, response_t

# llhttp told each name as an offset from `base`; the head ends before `end`. Makes name, value and
# raw_len of every entry pointers into the lines; False when their parts do not add up, byte by
# byte, to the lines between start line and empty line (start line spans still are offsets).
cdef bint http1_check_lines(half_t* half, const char* base, const char* end) noexcept nogil

# Both are given a head whose start line http1_line has read and whose entries have name, value and
# raw_len. They make pointers of the start line's offsets, fill id and flags of every entry, check
# what the fields say, and set half.framing, length and flags.
#
# 0, or for requests
#   E_DOWN_HEADER   a name is longer than FIELD_NAME_MAX; Connection is no list of tokens, or one of
#                   more than CONNECTION_MEMBERS_MAX (each costs a walk through all fields)
#   E_DOWN_HOST     not exactly one Host in 1.1, more than one in 1.0, malformed, or another
#                   authority than that of an absolute-form target (RFC 9112 3.2: one of the two
#                   would decide)
#   E_DOWN_FRAMING  several Content-Length, a list or no number in one; Transfer-Encoding with
#                   Content-Length, in 1.0, twice, or as a list (RFC 9112 6.1, 6.3); a tab in either
#                   line; a body behind a request that asks for an upgrade we pass on
#   E_DOWN_CODING   one transfer coding other than chunked
#   E_DOWN_EXPECT   anything but 100-continue in 1.1
# Flags: MF_KEEP_ALIVE, MF_EXPECT_CONTINUE, MF_UPGRADE (1.1, GET, one protocol that is not h2c,
# listed in Connection), MF_TE_TRAILERS, MF_HAS_VIA, MF_CONNECTION_LISTED. Expect is removed where
# it must be ignored: in 1.0 and without a body (RFC 9110 10.1.1). Without Host (1.0) authority
# stays empty.
cdef int http1_check_request(request_t* request, const char* base) noexcept nogil

# 0, E_UP_HEADER, E_UP_FRAMING (as above; a 1xx or 204 with a body, RFC 9110 8.6; a zero
# Content-Length there is removed instead), E_UP_CODING, E_UP_PROTOCOL (1xx in 1.0), E_UP_UPGRADE (a
# 101 that does not name one protocol and list Upgrade in Connection, RFC 9110 7.8).
cdef int http1_check_response(response_t* response, const char* base,
                              bint head_request) noexcept nogil

# Whether a field may stand in a trailer section: nothing that frames, routes, authenticates or
# tells how to read the content (RFC 9110 6.5.1), and no name that the gateway acts on.
cdef bint http1_check_trailer(const header_t* h) noexcept nogil
