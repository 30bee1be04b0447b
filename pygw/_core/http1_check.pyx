# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: the rules on a complete head: fields, Host, framing, connection options.
# Thread and GIL: any; no GIL; pure functions.
# Never does: look at a byte of a body, or guess what a peer meant.
# Read next: http1_check.pxd for the contract.
"""Rules on a complete HTTP/1 head, above what llhttp checks (RFC 9112, RFC 9110)."""

from libc.stdint cimport uint32_t, uint64_t, uintptr_t
from libc.string cimport memchr, memset
from pygw._core.check cimport likely, unlikely
from pygw._core.limits cimport CONNECTION_MEMBERS_MAX, FIELD_NAME_MAX
from pygw._core.headers cimport header_id_of, header_id_sensitive, header_name_valid
from pygw._core.http1_line cimport (
    http1_authority_equal, http1_authority_split, http1_line_rebase_request,
    http1_line_rebase_response)
from pygw._core.view cimport (
    is_blank, span, span_is_nocase, span_next_member, span_to_length)
from pygw._core.types.header cimport (
    span_t, HF_REMOVED, HF_SENSITIVE, H_OTHER, H_CONNECTION, H_CONTENT_LENGTH, H_EXPECT, H_HOST,
    H_TE, H_TRANSFER_ENCODING, H_UPGRADE, H_VIA)
from pygw._core.types.message cimport (
    half_t, FORM_ABSOLUTE, FRAMING_CHUNKED, FRAMING_CLOSE, FRAMING_LENGTH, FRAMING_NONE,
    FRAMING_TUNNEL, MF_CONNECTION_LISTED, MF_EXPECT_CONTINUE, MF_HAS_VIA, MF_HEAD_ONLY,
    MF_KEEP_ALIVE, MF_TE_TRAILERS, MF_UPGRADE)
from pygw._core.fault cimport (
    E_DOWN_CODING, E_DOWN_EXPECT, E_DOWN_FRAMING, E_DOWN_HEADER, E_DOWN_HOST,
    E_UP_CODING, E_UP_FRAMING, E_UP_HEADER, E_UP_PROTOCOL, E_UP_UPGRADE)
from pygw._core.libs.llhttp cimport HTTP_GET

cdef enum:
    OPTION_CLOSE = 1
    OPTION_KEEP_ALIVE = 2
    OPTION_UPGRADE = 4
    OPTION_BAD = 8          # a member that is no token or one too many, or too long a field name

# What one pass over the fields found out.
cdef struct facts_t:
    header_t* host                # borrow(headers, until the call ends): the last Host; NULL: none
    header_t* length              # borrow(headers, until the call ends): likewise, as those below
    header_t* coding              # borrow(headers, until the call ends)
    header_t* expect              # borrow(headers, until the call ends)
    header_t* upgrade             # borrow(headers, until the call ends)
    uint32_t hosts                # how many there were
    uint32_t lengths
    uint32_t codings
    uint32_t expects
    uint32_t upgrades
    uint32_t options              # OPTION_* mask
    uint32_t members              # of all Connection fields


# One Connection field (RFC 9110 7.6.1).
cdef void read_options(half_t* half, facts_t* facts, span_t value) noexcept nogil:
    cdef span_t rest = value, member
    while span_next_member(&rest, &member):
        facts.members += 1
        if unlikely(facts.members > CONNECTION_MEMBERS_MAX):
            facts.options |= OPTION_BAD
            return
        if span_is_nocase(member, b"keep-alive", 10):
            facts.options |= OPTION_KEEP_ALIVE
        elif span_is_nocase(member, b"close", 5):
            facts.options |= OPTION_CLOSE
        elif span_is_nocase(member, b"upgrade", 7):
            facts.options |= OPTION_UPGRADE
        elif header_name_valid(member):
            half.flags |= MF_CONNECTION_LISTED
        elif member.len:
            facts.options |= OPTION_BAD


