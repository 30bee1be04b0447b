# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: texts of the operator with values of the request in them: "/v2/{id}", "https://{host}/new".
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: let a value say more than a value: whatever would end, split or move what it stands in
#   is encoded, dropped or refused, by the place. Nothing is decoded, so nothing is decoded twice.
# Read next: template.pxd for the contract.

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy
from pygw._core.address cimport address_text
from pygw._core.arena cimport arena_bytes
from pygw._core.check cimport BUG_ON, unlikely
from pygw._core.fault cimport (
    E_CORE_MEMORY, E_DOWN_HEAD_LENGTH, E_DOWN_LINE_LENGTH, E_DOWN_TARGET)
from pygw._core.headers cimport header_name_valid, headers_find, headers_find_name
from pygw._core.http1_line cimport http1_authority_split
from pygw._core.limits cimport FIELD_NAME_MAX, TEMPLATE_PIECES
from pygw._core.pairs cimport pair_find, pair_is, pair_next, pair_t
from pygw._core.part cimport plan_alloc, plan_fail, plan_keep, plan_text
from pygw._core.types.header cimport header_t, H_COOKIE
from pygw._core.types.message cimport request_t, FORM_ABSOLUTE
from pygw._core.view cimport decimal_write, hex_value, span, span_trim, span_is

cdef enum:
    LITERAL_MAX = 1048576     # bytes of one text of a plan

# What becomes of a byte of a value.
cdef enum way:
    KEEP = 0
    PERCENT = 1               # leaves as a triplet
    DROP = 2
    REFUSE = 3
    TRIPLET = 4               # '%' of a URL: stays before two hex digits, else %25
    STRICT = 5                # the same, but refused before those of '/', '\' and NUL
    SPACE = 6                 # leaves as %20
    JSON = 7                  # leaves as \u00xx
    MARKUP = 8                # leaves as a decimal reference

# Rows of the table of ways: each place for each kind of value.
cdef enum row:
    ROW_KEEP = 0              # literals, and what the reader has checked for this very place
    ROW_VALUE = 1
    ROW_PATH_URL = 2
    ROW_PATH_PAIR = 3
    ROW_PATH_DATA = 4
    ROW_QUERY_URL = 5
    ROW_QUERY_PAIR = 6
    ROW_QUERY_DATA = 7
    ROW_ORIGIN = 8
    ROW_JSON = 9
    ROW_MARKUP = 10

cdef uint8_t ways[11][256]    # by row and byte
cdef const char* DIGITS = b"0123456789ABCDEF"


# --- build ----------------------------------------------------------------------------------------


cdef dict SOURCES = {
    "param": FROM_PARAM, "path": FROM_PATH, "query": FROM_QUERY, "pair": FROM_PAIR,
    "header": FROM_HEADER, "cookie": FROM_COOKIE, "host": FROM_HOST, "authority": FROM_AUTHORITY,
    "method": FROM_METHOD, "scheme": FROM_SCHEME, "client_ip": FROM_CLIENT,
    "request_id": FROM_REQUEST_ID, "status": FROM_STATUS, "asked": FROM_ASKED}
cdef frozenset NAMED = frozenset(("pair", "header", "cookie"))
cdef frozenset IN_ORIGIN = frozenset(("param", "host", "authority", "scheme"))


cdef bytes literal_checked(str text, str where, int place):
    cdef bytes out = plan_text(text, where, LITERAL_MAX)
    if place == PLACE_VALUE and any(c < 32 and c != 9 or c == 127 for c in out):
        plan_fail(where, "not a field value: control bytes (RFC 9110 5.5)")
    if PLACE_PATH <= place <= PLACE_ORIGIN and not all(0x20 < c < 0x7F for c in out):
        plan_fail(where, "must be printable ASCII without spaces")
    if place == PLACE_PATH and any(c in b"?#\\" for c in out):
        plan_fail(where, "a path has no ?, # and \\")
    if place == PLACE_QUERY and any(c in b"#\\" for c in out):
        plan_fail(where, "a query has no # and \\")
    return out


