# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: what a request tells of its way: X-Forwarded-*, Forwarded, Via, X-Request-ID, traceparent.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: believe a field of a peer that is not among plan.trusted.
# Read next: forwarding.pxd for the contract.

from libc.stdint cimport uint16_t, uint32_t, uint64_t
from libc.string cimport memchr, memcpy
from pygw._core.check cimport likely, unlikely
from pygw._core.address cimport address_parse, address_text
from pygw._core.arena cimport arena_bytes
from pygw._core.cidr_set cimport cidr_set_has
from pygw._core.fault cimport E_CORE_MEMORY, E_DOWN_LOOP
from pygw._core.headers cimport headers_append, headers_remove
from pygw._core.ids cimport (
    ids_t, ids_uuid7, ids_traceparent, UUID_LENGTH, TRACEPARENT_LENGTH,
)
from pygw._core.types.address cimport address_t, ADDRESS_V4, ADDRESS_V6
from pygw._core.reply cimport reply_date
from pygw._core.types.exchange cimport exchange_t, XF_ID_MADE
from pygw._core.types.header cimport (
    header_t, headers_t, HF_EDITED, HF_REMOVED,
    H_OTHER, H_DATE, H_FORWARDED, H_FORWARDED_ALIAS, H_TRACEPARENT, H_TRACESTATE, H_VIA,
    H_X_FORWARDED_FOR, H_X_FORWARDED_HOST, H_X_FORWARDED_PROTO, H_X_REQUEST_ID,
)
from pygw._core.types.memory cimport arena_t
from pygw._core.types.message cimport MF_HAS_VIA
from pygw._core.view cimport (
    lower, is_blank, span, span_trim, span_is_nocase, span_equal_nocase, span_next_member,
)

cdef enum:
    REQUEST_ID_MAX = 128
    # Bytes of all added lines besides authority, via, request id and what is appended to: names,
    # separators, two addresses, a traceparent.
    LINES_FIXED = 320
    # Bytes of the lines that an answer gets, besides the request id.
    ANSWER_FIXED = 64


cdef inline uint64_t bit(uint16_t id) noexcept nogil:
    return <uint64_t>1 << id


cdef inline bint peer_trusted(const exchange_t* x) noexcept nogil:
    return x.plan.trusted.count != 0 and cidr_set_has(&x.plan.trusted, x.peer)


cdef bint forwarding_trusts(const exchange_t* x) noexcept nogil:
    return peer_trusted(x)


# --- begin ----------------------------------------------------------------------------------------


# Takes the last comma-separated member off `rest`, trimmed; False at the beginning.
cdef bint span_last_member(span_t* rest, span_t* member) noexcept nogil:
    cdef uint32_t start = rest.len
    if rest.ptr == NULL:
        return False
    while start > 0 and rest.ptr[start - 1] != c',':
        start -= 1
    member[0] = span_trim(span(rest.ptr + start, rest.len - start))
    if start > 0:
        rest.len = start - 1
    else:
        rest.ptr = NULL
    return True


# Walks one field from right to left. True: the walk ends here, with x.client set.
cdef bint client_in(exchange_t* x, span_t rest) noexcept nogil:
    cdef span_t member
    cdef address_t hop
    while span_last_member(&rest, &member):
        if member.len == 0:
            continue
        if not address_parse(&hop, member):
            return True       # what stands left of nonsense is nobody's word
        x.client = hop
        if not cidr_set_has(&x.plan.trusted, &hop):
            return True
    return False


# The rightmost address that is no trusted proxy, else the leftmost.
cdef void client_find(exchange_t* x) noexcept nogil:
    cdef headers_t* hs = &x.request.half.headers
    cdef uint32_t i = hs.count
    while i > 0:
        i -= 1
        if hs.items[i].id == H_X_FORWARDED_FOR and not hs.items[i].flags & HF_REMOVED:
            if client_in(x, hs.items[i].value):
                return


cdef bint request_id_sane(span_t id) noexcept nogil:
    cdef uint32_t i
    cdef char c
    if id.len == 0 or id.len > REQUEST_ID_MAX:
        return False
    for i in range(id.len):
        c = id.ptr[i]
        if not (c'a' <= lower(c) <= c'z' or c'0' <= c <= c'9' or c == c'-' or c == c'.'
                or c == c'_' or c == c'~' or c == c'+' or c == c'/' or c == c'=' or c == c':'):
            return False
    return True


