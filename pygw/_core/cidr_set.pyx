# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: whether an address lies in one of many ranges: the trie's building and its search.
# Thread and GIL: built under the GIL while a plan is; searched by one worker's loop without it.
# Never does: read text.
# Read next: cidr_set.pxd for the contract.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport qsort
from libc.string cimport memcmp, memcpy
from pygw._core.address cimport address_in
from pygw._core.check cimport BUG_ON, likely
from pygw._core.part cimport plan_alloc
from pygw._core.types.address cimport (
    address_t, cidr_t, cidr_node_t, cidr_set_t, ADDRESS_V4, ADDRESS_V6)
from pygw._core.types.memory cimport arena_t

cdef extern from *:
    """
    #define pygw_ones(x) __builtin_popcountll(x)
    #define pygw_zeros_above(x) __builtin_clzll(x)
    #define pygw_big(x) __builtin_bswap64(x)
    #if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    #error "little endian only"
    #endif
    """
    uint32_t ones "pygw_ones"(uint64_t x) noexcept nogil
    uint32_t zeros_above "pygw_zeros_above"(uint64_t x) noexcept nogil
    uint64_t big "pygw_big"(uint64_t x) noexcept nogil

cdef enum:
    STRIDE = 6                # bits a place looks at: 64 branches, one word each

# An address as a number of 128 bits.
cdef struct bits_t:
    uint64_t high
    uint64_t low

# The places being laid out: `used` of them so far. With `nodes` NULL they are only counted.
cdef struct layout_t:
    const cidr_t* ranges      # borrow(cidr_set_build, until it returns): sorted, none in another
    cidr_node_t* nodes        # plan
    uint32_t used


cdef inline bits_t bits_of(const uint8_t* bytes) noexcept nogil:
    cdef bits_t b
    memcpy(&b.high, bytes, 8)         # COPY: words are read where they may lie unaligned
    memcpy(&b.low, bytes + 8, 8)
    b.high = big(b.high)
    b.low = big(b.low)
    return b


# The six bits behind the first `at`; what would lie behind the last is 0.
cdef inline uint32_t slot_of(bits_t b, uint32_t at) noexcept nogil:
    if likely(at <= 58):
        return <uint32_t>(b.high >> (58 - at)) & 63
    if at < 64:
        return <uint32_t>(b.high << (at - 58) | b.low >> (122 - at)) & 63
    if at <= 122:
        return <uint32_t>(b.low >> (122 - at)) & 63
    return <uint32_t>(b.low << (at - 122)) & 63


# Only the first `count` bits, the others 0.
cdef inline bits_t bits_kept(bits_t b, uint32_t count) noexcept nogil:
    if count <= 64:
        b.low = 0
        b.high = b.high >> (64 - count) << (64 - count) if count else 0
    elif count < 128:
        b.low = b.low >> (128 - count) << (128 - count)
    return b


cdef inline bint bits_equal(bits_t a, bits_t b) noexcept nogil:
    return a.high == b.high and a.low == b.low


# How many leading bits two numbers share.
cdef uint32_t bits_shared(bits_t a, bits_t b) noexcept nogil:
    if a.high != b.high:
        return zeros_above(a.high ^ b.high)
    return 64 + zeros_above(a.low ^ b.low) if a.low != b.low else 128


# --- searching ------------------------------------------------------------------------------------


cdef bint trie_has(const cidr_node_t* nodes, uint32_t root, bits_t b) noexcept nogil:
    cdef const cidr_node_t* n = &nodes[root]
    cdef bits_t kept
    cdef uint64_t bit
    while True:
        bit = <uint64_t>1 << slot_of(b, n.at)
        if n.covers & bit:
            kept = bits_kept(b, n.at)     # what was skipped on the way is compared once, here
            return kept.high == n.high and kept.low == n.low
        if not n.children & bit:
            return False
        n = &nodes[n.first + ones(n.children & (bit - 1))]


cdef bint cidr_set_has(const cidr_set_t* s, const address_t* a) noexcept nogil:
    if s.nodes == NULL:
        return address_in(s.ranges, s.count, a)
    if likely(a.family == ADDRESS_V4):
        return s.v4 != 0 and trie_has(s.nodes, s.v4 - 1, bits_of(a.bytes))
    return a.family == ADDRESS_V6 and s.v6 != 0 and trie_has(s.nodes, s.v6 - 1, bits_of(a.bytes))


cdef size_t cidr_set_bytes(const cidr_set_t* s) noexcept nogil:
    if s.nodes == NULL:
        return s.count * sizeof(cidr_t)
    return s.places * sizeof(cidr_node_t)


# --- building -------------------------------------------------------------------------------------


# Families apart, then by the first address, the wider range first.
cdef int range_order(const void* left, const void* right) noexcept nogil:
    cdef const cidr_t* a = <const cidr_t*>left
    cdef const cidr_t* b = <const cidr_t*>right
    cdef int order
    if a.family != b.family:
        return -1 if a.family < b.family else 1
    order = memcmp(a.bytes, b.bytes, 16)
    if order != 0:
        return order
    return <int>a.bits - <int>b.bits


