# Owns: whether an address lies in one of many ranges: the trie's building and its search.
# Thread and GIL: built under the GIL while a plan is; searched by one worker's loop without it.
# Never does: read text (address.pxd does).
# Read next: types/address.pxd, filters/ranges.pxd.
#
# Up to CIDR_FEW ranges are compared one by one. More become a trie of 64 branches: each place
# looks at six bits, and skips those in which nothing below it differs, so an IPv4 address is found
# in at most six steps and an IPv6 one in hardly more. v4 and v6 are apart, as in address_t.

from libc.stdint cimport uint32_t
from pygw._core.types.address cimport address_t, cidr_t, cidr_set_t
from pygw._core.types.memory cimport arena_t

cdef enum:
    CIDR_FEW = 4

# Fills `out` from `count` ranges, in memory of the plan. Sorts `ranges`, which may go afterwards.
cdef int cidr_set_build(cidr_set_t* out, cidr_t* ranges, uint32_t count, arena_t* arena) except -1
cdef bint cidr_set_has(const cidr_set_t* s, const address_t* a) noexcept nogil
# Bytes that its ranges or its trie take.
cdef size_t cidr_set_bytes(const cidr_set_t* s) noexcept nogil