# Whether "trailers" is a member of a TE field (RFC 9110 10.1.4).
cdef bint lists_trailers(span_t value) noexcept nogil:
    cdef span_t rest = value, member
    while span_next_member(&rest, &member):
        if span_is_nocase(member, b"trailers", 8):
            return True
    return False


# Takes note of a field that frames or routes.
cdef void fact_note(half_t* half, facts_t* facts, header_t* h) noexcept nogil:
    if h.id == H_HOST:
        facts.host = h
        facts.hosts += 1
    elif h.id == H_CONNECTION:
        read_options(half, facts, h.value)
    elif h.id == H_CONTENT_LENGTH:
        facts.length = h
        facts.lengths += 1
    elif h.id == H_TRANSFER_ENCODING:
        facts.coding = h
        facts.codings += 1
    elif h.id == H_UPGRADE:
        facts.upgrade = h
        facts.upgrades += 1
    elif h.id == H_EXPECT:
        facts.expect = h
        facts.expects += 1
    elif h.id == H_VIA:
        half.flags |= MF_HAS_VIA
    elif h.id == H_TE and lists_trailers(h.value):
        half.flags |= MF_TE_TRAILERS


cdef inline bint id_is_noted(uint16_t id) noexcept nogil:
    return ((<uint64_t>1 << H_HOST | <uint64_t>1 << H_CONNECTION | <uint64_t>1 << H_CONTENT_LENGTH
             | <uint64_t>1 << H_TRANSFER_ENCODING | <uint64_t>1 << H_UPGRADE
             | <uint64_t>1 << H_EXPECT | <uint64_t>1 << H_VIA | <uint64_t>1 << H_TE)
            >> id) & 1


# One line, from its name to the next line's. Its parts add up byte by byte to the line, so that
# what leaves as raw bytes is what was checked. False: they do not.
cdef inline bint line_split(header_t* h, const char* line, const char* after) noexcept nogil:
    cdef const char* p = line + h.name.len
    cdef const char* stop = after - 2
    if unlikely(p >= stop or p[0] != c':' or h.name.len == 0):
        return False
    if unlikely(stop[0] != c'\r' or stop[1] != c'\n'):
        return False
    p += 1
    while p < stop and is_blank(p[0]):
        p += 1
    while stop > p and is_blank((stop - 1)[0]):
        stop -= 1
    h.name.ptr = line
    h.value = span(p, stop - p)
    h.raw_len = <uint32_t>(after - line)
    return True


cdef bint http1_check_lines(half_t* half, const char* base, const char* end) noexcept nogil:
    cdef header_t* h = half.headers.items
    cdef header_t* stop = h + half.headers.count
    cdef const char* line = base + <uintptr_t>half.line.ptr + half.line.len
    cdef const char* after
    while h < stop:
        after = end - 2 if h + 1 == stop else base + <uintptr_t>h[1].name.ptr
        if unlikely(base + <uintptr_t>h.name.ptr != line or not line_split(h, line, after)):
            return False
        line = after
        h += 1
    return line == end - 2 and line[0] == c'\r' and line[1] == c'\n'


# The pass over all fields.
cdef void fields_settle(half_t* half, facts_t* facts) noexcept nogil:
    cdef header_t* h = half.headers.items
    cdef header_t* stop = h + half.headers.count
    memset(facts, 0, sizeof(facts_t))
    while h < stop:
        h.id = header_id_of(h.name)
        h.flags = 0
        if unlikely(h.name.len > FIELD_NAME_MAX):
            facts.options |= OPTION_BAD
        if h.id != H_OTHER:
            h.flags = HF_SENSITIVE if header_id_sensitive(h.id) else 0
            if id_is_noted(h.id):
                fact_note(half, facts, h)
        h += 1


# RFC 9110 9.3 of the connection: 1.1 persists unless told otherwise, 1.0 only if told so.
cdef void keep_alive_settle(half_t* half, const facts_t* facts) noexcept nogil:
    if facts.options & OPTION_CLOSE:
        return
    if half.version >= 11 or facts.options & OPTION_KEEP_ALIVE:
        half.flags |= MF_KEEP_ALIVE


