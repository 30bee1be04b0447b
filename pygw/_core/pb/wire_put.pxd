# Owns: writing the wire of Protocol Buffers, from the end of a room towards its beginning.
# Thread and GIL: any; inline, no Python.
# Never does: allocate, or write before the beginning of the room: then `error` is WIRE_ROOM.
# Read next: wire.pxd for the other direction.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy
from pygw._core.pb.wire cimport (
    WIRE_DEEP, WIRE_DEPTH, WIRE_KIND_BOOL, WIRE_KIND_I32, WIRE_KIND_S32, WIRE_KIND_S64,
    WIRE_KIND_U16, WIRE_KIND_U32, WIRE_KIND_U64, WIRE_KIND_U8, WIRE_ROOM, WIRE_UTF8, utf8_valid,
    wire_kind, wire_width, wire_writer_t)
from pygw._core.types.header cimport span_t

cdef inline void wire_put_begin(wire_writer_t* w, char* room, size_t size) noexcept nogil:
    w.begin = room
    w.at = room + size
    w.depth = 0
    w.error = 0

# How many bytes were written, up to `end`, or the error.
cdef inline int64_t wire_put_done(const wire_writer_t* w, const char* end) noexcept nogil:
    return w.error if w.error != 0 else end - w.at

cdef inline void wire_put_error(wire_writer_t* w, int error) noexcept nogil:
    if w.error == 0:
        w.error = error

cdef inline void wire_put_varint_long(wire_writer_t* w, uint64_t n) noexcept nogil:
    cdef uint8_t[10] digits
    cdef uint32_t size = 0
    while n >= 0x80:
        digits[size] = <uint8_t>(n | 0x80)
        size += 1
        n >>= 7
    digits[size] = <uint8_t>n
    size += 1
    if w.at - w.begin < size:
        wire_put_error(w, WIRE_ROOM)
        return
    w.at -= size
    # COPY: a number's digits to where the message grows.
    memcpy(w.at, digits, size)

cdef inline void wire_put_varint(wire_writer_t* w, uint64_t n) noexcept nogil:
    if n < 0x80 and w.at > w.begin:
        w.at -= 1
        w.at[0] = <char>n
        return
    wire_put_varint_long(w, n)

cdef inline void wire_put_number(wire_writer_t* w, uint32_t tag, uint64_t n) noexcept nogil:
    wire_put_varint(w, n)
    wire_put_varint(w, tag)

cdef inline uint64_t zigzag64(int64_t n) noexcept nogil:
    return (<uint64_t>n << 1) ^ (0 - (<uint64_t>n >> 63))

cdef inline uint64_t zigzag32(int64_t n) noexcept nogil:
    return zigzag64(n) & 0xffffffffU

# As memcpy, without its call for what is short, as most fields are: two moves of a known size,
# which may overlap.
cdef inline void wire_copy(char* to, const char* ptr, size_t size) noexcept nogil:
    cdef char* last = to + size
    cdef const char* end = ptr + size
    if size > 32:
        memcpy(to, ptr, size)             # COPY: the field's bytes into the message.
    elif size >= 16:
        memcpy(to, ptr, 16)               # COPY: as above.
        memcpy(last - 16, end - 16, 16)   # COPY: as above.
    elif size >= 8:
        memcpy(to, ptr, 8)                # COPY: as above.
        memcpy(last - 8, end - 8, 8)      # COPY: as above.
    elif size >= 4:
        memcpy(to, ptr, 4)                # COPY: as above.
        memcpy(last - 4, end - 4, 4)      # COPY: as above.
    elif size > 0:
        to[0] = ptr[0]
        to[size >> 1] = ptr[size >> 1]
        last[-1] = end[-1]

cdef inline void wire_put_bytes(wire_writer_t* w, const void* ptr, size_t size) noexcept nogil:
    if <size_t>(w.at - w.begin) < size:
        wire_put_error(w, WIRE_ROOM)
        return
    w.at -= size
    wire_copy(w.at, <const char*>ptr, size)

cdef inline void wire_put_fixed(wire_writer_t* w, uint32_t tag, const void* ptr,
                                size_t size) noexcept nogil:
    wire_put_bytes(w, ptr, size)
    wire_put_varint(w, tag)

cdef inline bint wire_is_zero64(const void* ptr) noexcept nogil:
    return (<const uint64_t*>ptr)[0] == 0

cdef inline bint wire_is_zero32(const void* ptr) noexcept nogil:
    return (<const uint32_t*>ptr)[0] == 0

cdef inline void wire_put_span(wire_writer_t* w, uint32_t tag, span_t s) noexcept nogil:
    if s.len > 0:
        wire_put_bytes(w, s.ptr, s.len)
    wire_put_varint(w, s.len)
    wire_put_varint(w, tag)

cdef inline void wire_put_text(wire_writer_t* w, uint32_t tag, span_t s) noexcept nogil:
    if not utf8_valid(s):
        wire_put_error(w, WIRE_UTF8)
        return
    wire_put_span(w, tag, s)

# Before a message's fields are written, and, with where it ends, after them.
cdef inline bint wire_put_enter(wire_writer_t* w) noexcept nogil:
    if w.depth == WIRE_DEPTH:
        wire_put_error(w, WIRE_DEEP)
        return False
    w.depth += 1
    return True

cdef inline void wire_put_leave(wire_writer_t* w, uint32_t tag, const char* end) noexcept nogil:
    w.depth -= 1
    wire_put_varint(w, <uint64_t>(end - w.at))
    wire_put_varint(w, tag)

cdef inline void wire_put_spans(wire_writer_t* w, uint32_t tag, const span_t* items,
                                uint32_t count, bint text) noexcept nogil:
    while count > 0:
        count -= 1
        if text:
            wire_put_text(w, tag, items[count])
        else:
            wire_put_span(w, tag, items[count])

cdef inline void wire_put_item(wire_writer_t* w, wire_kind kind, const void* items,
                               uint32_t i) noexcept nogil:
    if kind == WIRE_KIND_U64:
        wire_put_varint(w, (<const uint64_t*>items)[i])
    elif kind == WIRE_KIND_S64:
        wire_put_varint(w, zigzag64((<const int64_t*>items)[i]))
    elif kind == WIRE_KIND_U32:
        wire_put_varint(w, (<const uint32_t*>items)[i])
    elif kind == WIRE_KIND_I32:
        wire_put_varint(w, <uint64_t><int64_t>(<const int32_t*>items)[i])
    elif kind == WIRE_KIND_S32:
        wire_put_varint(w, zigzag32((<const int32_t*>items)[i]))
    elif kind == WIRE_KIND_U16:
        wire_put_varint(w, (<const uint16_t*>items)[i])
    elif kind == WIRE_KIND_U8 or kind == WIRE_KIND_BOOL:
        wire_put_varint(w, (<const uint8_t*>items)[i])
    else:
        wire_put_bytes(w, <const char*>items + <size_t>i * wire_width(kind), wire_width(kind))

# A list of numbers, packed, or one field each.
cdef inline void wire_put_numbers(wire_writer_t* w, uint32_t tag, wire_kind kind,
                                  const void* items, uint32_t count) noexcept nogil:
    cdef const char* end = w.at
    cdef bint packed = tag & 7 == 2
    if count == 0:
        return
    while count > 0:
        count -= 1
        wire_put_item(w, kind, items, count)
        if not packed:
            wire_put_varint(w, tag)
    if packed:
        wire_put_varint(w, <uint64_t>(end - w.at))
        wire_put_varint(w, tag)
