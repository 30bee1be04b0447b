# Owns: spans and headers, the words every other struct is made of.
# Thread and GIL: any; declarations only.
# Never does: own the bytes: a span points into a buffer, an arena, a plan or static memory.
# Read next: types/memory.pxd.

from libc.stdint cimport uint16_t, uint32_t

# A run of bytes, not terminated. While a head is still being read, `ptr` is the offset from the
# head's first byte (the head may yet move to a larger buffer); http1_read rebases it at the end.
cdef struct span_t:
    const char* ptr       # borrow(what holds the bytes, until it lets go)
    uint32_t len

# Names the gateway acts on. H_OTHER is every other name.
cdef enum header_id:
    H_OTHER = 0
    H_ACCEPT
    H_AUTHORIZATION
    H_CACHE_CONTROL
    H_CONNECTION
    H_CONTENT_LENGTH
    H_CONTENT_TYPE
    H_COOKIE
    H_DATE
    H_EXPECT
    H_FORWARDED
    H_HOST
    H_KEEP_ALIVE
    H_LOCATION
    H_PROXY_AUTHORIZATION
    H_PROXY_CONNECTION
    H_PROXY_STATUS
    H_REFERER
    H_RETRY_AFTER
    H_SERVER
    H_SET_COOKIE
    H_TE
    H_TRACEPARENT
    H_TRACESTATE
    H_TRAILER
    H_TRANSFER_ENCODING
    H_UPGRADE
    H_USER_AGENT
    H_VIA
    H_X_FORWARDED_FOR
    H_X_FORWARDED_HOST
    H_X_FORWARDED_PROTO
    H_X_REQUEST_ID
    H_FORWARDED_ALIAS     # a forwarding name spelt with '_': an origin may read it as the real one
    H_COUNT

cdef enum header_flag:
    HF_HOP = 1            # hop-by-hop (RFC 9110 7.6.1): never leaves
    HF_EDITED = 2         # set by us or by a filter: its bytes are not the peer's
    HF_REMOVED = 4        # taken out by us or by a filter: never leaves
    HF_SENSITIVE = 8      # never logged

# One field. `raw_len` is the length of its whole line, CRLF included, which begins at name.ptr, as
# it came or as we wrote it; 0: it has none yet. Lines that lie side by side leave as one run.
cdef struct header_t:
    span_t name
    span_t value          # outer white space trimmed
    uint16_t id           # header_id
    uint16_t flags        # HF_* mask
    uint32_t raw_len

# Invariant: count <= cap; items is either inline memory of the exchange or in its arena.
cdef struct headers_t:
    header_t* items       # arena
    uint16_t count
    uint16_t cap