# The one X-Request-ID that came, if it may be kept; else an empty span.
cdef span_t request_id_came(const headers_t* hs) noexcept nogil:
    cdef span_t id = span(NULL, 0)
    cdef uint32_t i
    for i in range(hs.count):
        if hs.items[i].id == H_X_REQUEST_ID and not hs.items[i].flags & HF_REMOVED:
            if id.ptr != NULL:
                return span(NULL, 0)
            id = hs.items[i].value
    return id if request_id_sane(id) else span(NULL, 0)


# Whether a member of Via, "[name/]version received-by [comment]" (RFC 9110 7.6.3), is about `via`.
cdef bint via_is(span_t member, span_t via) noexcept nogil:
    cdef uint32_t at = 0, start
    while at < member.len and not is_blank(member.ptr[at]):
        at += 1
    while at < member.len and is_blank(member.ptr[at]):
        at += 1
    start = at
    while at < member.len and not is_blank(member.ptr[at]) and member.ptr[at] != c'(':
        at += 1
    return span_equal_nocase(span(member.ptr + start, at - start), via)


# WHY commas within comments are not minded: a comment that somebody left open would else hide the
# member that we ourselves appended behind it, and the request would go round for ever.
cdef bint via_loops(const exchange_t* x) noexcept nogil:
    cdef const headers_t* hs = &x.request.half.headers
    cdef span_t rest, member
    cdef uint32_t i
    for i in range(hs.count):
        if hs.items[i].id == H_VIA and not hs.items[i].flags & HF_REMOVED:
            rest = hs.items[i].value
            while span_next_member(&rest, &member):
                if via_is(member, x.plan.via):
                    return True
    return False


cdef int forwarding_begin(exchange_t* x, ids_t* ids, uint64_t unix_ms) noexcept nogil:
    cdef char* made
    x.client = x.peer[0]
    x.request_id = span(NULL, 0)
    if unlikely(peer_trusted(x)):
        client_find(x)
        x.request_id = request_id_came(&x.request.half.headers)
    if likely(x.request_id.ptr == NULL):
        made = arena_bytes(&x.arena, UUID_LENGTH)
        if unlikely(made == NULL):
            return E_CORE_MEMORY
        ids_uuid7(ids, unix_ms, made)
        x.request_id = span(made, UUID_LENGTH)
        x.flags |= XF_ID_MADE
    if unlikely(x.request.half.flags & MF_HAS_VIA) and x.plan.via.len and via_loops(x):
        return E_DOWN_LOOP
    return 0


# --- the request to the upstream ------------------------------------------------------------------

# What a walk over the fields found. Masks have one bit a header_id.
cdef struct found_t:
    bint trusted
    uint64_t stay             # fields of which one stays: ours is not added
    span_t traceparent        # the only one that came, else empty
    uint32_t traceparents
    bint tracestate           # one came
    uint32_t for_bytes        # X-Forwarded-For to be appended to: its values and separators
    uint32_t forwarded_bytes  # Forwarded to be appended to


# Names of no id of their own that origins believe just as well.
cdef inline bint name_forwards(span_t name) noexcept nogil:
    if likely(name.len < 9 or lower(name.ptr[0]) != c'x' or name.ptr[1] != c'-'):
        return False
    if name.len == 9:
        return span_is_nocase(name, b"x-real-ip", 9)
    return name.len > 12 and span_is_nocase(span(name.ptr, 12), b"x-forwarded-", 12)


# One field of the forwarding kind that the client sent: is it removed, kept, or to be rewritten?
cdef void field_weigh(exchange_t* x, found_t* found, header_t* h) noexcept nogil:
    cdef uint16_t id = h.id
    if id == H_TRACEPARENT:
        found.traceparents += 1
        found.traceparent = h.value
        h.flags |= HF_REMOVED
    elif id == H_TRACESTATE:
        found.tracestate = True
    elif id == H_X_REQUEST_ID:
        if h.value.ptr == x.request_id.ptr:
            found.stay |= bit(id)
        else:
            h.flags |= HF_REMOVED
    elif not found.trusted:
        h.flags |= HF_REMOVED
    elif id == H_X_FORWARDED_FOR:
        found.for_bytes += h.value.len + 2
    elif id == H_FORWARDED and x.plan.forwarded:
        found.forwarded_bytes += h.value.len + 2
    else:
        found.stay |= bit(id)


