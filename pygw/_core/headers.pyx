# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: the table of known names, and the list of fields of a half: look-up and editing.
# Thread and GIL: one worker's loop; no GIL. The tables are filled once, at import.
# Never does: let a byte into a name or value that the wire forbids (RFC 9110 5.1, 5.5).
# Read next: headers.pxd for the contract, http1_check.pyx for who fills a list.
"""Known field names, and lists of fields: look-up, addition, removal, hop-by-hop marks."""

from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memchr, memcpy, strlen
from pygw._core.check cimport BUG_ON, likely, unlikely
from pygw._core.fault cimport E_CORE_INTERNAL, E_CORE_MEMORY
from pygw._core.limits cimport HEADERS_MAX, HEADERS_OWN
from pygw._core.arena cimport arena_alloc, arena_bytes
from pygw._core.view cimport (
    lower, span, span_is_nocase, span_next_member, is_blank, word_equal_nocase, word_of)
from pygw._core.types.header cimport (
    HF_EDITED, HF_HOP, HF_REMOVED, HF_SENSITIVE,
    H_OTHER, H_ACCEPT, H_AUTHORIZATION, H_CACHE_CONTROL, H_CONNECTION, H_CONTENT_LENGTH,
    H_CONTENT_TYPE, H_COOKIE, H_DATE, H_EXPECT, H_FORWARDED, H_HOST, H_KEEP_ALIVE, H_LOCATION,
    H_PROXY_AUTHORIZATION, H_PROXY_CONNECTION, H_PROXY_STATUS, H_REFERER, H_RETRY_AFTER, H_SERVER,
    H_SET_COOKIE, H_TE, H_TRACEPARENT, H_TRACESTATE, H_TRAILER, H_TRANSFER_ENCODING, H_UPGRADE,
    H_USER_AGENT, H_VIA, H_X_FORWARDED_FOR, H_X_FORWARDED_HOST, H_X_FORWARDED_PROTO,
    H_X_REQUEST_ID, H_FORWARDED_ALIAS, H_COUNT)

cdef enum:
    KNOWN_LONGEST = 24      # bytes kept of a known name; the longest has 19
    SLOTS = 128             # of the perfect hash over the known names

# The spelling of a known name, and the same in lower case for comparing eight bytes at a time.
cdef struct known_t:
    const char* name        # static
    uint32_t size
    char folded[24]         # KNOWN_LONGEST

cdef known_t known[64]      # by header_id
cdef uint8_t slots[128]     # name_slot -> header_id

cdef uint8_t value_byte[256]    # 1 for the bytes of a field value (RFC 9110 5.5)


# Distinct for every known name (checked when the table is filled).
cdef inline uint32_t name_slot(const char* ptr, uint32_t size) noexcept nogil:
    cdef uint32_t first = <uint8_t>ptr[0] | 0x20
    cdef uint32_t last = <uint8_t>ptr[size - 1] | 0x20
    return (size + first * 4 + last * 21) & (SLOTS - 1)


# Whether `ptr` is `folded` but for case. Or-ing 0x20 lowers letters and spares digits and '-';
# the only bytes it makes equal to those and that are neither are control bytes, which no name has.
cdef inline bint folded_equal(const char* ptr, const char* folded, uint32_t size) noexcept nogil:
    cdef uint64_t a, b
    cdef uint32_t c, d, i = 0
    if size < 4:
        for i in range(size):
            if (ptr[i] | 0x20) != folded[i]:
                return False
        return True
    if size < 8:
        memcpy(&c, ptr, 4)        # COPY: a word is read where it may lie unaligned
        memcpy(&d, folded, 4)
        if (c | 0x20202020U) != d:
            return False
        memcpy(&c, ptr + size - 4, 4)     # COPY: a word, unaligned
        memcpy(&d, folded + size - 4, 4)
        return (c | 0x20202020U) == d
    while i + 8 <= size:
        memcpy(&a, ptr + i, 8)    # COPY: a word, unaligned
        memcpy(&b, folded + i, 8)
        if (a | 0x2020202020202020U) != b:
            return False
        i += 8
    memcpy(&a, ptr + size - 8, 8)         # COPY: a word, unaligned
    memcpy(&b, folded + size - 8, 8)
    return (a | 0x2020202020202020U) == b


