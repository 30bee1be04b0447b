# cython: language_level=3
# Owns: what a route asks of a request, from the entry `match` of a plan.
# Thread and GIL: holds the GIL; may run on any thread; touches nothing published.
# Never does: judge a request, or place a route in the tree.
# Read next: build_match.pxd for the contract.
"""The predicate of a route as a plan writes it."""

import re

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy
from pygw._core.build_router cimport (
    SEGMENT_EXPRESSION, SEGMENT_INTEGER, SEGMENT_LITERAL, SEGMENT_PARAM, SEGMENT_REST)
from pygw._core.filters.ranges cimport ranges_build
from pygw._core.headers cimport header_id_of, header_name_valid
from pygw._core.libs.llhttp cimport HTTP_CONNECT, HTTP_PRI, HTTP_QUERY, HTTP_SOURCE, llhttp
from pygw._core.limits cimport (
    EXPRESSION_STATES_MAX, FIELD_NAME_MAX, HOST_NAME_MAX, ROUTE_CLIENTS_MAX, ROUTE_HOSTS_MAX,
    ROUTE_PARAMS_MAX, ROUTE_SEGMENTS_MAX, ROUTE_TESTS_MAX)
from pygw._core.part cimport Part, plan_alloc, plan_fail, plan_keep, plan_text
from pygw._core.path cimport ROUTE_SCRATCH, path_prepare
from pygw._core.route_hash cimport host_fold
from pygw._core.types.memory cimport arena_t
from pygw._core.types.route cimport (
    conditions_t, dfa_t, test_t, TEST_ABSENT, TEST_EXPRESSION, TEST_PRESENT, TEST_VALUE)
from pygw._core.view cimport span

cdef enum:
    VALUE_MAX = 8192          # bytes of a value that is tested for
    EXPRESSION_MAX = 1024     # bytes of an expression's text

cdef object HOST = re.compile(rb"(?:\*\.)?[a-z0-9._~-]+\Z|\[[0-9a-f:.]+\]\Z")
cdef object NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_]{0,63}\Z")

ONE_READING = ("must begin with / and have only one reading: no //, no dot segments, no ; \\ ? # or"
               " spaces, no encoded / \\ or NUL")


cdef dict methods_known():
    cdef int number
    return {bytes(llhttp.method_name(number)): number
            for number in [*range(HTTP_SOURCE + 1), HTTP_QUERY]
            if number not in (HTTP_CONNECT, HTTP_PRI)}


cdef dict METHODS = methods_known()


cdef uint8_t method_number(bytes name) except? 255:
    if name not in METHODS:
        raise ValueError(f"no method that requests have: {ascii(name.decode('latin-1'))}")
    return METHODS[name]


# --- expressions ----------------------------------------------------------------------------------


cdef class Expressions:
    """The expressions of a plan by their text."""

    cdef uint32_t place(self, str text, str where) except? 0:
        if text not in self.places:
            plan_fail(where, f"has an expression that is not among `expressions`: {ascii(text)}")
        return self.places[text]


cdef const uint8_t* table_keep(arena_t* arena, Part part, str key, size_t size,
                               int below) except NULL:
    cdef bytes table
    cdef uint8_t* kept
    try:
        table = bytes.fromhex(part.text(key, 2 * 256 * <size_t>EXPRESSION_STATES_MAX).decode())
    except ValueError:
        plan_fail(part.at(key), "must be hexadecimal digits")
    if <size_t>len(table) != size:
        plan_fail(part.at(key), f"must hold {size} bytes")
    if size and max(table) >= below:
        plan_fail(part.at(key), f"must hold numbers below {below}")
    kept = <uint8_t*>plan_alloc(arena, size)
    memcpy(kept, <const char*>table, size)     # COPY: the plan outlives its text
    return kept


cdef int dfa_build(Part part, arena_t* arena, dfa_t* out) except -1:
    cdef size_t states = len(part.text("accepts", 2 * <size_t>EXPRESSION_STATES_MAX)) // 2
    cdef bytes columns = part.text("classes", 512)
    if not 2 <= states <= EXPRESSION_STATES_MAX:
        plan_fail(part.at("accepts"), f"must hold 2 to {<int>EXPRESSION_STATES_MAX} bytes")
    out.class_of = table_keep(arena, part, "classes", 256, 256)
    out.classes = 1 + max(bytes.fromhex(columns.decode()))
    out.accepts = table_keep(arena, part, "accepts", states, 2)
    out.next = table_keep(arena, part, "next", states * out.classes, <int>states)
    return part.finish()


