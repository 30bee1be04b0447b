# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: what a route asks of a request besides host and path: method, fields, query, client.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: look at a field or parameter that occurs twice as if it had one value.
# Read next: conditions.pxd for the contract.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, strlen
from pygw._core.check cimport unlikely
from pygw._core.cidr_set cimport cidr_set_has
from pygw._core.libs.llhttp cimport HTTP_OPTIONS, llhttp
from pygw._core.types.address cimport address_t
from pygw._core.types.header cimport (
    header_t, headers_t, span_t, H_FORWARDED_ALIAS, H_OTHER, HF_REMOVED)
from pygw._core.types.message cimport request_t
from pygw._core.types.route cimport (
    conditions_t, dfa_t, test_t, TEST_ABSENT, TEST_EXPRESSION, TEST_PRESENT, TEST_VALUE)
from pygw._core.view cimport span, span_equal_nocase, span_is, span_is_nocase


cdef bint dfa_takes(const dfa_t* dfa, span_t text) noexcept nogil:
    cdef uint32_t state = 1, i = 0
    while i < text.len and state:
        state = dfa.next[state * dfa.classes + dfa.class_of[<uint8_t>text.ptr[i]]]
        i += 1
    return dfa.accepts[state]


# --- fields ---------------------------------------------------------------------------------------


cdef bint value_holds(const test_t* t, span_t value) noexcept nogil:
    if t.kind == TEST_EXPRESSION:
        return dfa_takes(t.dfa, value)
    return value.len == t.value.len and memcmp(value.ptr, t.value.ptr, value.len) == 0


cdef inline bint field_is(const header_t* h, const test_t* t) noexcept nogil:
    if h.id != t.id or h.flags & HF_REMOVED:
        return False
    return ((h.id != H_OTHER and h.id != H_FORWARDED_ALIAS)
            or span_equal_nocase(h.name, t.name))


cdef bint header_holds(const test_t* t, const headers_t* headers) noexcept nogil:
    cdef const header_t* found = NULL
    cdef uint32_t i
    for i in range(headers.count):
        if not field_is(&headers.items[i], t):
            continue
        if t.kind == TEST_PRESENT or t.kind == TEST_ABSENT or found != NULL:
            return t.kind == TEST_PRESENT
        found = &headers.items[i]
    if found == NULL:
        return t.kind == TEST_ABSENT
    return value_holds(t, found.value)


# --- the query ------------------------------------------------------------------------------------


cdef inline int hex_of(char c) noexcept nogil:
    if c'0' <= c <= c'9':
        return c - c'0'
    c = c | 0x20
    return c - c'a' + 10 if c'a' <= c <= c'f' else -1


# The next byte that a piece of a query stands for, taken off its front.
cdef inline uint8_t form_byte(span_t* rest) noexcept nogil:
    cdef char c = rest.ptr[0]
    cdef uint32_t taken = 1
    if c == c'+':
        c = c' '
    elif c == c'%' and rest.len >= 3 and hex_of(rest.ptr[1]) >= 0 and hex_of(rest.ptr[2]) >= 0:
        c = <char>(hex_of(rest.ptr[1]) * 16 + hex_of(rest.ptr[2]))
        taken = 3
    rest.ptr += taken
    rest.len -= taken
    return <uint8_t>c


cdef bint form_is(span_t piece, span_t text) noexcept nogil:
    cdef uint32_t i = 0
    while piece.len:
        if i == text.len or form_byte(&piece) != <uint8_t>text.ptr[i]:
            return False
        i += 1
    return i == text.len


cdef bint form_takes(span_t piece, const dfa_t* dfa) noexcept nogil:
    cdef uint32_t state = 1
    while piece.len and state:
        state = dfa.next[state * dfa.classes + dfa.class_of[form_byte(&piece)]]
    return dfa.accepts[state]


# Takes the next pair off the front of a query; False at its end.
cdef bint query_next(span_t* rest, span_t* name, span_t* value) noexcept nogil:
    cdef uint32_t end = 0, equals
    if rest.len == 0:
        return False
    while end < rest.len and rest.ptr[end] != c'&':
        end += 1
    equals = 0
    while equals < end and rest.ptr[equals] != c'=':
        equals += 1
    name[0] = span(rest.ptr, equals)
    value[0] = span(rest.ptr + equals, 0)
    if equals < end:
        value[0] = span(rest.ptr + equals + 1, end - equals - 1)
    end += end < rest.len
    rest.ptr += end
    rest.len -= end
    return True


cdef bint query_holds(const test_t* t, span_t query) noexcept nogil:
    cdef span_t name, value, found
    cdef bint seen = False
    while query_next(&query, &name, &value):
        if not form_is(name, t.name):
            continue
        if t.kind == TEST_PRESENT or t.kind == TEST_ABSENT or seen:
            return t.kind == TEST_PRESENT
        seen = True
        found = value
    if not seen:
        return t.kind == TEST_ABSENT
    return form_is(found, t.value) if t.kind == TEST_VALUE else form_takes(found, t.dfa)


# --- preflights -----------------------------------------------------------------------------------


# Whether a preflight asks about one of the methods: OPTIONS with an Origin and one method's name.
cdef bint preflight_holds(const conditions_t* c, const headers_t* headers) noexcept nogil:
    cdef span_t asked = span(NULL, 0)
    cdef const header_t* h
    cdef const char* name
    cdef bint origin = False
    cdef uint32_t i
    for i in range(headers.count):
        h = &headers.items[i]
        if h.flags & HF_REMOVED:
            continue
        if span_is_nocase(h.name, b"origin", 6):
            origin = True
        elif span_is_nocase(h.name, b"access-control-request-method", 29):
            if asked.ptr != NULL:
                return False
            asked = h.value
    if not origin or asked.len == 0:
        return False
    for i in range(64):
        if c.methods >> i & 1:
            name = llhttp.method_name(<int>i)
            if span_is(asked, name, <uint32_t>strlen(name)):
                return True
    return False


# --- all of them ----------------------------------------------------------------------------------


cdef int conditions_judge(const conditions_t* c, const request_t* request,
                          const address_t* client, uint64_t* allow) noexcept nogil:
    cdef uint32_t i
    for i in range(c.header_count):
        if not header_holds(&c.headers[i], &request.half.headers):
            return CONDITION_HEADERS
    for i in range(c.query_count):
        if not query_holds(&c.query[i], request.query):
            return CONDITION_QUERY
    if c.clients.count and not cidr_set_has(&c.clients, client):
        return CONDITION_CLIENT
    if c.methods >> request.method & 1:
        return CONDITIONS_HOLD
    if unlikely(request.method == HTTP_OPTIONS and c.preflight) \
            and preflight_holds(c, &request.half.headers):
        return CONDITIONS_HOLD
    allow[0] |= c.methods
    return CONDITION_METHOD
