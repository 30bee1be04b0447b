# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: addresses and ranges: from sockets and text, as text, and whether one lies in another.
# Thread and GIL: any; no GIL, no state.
# Never does: resolve names.
# Read next: address.pxd for the contract.

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy, memcmp, memset
from pygw._core.libs.sockets cimport (
    sockaddr, sockaddr_in, sockaddr_in6, AF_INET, AF_INET6, AF_UNIX, ntohs, inet_pton,
)
from pygw._core.types.header cimport span_t
from pygw._core.types.address cimport (
    address_t, cidr_t, ADDRESS_NONE, ADDRESS_V4, ADDRESS_V6, ADDRESS_UNIX,
)
from pygw._core.view cimport span, decimal_write

cdef const char* HEX_DIGITS = b"0123456789abcdef"
# RFC 4291 2.5.5.2
cdef const char* MAPPED_PREFIX = b"\0\0\0\0\0\0\0\0\0\0\xff\xff"

cdef enum:
    MAPPED_BITS = 96
    V6_TEXT_MAX = 46


cdef void text_set(address_t* a, const char* text, uint8_t size) noexcept nogil:
    memcpy(a.text, text, size)        # COPY: an address keeps its text
    a.text_len = size


cdef void v4_set(address_t* a, const uint8_t* bytes) noexcept nogil:
    cdef uint32_t at = 0, i
    a.family = ADDRESS_V4
    memset(a.bytes, 0, sizeof(a.bytes))
    memcpy(a.bytes, bytes, 4)         # COPY: an address keeps its bytes
    for i in range(4):
        if i:
            a.text[at] = c'.'
            at += 1
        at += decimal_write(a.text + at, bytes[i])
    a.text_len = <uint8_t>at


# The longest run of two or more zero groups, the first of equals (RFC 5952 4.2); its length.
cdef uint32_t v6_zeros(const uint8_t* bytes, uint32_t* start) noexcept nogil:
    cdef uint32_t best = 0, run = 0, i
    for i in range(8):
        run = run + 1 if bytes[2 * i] == 0 and bytes[2 * i + 1] == 0 else 0
        if run > best:
            best = run
            start[0] = i + 1 - run
    return best if best > 1 else 0


# One group without leading zeros; returns its length.
cdef uint32_t group_write(char* out, const uint8_t* bytes) noexcept nogil:
    cdef uint32_t value = <uint32_t>bytes[0] << 8 | bytes[1], at = 0
    cdef int shift = 12
    while shift > 0 and value >> shift == 0:
        shift -= 4
    while shift >= 0:
        out[at] = HEX_DIGITS[value >> shift & 15]
        at += 1
        shift -= 4
    return at


cdef void v6_set(address_t* a, const uint8_t* bytes) noexcept nogil:
    cdef uint32_t start = 0, zeros, at = 0, i = 0
    if memcmp(bytes, MAPPED_PREFIX, 12) == 0:
        v4_set(a, bytes + 12)
        return
    a.family = ADDRESS_V6
    memcpy(a.bytes, bytes, 16)        # COPY: an address keeps its bytes
    zeros = v6_zeros(bytes, &start)
    while i < 8:
        if zeros and i == start:
            a.text[at] = a.text[at + 1] = c':'
            at += 2
            i += zeros
            continue
        if i and not (zeros and i == start + zeros):
            a.text[at] = c':'
            at += 1
        at += group_write(a.text + at, bytes + 2 * i)
        i += 1
    a.text_len = <uint8_t>at


cdef void address_from_socket(address_t* a, const sockaddr* peer) noexcept nogil:
    cdef const sockaddr_in* v4 = <const sockaddr_in*>peer
    cdef const sockaddr_in6* v6 = <const sockaddr_in6*>peer
    a.port = 0
    if peer.sa_family == AF_INET:
        v4_set(a, <const uint8_t*>&v4.sin_addr)
        a.port = ntohs(v4.sin_port)
    elif peer.sa_family == AF_INET6:
        v6_set(a, <const uint8_t*>&v6.sin6_addr)
        a.port = ntohs(v6.sin6_port)
    else:
        memset(a.bytes, 0, sizeof(a.bytes))
        a.family = ADDRESS_UNIX if peer.sa_family == AF_UNIX else ADDRESS_NONE
        if a.family == ADDRESS_UNIX:
            text_set(a, b"unix:", 5)
        else:
            text_set(a, b"-", 1)


