# Owns: the wire of Protocol Buffers: varints, lengths, lists, skipping; for generated codecs.
# Thread and GIL: any; inline, no Python.
# Never does: allocate, read behind the end or write before the beginning of what it was given.
# Read next: http_codec.pxd, then http_codec.pyx, which `pygw gen cython` wrote.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset
from pygw._core.types.header cimport span_t

# What a decoder or encoder answers instead of 0 or a length.
cdef enum wire_error:
    WIRE_CUT = -1                     # the bytes end within a value
    WIRE_BAD = -2                     # what the encoding forbids: a tag, a varint, a group
    WIRE_RANGE = -3                   # a number is wider than its member
    WIRE_UTF8 = -4                    # a string is not UTF-8 (RFC 3629)
    WIRE_DEEP = -5                    # messages within messages beyond WIRE_DEPTH
    WIRE_ROOM = -6                    # the memory that was given is full
    WIRE_TWICE = -7                   # a message that there may be one of comes twice

cdef enum:
    WIRE_DEPTH = 32

# Where the lists and messages of a decoded message are put; 8-byte aligned. Strings stay where they
# came in: they point into the bytes that were decoded.
cdef struct wire_room_t:
    char* at                          # borrow(caller, until it lets the message go)
    char* end                         # borrow(caller, until it lets the message go)

cdef struct wire_reader_t:
    const uint8_t* at                 # borrow(caller, until the decoder returns)
    const uint8_t* end                # borrow(caller, until the decoder returns): of this message
    wire_room_t* room                 # borrow(caller, until the decoder returns)
    uint32_t depth
    int error                         # the first wire_error

# Writes from the end towards the beginning, so that lengths are known when they are written.
cdef struct wire_writer_t:
    char* at                          # borrow(caller, until the encoder returns): last byte written
    char* begin                       # borrow(caller, until the encoder returns)
    uint32_t depth
    int error                         # the first wire_error

# --- reading --------------------------------------------------------------------------------------

cdef inline bint wire_fail(wire_reader_t* r, int error) noexcept nogil:
    r.error = error
    return False

cdef inline void wire_begin(wire_reader_t* r, const char* ptr, size_t size,
                            wire_room_t* room) noexcept nogil:
    r.at = <const uint8_t*>ptr
    r.end = r.at + size
    r.room = room
    r.depth = 0
    r.error = 0

cdef inline bint wire_varint_long(wire_reader_t* r, uint64_t* out) noexcept nogil:
    cdef uint64_t value = 0
    cdef uint32_t shift = 0
    cdef const uint8_t* at = r.at
    while at < r.end:
        value |= <uint64_t>(at[0] & 0x7f) << shift
        if at[0] < 0x80:
            r.at = at + 1
            out[0] = value
            return True if shift < 63 or at[0] < 2 else wire_fail(r, WIRE_BAD)
        at += 1
        shift += 7
        if shift > 63:
            return wire_fail(r, WIRE_BAD)
    return wire_fail(r, WIRE_CUT)

cdef inline bint wire_varint(wire_reader_t* r, uint64_t* out) noexcept nogil:
    if r.at < r.end and r.at[0] < 0x80:
        out[0] = r.at[0]
        r.at += 1
        return True
    return wire_varint_long(r, out)

# A field's number and wire type. The number is never 0, the whole fits 32 bits.
cdef inline bint wire_tag(wire_reader_t* r, uint32_t* tag) noexcept nogil:
    cdef uint64_t value
    if not wire_varint(r, &value):
        return False
    tag[0] = <uint32_t>value
    return True if value <= 0xffffffffU and value >= 8 else wire_fail(r, WIRE_BAD)

cdef inline bint wire_span(wire_reader_t* r, span_t* out) noexcept nogil:
    cdef uint64_t size
    if not wire_varint(r, &size):
        return False
    if size > <uint64_t>(r.end - r.at):
        return wire_fail(r, WIRE_CUT)
    if size > 0x7fffffffU:
        return wire_fail(r, WIRE_BAD)
    out.ptr = <const char*>r.at
    out.len = <uint32_t>size
    r.at += size
    return True