cdef int piece_build(object part, str where, int place, arena_t* arena, piece_t* out) except -1:
    cdef bytes name
    if isinstance(part, str):
        out.source = FROM_LITERAL
        return plan_keep(arena, literal_checked(part, where, place), &out.text)
    if not isinstance(part, list) or not 1 <= len(part) <= 2 or part[0] not in SOURCES:
        plan_fail(where, f"must be text or one of {', '.join(SOURCES)}")
    if place == PLACE_ORIGIN and part[0] not in IN_ORIGIN:
        plan_fail(where, "only param, host, authority and scheme may stand before the path")
    out.source = SOURCES[part[0]]
    if part[0] == "param":
        if len(part) != 2 or type(part[1]) is not int or not 0 <= part[1] < 256:
            plan_fail(where, "must be param and its place in the path")
        out.index = part[1]
    elif part[0] in NAMED:
        if len(part) != 2:
            plan_fail(where, "must be a list of source and name")
        name = plan_text(part[1], where, FIELD_NAME_MAX)
        if part[0] != "pair" and not header_name_valid(span(name, len(name))):
            plan_fail(where, "not a name (RFC 9110 5.1)")
        plan_keep(arena, name, &out.text)
    elif len(part) != 1:
        plan_fail(where, f"{part[0]} has no name")
    return 0


cdef template_t* template_build(object parts, str where, int place, uint32_t max_bytes,
                                arena_t* arena) except NULL:
    cdef template_t* t = <template_t*>plan_alloc(arena, sizeof(template_t))
    if not isinstance(parts, list):
        plan_fail(where, "must be a list of texts and values")
    if len(parts) > TEMPLATE_PIECES:
        plan_fail(where, f"has more than {<int>TEMPLATE_PIECES} pieces")
    t.pieces = <piece_t*>plan_alloc(arena, len(parts) * sizeof(piece_t))
    t.place = <uint8_t>place
    t.max_bytes = max_bytes
    for i, part in enumerate(parts):
        piece_build(part, f"{where}[{i}]", place, arena, &t.pieces[<size_t>i])
        t.count += 1
    return t


# --- values ---------------------------------------------------------------------------------------


# The first cookie of that name (RFC 6265 5.4), or the one behind `skip` others of it: names are
# told apart by case.
cdef span_t cookie_find(exchange_t* x, span_t name, uint32_t skip) noexcept nogil:
    cdef header_t* h = headers_find(&x.request.half.headers, H_COOKIE, NULL)
    cdef span_t rest, one
    cdef uint32_t i
    while h != NULL:
        rest = h.value
        while rest.len:
            i = 0
            while i < rest.len and rest.ptr[i] != c';':
                i += 1
            one = span_trim(span(rest.ptr, i))
            i = i + 1 if i < rest.len else i
            rest = span(rest.ptr + i, rest.len - i)
            if one.len > name.len and one.ptr[name.len] == c'=':
                i = 0
                while i < name.len and one.ptr[i] == name.ptr[i]:
                    i += 1
                if i == name.len and skip == 0:
                    return span(one.ptr + i + 1, one.len - i - 1)
                skip -= i == name.len
        h = headers_find(&x.request.half.headers, H_COOKIE, h)
    return span(NULL, 0)


cdef bint cookie_ambiguous(exchange_t* x, span_t name) noexcept nogil:
    cdef span_t value = cookie_find(x, name, 0)
    if value.ptr == NULL:
        return False
    return value.len == 0 or value.ptr[0] <= c' ' or cookie_find(x, name, 1).ptr != NULL


cdef bint pair_ambiguous(span_t query, span_t name) noexcept nogil:
    cdef pair_t pair
    cdef bint found = False
    while pair_next(&query, &pair):
        if not pair_is(pair.name, name):
            continue
        if found or pair.value.len == 0 or not span_is(pair.name, name.ptr, name.len):
            return True
        found = True
    return False


cdef bint template_ambiguous(const template_t* t, exchange_t* x) noexcept nogil:
    cdef uint32_t i
    for i in range(t.count):
        if t.pieces[i].source == FROM_COOKIE and cookie_ambiguous(x, t.pieces[i].text):
            return True
        if t.pieces[i].source == FROM_PAIR and pair_ambiguous(x.request.query, t.pieces[i].text):
            return True
    return False


cdef span_t host_of(exchange_t* x) noexcept nogil:
    cdef span_t host
    cdef uint16_t port
    return host if http1_authority_split(x.request.authority, &host, &port) else span(NULL, 0)


# Of an absolute-form target what stands behind its authority.
cdef span_t asked_of(const request_t* q) noexcept nogil:
    cdef uint32_t skip = q.authority.len + 7 if q.form == FORM_ABSOLUTE else 0
    if skip >= q.target.len:
        return span(b"/", 1)
    return span(q.target.ptr + skip, q.target.len - skip)