# A decimal number of at most `digits` digits without leading zeros, up to `most`, off the front of
# `rest`. A number too long or too large is refused, not cut.
cdef bint take_number(span_t* rest, uint32_t digits, uint32_t most, uint32_t* out) noexcept nogil:
    cdef uint32_t value = 0, i = 0
    while i < rest.len and c'0' <= rest.ptr[i] <= c'9':
        if i == digits:
            return False
        value = value * 10 + <uint32_t>(rest.ptr[i] - c'0')
        i += 1
    if i == 0 or value > most or (i > 1 and rest.ptr[0] == c'0'):
        return False
    rest.ptr += i
    rest.len -= i
    out[0] = value
    return True


cdef bint take_byte(span_t* rest, char wanted) noexcept nogil:
    if rest.len == 0 or rest.ptr[0] != wanted:
        return False
    rest.ptr += 1
    rest.len -= 1
    return True


cdef bint take_v4(span_t* rest, uint8_t* bytes) noexcept nogil:
    cdef uint32_t i, value = 0
    for i in range(4):
        if i and not take_byte(rest, c'.'):
            return False
        if not take_number(rest, 3, 255, &value):
            return False
        bytes[i] = <uint8_t>value
    return True


cdef bint v6_bytes(span_t text, uint8_t* bytes) noexcept nogil:
    cdef char terminated[V6_TEXT_MAX]
    cdef uint32_t i
    if text.len >= V6_TEXT_MAX:
        return False
    for i in range(text.len):
        if text.ptr[i] == 0:
            return False      # inet_pton would stop here and overlook the rest
    # COPY: inet_pton wants a terminated string.
    memcpy(terminated, text.ptr, text.len)
    terminated[text.len] = 0
    return inet_pton(AF_INET6, terminated, bytes) == 1


# ":port" or nothing is left.
cdef bint take_port(span_t rest, uint16_t* out) noexcept nogil:
    cdef uint32_t port = 0
    if rest.len == 0:
        return True
    if not take_byte(&rest, c':') or not take_number(&rest, 5, 65535, &port):
        return False
    out[0] = <uint16_t>port
    return rest.len == 0


cdef bint parse_bracketed(address_t* a, span_t text) noexcept nogil:
    cdef uint8_t bytes[16]
    cdef uint32_t end = 1
    while end < text.len and text.ptr[end] != c']':
        end += 1
    if end == text.len or not v6_bytes(span(text.ptr + 1, end - 1), bytes):
        return False
    v6_set(a, bytes)
    return take_port(span(text.ptr + end + 1, text.len - end - 1), &a.port)


cdef bint address_parse(address_t* a, span_t text) noexcept nogil:
    cdef uint8_t bytes[16]
    cdef span_t rest = text
    a.port = 0
    if text.len == 0:
        return False
    if text.ptr[0] == c'[':
        return parse_bracketed(a, text)
    if take_v4(&rest, bytes):
        v4_set(a, bytes)
        return take_port(rest, &a.port)
    if not v6_bytes(text, bytes):
        return False
    v6_set(a, bytes)
    return True


cdef bint cidr_parse(cidr_t* c, span_t text) noexcept nogil:
    cdef uint8_t bytes[16]
    cdef span_t rest, address = text
    cdef uint32_t bits = 0, most = 32
    address.len = 0
    while address.len < text.len and text.ptr[address.len] != c'/':
        address.len += 1
    rest = address
    memset(bytes, 0, 16)
    if not take_v4(&rest, bytes) or rest.len:
        if not v6_bytes(address, bytes):
            return False
        most = 128
    rest = span(text.ptr + address.len, text.len - address.len)
    bits = most
    if rest.len:
        if not take_byte(&rest, c'/') or not take_number(&rest, 3, most, &bits) or rest.len:
            return False
    if most == 128 and bits >= MAPPED_BITS and memcmp(bytes, MAPPED_PREFIX, 12) == 0:
        # Addresses of this kind are kept as v4: so is their range.
        memcpy(bytes, bytes + 12, 4)  # COPY: to where a v4 range has them
        memset(bytes + 4, 0, 12)
        bits -= MAPPED_BITS
        most = 32
    c.family = ADDRESS_V4 if most == 32 else ADDRESS_V6
    c.bits = <uint8_t>bits
    memcpy(c.bytes, bytes, 16)        # COPY: a range keeps its bytes
    return True


cdef bint cidr_matches(const cidr_t* c, const address_t* a) noexcept nogil:
    cdef uint32_t whole = c.bits // 8, left = c.bits % 8
    if c.family != a.family or memcmp(c.bytes, a.bytes, whole) != 0:
        return False
    return left == 0 or (c.bytes[whole] ^ a.bytes[whole]) >> (8 - left) == 0


cdef bint address_in(const cidr_t* ranges, uint32_t count, const address_t* a) noexcept nogil:
    cdef uint32_t i
    for i in range(count):
        if cidr_matches(&ranges[i], a):
            return True
    return False