# A name with '_' that some origin (CGI, WSGI, PHP: all map '-' and '_' to '_') would take for
# Forwarded's cousins: X_Forwarded_For, X-Forwarded_Proto, X_Real_IP and the like.
cdef bint name_is_alias(span_t name) noexcept nogil:
    cdef char folded[12]
    cdef uint32_t i
    if name.len < 9 or lower(name.ptr[0]) != c'x':
        return False
    if lower(name.ptr[2]) != (c'r' if name.len == 9 else c'f'):
        return False
    if memchr(name.ptr, c'_', name.len) == NULL:
        return False
    for i in range(12 if name.len > 12 else name.len):
        folded[i] = c'-' if name.ptr[i] == c'_' else lower(name.ptr[i])
    if name.len == 9:
        return span_is_nocase(span(folded, 9), b"x-real-ip", 9)
    return name.len > 12 and span_is_nocase(span(folded, 12), b"x-forwarded-", 12)


cdef uint16_t header_id_of(span_t name) noexcept nogil:
    cdef const known_t* k
    cdef uint16_t found
    if unlikely(name.len == 0):
        return H_OTHER
    found = slots[name_slot(name.ptr, name.len)]
    k = &known[found]
    if k.size == name.len and likely(folded_equal(name.ptr, k.folded, name.len)):
        return found
    return H_FORWARDED_ALIAS if name_is_alias(name) else H_OTHER


cdef span_t header_name_of(uint16_t id) noexcept nogil:
    if id >= H_COUNT:
        return span(NULL, 0)
    return span(known[id].name, known[id].size)


cdef int header_id_valid(span_t name) noexcept nogil:
    return header_id_of(name) if likely(header_name_valid(name)) else -1


cdef bint header_name_valid(span_t name) noexcept nogil:
    cdef uint8_t valid = name.len != 0
    cdef uint32_t i
    for i in range(name.len):
        valid &= token_byte[<uint8_t>name.ptr[i]]
    return valid


# Bit 0x80 of some byte is set if a byte of the word is below 0x20 or DEL, and hardly ever else.
# (Below n a byte borrows when n is taken off; adding 1 takes DEL to 0x80.)
cdef inline uint64_t word_odd(uint64_t word) noexcept nogil:
    return (word - 0x2020202020202020U | word + 0x0101010101010101U) & ~word


cdef bint value_bytes_valid(span_t value) noexcept nogil:
    cdef uint32_t i
    for i in range(value.len):
        if not value_byte[<uint8_t>value.ptr[i]]:
            return False
    return True


cdef bint header_value_valid(span_t value) noexcept nogil:
    cdef const char* p = value.ptr
    cdef const char* last = p + value.len - 8
    cdef uint64_t odd = 0
    if value.len == 0:
        return True
    if is_blank(p[0]) or is_blank(p[value.len - 1]):
        return False
    if value.len < 4:
        return value_bytes_valid(value)
    if value.len < 8:
        odd = word_odd(word_of(p, value.len))
    else:
        while p < last:
            odd |= word_odd(word_of(p, 8))
            p += 8
        odd |= word_odd(word_of(last, 8))
    return likely((odd & 0x8080808080808080U) == 0) or value_bytes_valid(value)


cdef void headers_init(headers_t* hs, header_t* inline_items, uint16_t cap) noexcept nogil:
    hs.items = inline_items
    hs.count = 0
    hs.cap = cap


# Twice the room, in the arena; the old items stay where they are, unused.
cdef bint headers_grow(headers_t* hs, arena_t* arena) noexcept nogil:
    cdef uint32_t cap = 2 * hs.cap if hs.cap else 8
    cdef header_t* items
    if cap > HEADERS_MAX + HEADERS_OWN:
        cap = HEADERS_MAX + HEADERS_OWN
    if hs.count >= cap:
        return False
    items = <header_t*>arena_alloc(arena, cap * sizeof(header_t))
    if items == NULL:
        return False
    if hs.count:
        memcpy(items, hs.items, hs.count * sizeof(header_t))   # COPY: the list outgrew its room
    hs.items = items
    hs.cap = <uint16_t>cap
    return True


cdef header_t* headers_append(headers_t* hs, arena_t* arena) noexcept nogil:
    if unlikely(hs.count >= hs.cap) and not headers_grow(hs, arena):
        return NULL
    hs.count += 1
    return &hs.items[hs.count - 1]


