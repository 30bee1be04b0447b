# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: the filter `gzip`: compressing responses for clients that accept it.
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: compress what says not to, or delay what has come.
# Read next: gzip.pxd for the contract.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from pygw._core.arena cimport arena_zalloc
from pygw._core.buffer cimport slices_clear, slices_init, slices_move
from pygw._core.chain cimport chain_edit_response
from pygw._core.check cimport unlikely
from pygw._core.coding cimport (
    coding_accepts_gzip, coding_has_marked, coding_mark_tag, coding_no_transform,
    coding_unmark_tags)
from pygw._core.deflater cimport (
    deflater_flush, deflater_give, deflater_t, deflater_take, deflater_write, deflaters_t)
from pygw._core.fault cimport E_CORE_MEMORY
from pygw._core.headers cimport (
    headers_add, headers_find_name, headers_remove_name, headers_set)
from pygw._core.libs.llhttp cimport HTTP_HEAD
from pygw._core.libs.zlib cimport zlib_ready
from pygw._core.libs.zlib import problem as no_zlib
from pygw._core.part cimport Part, plan_alloc, plan_fail, plan_keep, plan_text
from pygw._core.stats cimport (
    stat_add, ST_GZIP_BYTES_IN, ST_GZIP_BYTES_OUT, ST_GZIP_FULL, ST_GZIP_RESPONSES)
from pygw._core.types.exchange cimport (
    exchange_t, filter_t, filter_ops_t, verdict_t, VERDICT_NEXT, VERDICT_ABORT, XF_HELD,
    XF_STEPPED)
from pygw._core.types.header cimport (
    header_t, headers_t, span_t, HF_HOP, HF_REMOVED, H_CONTENT_LENGTH, H_CONTENT_TYPE, H_OTHER)
from pygw._core.types.memory cimport arena_t, slices_t
from pygw._core.types.message cimport FRAMING_NONE
from pygw._core.view cimport (
    span, span_is_nocase, span_next_member, span_to_length, span_trim)

cdef enum:
    TYPES_MAX = 128
    TYPE_BYTES = 256

# A media type in lower case; `star`: anything may stand between the two parts.
cdef struct type_t:
    span_t head               # plan
    span_t tail               # plan
    bint star

cdef struct conf_t:
    type_t* types             # plan
    uint64_t min_length
    uint16_t type_count
    uint8_t level

# What the filter knows of one exchange.
cdef struct state_t:
    bint accepts              # the client takes gzip
    bint checked              # the head that left is the one that was announced
    deflater_t* deflater      # own: until the response's end, or the log phase
    const char* mark          # borrow(exchange, until its end): the value of our Content-Encoding
    span_t asked              # borrow(exchange, until its end): If-None-Match as it came

# The fields of a response that decide.
cdef struct found_t:
    header_t* type            # borrow(headers, until the next append)
    header_t* tag             # borrow(headers, until the next append)
    bint length_known
    uint64_t length
    bint forbidden            # something says that the content is to stay as it is
    bint varies               # Vary names Accept-Encoding, or everything

cdef filter_ops_t ops


# --- build ----------------------------------------------------------------------------------------


cdef int type_build(type_t* out, object value, str place, arena_t* arena) except -1:
    cdef bytes text = plan_text(value, place, TYPE_BYTES).lower()
    if text == b"*/*":
        text = b"*"
    head, star, tail = text.partition(b"*")
    if not text or b"*" in tail:
        plan_fail(place, f"not a media type with at most one *: {ascii(value)}")
    out.star = len(star) != 0
    plan_keep(arena, head, &out.head)
    plan_keep(arena, tail, &out.tail)
    return 0