cdef Expressions expressions_build(Part root, arena_t* arena):
    cdef Expressions out = Expressions()
    cdef Part part
    cdef uint32_t place = 0
    out.places = {}
    if not root.has("expressions"):
        return out
    part = root.part("expressions")
    out.dfas = <dfa_t*>plan_alloc(arena, len(part.values) * sizeof(dfa_t))
    for text in list(part.values):
        plan_text(text, part.place, EXPRESSION_MAX)
        dfa_build(part.part(text), arena, &out.dfas[place])
        out.places[text] = place
        place += 1
    return out


# --- conditions -----------------------------------------------------------------------------------


cdef uint64_t methods_build(Part part) except? 0:
    cdef uint64_t mask = 0
    if not part.has("methods"):
        return ~<uint64_t>0
    for i, item in enumerate(part.items("methods")):
        name = plan_text(item, f"{part.at('methods')}[{i}]", 32)
        if name not in METHODS:
            plan_fail(f"{part.at('methods')}[{i}]", "is no method that requests have")
        mask |= <uint64_t>1 << <int>METHODS[name]
    return mask


cdef int test_build(Part part, Expressions known, arena_t* arena, test_t* out) except -1:
    plan_keep(arena, part.text("name", FIELD_NAME_MAX), &out.name)
    if part.has("value"):
        out.kind = TEST_VALUE
        plan_keep(arena, part.text("value", VALUE_MAX), &out.value)
    elif part.has("expression"):
        out.kind = TEST_EXPRESSION
        text = part.text("expression", EXPRESSION_MAX).decode()
        out.dfa = &known.dfas[known.place(text, part.at("expression"))]
    else:
        out.kind = TEST_PRESENT if part.flag("present") else TEST_ABSENT
    return part.finish()


cdef test_t* tests_build(Part part, str key, Expressions known, arena_t* arena,
                         uint32_t* count) except NULL:
    cdef list parts = part.parts(key) if part.has(key) else []
    cdef test_t* out = <test_t*>plan_alloc(arena, len(parts) * sizeof(test_t))
    cdef Part one
    if len(parts) > ROUTE_TESTS_MAX:
        plan_fail(part.at(key), f"must have at most {<int>ROUTE_TESTS_MAX} entries")
    for one in parts:
        test_build(one, known, arena, &out[count[0]])
        count[0] += 1
    return out


cdef int headers_build(Part part, conditions_t* out) except -1:
    cdef uint32_t i
    cdef test_t* t
    for i in range(out.header_count):
        t = &out.headers[i]
        name = t.name.ptr[:t.name.len]
        if not header_name_valid(t.name) or name != name.lower():
            plan_fail(f"{part.at('headers')}[{i}].name", "must be a header name in lower case")
        t.id = header_id_of(t.name)
    return 0


cdef int clients_build(Part part, arena_t* arena, conditions_t* out) except -1:
    if not part.has("client"):
        return 0
    if len(part.items("client")) > ROUTE_CLIENTS_MAX:
        plan_fail(part.at("client"), f"must have at most {<int>ROUTE_CLIENTS_MAX} entries")
    return ranges_build(part, "client", arena, &out.clients)


# Whoever takes HEAD for GET's sake comes after such a route.
cdef bint names_head_alone(uint64_t methods):
    return methods >> <int>METHODS[b"HEAD"] & 1 and not methods >> <int>METHODS[b"GET"] & 1


cdef conditions_t* conditions_build(Part part, Expressions known, arena_t* arena,
                                    list rank) except? NULL:
    cdef conditions_t* out
    cdef uint64_t methods = methods_build(part)
    if not (part.has("methods") or part.has("headers") or part.has("query")
            or part.has("client")):
        rank.extend([0, 0, 0, 0, 0, 0])
        return NULL
    out = <conditions_t*>plan_alloc(arena, sizeof(conditions_t))
    out.methods = methods
    out.preflight = part.has("preflight") and part.flag("preflight")
    out.headers = tests_build(part, "headers", known, arena, &out.header_count)
    headers_build(part, out)
    out.query = tests_build(part, "query", known, arena, &out.query_count)
    clients_build(part, arena, out)
    rank.extend([int(part.has("methods")), out.header_count, out.query_count,
                 int(out.clients.count > 0), int(names_head_alone(methods)),
                 int(out.preflight)])
    return out