cdef span_t named_value(exchange_t* x, const piece_t* p) noexcept nogil:
    cdef header_t* h
    if p.source == FROM_PAIR:
        return pair_find(x.request.query, p.text)
    if p.source == FROM_COOKIE:
        return cookie_find(x, p.text, 0)
    h = headers_find_name(&x.request.half.headers, p.text, NULL)
    return span(NULL, 0) if h == NULL else h.value


# `digits` is where a status is written.
cdef span_t piece_value(exchange_t* x, const piece_t* p, char* digits) noexcept nogil:
    if p.source == FROM_LITERAL:
        return p.text
    if p.source == FROM_PARAM:
        # A plan's check knows the route; a route without that name gives nothing.
        if x.params != NULL and p.index < x.route.param_count:
            return x.params[p.index]
        return span(NULL, 0)
    if p.source == FROM_PATH:
        return x.request.path
    if p.source == FROM_QUERY:
        return x.request.query
    if p.source == FROM_HOST:
        return host_of(x)
    if p.source == FROM_AUTHORITY:
        return x.request.authority if host_of(x).len else span(NULL, 0)
    if p.source == FROM_METHOD:
        return x.request.method_name
    if p.source == FROM_SCHEME:
        return x.request.scheme
    if p.source == FROM_CLIENT:
        return address_text(&x.client)
    if p.source == FROM_REQUEST_ID:
        return x.request_id
    if p.source == FROM_ASKED:
        return asked_of(&x.request)
    if p.source == FROM_STATUS:
        return span(digits, decimal_write(digits, x.response.status)) if x.response.status \
            else span(NULL, 0)
    return named_value(x, p)


# --- writing --------------------------------------------------------------------------------------


cdef int row_of(int place, int source) noexcept nogil:
    cdef bint url = source == FROM_PARAM or source == FROM_PATH
    cdef bint pairs = source == FROM_PAIR or source == FROM_QUERY
    if source == FROM_LITERAL:
        return ROW_KEEP
    if place == PLACE_VALUE:
        return ROW_VALUE
    if place == PLACE_PATH:
        return ROW_PATH_URL if url else ROW_PATH_PAIR if pairs else ROW_PATH_DATA
    if place == PLACE_QUERY:
        return ROW_QUERY_URL if url else ROW_QUERY_PAIR if pairs else ROW_QUERY_DATA
    if place == PLACE_ORIGIN:
        return ROW_ORIGIN if source == FROM_PARAM else ROW_KEEP
    return ROW_JSON if place == PLACE_JSON else ROW_MARKUP if place == PLACE_MARKUP else ROW_KEEP


cdef inline bint is_triplet(span_t s, uint32_t i) noexcept nogil:
    return s.len - i >= 3 and hex_value(s.ptr[i + 1]) >= 0 and hex_value(s.ptr[i + 2]) >= 0


# Whether the triplet at `i` stands for a byte that ends a segment, or a string: '/', '\', NUL.
cdef inline bint triplet_cuts(span_t s, uint32_t i) noexcept nogil:
    cdef int c = hex_value(s.ptr[i + 1]) * 16 + hex_value(s.ptr[i + 2])
    return c == c'/' or c == c'\\' or c == 0


# Writes the byte in another way to `out`; returns its length.
cdef uint32_t byte_put(uint8_t c, int how, char* out) noexcept nogil:
    cdef uint32_t digits
    if how == JSON:
        memcpy(out, b"\\u00", 4)          # COPY: an escape is made of its parts
        out[4] = DIGITS[c >> 4]
        out[5] = DIGITS[c & 15]
        return 6
    if how == MARKUP:
        memcpy(out, b"&#", 2)             # COPY: a reference is made of its parts
        digits = decimal_write(out + 2, c)
        out[2 + digits] = c';'
        return 3 + digits
    if how == SPACE:
        c = c' '
    out[0] = c'%'
    out[1] = DIGITS[c >> 4]
    out[2] = DIGITS[c & 15]
    return 3


