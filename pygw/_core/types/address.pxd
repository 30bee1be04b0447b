# Owns: the shape of a peer's address, of an address range and of a set of ranges.
# Thread and GIL: any; declarations only (functions: address.pyx, cidr_set.pyx).
# Never does: resolve names.
# Read next: types/exchange.pxd.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

cdef enum address_family:
    ADDRESS_NONE = 0
    ADDRESS_V4 = 4
    ADDRESS_V6 = 6
    ADDRESS_UNIX = 1      # a unix socket's peer: no address, written as "unix:"

cdef struct address_t:
    uint8_t family        # address_family
    uint8_t text_len
    uint16_t port
    uint8_t bytes[16]     # network order; v4 in the first four; v4-mapped v6 is stored as v4
    char text[46]         # as written in headers and logs, without port and brackets

# A CIDR range: `bits` leading bits of `bytes` decide.
cdef struct cidr_t:
    uint8_t family        # ADDRESS_V4 or ADDRESS_V6
    uint8_t bits
    uint8_t bytes[16]

# A place in a set at which six bits of an address are looked at: those behind its first `at`. Bits
# that all ranges below share are skipped, so a place keeps what they were, to be compared at last.
# An address is its bytes as one number of 128 bits, v4 in the uppermost 32.
cdef struct cidr_node_t:
    uint64_t high         # the first `at` bits, others 0
    uint64_t low
    uint64_t covers       # bit i: all addresses that go on with i are in the set
    uint64_t children     # bit i: some are; no bit is in both
    uint32_t first        # place of the first child; the others lie behind it, by rising i
    uint8_t at

# Ranges of addresses to look in. Few are compared one by one, more are a trie.
cdef struct cidr_set_t:
    cidr_t* ranges        # plan; NULL when there is a trie
    cidr_node_t* nodes    # plan; NULL: look at `ranges`
    uint32_t count        # ranges as they were given
    uint32_t places       # of the trie
    uint32_t v4           # 1 + the place of the root; 0: none of that family
    uint32_t v6