cdef enum length_rule:
    LENGTH_FINE = 0
    LENGTH_AMBIGUOUS = 1
    LENGTH_CODING = 2       # one transfer coding, but not chunked


# A tab in a line that frames is legal white space, but llhttp (and so Node) reads "chunked<tab>" as
# another coding.
cdef bint has_tab(const header_t* h) noexcept nogil:
    return memchr(h.name.ptr, c'\t', h.raw_len) != NULL


# RFC 9112 6.3 without guesses. Leaves framing as it is when no field tells.
cdef length_rule framing_settle(half_t* half, const facts_t* facts) noexcept nogil:
    if likely(not facts.codings):
        if not facts.lengths:
            return LENGTH_FINE
        if facts.lengths > 1 or has_tab(facts.length):
            return LENGTH_AMBIGUOUS
        if not span_to_length(facts.length.value, &half.length):
            return LENGTH_AMBIGUOUS
        half.framing = FRAMING_LENGTH
        return LENGTH_FINE
    if facts.codings > 1 or facts.lengths or half.version < 11 or has_tab(facts.coding):
        return LENGTH_AMBIGUOUS
    if span_is_nocase(facts.coding.value, b"chunked", 7):
        half.framing = FRAMING_CHUNKED
        return LENGTH_FINE
    return LENGTH_CODING if header_name_valid(facts.coding.value) else LENGTH_AMBIGUOUS


cdef int host_check(request_t* request, const facts_t* facts) noexcept nogil:
    cdef span_t host
    cdef uint16_t port
    if unlikely(facts.hosts != 1):
        return E_DOWN_HOST if facts.hosts or request.half.version >= 11 else 0
    if request.form == FORM_ABSOLUTE:
        return 0 if http1_authority_equal(request.authority, facts.host.value) else E_DOWN_HOST
    request.authority = facts.host.value
    return 0 if http1_authority_split(request.authority, &host, &port) else E_DOWN_HOST


# protocol-name ["/" protocol-version], both tokens.
cdef bint protocol_valid(span_t value) noexcept nogil:
    cdef const char* slash = NULL
    if value.len:
        slash = <const char*>memchr(value.ptr, c'/', value.len)
    if slash == NULL:
        return header_name_valid(value)
    return (header_name_valid(span(value.ptr, slash - value.ptr))
            and header_name_valid(span(slash + 1, value.ptr + value.len - slash - 1)))


# One protocol, which Connection lists as it must (RFC 9110 7.8).
cdef bint upgrade_named(const facts_t* facts) noexcept nogil:
    return (facts.upgrades == 1 and facts.options & OPTION_UPGRADE != 0
            and protocol_valid(facts.upgrade.value))


# RFC 9110 7.8: an upgrade may be ignored. What we pass on is one protocol, asked for by a 1.1 GET;
# never HTTP itself (h2c), whose frames would be requests that nobody routed. Any other wish is
# dropped with its hop-by-hop field.
cdef bint upgrade_wanted(const request_t* request, const facts_t* facts) noexcept nogil:
    if request.half.version < 11 or request.method != HTTP_GET:
        return False
    return upgrade_named(facts) and not protocol_is_http(facts.upgrade.value)


cdef bint protocol_is_http(span_t value) noexcept nogil:
    return (span_is_nocase(value, b"h2c", 3) or span_is_nocase(value, b"h2", 2)
            or span_is_nocase(span(value.ptr, 4 if value.len > 4 else value.len), b"http", 4))


cdef bint half_has_body(const half_t* half) noexcept nogil:
    return half.framing == FRAMING_CHUNKED or half.length != 0


# RFC 9110 10.1.1
cdef int expect_check(half_t* half, const facts_t* facts) noexcept nogil:
    cdef header_t* h
    if half.version >= 11:
        if facts.expects > 1 or not span_is_nocase(facts.expect.value, b"100-continue", 12):
            return E_DOWN_EXPECT
        if half_has_body(half):
            half.flags |= MF_EXPECT_CONTINUE
            return 0
    h = half.headers.items
    while h < half.headers.items + half.headers.count:
        if h.id == H_EXPECT:
            h.flags |= HF_REMOVED
        h += 1
    return 0


