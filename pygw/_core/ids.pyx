# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: identifiers that nobody can guess, from buffered randomness.
# Thread and GIL: one worker's loop; no GIL.
# Never does: use a byte twice.
# Read next: ids.pxd for the contract.

from libc.errno cimport errno, EINTR
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy
from pygw._core.check cimport BUG_ON, unlikely
from pygw._core.fault cimport E_CORE_INTERNAL
from pygw._core.types.header cimport span_t

cdef extern from "<sys/random.h>" nogil:
    ssize_t getrandom(void* buf, size_t size, unsigned int flags) noexcept

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    /* The 8 lower-case hex digits of x at `out`: all nibbles at once. */
    static inline void hex8_write(char *out, uint32_t x) {
        uint64_t v = x, letters;
        v = ((v & 0x00000000FFFF0000u) << 16) | (v & 0x000000000000FFFFu);
        v = ((v & 0x0000FF000000FF00u) << 8) | (v & 0x000000FF000000FFu);
        v = ((v & 0x00F000F000F000F0u) << 4) | (v & 0x000F000F000F000Fu);
        letters = ((v + 0x0606060606060606u) >> 4) & 0x0101010101010101u;
        v += 0x3030303030303030u + letters * ('a' - '0' - 10);
        v = __builtin_bswap64(v);
        memcpy(out, &v, 8);
    }
    """
    void hex8_write(char* out, uint32_t x) noexcept nogil


cdef bint pool_fill(ids_t* ids) noexcept nogil:
    cdef uint32_t got = 0
    cdef ssize_t n
    while got < IDS_POOL:
        n = getrandom(ids.pool + got, IDS_POOL - got, 0)
        if n > 0:
            got += <uint32_t>n
        elif errno != EINTR:
            return False
    ids.at = 0
    return True


cdef int ids_init(ids_t* ids) noexcept nogil:
    ids.at = IDS_POOL
    return 0 if pool_fill(ids) else E_CORE_INTERNAL


cdef const uint8_t* ids_random(ids_t* ids, uint32_t size) noexcept nogil:
    cdef const uint8_t* out
    BUG_ON(size > 64)
    if unlikely(ids.at + size > IDS_POOL):
        # WHY again: what worked once fails later only when a signal interrupts it.
        while not pool_fill(ids):
            pass
    out = ids.pool + ids.at
    ids.at += size
    return out


cdef inline uint32_t word_of(const uint8_t* bytes) noexcept nogil:
    cdef uint32_t word
    memcpy(&word, bytes, sizeof(word))        # COPY: a word, perhaps unaligned
    return word


cdef inline uint16_t half_of(const uint8_t* bytes) noexcept nogil:
    cdef uint16_t half
    memcpy(&half, bytes, sizeof(half))        # COPY: a word, perhaps unaligned
    return half


cdef void ids_uuid7(ids_t* ids, uint64_t unix_ms, char* out) noexcept nogil:
    cdef const uint8_t* random = ids_random(ids, 10)
    cdef char hex[32]
    # RFC 9562 5.7: 48 bits of time, version 7, 12 random bits, variant 10, 62 random bits.
    hex8_write(hex, <uint32_t>(unix_ms >> 16))
    hex8_write(hex + 8, <uint32_t>((unix_ms & 0xFFFF) << 16) | 0x7000 | half_of(random) & 0xFFF)
    hex8_write(hex + 16, word_of(random + 2) & 0x3FFFFFFF | <uint32_t>0x80000000)
    hex8_write(hex + 24, word_of(random + 6))
    memcpy(out, hex, 8)           # COPY: digits to between the hyphens
    memcpy(out + 9, hex + 8, 4)
    memcpy(out + 14, hex + 12, 4)
    memcpy(out + 19, hex + 16, 4)
    memcpy(out + 24, hex + 20, 12)
    out[8] = out[13] = out[18] = out[23] = c'-'


cdef inline bint is_hex(char c) noexcept nogil:
    return c'0' <= c <= c'9' or c'a' <= c <= c'f'


# Lower-case hex digits, not all of them zero.
cdef bint hex_nonzero(const char* text, uint32_t size) noexcept nogil:
    cdef uint32_t i
    cdef char seen = 0
    for i in range(size):
        if not is_hex(text[i]):
            return False
        seen |= text[i] ^ c'0'
    return seen != 0


# W3C Trace Context 3.2.2: version "-" trace id "-" parent id "-" flags. A higher version may be
# longer: what is known of it is read as version 00 (3.2.2.2); ff is no version.
cdef bint traceparent_valid(span_t s) noexcept nogil:
    cdef const char* p = s.ptr
    if s.len < TRACEPARENT_LENGTH or not (is_hex(p[0]) and is_hex(p[1])):
        return False
    if p[0] == c'f' and p[1] == c'f':
        return False
    if s.len > TRACEPARENT_LENGTH:
        if (p[0] == c'0' and p[1] == c'0') or p[TRACEPARENT_LENGTH] != c'-':
            return False
    if p[2] != c'-' or p[35] != c'-' or p[52] != c'-':
        return False
    if not (is_hex(p[53]) and is_hex(p[54])):
        return False
    return hex_nonzero(p + 3, 32) and hex_nonzero(p + 36, 16)


# `words` times 8 random hex digits, not all zero.
cdef void random_hex(ids_t* ids, char* out, uint32_t words) noexcept nogil:
    cdef const uint8_t* random
    cdef uint32_t i, seen = 0
    while seen == 0:
        random = ids_random(ids, words * 4)
        for i in range(words):
            seen |= word_of(random + i * 4)
    for i in range(words):
        hex8_write(out + i * 8, word_of(random + i * 4))


# Flags sampled (1) and, as the trace id is the same, random (2); others are reserved and must be
# sent as zero.
cdef char flags_kept(char digit) noexcept nogil:
    cdef char value = digit - c'0' if digit <= c'9' else digit - c'a' + 10
    return c'0' + (value & 3)


cdef bint ids_traceparent(ids_t* ids, span_t inbound, const char* uuid,
                          char* out) noexcept nogil:
    cdef bint continued = traceparent_valid(inbound)
    memcpy(out, b"00-", 3)        # COPY: text that is made
    if continued:
        memcpy(out + 3, inbound.ptr + 3, 32)  # COPY: the trace id goes on in our own line
        out[54] = flags_kept(inbound.ptr[54])
    elif uuid != NULL:
        memcpy(out + 3, uuid, 8)  # COPY: its digits without the hyphens
        memcpy(out + 11, uuid + 9, 4)
        memcpy(out + 15, uuid + 14, 4)
        memcpy(out + 19, uuid + 19, 4)
        memcpy(out + 23, uuid + 24, 12)
        out[54] = c'1'
    else:
        random_hex(ids, out + 3, 4)
        out[54] = c'1'
    out[35] = c'-'
    random_hex(ids, out + 36, 2)
    out[52] = c'-'
    out[53] = c'0'
    return continued
