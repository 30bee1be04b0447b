# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Owns: how upstreams go on from plan to plan: turns, chance, the retry budget; by name.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: forget an upstream's state because a plan was replaced.
# Read next: standing.pxd for the contract.

from libc.string cimport memcmp, memcpy, memset
from libc.stdint cimport uint8_t, uint64_t
from pygw._core.block cimport blocks_init, blocks_fini, block_take, block_give
from pygw._core.check cimport BUG_ON, unlikely
from pygw._core.limits cimport BUDGET_MS
from pygw._core.types.upstream cimport SHARES

cdef enum:
    HALVES = 2                # the budget looks back on this half of BUDGET_MS and the one before


cdef void standings_init(standings_t* home, uint64_t seed) noexcept nogil:
    memset(home, 0, sizeof(standings_t))
    home.seed = seed
    blocks_init(&home.blocks, sizeof(standing_t))


cdef void standings_fini(standings_t* home) noexcept nogil:
    BUG_ON(home.first != NULL)
    blocks_fini(&home.blocks)


cdef standing_t* standing_get(standings_t* home, span_t name) noexcept nogil:
    cdef standing_t* s = home.first
    if name.len > sizeof(s.name):
        return NULL
    while s != NULL and (s.name_len != name.len or memcmp(s.name, name.ptr, name.len) != 0):
        s = s.next
    if s == NULL:
        s = <standing_t*>block_take(&home.blocks)
        if s == NULL:
            return NULL
        memset(s, 0, sizeof(standing_t))
        memcpy(s.name, name.ptr, name.len)       # COPY: it outlives plans
        s.name_len = <uint8_t>name.len
        home.seed += <uint64_t>0xD1342543DE82EF95
        s.random = home.seed
        s.next = home.first
        home.first = s
    s.refs += 1
    return s


cdef void standing_unref(standings_t* home, standing_t* s) noexcept nogil:
    cdef standing_t** link = &home.first
    s.refs -= 1
    if s.refs:
        return
    while link[0] != s:
        link = &link[0].next
    link[0] = s.next
    block_give(&home.blocks, s)


cdef inline void budget_turn(standing_t* s, uint64_t now_ns) noexcept nogil:
    cdef uint64_t window = now_ns // (<uint64_t>BUDGET_MS // HALVES * 1000000)
    if unlikely(window != s.window):
        s.requests[1] = s.requests[0] if window == s.window + 1 else 0
        s.retries[1] = s.retries[0] if window == s.window + 1 else 0
        s.requests[0] = 0
        s.retries[0] = 0
        s.window = window


cdef void budget_request(standing_t* s, uint64_t now_ns) noexcept nogil:
    budget_turn(s, now_ns)
    s.requests[0] += 1


cdef bint budget_retry(standing_t* s, const retry_t* retry, uint64_t now_ns) noexcept nogil:
    cdef uint64_t room
    budget_turn(s, now_ns)
    room = (<uint64_t>s.requests[0] + s.requests[1]) * retry.budget // SHARES
    room += <uint64_t>retry.floor * BUDGET_MS // 1000
    if <uint64_t>s.retries[0] + s.retries[1] >= room:
        return False
    s.retries[0] += 1
    return True
