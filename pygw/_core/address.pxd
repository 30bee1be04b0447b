# Owns: addresses and ranges: from sockets and text, as text, and whether one lies in another.
# Thread and GIL: any; no GIL, no state.
# Never does: resolve names, or read an address that two programs could read differently.
# Read next: forwarding.pxd.

from libc.stdint cimport uint32_t
from pygw._core.types.header cimport span_t
from pygw._core.types.address cimport address_t, cidr_t
from pygw._core.libs.sockets cimport sockaddr

# From getpeername: v4, v6 (v4-mapped becomes v4), unix; any other family gives ADDRESS_NONE, "-".
cdef void address_from_socket(address_t* a, const sockaddr* peer) noexcept nogil
# A member of X-Forwarded-For: "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]",
# "[2001:db8::1]:80". Leading zeros, zones, white space and everything else: False, *a undefined.
cdef bint address_parse(address_t* a, span_t text) noexcept nogil
# "10.0.0.0/8", "2001:db8::/32" or a single address. Bits behind the prefix do not matter.
cdef bint cidr_parse(cidr_t* c, span_t text) noexcept nogil
cdef bint cidr_matches(const cidr_t* c, const address_t* a) noexcept nogil
cdef bint address_in(const cidr_t* ranges, uint32_t count, const address_t* a) noexcept nogil

cdef inline span_t address_text(const address_t* a) noexcept nogil:
    cdef span_t s
    s.ptr = <const char*>a.text
    s.len = a.text_len
    return s