# --- hosts and path -------------------------------------------------------------------------------


cdef list hosts_build(Part part):
    cdef char[256] folded     # HOST_NAME_MAX and two for the star
    cdef bytes text
    cdef list items = part.items("hosts") if part.has("hosts") else []
    cdef list out = []
    if len(items) > ROUTE_HOSTS_MAX:
        plan_fail(part.at("hosts"), f"must have at most {<int>ROUTE_HOSTS_MAX} entries")
    for i, item in enumerate(items):
        where = f"{part.at('hosts')}[{i}]"
        text = plan_text(item, where, HOST_NAME_MAX + 2)
        if HOST.match(text) is None or text.endswith(b".") or text.lstrip(b"*.") == b"":
            plan_fail(where, "must be a host in lower case, or *. and a host")
        text = text[1:] if text.startswith(b"*") else text
        host_fold(text, len(text), folded)
        if folded[:len(text)] in out:
            plan_fail(where, "is there twice")
        out.append(folded[:len(text)])
    return out or [b""]


# The segments of a path between slashes, braces kept whole.
cdef list path_split(bytes path):
    cdef list out = []
    cdef bytearray segment = bytearray()
    cdef int depth = 0
    cdef bint escaped = False
    for byte in path[1:]:
        if byte == c"/" and not depth:
            out.append(bytes(segment))
            segment.clear()
            continue
        segment.append(byte)
        if escaped:
            escaped = False
        elif byte == c"\\" and depth:
            escaped = True
        elif byte == c"{":
            depth += 1
        elif byte == c"}":
            depth -= 1
    return [*out, bytes(segment)]


# The normal form of what stands between two slashes.
cdef bytes literal_of(bytes segment, str where):
    cdef char[ROUTE_SCRATCH] form
    cdef bytes path = b"/" + segment
    cdef uint32_t size = path_prepare(span(<const char*>path, len(path)), form)
    if size == 0 or b"{" in segment or b"}" in segment or b"*" in segment:
        plan_fail(where, ONE_READING)
    return form[1:size]


cdef tuple segment_of(bytes segment, bint last, Expressions known, str where):
    if last and segment.startswith(b"{") and segment.endswith(b"*}"):
        return SEGMENT_REST, b"", segment[1:-2]
    if last and segment.endswith(b"*"):
        return SEGMENT_REST, literal_of(segment[:-1], where), None
    if not segment.startswith(b"{") or not segment.endswith(b"}"):
        return SEGMENT_LITERAL, literal_of(segment, where), None
    name, colon, kind = segment[1:-1].partition(b":")
    if not colon:
        return SEGMENT_PARAM, None, name
    if kind == b"int":
        return SEGMENT_INTEGER, None, name
    return SEGMENT_EXPRESSION, known.place(kind.decode("utf-8"), where), name


cdef tuple segments_build(Part part, Expressions known):
    cdef bytes path = part.text("path", ROUTE_SCRATCH)
    cdef str where = part.at("path")
    cdef list segments = []
    cdef list names = []
    cdef list pieces
    if not path.startswith(b"/"):
        plan_fail(where, ONE_READING)
    pieces = path_split(path)
    if len(pieces) > ROUTE_SEGMENTS_MAX:
        plan_fail(where, f"must have at most {<int>ROUTE_SEGMENTS_MAX} segments")
    for i, piece in enumerate(pieces, 1):
        if not piece and i < len(pieces):
            plan_fail(where, ONE_READING)
        kind, value, name = segment_of(piece, i == len(pieces), known, where)
        segments.append((kind, value))
        if name is not None:
            if NAME.match(name) is None or name in names:
                plan_fail(where, "must have names of letters, digits and _, each once")
            names.append(name)
    if len([kind for kind, _ in segments if kind != SEGMENT_LITERAL]) > ROUTE_PARAMS_MAX:
        plan_fail(where, f"must have at most {<int>ROUTE_PARAMS_MAX} names and wildcards")
    return segments, names
