# Owns: the shape of a peer's address and of an address range.
# Thread and GIL: any; declarations only (functions: address.pyx).
# Never does: resolve names.
# Read next: types/exchange.pxd.

from libc.stdint cimport uint8_t, uint16_t, uint32_t

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