cdef int gzip_build(Part part, arena_t* arena, filter_t* out) except -1:
    cdef conf_t* conf = <conf_t*>plan_alloc(arena, sizeof(conf_t))
    cdef list types = part.items("types")
    if not zlib_ready():
        plan_fail(part.place, f"gzip needs zlib: {no_zlib.problem}; {no_zlib.remedy}")
    conf.level = part.number("level", 1, 9)
    conf.min_length = part.number("min_length", 0, 0x7FFFFFFFFFFFFFFFU)
    if len(types) > TYPES_MAX:
        plan_fail(part.at("types"), f"has more than {<int>TYPES_MAX} types")
    conf.types = <type_t*>plan_alloc(arena, len(types) * sizeof(type_t))
    for i, value in enumerate(types):
        type_build(&conf.types[<uint16_t>i], value, f"{part.at('types')}[{i}]", arena)
    conf.type_count = <uint16_t>len(types)
    out.ops = &ops
    out.conf = conf
    return 0


# --- the request ----------------------------------------------------------------------------------


cdef inline verdict_t failed(exchange_t* x, int error) noexcept nogil:
    x.error = error
    return VERDICT_ABORT


# Gives the service its own tags again. False: out of memory.
cdef bint tags_restore(exchange_t* x, span_t name, span_t* asked) noexcept nogil:
    cdef headers_t* hs = &x.request.half.headers
    cdef header_t* h = headers_find_name(hs, name, NULL)
    cdef span_t value
    cdef bint changed = False
    if h == NULL:
        return True
    if not coding_unmark_tags(&x.arena, h.value, &value, &changed):
        return False
    if not changed:
        return True
    asked[0] = h.value
    return headers_set(hs, &x.arena, name, value) == 0


# Made in the request phase, or in the response's when a filter in front has replied; NULL: out of
# memory.
cdef state_t* state_of(exchange_t* x, const filter_t* f) noexcept nogil:
    cdef state_t* s = <state_t*>x.slots[f.slot]
    cdef headers_t* hs = &x.request.half.headers
    if s != NULL:
        return s
    s = <state_t*>arena_zalloc(&x.arena, sizeof(state_t))
    if s != NULL:
        s.accepts = (x.request.half.version >= 11 and coding_accepts_gzip(hs)
                     and not coding_no_transform(hs))
        x.slots[f.slot] = s
    return s


cdef verdict_t gzip_request(exchange_t* x, const filter_t* f) noexcept nogil:
    cdef state_t* s = state_of(x, f)
    cdef span_t unused
    if unlikely(s == NULL):
        return failed(x, E_CORE_MEMORY)
    if unlikely(not tags_restore(x, span(b"If-None-Match", 13), &s.asked)
                or not tags_restore(x, span(b"If-Match", 8), &unused)):
        return failed(x, E_CORE_MEMORY)
    return VERDICT_NEXT


# --- the response's head --------------------------------------------------------------------------


cdef bint type_fits(const type_t* t, span_t kind) noexcept nogil:
    if not t.star:
        return span_is_nocase(kind, t.head.ptr, t.head.len)
    return (kind.len >= t.head.len + t.tail.len
            and span_is_nocase(span(kind.ptr, t.head.len), t.head.ptr, t.head.len)
            and span_is_nocase(span(kind.ptr + kind.len - t.tail.len, t.tail.len),
                               t.tail.ptr, t.tail.len))


cdef bint type_listed(const conf_t* conf, span_t value) noexcept nogil:
    cdef uint32_t i = 0
    cdef span_t kind
    while i < value.len and value.ptr[i] != c';':
        i += 1
    kind = span_trim(span(value.ptr, i))
    for i in range(conf.type_count):
        if type_fits(&conf.types[i], kind):
            return True
    return False


cdef void vary_weigh(found_t* found, span_t value) noexcept nogil:
    cdef span_t member
    while span_next_member(&value, &member):
        found.varies |= (span_is_nocase(member, b"accept-encoding", 15)
                         or span_is_nocase(member, b"*", 1))


