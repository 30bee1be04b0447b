# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: what a client and a response say of content codings: Accept-Encoding, and entity tags.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: compress, or decide by anything but these fields.
# Read next: coding.pxd for the contract.

from libc.stdint cimport uint32_t
from libc.string cimport memcmp, memcpy
from pygw._core.arena cimport arena_bytes
from pygw._core.headers cimport headers_find, headers_find_name
from pygw._core.types.header cimport header_t, headers_t, span_t, H_CACHE_CONTROL
from pygw._core.types.memory cimport arena_t
from pygw._core.view cimport (
    is_blank, lower, span, span_is, span_is_nocase, span_next_member, span_trim)

cdef enum:
    ABSENT = -1               # of a weight: the coding is not named
    MARK_BYTES = 5

cdef const char* MARK = b"~gzip"


# --- Accept-Encoding ------------------------------------------------------------------------------


# "q=0.8" in thousandths (RFC 9110 12.4.2); 0, a refusal, for what is malformed.
cdef int quality_of(span_t text) noexcept nogil:
    cdef int value = 0, scale = 1000
    cdef uint32_t i
    if text.len < 3 or text.len > 7 or lower(text.ptr[0]) != c'q' or text.ptr[1] != c'=':
        return 0
    for i in range(2, text.len):
        if i == 3:
            if text.ptr[i] != c'.':
                return 0
            continue
        if not c'0' <= text.ptr[i] <= c'9':
            return 0
        value += scale * (text.ptr[i] - c'0')
        scale //= 10
    return value if value <= 1000 else 0


# A member is "coding" or "coding;q=0.5", with white space around ';'. Its name, and its weight.
cdef span_t member_split(span_t member, int* quality) noexcept nogil:
    cdef uint32_t i = 0
    while i < member.len and member.ptr[i] != c';':
        i += 1
    quality[0] = 1000
    if i < member.len:
        quality[0] = quality_of(span_trim(span(member.ptr + i + 1, member.len - i - 1)))
    return span_trim(span(member.ptr, i))


cdef bint coding_accepts_gzip(headers_t* hs) noexcept nogil:
    cdef span_t name = span(b"accept-encoding", 15)
    cdef header_t* h = headers_find_name(hs, name, NULL)
    cdef int gzip = ABSENT, identity = ABSENT, star = ABSENT, quality = 0
    cdef span_t rest, member, coding
    while h != NULL:
        rest = h.value
        while span_next_member(&rest, &member):
            coding = member_split(member, &quality)
            if span_is_nocase(coding, b"gzip", 4) or span_is_nocase(coding, b"x-gzip", 6):
                gzip = quality if quality > gzip else gzip      # RFC 9110 8.4.1.3: one coding
            elif span_is_nocase(coding, b"identity", 8):
                identity = quality
            elif span_is(coding, b"*", 1):
                star = quality
        h = headers_find_name(hs, name, h)
    if gzip == ABSENT:
        gzip = star
    return gzip > 0 and gzip >= identity


cdef bint coding_no_transform(headers_t* hs) noexcept nogil:
    cdef header_t* h = headers_find(hs, H_CACHE_CONTROL, NULL)
    cdef span_t rest, member
    while h != NULL:
        rest = h.value
        while span_next_member(&rest, &member):
            if span_is_nocase(member, b"no-transform", 12):
                return True
        h = headers_find(hs, H_CACHE_CONTROL, h)
    return False


# --- entity tags ----------------------------------------------------------------------------------


# One entity-tag of a list (RFC 9110 8.8.3).
cdef struct tag_t:
    bint weak
    span_t opaque             # without its quotes


# Takes the next tag off `rest`. 1; 0 at the end; -1: what stands here is none.
cdef int tag_next(span_t* rest, tag_t* tag) noexcept nogil:
    cdef uint32_t i = 0, start
    while i < rest.len and (is_blank(rest.ptr[i]) or rest.ptr[i] == c','):
        i += 1
    if i == rest.len:
        return 0
    tag.weak = i + 1 < rest.len and rest.ptr[i] == c'W' and rest.ptr[i + 1] == c'/'
    if tag.weak:
        i += 2
    if i == rest.len or rest.ptr[i] != c'"':
        return -1
    start = i + 1
    i = start
    while i < rest.len and rest.ptr[i] != c'"':
        i += 1
    if i == rest.len:
        return -1
    tag.opaque = span(rest.ptr + start, i - start)
    rest.ptr += i + 1
    rest.len -= i + 1
    return 1


# Whether coding_mark_tag made it.
cdef inline bint tag_marked(const tag_t* tag) noexcept nogil:
    return (tag.weak and tag.opaque.len >= MARK_BYTES
            and memcmp(tag.opaque.ptr + tag.opaque.len - MARK_BYTES, MARK, MARK_BYTES) == 0)


cdef inline char* put(char* p, const char* text, size_t size) noexcept nogil:
    memcpy(p, text, size)             # COPY: a tag is made of its parts
    return p + size


cdef bint coding_mark_tag(arena_t* arena, span_t tag, span_t* out) noexcept nogil:
    cdef span_t rest = tag
    cdef tag_t one
    cdef char* line
    cdef char* p
    out[0] = span(b"", 0)
    if tag_next(&rest, &one) != 1 or rest.len != 0:
        return True
    out[0] = tag
    if one.weak:
        return True
    line = arena_bytes(arena, <size_t>tag.len + 2 + MARK_BYTES)
    if line == NULL:
        return False
    p = put(line, b"W/\"", 3)
    p = put(p, one.opaque.ptr, one.opaque.len)
    p = put(p, MARK, MARK_BYTES)
    p = put(p, b"\"", 1)
    out[0] = span(line, p - line)
    return True


cdef bint coding_has_marked(span_t value, span_t tag) noexcept nogil:
    cdef span_t own = tag
    cdef tag_t one, wanted
    if tag_next(&own, &wanted) != 1 or wanted.weak:
        return False
    while tag_next(&value, &one) == 1:
        if (tag_marked(&one) and one.opaque.len - MARK_BYTES == wanted.opaque.len
                and memcmp(one.opaque.ptr, wanted.opaque.ptr, wanted.opaque.len) == 0):
            return True
    return False


# How many tags of the list are marked; -1: it is no list of tags.
cdef int marks_count(span_t value) noexcept nogil:
    cdef tag_t one
    cdef int count = 0, kind = tag_next(&value, &one)
    while kind == 1:
        count += tag_marked(&one)
        kind = tag_next(&value, &one)
    return count if kind == 0 else -1


cdef bint coding_unmark_tags(arena_t* arena, span_t value, span_t* out,
                             bint* changed) noexcept nogil:
    cdef tag_t one
    cdef char* line
    cdef char* p
    out[0] = value
    changed[0] = marks_count(value) > 0
    if not changed[0]:
        return True
    # A separator has two bytes and may have had one, or none.
    line = arena_bytes(arena, 2 * <size_t>value.len)
    if line == NULL:
        return False
    p = line
    while tag_next(&value, &one) == 1:
        if p != line:
            p = put(p, b", ", 2)
        if tag_marked(&one):
            one.weak = False
            one.opaque.len -= MARK_BYTES
        p = put(p, b"W/\"", 3) if one.weak else put(p, b"\"", 1)
        p = put(p, one.opaque.ptr, one.opaque.len)
        p = put(p, b"\"", 1)
    out[0] = span(line, p - line)
    return True