# Bytes under a tag of one byte and shorter than 128, if they are what comes next. Returns where
# reading goes on, with pointers that stay in registers: for what most often comes in order.
cdef inline const uint8_t* wire_short(const uint8_t* at, const uint8_t* end, uint8_t tag,
                                      span_t* out) noexcept nogil:
    if end - at < 2 or at[0] != tag or at[1] >= 0x80 or end - at - 2 < at[1]:
        return at
    out.ptr = <const char*>at + 2
    out.len = at[1]
    return at + 2 + at[1]

cdef inline bint wire_continues(const uint8_t* p, uint32_t count) noexcept nogil:
    cdef uint32_t i
    for i in range(1, count + 1):
        if p[i] & 0xc0 != 0x80:
            return False
    return True

# Bytes of the character at `p`, of at most `left`; 0: it is none (RFC 3629 4).
cdef inline uint32_t utf8_length(const uint8_t* p, size_t left) noexcept nogil:
    cdef uint8_t c = p[0]
    if c < 0x80:
        return 1
    if c < 0xc2 or c > 0xf4:
        return 0
    if c < 0xe0:
        return 2 if left > 1 and wire_continues(p, 1) else 0
    if c < 0xf0:
        if left < 3 or not wire_continues(p, 2):
            return 0
        return 0 if (c == 0xe0 and p[1] < 0xa0) or (c == 0xed and p[1] > 0x9f) else 3
    if left < 4 or not wire_continues(p, 3):
        return 0
    return 0 if (c == 0xf0 and p[1] < 0x90) or (c == 0xf4 and p[1] > 0x8f) else 4

cdef inline bint utf8_valid(span_t s) noexcept nogil:
    cdef const uint8_t* p = <const uint8_t*>s.ptr
    cdef size_t left = s.len
    cdef uint64_t word
    cdef uint32_t size
    while left > 0:
        if left >= 8:
            # COPY: eight bytes at once into a register.
            memcpy(&word, p, 8)
            if not word & 0x8080808080808080U:
                p += 8
                left -= 8
                continue
        size = utf8_length(p, left)
        if size == 0:
            return False
        p += size
        left -= size
    return True

cdef inline bint wire_text(wire_reader_t* r, span_t* out) noexcept nogil:
    if not wire_span(r, out):
        return False
    return True if utf8_valid(out[0]) else wire_fail(r, WIRE_UTF8)

cdef inline bint wire_fixed(wire_reader_t* r, void* out, size_t size) noexcept nogil:
    if <size_t>(r.end - r.at) < size:
        return wire_fail(r, WIRE_CUT)
    # COPY: a number that may lie anywhere into one that lies aligned.
    memcpy(out, r.at, size)
    r.at += size
    return True

# The varint kinds. All of 32 bits and less take the low 32 of what came, as every reader does.
cdef inline bint wire_u64(wire_reader_t* r, uint64_t* out) noexcept nogil:
    return wire_varint(r, out)

cdef inline bint wire_i64(wire_reader_t* r, int64_t* out) noexcept nogil:
    return wire_varint(r, <uint64_t*>out)

cdef inline bint wire_s64(wire_reader_t* r, int64_t* out) noexcept nogil:
    cdef uint64_t n
    if not wire_varint(r, &n):
        return False
    out[0] = <int64_t>((n >> 1) ^ (0 - (n & 1)))
    return True

cdef inline bint wire_u32(wire_reader_t* r, uint32_t* out) noexcept nogil:
    cdef uint64_t n
    if not wire_varint(r, &n):
        return False
    out[0] = <uint32_t>n
    return True

cdef inline bint wire_i32(wire_reader_t* r, int32_t* out) noexcept nogil:
    return wire_u32(r, <uint32_t*>out)

cdef inline bint wire_s32(wire_reader_t* r, int32_t* out) noexcept nogil:
    cdef uint32_t n
    if not wire_u32(r, &n):
        return False
    out[0] = <int32_t>((n >> 1) ^ (0 - (n & 1)))
    return True

