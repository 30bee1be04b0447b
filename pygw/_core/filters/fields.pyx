# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: header fields of a plan: lines made once, put into lists of fields by their entries alone.
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: let a filter write what frames a message or belongs to one connection.
# Read next: fields.pxd for the contract.

from libc.stdint cimport uint32_t
from pygw._core.check cimport unlikely
from pygw._core.fault cimport E_CORE_MEMORY
from pygw._core.headers cimport (
    header_id_of, header_name_valid, header_value_valid, headers_init, headers_append, headers_add,
    headers_remove, headers_remove_name)
from pygw._core.limits cimport FIELD_NAME_MAX, HEADERS_MAX
from pygw._core.part cimport plan_alloc, plan_fail, plan_full, plan_keep, plan_text
from pygw._core.types.header cimport header_t, headers_t, H_OTHER, H_FORWARDED_ALIAS
from pygw._core.types.memory cimport arena_t
from pygw._core.view cimport span

cdef enum:
    VALUE_BYTES_MAX = 8192

# RFC 9110 7.6.1, 8.6; RFC 9112 6: these frame a message or belong to one connection.
cdef frozenset OURS = frozenset((
    b"connection", b"content-length", b"keep-alive", b"proxy-connection", b"te", b"trailer",
    b"transfer-encoding", b"upgrade"))


# --- build ----------------------------------------------------------------------------------------


cdef bytes name_checked(object value, str place, int side):
    cdef bytes name = plan_text(value, place, FIELD_NAME_MAX)
    if not header_name_valid(span(name, len(name))):
        plan_fail(place, "not a field name (RFC 9110 5.1)")
    if name.lower() in OURS:
        plan_fail(place, "the gateway writes this field itself")
    if side != FIELDS_REQUEST and name.lower() == b"host":
        plan_fail(place, "a response has no Host")
    if side == FIELDS_REPLY and name.lower() == b"date":
        plan_fail(place, "the gateway writes the Date of its own answers")
    return name


cdef bytes value_checked(object value, str place):
    cdef bytes text = plan_text(value, place, VALUE_BYTES_MAX)
    if not header_value_valid(span(text, len(text))):
        plan_fail(place, "not a field value: control bytes or outer white space (RFC 9110 5.5)")
    return text


cdef int room_checked(size_t count, str place) except -1:
    if count > HEADERS_MAX:
        plan_fail(place, f"has more than {<int>HEADERS_MAX} fields")
    return 0


cdef int fields_build(list pairs, str place, int side, arena_t* arena, uint32_t room,
                      fields_t* out) except -1:
    cdef headers_t lines
    cdef bytes name, value
    room_checked(room, place)
    if out.items == NULL:
        out.items = <header_t*>plan_alloc(arena, room * sizeof(header_t))
        out.count = 0
    headers_init(&lines, out.items, <unsigned short>room)
    lines.count = <unsigned short>out.count
    for i, pair in enumerate(pairs):
        if not isinstance(pair, list) or len(pair) != 2:
            plan_fail(f"{place}[{i}]", "must be a list of name and value")
        name = name_checked(pair[0], f"{place}[{i}][0]", side)
        value = value_checked(pair[1], f"{place}[{i}][1]")
        if headers_add(&lines, arena, span(name, len(name)), span(value, len(value))) != 0:
            plan_full(arena)
    out.count = lines.count
    return 0


cdef int names_build(list names, str place, int side, arena_t* arena, uint32_t room,
                     names_t* out) except -1:
    cdef header_t* h
    cdef bytes name
    room_checked(room, place)
    if out.items == NULL:
        out.items = <header_t*>plan_alloc(arena, room * sizeof(header_t))
        out.count = 0
    for i, entry in enumerate(names):
        name = name_checked(entry, f"{place}[{i}]", side)
        h = &out.items[out.count]
        plan_keep(arena, name, &h.name)
        h.id = header_id_of(h.name)
        out.count += 1
    return 0


# --- run ------------------------------------------------------------------------------------------


cdef int fields_append(const fields_t* fields, headers_t* hs, arena_t* arena) noexcept nogil:
    cdef header_t* h
    cdef uint32_t i
    for i in range(fields.count):
        h = headers_append(hs, arena)
        if unlikely(h == NULL):
            return E_CORE_MEMORY
        h[0] = fields.items[i]
    return 0


cdef void names_remove(const names_t* names, headers_t* hs) noexcept nogil:
    cdef const header_t* h
    cdef uint32_t i
    for i in range(names.count):
        h = &names.items[i]
        if h.id == H_OTHER or h.id == H_FORWARDED_ALIAS:
            headers_remove_name(hs, h.name)
        else:
            headers_remove(hs, h.id)
