# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: header fields of a plan: lines made once, put into lists of fields by their entries alone.
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: let a filter write what frames a message or belongs to one connection.
# Read next: fields.pxd for the contract.

from libc.stdint cimport uint16_t, uint32_t
from pygw._core.check cimport unlikely
from pygw._core.fault cimport E_CORE_MEMORY
from pygw._core.headers cimport (
    header_id_of, header_name_valid, header_value_valid, headers_init, headers_append, headers_add,
    headers_find_name, headers_remove, headers_remove_name)
from pygw._core.limits cimport FIELD_NAME_MAX, HEADERS_MAX, TEMPLATE_MAX
from pygw._core.part cimport plan_alloc, plan_fail, plan_full, plan_keep, plan_text
from pygw._core.template cimport template_build, template_run, PLACE_VALUE
from pygw._core.types.header cimport (
    header_t, headers_t, H_OTHER, H_FORWARDED_ALIAS, HF_REMOVED, HF_SENSITIVE)
from pygw._core.types.memory cimport arena_t
from pygw._core.view cimport span, span_equal_nocase

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


# The template of a value that is a list; its line then holds the name.
cdef bytes value_build(object value, str place, arena_t* arena, fields_t* out, uint32_t at,
                       uint32_t room):
    if not isinstance(value, list):
        return value_checked(value, place)
    if out.values == NULL:
        out.values = <template_t**>plan_alloc(arena, room * sizeof(template_t*))
    out.values[at] = template_build(value, place, PLACE_VALUE, TEMPLATE_MAX, arena)
    return b""


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
        value = value_build(pair[1], f"{place}[{i}][1]", arena, out, lines.count, room)
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


cdef int renames_build(list pairs, str place, int side, arena_t* arena,
                       renames_t* out) except -1:
    cdef header_t* h
    room_checked(len(pairs), place)
    out.from_names = <header_t*>plan_alloc(arena, len(pairs) * sizeof(header_t) + 1)
    out.to_names = <span_t*>plan_alloc(arena, len(pairs) * sizeof(span_t) + 1)
    for i, pair in enumerate(pairs):
        if not isinstance(pair, list) or len(pair) != 2:
            plan_fail(f"{place}[{i}]", "must be a list of two names")
        h = &out.from_names[out.count]
        plan_keep(arena, name_checked(pair[0], f"{place}[{i}][0]", side), &h.name)
        h.id = header_id_of(h.name)
        plan_keep(arena, name_checked(pair[1], f"{place}[{i}][1]", side),
                  &out.to_names[out.count])
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


cdef int field_make(const fields_t* fields, uint32_t i, exchange_t* x,
                    headers_t* hs) noexcept nogil:
    cdef span_t value
    cdef int error = template_run(fields.values[i], x, &value)
    if error != 0 or value.len == 0:
        return error
    return headers_add(hs, &x.arena, fields.items[i].name, value)


cdef int fields_put(const fields_t* fields, exchange_t* x, headers_t* hs,
                    bint absent) noexcept nogil:
    cdef header_t* h
    cdef uint32_t i
    cdef int error
    for i in range(fields.count):
        if absent and headers_find_name(hs, fields.items[i].name, NULL) != NULL:
            continue
        if unlikely(fields.values != NULL and fields.values[i] != NULL):
            error = field_make(fields, i, x, hs)
            if unlikely(error != 0):
                return error
            continue
        h = headers_append(hs, &x.arena)
        if unlikely(h == NULL):
            return E_CORE_MEMORY
        h[0] = fields.items[i]
    return 0


# The fields that came up to `count`; those that are added lie behind, in a list that may move.
cdef int name_rename(header_t* name, span_t to, headers_t* hs, arena_t* arena) noexcept nogil:
    cdef header_t* h = headers_find_name(hs, name.name, NULL)
    cdef uint32_t count = hs.count, at
    cdef uint16_t secret
    if h == NULL or span_equal_nocase(name.name, to):
        return 0
    headers_remove_name(hs, to)
    while h != NULL:
        at = <uint32_t>(h - hs.items)
        if at >= count:
            break
        secret = h.flags & HF_SENSITIVE
        if headers_add(hs, arena, to, h.value) != 0:
            return E_CORE_MEMORY
        hs.items[hs.count - 1].flags |= secret
        hs.items[at].flags |= HF_REMOVED
        h = headers_find_name(hs, name.name, &hs.items[at])
    return 0


cdef int fields_rename(const renames_t* renames, headers_t* hs, arena_t* arena) noexcept nogil:
    cdef uint32_t i
    for i in range(renames.count):
        if unlikely(name_rename(&renames.from_names[i], renames.to_names[i], hs, arena) != 0):
            return E_CORE_MEMORY
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