cdef inline bint wire_u16(wire_reader_t* r, uint16_t* out) noexcept nogil:
    cdef uint32_t n
    if not wire_u32(r, &n):
        return False
    out[0] = <uint16_t>n
    return True if n <= 0xffff else wire_fail(r, WIRE_RANGE)

cdef inline bint wire_u8(wire_reader_t* r, uint8_t* out) noexcept nogil:
    cdef uint32_t n
    if not wire_u32(r, &n):
        return False
    out[0] = <uint8_t>n
    return True if n <= 0xff else wire_fail(r, WIRE_RANGE)

cdef inline bint wire_bool(wire_reader_t* r, uint8_t* out) noexcept nogil:
    cdef uint64_t n
    if not wire_varint(r, &n):
        return False
    out[0] = n != 0
    return True

# --- skipping, messages, lists --------------------------------------------------------------------

# The value behind a tag that is no group's.
cdef inline bint wire_skip_value(wire_reader_t* r, uint32_t tag) noexcept nogil:
    cdef uint64_t n
    cdef span_t s
    cdef uint32_t kind = tag & 7
    if kind == 2:
        return wire_span(r, &s)
    if kind == 0:
        return wire_varint(r, &n)
    if kind == 1:
        return wire_fixed(r, &n, 8)
    if kind == 5:
        return wire_fixed(r, &n, 4)
    return wire_fail(r, WIRE_BAD)

# A field that nobody knows. Groups, which proto3 has no more, are skipped with all they hold.
cdef inline bint wire_skip(wire_reader_t* r, uint32_t tag) noexcept nogil:
    cdef uint32_t[WIRE_DEPTH] open
    cdef uint32_t depth = 0
    while True:
        if tag & 7 == 3:
            if depth == WIRE_DEPTH:
                return wire_fail(r, WIRE_DEEP)
            open[depth] = tag >> 3
            depth += 1
        elif tag & 7 == 4:
            if depth == 0 or open[depth - 1] != tag >> 3:
                return wire_fail(r, WIRE_BAD)
            depth -= 1
        elif not wire_skip_value(r, tag):
            return False
        if depth == 0:
            return True
        if r.at >= r.end:
            return wire_fail(r, WIRE_CUT)
        if not wire_tag(r, &tag):
            return False

# Into the message whose length comes next; wire_leave goes on behind it.
cdef inline bint wire_enter(wire_reader_t* r, const uint8_t** end) noexcept nogil:
    cdef span_t s
    if r.depth == WIRE_DEPTH:
        return wire_fail(r, WIRE_DEEP)
    if not wire_span(r, &s):
        return False
    end[0] = r.end
    r.end = r.at
    r.at = <const uint8_t*>s.ptr
    r.depth += 1
    return True

cdef inline bint wire_leave(wire_reader_t* r, const uint8_t* end) noexcept nogil:
    r.end = end
    r.depth -= 1
    return True

cdef inline void* wire_take(wire_reader_t* r, uint64_t size) noexcept nogil:
    cdef char* taken = r.room.at
    size = (size + 7) & ~<uint64_t>7
    if size > <uint64_t>(r.room.end - taken):
        r.error = WIRE_ROOM
        return NULL
    r.room.at = taken + size
    return taken

# Room for all that follows under this tag in this message, the value at hand included.
cdef inline void* wire_list(wire_reader_t* r, uint32_t tag, size_t size) noexcept nogil:
    cdef wire_reader_t ahead = r[0]
    cdef uint32_t other = tag
    cdef uint64_t count = 0
    while True:
        count += other == tag
        # Most often short ones of the same tag come one after the other.
        while (other == tag and ahead.end - ahead.at >= 130 and ahead.at[0] < 0x7f
               and ahead.at[ahead.at[0] + 1] == tag):
            ahead.at += ahead.at[0] + 2
            count += 1
        if not wire_skip(&ahead, other) or ahead.at >= ahead.end or not wire_tag(&ahead, &other):
            break
    return wire_take(r, count * size)