cdef void fields_walk(exchange_t* x, found_t* found) noexcept nogil:
    cdef headers_t* hs = &x.request.half.headers
    cdef header_t* h = hs.items
    cdef header_t* end = hs.items + hs.count
    cdef uint64_t ours = bit(H_FORWARDED) | bit(H_FORWARDED_ALIAS) | bit(H_TRACEPARENT) \
        | bit(H_TRACESTATE) | bit(H_X_FORWARDED_FOR) | bit(H_X_FORWARDED_HOST) \
        | bit(H_X_FORWARDED_PROTO) | bit(H_X_REQUEST_ID)
    while h < end:
        if h.id == H_OTHER:
            if unlikely(name_forwards(h.name)) and not found.trusted and not h.flags & HF_EDITED:
                h.flags |= HF_REMOVED
        elif unlikely(ours & bit(h.id)) and not h.flags & HF_REMOVED:
            if h.flags & HF_EDITED:
                found.stay |= bit(h.id)
            else:
                field_weigh(x, found, h)
        h += 1


# Where the added lines are written: one run of bytes, a list entry each.
cdef struct run_t:
    char* at                  # arena: next byte
    headers_t* headers        # borrow(exchange, until the call ends)
    arena_t* arena            # borrow(exchange, until the call ends)
    header_t* line            # borrow(headers, until the next append): the one being written


cdef inline void run_put(run_t* r, const char* bytes, uint32_t size) noexcept nogil:
    memcpy(r.at, bytes, size)     # COPY: a new line is new memory
    r.at += size


cdef inline void run_put_span(run_t* r, span_t s) noexcept nogil:
    run_put(r, s.ptr, s.len)


# `start` is "Name: ", of `size` bytes. False: the list is full.
cdef inline bint line_begin(run_t* r, uint16_t id, const char* start, uint32_t size) noexcept nogil:
    cdef header_t* h = headers_append(r.headers, r.arena)
    if unlikely(h == NULL):
        return False
    r.line = h
    h.name = span(r.at, size - 2)
    h.id = id
    h.flags = HF_EDITED
    run_put(r, start, size)
    h.value.ptr = r.at
    return True


cdef inline void line_end(run_t* r) noexcept nogil:
    cdef header_t* h = r.line
    h.value.len = <uint32_t>(r.at - h.value.ptr)
    run_put(r, b"\r\n", 2)
    h.raw_len = <uint32_t>(r.at - h.name.ptr)


# Puts the values of all fields of that id, each followed by ", ", and removes them.
cdef void run_put_came(run_t* r, uint16_t id) noexcept nogil:
    cdef header_t* h = r.headers.items
    cdef header_t* end = h + r.headers.count
    while h < end:
        if h.id == id and not h.flags & (HF_REMOVED | HF_EDITED):
            h.flags |= HF_REMOVED
            if h.value.len:
                run_put_span(r, h.value)
                run_put(r, b", ", 2)
        h += 1


cdef bint line_forwarded_for(run_t* r, exchange_t* x, const found_t* found) noexcept nogil:
    if not line_begin(r, H_X_FORWARDED_FOR, b"X-Forwarded-For: ", 17):
        return False
    if unlikely(found.for_bytes):
        run_put_came(r, H_X_FORWARDED_FOR)
    run_put_span(r, address_text(x.peer))
    line_end(r)
    return True


# RFC 7239 4: the node is quoted where it is no token, and has no port.
cdef void run_put_node(run_t* r, const address_t* a) noexcept nogil:
    if a.family == ADDRESS_V4:
        run_put_span(r, address_text(a))
    elif a.family == ADDRESS_V6:
        run_put(r, b'"[', 2)
        run_put_span(r, address_text(a))
        run_put(r, b']"', 2)
    else:
        run_put(r, b"unknown", 7)


cdef bint line_forwarded(run_t* r, exchange_t* x, const found_t* found) noexcept nogil:
    cdef span_t host = x.request.authority
    if not line_begin(r, H_FORWARDED, b"Forwarded: ", 11):
        return False
    if found.forwarded_bytes:
        run_put_came(r, H_FORWARDED)
    run_put(r, b"for=", 4)
    run_put_node(r, x.peer)
    if host.len and memchr(host.ptr, c'"', host.len) == NULL \
            and memchr(host.ptr, c'\\', host.len) == NULL:
        run_put(r, b';host="', 7)
        run_put_span(r, host)
        run_put(r, b'"', 1)
    run_put(r, b";proto=http", 11)
    line_end(r)
    return True


cdef inline bint line_simple(run_t* r, uint16_t id, const char* start, uint32_t size,
                             span_t value) noexcept nogil:
    if unlikely(not line_begin(r, id, start, size)):
        return False
    run_put_span(r, value)
    line_end(r)
    return True


