# Owns: the hash by which build lays out the tables of routes and router finds its way in them.
# Thread and GIL: any; inline, no Python.
# Never does: resist chosen keys: the keys that are stored are the operator's.
# Read next: types/route.pxd.

from libc.stdint cimport uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy
from pygw._core.types.header cimport span_t

cdef inline uint64_t hash_word(uint64_t h, uint64_t word) noexcept nogil:
    h = (h ^ word) * <uint64_t>0x9E3779B97F4A7C15U
    return h ^ (h >> 29)

# Of all bytes; never reads beyond them.
cdef inline uint64_t hash_bytes(const char* p, uint32_t size) noexcept nogil:
    cdef uint64_t h = size, word = 0
    cdef uint32_t low, high
    cdef uint16_t two
    cdef uint32_t i = 0
    while i + 8 <= size:
        memcpy(&word, p + i, 8)        # COPY: a word is read where it may lie unaligned
        h = hash_word(h, word)
        i += 8
    if i == size:
        return h
    if size >= 8:
        memcpy(&word, p + size - 8, 8)     # COPY: as above
    elif size >= 4:
        memcpy(&low, p, 4)             # COPY: as above
        memcpy(&high, p + size - 4, 4)     # COPY: as above
        word = <uint64_t>high << 32 | low
    elif size >= 2:
        memcpy(&two, p, 2)             # COPY: as above
        word = <uint64_t><unsigned char>p[size - 1] << 16 | two
    else:
        word = <unsigned char>p[0]
    return hash_word(h, word)

# Of a key that belongs to a place (a node, a host): spreads all bits.
cdef inline uint64_t hash_at(uint64_t h, uint32_t place) noexcept nogil:
    h = hash_word(h, <uint64_t>place * <uint64_t>0xD6E8FEB86659FD93U)
    return h ^ (h >> 32)

# The most bytes of a host that has a route, and its form: OR-ing 0x20 lowers letters and keeps all
# other bytes of a host apart (digits . - _ ~ : [ ]).
cdef enum:
    HOST_ROOM = 256

cdef inline void host_fold(const char* p, uint32_t size, char* out) noexcept nogil:
    cdef uint32_t i
    for i in range(size):
        out[i] = p[i] | 0x20
