# Owns: the list of fields of a half: known names, look-up, editing.
# Thread and GIL: one worker's loop; no GIL.
# Never does: let a byte into a name or value that the wire forbids (RFC 9110 5.1, 5.5).
# Read next: http1_read.pxd.

from libc.stddef cimport ptrdiff_t
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from pygw._core.types.header cimport (
    span_t, header_t, headers_t,
    HF_REMOVED, H_AUTHORIZATION, H_COOKIE, H_PROXY_AUTHORIZATION, H_SET_COOKIE)
from pygw._core.types.memory cimport arena_t

# Values that are never logged.
cdef inline bint header_id_sensitive(uint16_t id) noexcept nogil:
    return (id == H_AUTHORIZATION or id == H_COOKIE or id == H_SET_COOKIE
            or id == H_PROXY_AUTHORIZATION)

cdef uint8_t token_byte[256]       # 1 for the bytes of a token (RFC 9110 5.6.2); static

# The header_id of a name, case-insensitively; H_OTHER when it is not one of ours.
cdef uint16_t header_id_of(span_t name) noexcept nogil
# The canonical spelling of a known name ("X-Request-ID").
cdef span_t header_name_of(uint16_t id) noexcept nogil
cdef inline bint header_token_byte(char c) noexcept nogil:
    return token_byte[<uint8_t>c]

cdef bint header_name_valid(span_t name) noexcept nogil       # token, not empty
# Both in one: the id of a name that is a token, else -1.
cdef int header_id_valid(span_t name) noexcept nogil
cdef bint header_value_valid(span_t value) noexcept nogil     # VCHAR, obs-text, SP, HTAB; trimmed

cdef void headers_init(headers_t* hs, header_t* inline_items, uint16_t cap) noexcept nogil
# A fresh, uninitialised entry at the end; NULL when full or out of memory. The list grows in the
# arena up to HEADERS_MAX + HEADERS_OWN: behind all the fields a peer may send, ours have room.
cdef header_t* headers_append(headers_t* hs, arena_t* arena) noexcept nogil
# Whether two names of that length, not 0, are the same in any case.
cdef bint header_name_equal(const char* a, const char* b, uint32_t size) noexcept nogil
# The first entry of that name (not empty, in any case) from `h` on that has none of the flags
# `without`; NULL: none before `end`. Most names differ in length: all that is looked at of those.
cdef inline header_t* headers_scan(header_t* h, header_t* end, span_t name,
                                   uint16_t without) noexcept nogil:
    while True:
        while <char*>end - <char*>h >= 4 * <ptrdiff_t>sizeof(header_t):
            if h.name.len == name.len:
                break
            h += 1
            if h.name.len == name.len:
                break
            h += 1
            if h.name.len == name.len:
                break
            h += 1
            if h.name.len == name.len:
                break
            h += 1
        while h < end and h.name.len != name.len:
            h += 1
        if h >= end:
            return NULL
        if not h.flags & without and header_name_equal(h.name.ptr, name.ptr, name.len):
            return h
        h += 1

# First entry with that id that is not removed; NULL: none. `after` NULL starts at the beginning.
# An append may move the list: keep no entry's address across one.
cdef header_t* headers_find(headers_t* hs, uint16_t id, header_t* after) noexcept nogil
cdef header_t* headers_find_name(headers_t* hs, span_t name, header_t* after) noexcept nogil
# Marks every entry of that name removed; returns how many.
cdef uint32_t headers_remove(headers_t* hs, uint16_t id) noexcept nogil
cdef inline uint32_t headers_remove_name(headers_t* hs, span_t name) noexcept nogil:
    cdef header_t* end = hs.items + hs.count
    cdef header_t* h = headers_scan(hs.items, end, name, HF_REMOVED)
    cdef uint32_t removed = 0
    while h != NULL:
        h.flags |= HF_REMOVED
        removed += 1
        h = headers_scan(h + 1, end, name, HF_REMOVED)
    return removed

# Appends "name: value" as a new line in the arena: name and value become spans of that line and
# raw_len its length, so that neighbours leave as one run. 0, or E_CORE_INTERNAL for bytes the wire
# forbids, E_CORE_MEMORY.
cdef int headers_add(headers_t* hs, arena_t* arena, span_t name, span_t value) noexcept nogil
# The same with what headers_add asks for itself: both are valid, `id` is the name's.
cdef int headers_write(headers_t* hs, arena_t* arena, uint16_t id, span_t name,
                       span_t value) noexcept nogil
# headers_remove + headers_add.
cdef int headers_set(headers_t* hs, arena_t* arena, span_t name, span_t value) noexcept nogil
# Marks hop-by-hop what RFC 9110 7.6.1 and the list in Connection say: those never leave. Fields
# that frame or route (Host, Content-Length, X-Forwarded-*, ...) are not dropped on a Connection
# list's word: no name that has an id of its own is, nor what we added ourselves.
cdef void headers_mark_hop(headers_t* hs) noexcept nogil