# A new line for Via even when one came: the two read as one list (RFC 9110 5.3), and what came
# stays part of the untouched run.
cdef bint line_via(run_t* r, exchange_t* x) noexcept nogil:
    if unlikely(not line_begin(r, H_VIA, b"Via: ", 5)):
        return False
    run_put(r, b"1.0 " if x.request.half.version == 10 else b"1.1 ", 4)
    run_put_span(r, x.plan.via)
    line_end(r)
    return True


cdef bint line_trace(run_t* r, exchange_t* x, ids_t* ids, const found_t* found) noexcept nogil:
    cdef const char* uuid = x.request_id.ptr if x.flags & XF_ID_MADE else NULL
    cdef span_t came = found.traceparent if found.traceparents == 1 else span(NULL, 0)
    if unlikely(not line_begin(r, H_TRACEPARENT, b"traceparent: ", 13)):
        return False
    if not ids_traceparent(ids, came, uuid, r.at) and found.tracestate:
        headers_remove(r.headers, H_TRACESTATE)
    r.at += TRACEPARENT_LENGTH
    line_end(r)
    return True


cdef bint lines_write(run_t* r, exchange_t* x, ids_t* ids, const found_t* found) noexcept nogil:
    cdef uint64_t stay = found.stay
    if not stay & bit(H_X_FORWARDED_FOR) and not line_forwarded_for(r, x, found):
        return False
    # WHY a literal: it is the scheme of the connection, which an absolute-form target may belie.
    if not stay & bit(H_X_FORWARDED_PROTO) \
            and not line_simple(r, H_X_FORWARDED_PROTO, b"X-Forwarded-Proto: ", 19,
                                span(b"http", 4)):
        return False
    if not stay & bit(H_X_FORWARDED_HOST) and x.request.authority.len \
            and not line_simple(r, H_X_FORWARDED_HOST, b"X-Forwarded-Host: ", 18,
                                x.request.authority):
        return False
    if x.plan.forwarded and not stay & bit(H_FORWARDED) and not line_forwarded(r, x, found):
        return False
    if x.plan.via.len and not line_via(r, x):
        return False
    if not stay & bit(H_X_REQUEST_ID) \
            and not line_simple(r, H_X_REQUEST_ID, b"X-Request-ID: ", 14, x.request_id):
        return False
    if stay & bit(H_TRACEPARENT):
        return True
    return line_trace(r, x, ids, found)


cdef int forwarding_request(exchange_t* x, ids_t* ids) noexcept nogil:
    cdef found_t found
    cdef run_t run
    cdef uint64_t size
    found.trusted = peer_trusted(x)
    found.stay = 0
    found.traceparents = 0
    found.traceparent = span(NULL, 0)
    found.tracestate = False
    found.for_bytes = 0
    found.forwarded_bytes = 0
    fields_walk(x, &found)
    size = LINES_FIXED + x.plan.via.len + x.request_id.len + x.request.authority.len \
        + found.for_bytes
    if x.plan.forwarded:
        size += x.request.authority.len + found.forwarded_bytes
    run.headers = &x.request.half.headers
    run.arena = &x.arena
    run.at = arena_bytes(&x.arena, size)
    if unlikely(run.at == NULL) or unlikely(not lines_write(&run, x, ids, &found)):
        return E_CORE_MEMORY
    return 0


# --- the response to the client -------------------------------------------------------------------


# Takes out the request id that came; whether the answer says when it was made.
cdef inline bint response_walk(headers_t* hs) noexcept nogil:
    cdef bint dated = False
    cdef int i
    for i in range(hs.count):
        if hs.items[i].id == H_X_REQUEST_ID:
            hs.items[i].flags |= HF_REMOVED
        elif hs.items[i].id == H_DATE and not hs.items[i].flags & HF_REMOVED:
            dated = True
    return dated


cdef int forwarding_response(exchange_t* x) noexcept nogil:
    cdef headers_t* hs = &x.response.half.headers
    cdef bint dated = response_walk(hs) or x.response.status < 200
    cdef run_t run
    run.headers = hs
    run.arena = &x.arena
    run.at = arena_bytes(&x.arena, x.request_id.len + ANSWER_FIXED)
    if unlikely(run.at == NULL):
        return E_CORE_MEMORY
    # RFC 9110 6.6.1: an answer without Date gets the time at which it came.
    if unlikely(not dated) and unlikely(not line_simple(
            &run, H_DATE, b"Date: ", 6, reply_date())):
        return E_CORE_MEMORY
    if likely(x.request_id.len) and unlikely(not line_simple(
            &run, H_X_REQUEST_ID, b"X-Request-ID: ", 14, x.request_id)):
        return E_CORE_MEMORY
    return 0