cdef header_t* headers_find(headers_t* hs, uint16_t id, header_t* after) noexcept nogil:
    cdef header_t* h = hs.items if after == NULL else after + 1
    cdef header_t* end = hs.items + hs.count
    while h < end:
        if h.id == id and not h.flags & HF_REMOVED:
            return h
        h += 1
    return NULL


cdef bint header_name_equal(const char* a, const char* b, uint32_t size) noexcept nogil:
    cdef const char* last = a + size - 8
    if size < 8:
        return word_equal_nocase(word_of(a, size), word_of(b, size))
    while a < last:
        if not word_equal_nocase(word_of(a, 8), word_of(b, 8)):
            return False
        a += 8
        b += 8
    return word_equal_nocase(word_of(last, 8), word_of(b - (a - last), 8))


cdef header_t* headers_find_name(headers_t* hs, span_t name, header_t* after) noexcept nogil:
    return headers_scan(hs.items if after == NULL else after + 1, hs.items + hs.count, name,
                        HF_REMOVED)


cdef uint32_t headers_remove(headers_t* hs, uint16_t id) noexcept nogil:
    cdef header_t* h = headers_find(hs, id, NULL)
    cdef uint32_t removed = 0
    while h != NULL:
        h.flags |= HF_REMOVED
        removed += 1
        h = headers_find(hs, id, h)
    return removed


cdef int headers_add(headers_t* hs, arena_t* arena, span_t name, span_t value) noexcept nogil:
    cdef int id = header_id_valid(name)
    if id < 0 or not header_value_valid(value):
        return E_CORE_INTERNAL
    return headers_write(hs, arena, <uint16_t>id, name, value)


# What memcpy does, without a call up to 16 bytes, which most names and values have.
cdef inline void copy_short(char* to, const char* ptr, uint32_t size) noexcept nogil:
    if size > 16:
        memcpy(to, ptr, size)              # COPY: a new line is new memory
    elif size >= 8:
        memcpy(to, ptr, 8)                 # COPY: as above, by two words that may overlap
        memcpy(to + size - 8, ptr + size - 8, 8)      # COPY: the second
    elif size >= 4:
        memcpy(to, ptr, 4)                 # COPY: as above
        memcpy(to + size - 4, ptr + size - 4, 4)      # COPY: the second
    elif size:
        to[0], to[size >> 1], to[size - 1] = ptr[0], ptr[size >> 1], ptr[size - 1]


cdef int headers_write(headers_t* hs, arena_t* arena, uint16_t id, span_t name,
                       span_t value) noexcept nogil:
    cdef uint64_t size = <uint64_t>name.len + value.len + 4      # ": " and CRLF
    cdef header_t* h
    cdef char* line
    if size > 0xFFFFFFFFU:
        return E_CORE_INTERNAL
    line = arena_bytes(arena, size)
    if unlikely(line == NULL or (hs.count == hs.cap and not headers_grow(hs, arena))):
        return E_CORE_MEMORY
    h = &hs.items[hs.count]
    hs.count += 1
    copy_short(line, name.ptr, name.len)
    memcpy(line + name.len, b": ", 2)      # COPY: as there
    copy_short(line + name.len + 2, value.ptr, value.len)
    memcpy(line + size - 2, b"\r\n", 2)    # COPY: as above
    h.name = span(line, name.len)
    h.value = span(line + name.len + 2, value.len)
    h.id = id
    h.flags = HF_EDITED | (HF_SENSITIVE if header_id_sensitive(id) else 0)
    h.raw_len = <uint32_t>size
    return 0


cdef int headers_set(headers_t* hs, arena_t* arena, span_t name, span_t value) noexcept nogil:
    cdef int id = header_id_valid(name)
    if id < 0 or not header_value_valid(value):
        return E_CORE_INTERNAL
    headers_remove_name(hs, name)
    return headers_write(hs, arena, <uint16_t>id, name, value)


cdef inline uint64_t bit(uint16_t id) noexcept nogil:
    return <uint64_t>1 << id