cdef inline bint wire_span_next(wire_reader_t* r, uint32_t tag, const span_t** items,
                                uint32_t* count, bint text) noexcept nogil:
    cdef span_t* item
    if items[0] == NULL:
        items[0] = <const span_t*>wire_list(r, tag, sizeof(span_t))
        if items[0] == NULL:
            return False
    item = <span_t*>&items[0][count[0]]
    if not (wire_text(r, item) if text else wire_span(r, item)):
        return False
    count[0] += 1
    return True

cdef enum wire_kind:
    WIRE_KIND_U64
    WIRE_KIND_S64
    WIRE_KIND_U32
    WIRE_KIND_I32
    WIRE_KIND_S32
    WIRE_KIND_U16
    WIRE_KIND_U8
    WIRE_KIND_BOOL
    WIRE_KIND_FIXED64
    WIRE_KIND_FIXED32

cdef inline bint wire_number(wire_reader_t* r, wire_kind kind, void* out) noexcept nogil:
    if kind == WIRE_KIND_U64:
        return wire_u64(r, <uint64_t*>out)
    if kind == WIRE_KIND_S64:
        return wire_s64(r, <int64_t*>out)
    if kind == WIRE_KIND_U32 or kind == WIRE_KIND_I32:
        return wire_u32(r, <uint32_t*>out)
    if kind == WIRE_KIND_S32:
        return wire_s32(r, <int32_t*>out)
    if kind == WIRE_KIND_U16:
        return wire_u16(r, <uint16_t*>out)
    if kind == WIRE_KIND_U8:
        return wire_u8(r, <uint8_t*>out)
    if kind == WIRE_KIND_BOOL:
        return wire_bool(r, <uint8_t*>out)
    return wire_fixed(r, out, 8 if kind == WIRE_KIND_FIXED64 else 4)

cdef inline uint32_t wire_width(wire_kind kind) noexcept nogil:
    if kind == WIRE_KIND_U8 or kind == WIRE_KIND_BOOL:
        return 1
    if kind == WIRE_KIND_U16:
        return 2
    if kind == WIRE_KIND_U64 or kind == WIRE_KIND_S64 or kind == WIRE_KIND_FIXED64:
        return 8
    return 4

# How many numbers a packed value holds: one ends with each byte below 0x80, or they are fixed.
cdef inline uint64_t wire_packed_count(span_t s, wire_kind kind) noexcept nogil:
    cdef uint64_t count = 0
    cdef uint32_t i
    if kind >= WIRE_KIND_FIXED64:
        return s.len // wire_width(kind)
    for i in range(s.len):
        count += not s.ptr[i] & 0x80
    return count

cdef inline void* wire_number_list(wire_reader_t* r, uint32_t tag, wire_kind kind) noexcept nogil:
    cdef wire_reader_t ahead = r[0]
    cdef uint32_t other = tag
    cdef uint64_t count = 0
    cdef span_t s
    while True:
        if other >> 3 == tag >> 3 and other & 7 == 2:
            if not wire_span(&ahead, &s):
                break
            count += wire_packed_count(s, kind)
        else:
            count += other >> 3 == tag >> 3
            if not wire_skip(&ahead, other):
                break
        if ahead.at >= ahead.end or not wire_tag(&ahead, &other):
            break
    return wire_take(r, (count + 1) * wire_width(kind))

# One number of a list, or, when its tag is of wire type 2, as many as it has packed.
cdef inline bint wire_numbers(wire_reader_t* r, uint32_t tag, wire_kind kind,
                              const void** items, uint32_t* count) noexcept nogil:
    cdef const uint8_t* end
    cdef uint32_t width = wire_width(kind)
    if items[0] == NULL:
        items[0] = wire_number_list(r, tag, kind)
        if items[0] == NULL:
            return False
    if tag & 7 != 2:
        if not wire_number(r, kind, <char*>items[0] + <size_t>count[0] * width):
            return False
        count[0] += 1
        return True
    if not wire_enter(r, &end):
        return False
    while r.at < r.end:
        if not wire_number(r, kind, <char*>items[0] + <size_t>count[0] * width):
            return False
        count[0] += 1
    return wire_leave(r, end)
