# Owns: what one can ask of a span without changing it.
# Thread and GIL: any; inline, no Python.
# Never does: allocate or copy.
# Read next: types/header.pxd.

from libc.string cimport memcmp, memcpy
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from pygw._core.types.header cimport span_t

cdef inline span_t span(const char* ptr, size_t size) noexcept nogil:
    cdef span_t s
    s.ptr = ptr
    s.len = <uint32_t>size
    return s

cdef inline char lower(char c) noexcept nogil:
    return c + 32 if c'A' <= c <= c'Z' else c

cdef inline bint span_is(span_t s, const char* text, uint32_t size) noexcept nogil:
    return s.len == size and memcmp(s.ptr, text, size) == 0

# ASCII case-insensitive; `text` must be lower case.
cdef inline bint span_is_nocase(span_t s, const char* text, uint32_t size) noexcept nogil:
    cdef uint32_t i
    if s.len != size:
        return False
    for i in range(size):
        if lower(s.ptr[i]) != text[i]:
            return False
    return True

# Up to eight bytes as one word, for looking at them all at once: of fewer than eight some come
# twice. Words of runs of one length are equal if and only if the runs are. `size` is at least 1.
cdef inline uint64_t word_of(const char* ptr, uint32_t size) noexcept nogil:
    cdef uint64_t word
    cdef uint32_t a, b
    if size >= 8:
        memcpy(&word, ptr, 8)         # COPY: a word is read where it may lie unaligned
        return word
    if size >= 4:
        memcpy(&a, ptr, 4)            # COPY: a word, unaligned
        memcpy(&b, ptr + size - 4, 4)     # COPY: a word, unaligned
        return <uint64_t>b << 32 | a
    return (<uint64_t><uint8_t>ptr[0] | <uint64_t><uint8_t>ptr[size >> 1] << 8
            | <uint64_t><uint8_t>ptr[size - 1] << 16)

# Whether two words are the same but for the case of ASCII letters: they may differ in bit 0x20 of
# a byte, and that byte is a letter. (Adding 0x1F takes 'a' to 0x80, adding 0x05 takes '{' there.)
cdef inline bint word_equal_nocase(uint64_t a, uint64_t b) noexcept nogil:
    cdef uint64_t differ = a ^ b, folded, letters
    if differ == 0:
        return True
    if differ & ~<uint64_t>0x2020202020202020U:
        return False
    folded = (a | 0x2020202020202020U) & 0x7F7F7F7F7F7F7F7FU
    letters = (folded + 0x1F1F1F1F1F1F1F1FU) & ~(folded + 0x0505050505050505U) & ~a
    return (differ << 2 & ~letters) == 0

cdef inline bint span_equal_nocase(span_t a, span_t b) noexcept nogil:
    cdef uint32_t i = 0
    if a.len != b.len:
        return False
    if a.len < 8:
        return a.len == 0 or word_equal_nocase(word_of(a.ptr, a.len), word_of(b.ptr, a.len))
    while i < a.len - 8:
        if not word_equal_nocase(word_of(a.ptr + i, 8), word_of(b.ptr + i, 8)):
            return False
        i += 8
    return word_equal_nocase(word_of(a.ptr + a.len - 8, 8), word_of(b.ptr + a.len - 8, 8))

cdef inline bint is_blank(char c) noexcept nogil:
    return c == c' ' or c == c'\t'

cdef inline span_t span_trim(span_t s) noexcept nogil:
    while s.len and is_blank(s.ptr[0]):
        s.ptr += 1
        s.len -= 1
    while s.len and is_blank(s.ptr[s.len - 1]):
        s.len -= 1
    return s

# Takes the next comma-separated member off `rest`, trimmed (RFC 9110 5.6.1); False at the end.
# Empty members are returned as empty spans. Quoted strings are not understood: use it only for
# lists whose members are tokens.
cdef inline bint span_next_member(span_t* rest, span_t* member) noexcept nogil:
    cdef uint32_t i = 0
    if rest.ptr == NULL:
        return False
    while i < rest.len and rest.ptr[i] != c',':
        i += 1
    member[0] = span_trim(span(rest.ptr, i))
    if i < rest.len:
        rest.ptr += i + 1
        rest.len -= i + 1
    else:
        rest.ptr = NULL
        rest.len = 0
    return True

# At most 16 decimal digits, no sign, no white space, at most 2^53-1: beyond it peers that count in
# floating point (JavaScript) read another number; False otherwise.
cdef inline bint span_to_length(span_t s, uint64_t* out) noexcept nogil:
    cdef uint64_t n = 0
    cdef uint32_t i
    if s.len == 0 or s.len > 16:
        return False
    for i in range(s.len):
        if not c'0' <= s.ptr[i] <= c'9':
            return False
        n = n * 10 + <uint64_t>(s.ptr[i] - c'0')
    if n > 0x1FFFFFFFFFFFFFU:
        return False
    out[0] = n
    return True

# Writes n in decimal to `out` (at least 20 bytes); returns the count of digits.
cdef inline uint32_t decimal_write(char* out, uint64_t n) noexcept nogil:
    cdef char digits[20]
    cdef uint32_t count = 0, i
    while True:
        digits[count] = <char>(c'0' + n % 10)
        count += 1
        n //= 10
        if n == 0:
            break
    for i in range(count):
        out[i] = digits[count - 1 - i]
    return count

# What a hexadecimal digit says; -1 for any other byte.
cdef inline int hex_value(char c) noexcept nogil:
    if c'0' <= c <= c'9':
        return c - c'0'
    if c'a' <= (c | 0x20) <= c'f':
        return (c | 0x20) - c'a' + 10
    return -1