# Hop-by-hop whatever Connection says: RFC 9110 7.6.1; Proxy-Authorization is for the proxy that
# asked for it (11.7.2), and nobody behind us did.
cdef inline bint id_is_hop(uint16_t id) noexcept nogil:
    return (bit(H_CONNECTION) | bit(H_KEEP_ALIVE) | bit(H_PROXY_CONNECTION) | bit(H_TE)
            | bit(H_TRANSFER_ENCODING) | bit(H_UPGRADE) | bit(H_PROXY_AUTHORIZATION)) & bit(id) != 0


# One member of a Connection list. Known names either are hop-by-hop anyway or mean the whole way to
# the origin: a client that lists those (X-Forwarded-For, Host, ...) wants them hidden from it.
# Fields that we added are none of the peer's.
cdef void mark_listed(headers_t* hs, span_t name) noexcept nogil:
    cdef header_t* h
    if name.len == 0 or span_is_nocase(name, b"close", 5) or header_id_of(name) != H_OTHER:
        return
    h = headers_find_name(hs, name, NULL)
    while h != NULL:
        if not h.flags & HF_EDITED:
            h.flags |= HF_HOP
        h = headers_find_name(hs, name, h)


cdef void headers_mark_hop(headers_t* hs) noexcept nogil:
    cdef header_t* h = hs.items
    cdef header_t* end = hs.items + hs.count
    cdef span_t rest, member
    while h < end:
        if unlikely(id_is_hop(h.id)):
            if h.id == H_CONNECTION and not h.flags & HF_REMOVED:
                rest = h.value
                while span_next_member(&rest, &member):
                    mark_listed(hs, member)
            h.flags |= HF_HOP
        h += 1


cdef void know(uint16_t id, const char* name) noexcept nogil:
    cdef known_t* k = &known[id]
    cdef uint32_t slot, i
    k.name = name
    k.size = <uint32_t>strlen(name)
    BUG_ON(k.size == 0 or k.size > KNOWN_LONGEST)
    for i in range(k.size):
        k.folded[i] = lower(name[i])
    slot = name_slot(name, k.size)
    BUG_ON(slots[slot] != H_OTHER)
    slots[slot] = <uint8_t>id


cdef void fill_names() noexcept nogil:
    know(H_ACCEPT, b"Accept")
    know(H_AUTHORIZATION, b"Authorization")
    know(H_CACHE_CONTROL, b"Cache-Control")
    know(H_CONNECTION, b"Connection")
    know(H_CONTENT_LENGTH, b"Content-Length")
    know(H_CONTENT_TYPE, b"Content-Type")
    know(H_COOKIE, b"Cookie")
    know(H_DATE, b"Date")
    know(H_EXPECT, b"Expect")
    know(H_FORWARDED, b"Forwarded")
    know(H_HOST, b"Host")
    know(H_KEEP_ALIVE, b"Keep-Alive")
    know(H_LOCATION, b"Location")
    know(H_PROXY_AUTHORIZATION, b"Proxy-Authorization")
    know(H_PROXY_CONNECTION, b"Proxy-Connection")
    know(H_PROXY_STATUS, b"Proxy-Status")
    know(H_REFERER, b"Referer")
    know(H_RETRY_AFTER, b"Retry-After")
    know(H_SERVER, b"Server")
    know(H_SET_COOKIE, b"Set-Cookie")
    know(H_TE, b"TE")
    know(H_TRACEPARENT, b"traceparent")
    know(H_TRACESTATE, b"tracestate")
    know(H_TRAILER, b"Trailer")
    know(H_TRANSFER_ENCODING, b"Transfer-Encoding")
    know(H_UPGRADE, b"Upgrade")
    know(H_USER_AGENT, b"User-Agent")
    know(H_VIA, b"Via")
    know(H_X_FORWARDED_FOR, b"X-Forwarded-For")
    know(H_X_FORWARDED_HOST, b"X-Forwarded-Host")
    know(H_X_FORWARDED_PROTO, b"X-Forwarded-Proto")
    know(H_X_REQUEST_ID, b"X-Request-ID")


cdef void fill_bytes() noexcept nogil:
    cdef const char* marks = b"!#$%&'*+-.^_`|~"
    cdef uint32_t i
    for i in range(256):
        value_byte[i] = i == 9 or 32 <= i < 127 or i > 127
        token_byte[i] = (48 <= i <= 57 or 65 <= i <= 90 or 97 <= i <= 122)
    for i in range(<uint32_t>strlen(marks)):
        token_byte[<uint8_t>marks[i]] = 1


fill_names()
fill_bytes()