# A field whose name has no id of its own. Digests are of the content as it came (RFC 9530 2, 3;
# Content-MD5 of RFC 2616 14.15; Digest of RFC 3230).
cdef void other_weigh(found_t* found, header_t* h) noexcept nogil:
    cdef span_t name = h.name
    if name.len == 4:
        if span_is_nocase(name, b"etag", 4):
            found.tag = h
        elif span_is_nocase(name, b"vary", 4):
            vary_weigh(found, h.value)
    elif span_is_nocase(name, b"content-encoding", 16):
        found.forbidden |= not span_is_nocase(h.value, b"identity", 8)
    elif (span_is_nocase(name, b"content-range", 13) or span_is_nocase(name, b"content-digest", 14)
            or span_is_nocase(name, b"repr-digest", 11) or span_is_nocase(name, b"digest", 6)
            or span_is_nocase(name, b"content-md5", 11)):
        found.forbidden = True


cdef void fields_walk(headers_t* hs, found_t* found) noexcept nogil:
    cdef header_t* h = hs.items
    cdef header_t* end = hs.items + hs.count
    found.type = found.tag = NULL
    found.length_known = found.forbidden = found.varies = False
    found.length = 0
    while h < end:
        if h.flags & (HF_REMOVED | HF_HOP):
            pass
        elif h.id == H_OTHER:
            other_weigh(found, h)
        elif h.id == H_CONTENT_TYPE:
            found.type = h
        elif h.id == H_CONTENT_LENGTH:
            found.length_known = span_to_length(h.value, &found.length)
        h += 1


# Whether this status may come with content of its own, as a whole. 101 has none, nor 204 and 205;
# 206 is a part of it.
cdef inline bint status_whole(uint32_t status) noexcept nogil:
    return status >= 200 and not (204 <= status <= 206) and status != 304


cdef bint could_compress(const exchange_t* x, const conf_t* conf,
                         const found_t* found) noexcept nogil:
    if not status_whole(x.response.status) or found.forbidden or found.type == NULL:
        return False
    if found.length_known and (found.length < conf.min_length or found.length == 0):
        return False
    if x.response.half.framing == FRAMING_NONE and x.request.method != HTTP_HEAD:
        return False
    return type_listed(conf, found.type.value)


# The tag of a 304 as the client knows it, for that is what it asked with (RFC 9110 15.4.5).
cdef int tag_answer(exchange_t* x, const state_t* s, span_t tag) noexcept nogil:
    cdef span_t marked
    if s.asked.len == 0 or not coding_has_marked(s.asked, tag):
        return 0
    if not coding_mark_tag(&x.arena, tag, &marked):
        return E_CORE_MEMORY
    return headers_set(&x.response.half.headers, &x.arena, span(b"ETag", 4), marked)


cdef int not_modified(exchange_t* x, const state_t* s, const conf_t* conf,
                      const found_t* found) noexcept nogil:
    cdef headers_t* hs = &x.response.half.headers
    cdef span_t tag = found.tag.value if found.tag != NULL else span(b"", 0)
    cdef int error = 0
    if not found.varies and (found.type == NULL or type_listed(conf, found.type.value)):
        error = headers_add(hs, &x.arena, span(b"Vary", 4), span(b"Accept-Encoding", 15))
    return error if error != 0 else tag_answer(x, s, tag)


# The head of a compressed response. 0 or a negative E_*.
cdef int head_edit(exchange_t* x, state_t* s, span_t tag) noexcept nogil:
    cdef headers_t* hs = &x.response.half.headers
    cdef span_t name = span(b"ETag", 4), marked
    cdef int error
    chain_edit_response(x)
    headers_remove_name(hs, span(b"Accept-Ranges", 13))
    if tag.len:
        if not coding_mark_tag(&x.arena, tag, &marked):
            return E_CORE_MEMORY
        if marked.len == 0:
            headers_remove_name(hs, name)
        elif marked.ptr != tag.ptr:
            error = headers_set(hs, &x.arena, name, marked)
            if error != 0:
                return error
    error = headers_set(hs, &x.arena, span(b"Content-Encoding", 16), span(b"gzip", 4))
    if error == 0:
        s.mark = hs.items[hs.count - 1].value.ptr
    return error


