# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: what of an exchange a hook may read and write.
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: cost anything where a hook has no mask.
# Read next: hook_mask.pxd for the contract.
"""Masks of hooks from a plan."""

from libc.stdint cimport uint32_t
from libc.string cimport memcmp
from pygw._core.headers cimport header_name_valid
from pygw._core.limits cimport FIELD_NAME_MAX, HOOK_VAR_BYTES, MASK_NAMES
from pygw._core.part cimport Part, plan_alloc, plan_fail, plan_keep, plan_text
from pygw._core.types.exchange cimport PHASE_RESPONSE
from pygw._core.types.header cimport span_t
from pygw._core.types.hook cimport *
from pygw._core.types.memory cimport arena_t
from pygw._core.view cimport span, span_equal_nocase

cdef dict FIELDS = {
    "method": FIELD_METHOD, "path": FIELD_PATH, "query": FIELD_QUERY, "scheme": FIELD_SCHEME,
    "authority": FIELD_AUTHORITY, "version": FIELD_VERSION, "client": FIELD_CLIENT,
    "id": FIELD_ID, "headers": FIELD_HEADERS, "body": FIELD_BODY, "status": FIELD_STATUS,
    "response.headers": FIELD_RESPONSE_HEADERS, "response.body": FIELD_RESPONSE_BODY,
    "vars": FIELD_VARS, "reply": FIELD_REPLY}
cdef tuple NAMED = (("headers.", SIDE_REQUEST), ("response.headers.", SIDE_RESPONSE),
                    ("vars.", MASK_VARS))
cdef frozenset READ_ONLY = frozenset(("scheme", "authority", "version", "client", "id"))
cdef uint32_t[3] GROUPS = [FIELD_HEADERS, FIELD_RESPONSE_HEADERS, FIELD_VARS]


# --- build ----------------------------------------------------------------------------------------


cdef int name_build(mask_t* mask, str text, str where, arena_t* arena) except -1:
    cdef bytes name
    for prefix, kind in NAMED:
        if text.startswith(prefix) and len(text) > len(prefix):
            name = plan_text(text[len(prefix):], where, HOOK_VAR_BYTES)
            if kind != MASK_VARS and (len(name) > FIELD_NAME_MAX
                                      or not header_name_valid(span(name, len(name)))):
                plan_fail(where, f"{ascii(text)[:60]} names no field (RFC 9110 5.1)")
            if mask.counts[<int>kind] == MASK_NAMES:
                plan_fail(where, f"has more than {<int>MASK_NAMES} names of one kind")
            plan_keep(arena, name, &mask.names[<int>kind][mask.counts[<int>kind]])
            mask.counts[<int>kind] += 1
            return 0
    plan_fail(where, f"{ascii(text)[:60]} is nothing that a hook has: there are"
                     f" {', '.join(FIELDS)}, and headers.NAME, response.headers.NAME, vars.NAME")


# Whether one of the names, or a group of them, has this one.
cdef bint is_within(str name, list names):
    folded = [one if one.startswith("vars.") else one.lower() for one in names]
    if (name if name.startswith("vars.") else name.lower()) in folded:
        return True
    return any(name.startswith(prefix) and prefix[:-1] in folded for prefix, _ in NAMED)


cdef list mask_names(Part part, str key, object told):
    cdef list names
    if not part.has(key):
        return None if told is None else list(told)
    names = [plan_text(value, part.at(key), HOOK_VAR_BYTES).decode() for value in part.items(key)]
    for name in names:
        if told is not None and not is_within(name, told):
            plan_fail(part.at(key), f"names {ascii(name)[:60]}, but the hook says that it {key}"
                                    f" only {', '.join(told) or 'nothing'}")
    return names


cdef const mask_t* mask_build(Part part, str key, list names, arena_t* arena) except? NULL:
    cdef str where = part.at(key) if part.has(key) else part.place
    cdef mask_t* mask
    cdef int kind
    cdef str text
    if names is None:
        return NULL
    if not part.has(key):
        where = f"{where} (the {key} that its code declares)"
    mask = <mask_t*>plan_alloc(arena, sizeof(mask_t))
    for kind in range(MASK_KINDS):
        mask.names[kind] = <span_t*>plan_alloc(arena, len(names) * sizeof(span_t))
    for text in names:
        if text not in FIELDS:
            name_build(mask, text, where, arena)
        elif text in READ_ONLY and key == "writes" or text == "reply" and key == "reads":
            plan_fail(where, f"{text} cannot stand here")
        else:
            mask.fields |= <uint32_t>FIELDS[text]
    return mask


# --- run ------------------------------------------------------------------------------------------


cdef bint mask_has_name(const mask_t* m, int kind, span_t name) noexcept nogil:
    cdef const span_t* known = m.names[kind]
    cdef uint32_t i
    if m.fields & GROUPS[kind]:
        return True
    for i in range(m.counts[kind]):
        if known[i].len != name.len:
            continue
        if memcmp(known[i].ptr, name.ptr, name.len) == 0:
            return True
        if kind != MASK_VARS and span_equal_nocase(known[i], name):
            return True
    return False


cdef void mask_views(hook_call_t* call) noexcept nogil:
    cdef const mask_t* m = call.hook.reads
    cdef request_view_t* r = &call.hooks.request
    cdef response_view_t* s = &call.hooks.response
    cdef span_t nothing = span(b"", 0)
    if not m.fields & FIELD_METHOD:
        r.method = nothing
    if not m.fields & FIELD_PATH:
        r.path = nothing
    if not m.fields & FIELD_QUERY:
        r.query = nothing
    if not m.fields & FIELD_SCHEME:
        r.scheme = nothing
    if not m.fields & FIELD_AUTHORITY:
        r.authority = nothing
    if not m.fields & FIELD_VERSION:
        r.version = 0
    if not m.fields & FIELD_CLIENT:
        r.client = nothing
    if not m.fields & FIELD_ID:
        r.id = nothing
    if not m.fields & FIELD_HEADERS:
        r.headers = NULL
        r.header_count = 0
    if not m.fields & FIELD_BODY:
        r.body = span(NULL, 0)
        r.has_body = False
    if call.phase < PHASE_RESPONSE:
        return
    if not m.fields & FIELD_STATUS:
        s.status = 0
    if not m.fields & FIELD_RESPONSE_HEADERS:
        s.headers = NULL
        s.header_count = 0
    if not m.fields & FIELD_RESPONSE_BODY:
        s.body = span(NULL, 0)
        s.has_body = False