# Clears the bits behind each prefix, sorts, and drops what lies in another; how many are left.
cdef uint32_t ranges_sort(cidr_t* ranges, uint32_t count) noexcept nogil:
    cdef uint32_t i, kept = 0
    cdef bits_t b
    cdef cidr_t* last = NULL
    for i in range(count):
        b = bits_kept(bits_of(ranges[i].bytes), ranges[i].bits)
        b.high = big(b.high)
        b.low = big(b.low)
        memcpy(ranges[i].bytes, &b.high, 8)       # COPY: back into the bytes they came from
        memcpy(ranges[i].bytes + 8, &b.low, 8)
    qsort(ranges, count, sizeof(cidr_t), range_order)
    for i in range(count):
        if (last != NULL and last.family == ranges[i].family and bits_equal(
                bits_kept(bits_of(ranges[i].bytes), last.bits), bits_of(last.bytes))):
            continue
        ranges[kept] = ranges[i]
        last = &ranges[kept]
        kept += 1
    return kept


# The end of the ranges from `from_` on that go on with the same six bits as it behind `at`.
cdef uint32_t group_end(const layout_t* l, uint32_t from_, uint32_t end,
                        uint32_t at) noexcept nogil:
    cdef uint32_t slot = slot_of(bits_of(l.ranges[from_].bytes), at)
    cdef uint32_t i = from_ + 1
    while i < end and slot_of(bits_of(l.ranges[i].bytes), at) == slot:
        i += 1
    return i


# Bits of the slots that a range which ends within the six bits behind `at` covers.
cdef uint64_t slots_of(const cidr_t* r, uint32_t at) noexcept nogil:
    cdef uint32_t slot = slot_of(bits_of(r.bytes), at), count = 1 << (at + STRIDE - r.bits)
    return (<uint64_t>-1 if count == 64 else (<uint64_t>1 << count) - 1) << slot


# The place for the ranges from `from_` to `end`, at index `place`; its subtree behind what is used.
cdef void node_fill(layout_t* l, uint32_t place, uint32_t from_, uint32_t end) noexcept nogil:
    cdef bits_t first = bits_of(l.ranges[from_].bytes)
    cdef uint32_t at = bits_shared(first, bits_of(l.ranges[end - 1].bytes))
    cdef uint32_t i, stop, child, bits = l.ranges[from_].bits
    cdef uint64_t covers = 0, children = 0
    # A single range is looked at in its own last bits.
    if end - from_ == 1:
        at = bits - STRIDE if bits > STRIDE else 0
    i = from_
    while i < end:
        if l.ranges[i].bits <= at + STRIDE:
            covers |= slots_of(&l.ranges[i], at)
            i += 1
        else:
            children |= <uint64_t>1 << slot_of(bits_of(l.ranges[i].bytes), at)
            i = group_end(l, i, end, at)
    BUG_ON(covers & children != 0)
    child = l.used
    l.used += ones(children)
    if l.nodes != NULL:
        first = bits_kept(first, at)
        l.nodes[place].high = first.high
        l.nodes[place].low = first.low
        l.nodes[place].covers = covers
        l.nodes[place].children = children
        l.nodes[place].first = child
        l.nodes[place].at = <uint8_t>at
    i = from_
    while i < end:
        if l.ranges[i].bits <= at + STRIDE:
            i += 1
            continue
        stop = group_end(l, i, end, at)
        node_fill(l, child, i, stop)
        child += 1
        i = stop


# Lays out both families; roots are 1 + their place, 0 for none.
cdef void trie_fill(layout_t* l, uint32_t count, uint32_t* v4, uint32_t* v6) noexcept nogil:
    cdef uint32_t middle = 0
    while middle < count and l.ranges[middle].family == ADDRESS_V4:
        middle += 1
    l.used = 0
    v4[0] = v6[0] = 0
    if middle:
        l.used = 1
        v4[0] = 1
        node_fill(l, 0, 0, middle)
    if middle < count:
        v6[0] = l.used + 1
        l.used += 1
        node_fill(l, v6[0] - 1, middle, count)


cdef int cidr_set_build(cidr_set_t* out, cidr_t* ranges, uint32_t count, arena_t* arena) except -1:
    cdef layout_t l
    out.count = count
    out.nodes = NULL
    out.ranges = NULL
    out.v4 = out.v6 = out.places = 0
    if count <= CIDR_FEW:
        out.ranges = <cidr_t*>plan_alloc(arena, count * sizeof(cidr_t))
        memcpy(out.ranges, ranges, count * sizeof(cidr_t))    # COPY: into the plan
        return 0
    count = ranges_sort(ranges, count)
    l.ranges = ranges
    l.nodes = NULL
    trie_fill(&l, count, &out.v4, &out.v6)
    l.nodes = <cidr_node_t*>plan_alloc(arena, l.used * sizeof(cidr_node_t))
    trie_fill(&l, count, &out.v4, &out.v6)
    out.nodes = l.nodes
    out.places = l.used
    return 0
