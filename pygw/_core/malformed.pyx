# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: who sends malformed requests: a table of counts by client, and the line about who passes.
# Thread and GIL: one worker's loop; no GIL.
# Never does: refuse anybody, wait for standard error, or grow.
# Read next: malformed.pxd for the contract.

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.string cimport memcmp, memcpy, memset
from pygw._core.fault cimport fault_get, E_DOWN_EXPECT, E_DOWN_LINE, E_DOWN_TRAILER
from pygw._core.limits cimport MALFORMED_CLIENTS, MALFORMED_LINES
from pygw._core.notice cimport notice_time, notice_write, NOTICE_BYTES
from pygw._core.stats cimport stat_add, ST_MALFORMED, ST_MALFORMED_CLIENTS
from pygw._core.types.address cimport address_t, ADDRESS_NONE, ADDRESS_V6
from pygw._core.types.exchange cimport limits_t


cdef void malformed_init(malformed_t* m, uint64_t* counters) noexcept nogil:
    memset(m, 0, sizeof(malformed_t))
    m.counters = counters
    m.write = notice_write


cdef bint malformed_is(int error) noexcept nogil:
    return E_DOWN_TRAILER <= error <= E_DOWN_LINE or error == E_DOWN_EXPECT


# FNV-1a: what a client can do by choosing its address is to push out others of its set.
cdef uint32_t hash_of(const uint8_t* bytes) noexcept nogil:
    cdef uint32_t h = 2166136261U, i
    for i in range(16):
        h = (h ^ bytes[i]) * 16777619U
    return h ^ h >> 15


# The client's place, or the one it takes.
cdef culprit_t* culprit_find(malformed_t* m, uint8_t family, const uint8_t* bytes,
                             uint64_t over_ms) noexcept nogil:
    cdef culprit_t* set_ = &m.table[hash_of(bytes) % (MALFORMED_CLIENTS // MALFORMED_WAYS)
                                    * MALFORMED_WAYS]
    cdef culprit_t* worst = set_
    cdef culprit_t* c
    cdef uint32_t i
    for i in range(MALFORMED_WAYS):
        c = &set_[i]
        if c.family == family and memcmp(c.bytes, bytes, 16) == 0:
            return c
        if c.family == ADDRESS_NONE or c.since_ms < over_ms:
            c.count = 0
        if c.count < worst.count or (c.count == worst.count and c.since_ms < worst.since_ms):
            worst = c
    worst.family = family
    worst.count = 0
    memcpy(worst.bytes, bytes, 16)    # COPY: the table keeps who it was
    return worst


# Whether one more line may be written in this window.
cdef bint line_due(malformed_t* m, uint64_t over_ms, uint64_t now_ms) noexcept nogil:
    if m.lines == 0 or m.lines_since_ms < over_ms:
        m.lines_since_ms = now_ms
        m.lines = 0
    m.lines += 1
    return m.lines <= MALFORMED_LINES


cdef void line_write(malformed_t* m, const address_t* client, int error,
                     const limits_t* limits) noexcept nogil:
    cdef char line[256]       # NOTICE_BYTES
    cdef size_t at = notice_time(line)
    cdef int size = snprintf(
        line + at, NOTICE_BYTES - at,
        b"client %.*s sent %u malformed requests within %.3g s, the last: %s\n",
        <int>client.text_len, client.text, limits.malformed,
        <double>(limits.malformed_window_ms / 1000.0), fault_get(error).label)
    if 0 < size < <int>(NOTICE_BYTES - at) and m.write != NULL:
        m.write(m.write_arg, line, at + size)


cdef void malformed_note(malformed_t* m, const address_t* client, int error,
                         const limits_t* limits, uint64_t now_ms) noexcept nogil:
    cdef uint8_t bytes[16]
    cdef uint64_t over_ms = 0         # windows that began before this are over
    cdef culprit_t* c
    stat_add(m.counters, ST_MALFORMED, 1)
    if limits.malformed == 0 or client.family == ADDRESS_NONE:
        return
    if now_ms > limits.malformed_window_ms:
        over_ms = now_ms - limits.malformed_window_ms
    memcpy(bytes, client.bytes, 16)   # COPY: the key has fewer bits than the address
    if client.family == ADDRESS_V6:
        memset(bytes + 8, 0, 8)
    c = culprit_find(m, client.family, bytes, over_ms)
    if c.count == 0 or c.since_ms < over_ms:
        c.count = 0
        c.since_ms = now_ms
    c.count += 1
    if c.count == limits.malformed:
        stat_add(m.counters, ST_MALFORMED_CLIENTS, 1)
        if line_due(m, over_ms, now_ms):
            line_write(m, client, error, limits)