cdef void deflater_drop(state_t* s) noexcept nogil:
    if s.deflater != NULL:
        deflater_give(s.deflater)
        s.deflater = NULL


cdef verdict_t gzip_response(exchange_t* x, const filter_t* f) noexcept nogil:
    cdef const conf_t* conf = <conf_t*>f.conf
    cdef state_t* s = state_of(x, f)
    cdef headers_t* hs = &x.response.half.headers
    cdef found_t found
    cdef span_t tag
    cdef int error = 0
    if unlikely(s == NULL):
        return failed(x, E_CORE_MEMORY)
    deflater_drop(s)
    fields_walk(hs, &found)
    if x.response.status == 304:
        error = not_modified(x, s, conf, &found)
        return VERDICT_NEXT if error == 0 else failed(x, error)
    if not could_compress(x, conf, &found) or coding_no_transform(hs):
        return VERDICT_NEXT
    tag = found.tag.value if found.tag != NULL else span(b"", 0)
    if not found.varies:
        error = headers_add(hs, &x.arena, span(b"Vary", 4), span(b"Accept-Encoding", 15))
    if error != 0 or not s.accepts:
        return VERDICT_NEXT if error == 0 else failed(x, error)
    if x.response.half.framing != FRAMING_NONE:
        s.deflater = deflater_take(<deflaters_t*>x.host.deflaters, conf.level)
        if unlikely(s.deflater == NULL):
            stat_add(x.host.counters, ST_GZIP_FULL, 1)
            return VERDICT_NEXT
        stat_add(x.host.counters, ST_GZIP_RESPONSES, 1)
        x.flags |= XF_STEPPED
    error = head_edit(x, s, tag)
    return VERDICT_NEXT if error == 0 else failed(x, error)


# --- the response's body --------------------------------------------------------------------------


# Is the head that left still the one that was announced? A filter behind may have replied with
# another response, or taken the field away: then its content is what it says.
cdef bint head_is_ours(exchange_t* x, const state_t* s) noexcept nogil:
    cdef header_t* h = headers_find_name(&x.response.half.headers, span(b"Content-Encoding", 16),
                                         NULL)
    return h != NULL and h.value.ptr == s.mark


cdef verdict_t gzip_body(exchange_t* x, const filter_t* f, slices_t* body,
                         bint last) noexcept nogil:
    cdef state_t* s = <state_t*>x.slots[f.slot]
    cdef slices_t out
    cdef int error = 0
    if s == NULL or s.deflater == NULL:
        return VERDICT_NEXT
    if not s.checked:
        s.checked = True
        if unlikely(not head_is_ours(x, s)):
            deflater_drop(s)
            return VERDICT_NEXT
    slices_init(&out)
    stat_add(x.host.counters, ST_GZIP_BYTES_IN, body.bytes)
    if body.first != NULL:
        error = deflater_write(s.deflater, body, &out)
    if error == 0 and (last or body.first == NULL):
        error = deflater_flush(s.deflater, last, &out)
    elif s.deflater.held:
        x.flags |= XF_HELD
    stat_add(x.host.counters, ST_GZIP_BYTES_OUT, out.bytes)
    slices_clear(x.host.buffers, body)
    slices_move(body, &out)
    if last or error != 0:
        deflater_drop(s)
    return VERDICT_NEXT if error == 0 else failed(x, error)


cdef void gzip_log(exchange_t* x, const filter_t* f) noexcept nogil:
    cdef state_t* s = <state_t*>x.slots[f.slot]
    if s != NULL:
        deflater_drop(s)


ops.name = b"gzip"
ops.request = gzip_request
ops.response = gzip_response
ops.response_body = gzip_body
ops.log = gzip_log
