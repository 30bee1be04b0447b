# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: the filter `headers`: what the operator sets, adds and removes in both heads.
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: write what frames a message or belongs to one connection, or a second Host.
# Read next: headers.pxd for the contract.

from pygw._core.check cimport unlikely
from pygw._core.filters.fields cimport (
    fields_t, names_t, renames_t, fields_build, names_build, renames_build, fields_put,
    fields_rename, names_remove, FIELDS_REQUEST, FIELDS_RESPONSE)
from pygw._core.limits cimport HEADERS_MAX
from pygw._core.part cimport Part, plan_alloc, plan_fail
from pygw._core.types.exchange cimport (
    exchange_t, filter_t, filter_ops_t, verdict_t, VERDICT_NEXT, VERDICT_ABORT)
from pygw._core.types.header cimport headers_t
from pygw._core.types.memory cimport arena_t
from pygw._core.types.message cimport half_t

# Edits of one head, in this order.
cdef struct edits_t:
    names_t gone
    renames_t moved
    names_t replaced
    fields_t set
    fields_t absent
    fields_t come

cdef struct conf_t:
    edits_t request
    edits_t response

cdef filter_ops_t ops[4]          # by what there is to do: 1 in the request, 2 in the response


# --- build ----------------------------------------------------------------------------------------


cdef int edits_build(Part part, int side, arena_t* arena, edits_t* out) except -1:
    cdef list replaced = part.items("set")
    cdef list added = part.items("add")
    cdef list absent = part.items("default") if part.has("default") else []
    cdef list removed = part.items("remove")
    cdef list renamed = part.items("rename") if part.has("rename") else []
    cdef size_t lines = len(replaced) + len(added) + len(absent)
    cdef size_t names = len(replaced) + len(removed) + len(renamed)
    part.finish()
    if lines > HEADERS_MAX or names > HEADERS_MAX:
        plan_fail(part.place, f"has more than {<int>HEADERS_MAX} fields")
    fields_build(replaced, part.at("set"), side, arena, len(replaced), &out.set)
    fields_build(absent, part.at("default"), side, arena, len(absent), &out.absent)
    fields_build(added, part.at("add"), side, arena, len(added), &out.come)
    names_build(removed, part.at("remove"), side, arena, len(removed), &out.gone)
    renames_build(renamed, part.at("rename"), side, arena, &out.moved)
    names_build([name for name, _ in replaced], part.at("set"), side, arena, len(replaced),
                &out.replaced)
    if side == FIELDS_REQUEST:
        refuse_hosts(part, removed + [name for name, _ in added + absent]
                     + [name for pair in renamed for name in pair],
                     [name for name, _ in replaced])
    return lines + names > 0


# RFC 9110 7.2: a request has exactly one Host.
cdef int refuse_hosts(Part part, list touched, list replaced) except -1:
    if any(name.lower() == "host" for name in touched):
        plan_fail(part.place, "a request has exactly one Host: it can only be set")
    if sum(name.lower() == "host" for name in replaced) > 1:
        plan_fail(part.at("set"), "a request has exactly one Host")
    return 0


cdef int headers_build(Part part, arena_t* arena, filter_t* out) except -1:
    cdef conf_t* conf = <conf_t*>plan_alloc(arena, sizeof(conf_t))
    cdef int kind = edits_build(part.part("request"), FIELDS_REQUEST, arena, &conf.request)
    kind += 2 * edits_build(part.part("response"), FIELDS_RESPONSE, arena, &conf.response)
    out.ops = &ops[kind]
    out.conf = conf
    return 0


# --- run ------------------------------------------------------------------------------------------


cdef inline verdict_t head_edit(exchange_t* x, half_t* half, const edits_t* edits) noexcept nogil:
    cdef headers_t* hs = &half.headers
    cdef int error
    names_remove(&edits.gone, hs)
    error = fields_rename(&edits.moved, hs, &x.arena)
    names_remove(&edits.replaced, hs)
    if error == 0:
        error = fields_put(&edits.set, x, hs, False)
    if error == 0:
        error = fields_put(&edits.absent, x, hs, True)
    if error == 0:
        error = fields_put(&edits.come, x, hs, False)
    if unlikely(error != 0):
        x.error = error
        return VERDICT_ABORT
    return VERDICT_NEXT


cdef verdict_t headers_request(exchange_t* x, const filter_t* f) noexcept nogil:
    return head_edit(x, &x.request.half, &(<conf_t*>f.conf).request)


cdef verdict_t headers_response(exchange_t* x, const filter_t* f) noexcept nogil:
    return head_edit(x, &x.response.half, &(<conf_t*>f.conf).response)


cdef int kind
for kind in range(4):
    ops[kind].name = b"headers"
    if kind & 1:
        ops[kind].request = headers_request
    if kind & 2:
        ops[kind].response = headers_response
