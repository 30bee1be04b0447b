# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Owns: what of a request ties it to a target: the hashed value, the sticky cookie.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: choose; what a client sends is compared with configured targets only.
# Read next: affinity.pxd for the contract.

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcmp
from pygw._core.balance cimport balance_hash
from pygw._core.headers cimport headers_add, headers_find_name
from pygw._core.types.address cimport ADDRESS_V4, ADDRESS_V6
from pygw._core.types.header cimport header_t, headers_t, HF_EDITED, H_COOKIE
from pygw._core.types.upstream cimport (
    target_t, upstream_t, HASH_CLIENT_IP, HASH_COOKIE, HASH_HEADER, HASH_PATH)
from pygw._core.view cimport span


# The value of a cookie within one Cookie field (RFC 6265 4.2.1); ptr NULL: it is not there.
cdef span_t cookie_in(span_t field, span_t name) noexcept nogil:
    cdef const char* at = field.ptr
    cdef const char* end = at + field.len
    cdef const char* start
    while at < end:
        while at < end and (at[0] == c' ' or at[0] == c'\t' or at[0] == c';'):
            at += 1
        start = at
        while at < end and at[0] != c';':
            at += 1
        if (at - start > <ssize_t>name.len and start[name.len] == c'='
                and memcmp(start, name.ptr, name.len) == 0):
            start += name.len + 1
            return span(start, <uint32_t>(at - start))
    return span(NULL, 0)


# The first cookie of that name as the client sent it, even if a filter took Cookie out.
cdef span_t cookie_of(exchange_t* x, span_t name) noexcept nogil:
    cdef headers_t* hs = &x.request.half.headers
    cdef span_t value
    cdef uint32_t i
    for i in range(hs.count):
        if hs.items[i].id == H_COOKIE and not hs.items[i].flags & HF_EDITED:
            value = cookie_in(hs.items[i].value, name)
            if value.ptr != NULL:
                return value
    return span(NULL, 0)


cdef uint64_t affinity_hash(exchange_t* x) noexcept nogil:
    cdef const upstream_t* u = x.upstream
    cdef header_t* h
    cdef span_t value = span(NULL, 0)
    if u.hash_source == HASH_CLIENT_IP:
        if x.client.family == ADDRESS_V4:
            return balance_hash(<const char*>x.client.bytes, 4)
        if x.client.family == ADDRESS_V6:
            return balance_hash(<const char*>x.client.bytes, 16)
        return 0
    if u.hash_source == HASH_PATH:
        value = x.request.path
    elif u.hash_source == HASH_HEADER:
        h = headers_find_name(&x.request.half.headers, u.hash_name, NULL)
        if h != NULL:
            value = h.value
    elif u.hash_source == HASH_COOKIE:
        value = cookie_of(x, u.hash_name)
    return balance_hash(value.ptr, value.len) if value.len else 0


cdef uint64_t affinity_id(span_t text) noexcept nogil:
    cdef uint64_t id = 0
    cdef uint32_t i
    cdef char c
    if text.len != 16:
        return 0
    for i in range(16):
        c = text.ptr[i]
        if c'0' <= c <= c'9':
            id = (id << 4) | <uint64_t>(c - c'0')
        elif c'a' <= c <= c'f':
            id = (id << 4) | <uint64_t>(c - c'a' + 10)
        else:
            return 0
    return id


cdef uint64_t affinity_sticky(exchange_t* x) noexcept nogil:
    return affinity_id(cookie_of(x, x.upstream.sticky))


cdef int affinity_answer(exchange_t* x) noexcept nogil:
    cdef const target_t* target = x.attempt.target
    if target.cookie.len == 0 or affinity_sticky(x) == target.sticky_id:
        return 0
    return headers_add(&x.response.half.headers, &x.arena, span(b"Set-Cookie", 10), target.cookie)