cdef int http1_check_request(request_t* request, const char* base) noexcept nogil:
    cdef half_t* half = &request.half
    cdef facts_t facts
    cdef length_rule rule
    cdef int error
    http1_line_rebase_request(request, base)
    fields_settle(half, &facts)
    if unlikely(facts.options & OPTION_BAD):
        return E_DOWN_HEADER
    error = host_check(request, &facts)
    if unlikely(error):
        return error
    half.framing = FRAMING_NONE
    rule = framing_settle(half, &facts)
    if unlikely(rule != LENGTH_FINE):
        return E_DOWN_CODING if rule == LENGTH_CODING else E_DOWN_FRAMING
    if unlikely(facts.upgrades != 0) and upgrade_wanted(request, &facts):
        if half_has_body(half):
            return E_DOWN_FRAMING
        half.flags |= MF_UPGRADE
    keep_alive_settle(half, &facts)
    return expect_check(half, &facts) if unlikely(facts.expects != 0) else 0


# A 1xx or 204 may not even announce a body (RFC 9110 8.6; RFC 9112 6.1).
cdef int announced_check(response_t* response, const facts_t* facts) noexcept nogil:
    if facts.codings or response.half.length:
        return E_UP_FRAMING
    if facts.lengths:
        facts.length.flags |= HF_REMOVED
    if response.status >= 200:
        return 0
    if response.half.version < 11:
        return E_UP_PROTOCOL
    if response.status == 101 and not upgrade_named(facts):
        return E_UP_UPGRADE
    return 0


# No body follows a 1xx, 204, 304, nor any answer to HEAD (RFC 9112 6.3).
cdef int bodiless_settle(response_t* response, const facts_t* facts) noexcept nogil:
    cdef half_t* half = &response.half
    cdef int error = 0
    if response.status < 200 or response.status == 204:
        error = announced_check(response, facts)
    half.length = 0
    half.flags |= MF_HEAD_ONLY
    if response.status == 101:
        half.framing = FRAMING_TUNNEL
        half.flags |= MF_UPGRADE
        return error
    half.framing = FRAMING_NONE
    keep_alive_settle(half, facts)
    return error


cdef int http1_check_response(response_t* response, const char* base,
                              bint head_request) noexcept nogil:
    cdef half_t* half = &response.half
    cdef facts_t facts
    cdef length_rule rule
    http1_line_rebase_response(response, base)
    fields_settle(half, &facts)
    if unlikely(facts.options & OPTION_BAD):
        return E_UP_HEADER
    half.framing = FRAMING_CLOSE
    rule = framing_settle(half, &facts)
    if unlikely(rule != LENGTH_FINE):
        return E_UP_CODING if rule == LENGTH_CODING else E_UP_FRAMING
    if unlikely(head_request or response.status < 200 or response.status == 204
                or response.status == 304):
        return bodiless_settle(response, &facts)
    if half.framing != FRAMING_CLOSE:
        keep_alive_settle(half, &facts)
    return 0


# Names without an id that must not stand in a trailer.
cdef bint name_is_content(span_t name) noexcept nogil:
    return (span_is_nocase(name, b"content-encoding", 16)
            or span_is_nocase(name, b"content-range", 13)
            or span_is_nocase(name, b"max-forwards", 12)
            or span_is_nocase(name, b"range", 5)
            or span_is_nocase(name, b"www-authenticate", 16)
            or span_is_nocase(name, b"proxy-authenticate", 18)
            or (name.len > 12 and span_is_nocase(span(name.ptr, 12), b"x-forwarded-", 12))
            or span_is_nocase(name, b"x-real-ip", 9))


cdef bint http1_check_trailer(const header_t* h) noexcept nogil:
    return h.id == H_OTHER and not name_is_content(h.name)