# Writes a value by a row of the table, or with `out` NULL only counts: the length, or -1 when it is
# refused.
cdef int64_t value_put(span_t s, int row, char* out) noexcept nogil:
    cdef char[32] scratch                 # decimal_write asks for 20 bytes
    cdef uint64_t n = 0
    cdef uint32_t i, size
    cdef uint8_t how
    for i in range(s.len):
        how = ways[row][<uint8_t>s.ptr[i]]
        if how == TRIPLET or how == STRICT:
            if not is_triplet(s, i):
                how = PERCENT
            else:
                if how == STRICT and triplet_cuts(s, i):
                    return -1
                how = KEEP
        if how == KEEP:
            if out != NULL:
                out[n] = s.ptr[i]
            n += 1
        elif how == REFUSE:
            return -1
        elif how != DROP:
            size = byte_put(<uint8_t>s.ptr[i], how, scratch)
            if out != NULL:
                memcpy(out + n, scratch, size)    # COPY: the text is made of its parts
            n += size
    return <int64_t>n


cdef int too_long(const template_t* t) noexcept nogil:
    return E_DOWN_LINE_LENGTH if PLACE_PATH <= t.place <= PLACE_ORIGIN else E_DOWN_HEAD_LENGTH


cdef int template_run(const template_t* t, exchange_t* x, span_t* out) noexcept nogil:
    cdef span_t[32] values                # TEMPLATE_PIECES
    cdef char[20] digits
    cdef int64_t size
    cdef uint64_t total = 0
    cdef char* text
    cdef uint32_t i
    BUG_ON(t.count > TEMPLATE_PIECES)
    for i in range(t.count):
        values[i] = piece_value(x, &t.pieces[i], digits)
        size = value_put(values[i], row_of(t.place, t.pieces[i].source), NULL)
        if unlikely(size < 0):
            return E_DOWN_TARGET
        total += <uint64_t>size
        if unlikely(total > t.max_bytes):
            return too_long(t)
    out[0] = span(b"", 0)
    if total == 0:
        return 0
    text = arena_bytes(&x.arena, total)
    if unlikely(text == NULL):
        return E_CORE_MEMORY
    out[0] = span(text, total)
    for i in range(t.count):
        text += value_put(values[i], row_of(t.place, t.pieces[i].source), text)
    BUG_ON(text != out.ptr + total)
    if t.place == PLACE_VALUE:
        out[0] = span_trim(out[0])
    return 0


# --- tables ---------------------------------------------------------------------------------------


cdef inline bint unreserved(int c) noexcept nogil:
    return (c'0' <= c <= c'9' or c'A' <= c <= c'Z' or c'a' <= c <= c'z'
            or c == c'-' or c == c'.' or c == c'_' or c == c'~')


cdef int allow(int row, const char* text, int how) noexcept nogil:
    while text[0]:
        ways[row][<uint8_t>text[0]] = <uint8_t>how
        text += 1
    return 0


cdef void fill_rows() noexcept nogil:
    cdef const char* pchar = b"!$&'()*+,;=:@"         # RFC 3986 3.3, beside the unreserved
    cdef int c, row
    for c in range(256):
        ways[<int>ROW_KEEP][c] = KEEP
        ways[<int>ROW_VALUE][c] = DROP if (c < 0x20 and c != 9) or c == 0x7F else KEEP
        for row in range(ROW_PATH_URL, ROW_ORIGIN):
            ways[row][c] = KEEP if unreserved(c) else PERCENT
        ways[<int>ROW_QUERY_PAIR][c] = KEEP if 0x21 <= c < 0x7F and c != c'#' else PERCENT
        ways[<int>ROW_ORIGIN][c] = KEEP if unreserved(c) else REFUSE
        ways[<int>ROW_JSON][c] = JSON if c < 0x20 or c == c'"' or c == c'\\' else KEEP
        ways[<int>ROW_MARKUP][c] = KEEP
    allow(ROW_PATH_URL, pchar, KEEP)
    allow(ROW_PATH_URL, b"/", KEEP)
    allow(ROW_PATH_URL, b"%", TRIPLET)
    allow(ROW_PATH_PAIR, b"/\\", REFUSE)
    allow(ROW_PATH_PAIR, b"%", STRICT)
    allow(ROW_PATH_PAIR, b"+", SPACE)
    allow(ROW_PATH_DATA, b"/\\", REFUSE)
    allow(ROW_QUERY_URL, b"!$'()*,:@/?", KEEP)
    allow(ROW_QUERY_URL, b"%", TRIPLET)
    allow(ROW_QUERY_PAIR, b"%", TRIPLET)
    allow(ROW_QUERY_PAIR, b"\\", PERCENT)
    allow(ROW_MARKUP, b"&<>\"'", MARKUP)


fill_rows()
