# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: the filter `query`: which pairs of the query the service gets.
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: touch a query of which nothing was to be changed, or the spelling of pairs that stay.
# Read next: query.pxd for the contract.

from urllib.parse import quote
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy
from pygw._core.arena cimport arena_bytes
from pygw._core.check cimport BUG_ON, unlikely
from pygw._core.fault cimport E_CORE_MEMORY, E_DOWN_LINE_LENGTH
from pygw._core.filters.verdict cimport verdict_refuse
from pygw._core.limits cimport QUERY_EDITS, QUERY_MAX, TEMPLATE_MAX
from pygw._core.pairs cimport pair_t, pair_is, pair_next
from pygw._core.part cimport Part, plan_alloc, plan_fail, plan_keep, plan_text
from pygw._core.retarget cimport retarget_query
from pygw._core.template cimport template_t, template_build, template_run, PLACE_QUERY
from pygw._core.types.exchange cimport (
    exchange_t, filter_t, filter_ops_t, verdict_t, VERDICT_NEXT)
from pygw._core.types.header cimport span_t
from pygw._core.types.memory cimport arena_t
from pygw._core.view cimport span

# A pair that is put in, or a new name.
cdef struct edit_t:
    span_t name               # plan: as it means
    span_t coded              # plan: as it is written: "name=", or the new name
    template_t* value         # plan; NULL for a rename

cdef struct conf_t:
    span_t* keep              # plan; NULL: all stay
    uint32_t keep_count
    span_t* gone              # plan
    uint32_t gone_count
    edit_t* renames           # plan
    uint32_t rename_count
    edit_t* come              # plan: first those that replace
    uint32_t replace_count
    uint32_t come_count

cdef filter_ops_t ops


# --- build ----------------------------------------------------------------------------------------


cdef bytes name_of(object value, str where):
    cdef bytes name = plan_text(value, where, TEMPLATE_MAX)
    if not name:
        plan_fail(where, "a name is not empty")
    return name


cdef span_t* names_keep(list names, str where, arena_t* arena) except NULL:
    cdef span_t* out = <span_t*>plan_alloc(arena, len(names) * sizeof(span_t) + 1)
    for i, name in enumerate(names):
        plan_keep(arena, name_of(name, f"{where}[{i}]"), &out[<size_t>i])
    return out


cdef int edit_keep(object entry, str where, bint rename, arena_t* arena, edit_t* out) except -1:
    cdef bytes name
    if not isinstance(entry, list) or len(entry) != 2:
        plan_fail(where, "must be a list of two")
    name = name_of(entry[0], f"{where}[0]")
    plan_keep(arena, name, &out.name)
    if rename:
        name = name_of(entry[1], f"{where}[1]")
        plan_keep(arena, quote(name, safe="").encode(), &out.coded)
        return 0
    plan_keep(arena, quote(name, safe="").encode() + b"=", &out.coded)
    value = entry[1]
    if isinstance(value, str):
        value = [quote(plan_text(value, f"{where}[1]", TEMPLATE_MAX), safe="")]
    out.value = template_build(value, f"{where}[1]", PLACE_QUERY, TEMPLATE_MAX, arena)
    return 0


cdef edit_t* edits_keep(list entries, str where, bint rename, arena_t* arena) except NULL:
    cdef edit_t* out = <edit_t*>plan_alloc(arena, len(entries) * sizeof(edit_t) + 1)
    for i, entry in enumerate(entries):
        edit_keep(entry, f"{where}[{i}]", rename, arena, &out[<size_t>i])
    return out


cdef int query_build(Part part, arena_t* arena, filter_t* out) except -1:
    cdef conf_t* conf = <conf_t*>plan_alloc(arena, sizeof(conf_t))
    cdef list keep = part.items("keep") if part.has("keep") else []
    cdef list removed = part.items("remove")
    cdef list renamed = part.items("rename")
    cdef list replaced = part.items("set")
    cdef list added = part.items("add")
    if len(keep) + len(removed) + len(renamed) + len(replaced) + len(added) > QUERY_EDITS:
        plan_fail(part.place, f"has more than {<int>QUERY_EDITS} edits")
    if part.has("keep"):
        conf.keep = names_keep(keep, part.at("keep"), arena)
    conf.keep_count = <uint32_t>len(keep)
    conf.renames = edits_keep(renamed, part.at("rename"), True, arena)
    conf.rename_count = <uint32_t>len(renamed)
    conf.come = edits_keep(replaced + added, part.at("set"), False, arena)
    conf.replace_count = <uint32_t>len(replaced)
    conf.come_count = <uint32_t>(len(replaced) + len(added))
    conf.gone = names_keep(removed, part.at("remove"), arena)
    conf.gone_count = <uint32_t>len(removed)
    out.ops = &ops
    out.conf = conf
    return 0


# --- run ------------------------------------------------------------------------------------------


# A query being put together; with `at` NULL only counted.
cdef struct writer_t:
    char* at                  # arena
    uint64_t size
    bint changed              # it is no longer the one that came
    bint begun                # a pair has been written


cdef inline void put(writer_t* w, span_t text) noexcept nogil:
    if w.at != NULL and text.len:
        memcpy(w.at, text.ptr, text.len)      # COPY: the query is a new one
        w.at += text.len
    w.size += text.len


cdef inline void put_separator(writer_t* w) noexcept nogil:
    if w.begun:
        put(w, span(b"&", 1))
    w.begun = True


cdef bint name_in(span_t name, const span_t* names, uint32_t count) noexcept nogil:
    cdef uint32_t i
    for i in range(count):
        if pair_is(name, names[i]):
            return True
    return False


# Whether a pair goes, by the name it came with.
cdef inline bint pair_goes(const conf_t* conf, span_t name) noexcept nogil:
    if conf.keep != NULL and not name_in(name, conf.keep, conf.keep_count):
        return True
    return name_in(name, conf.gone, conf.gone_count)


# Whether a pair is replaced, by the name it leaves with.
cdef inline bint pair_replaced(const conf_t* conf, span_t name) noexcept nogil:
    cdef uint32_t i
    for i in range(conf.replace_count):
        if pair_is(name, conf.come[i].name):
            return True
    return False


cdef void put_pair(writer_t* w, const conf_t* conf, const pair_t* pair) noexcept nogil:
    cdef span_t name = pair.name
    cdef uint32_t i
    if pair_goes(conf, name):
        w.changed = True
        return
    for i in range(conf.rename_count):
        if pair_is(name, conf.renames[i].name):
            name = conf.renames[i].coded
            w.changed = True
            break
    if pair_replaced(conf, name):
        w.changed = True
        return
    put_separator(w)
    put(w, name)
    put(w, span(pair.whole.ptr + pair.name.len, pair.whole.len - pair.name.len))


cdef void put_all(writer_t* w, exchange_t* x, const conf_t* conf,
                  const span_t* values) noexcept nogil:
    cdef span_t rest = x.request.query
    cdef pair_t pair
    cdef uint32_t i
    while pair_next(&rest, &pair):
        put_pair(w, conf, &pair)
    for i in range(conf.come_count):
        put_separator(w)
        put(w, conf.come[i].coded)
        put(w, values[i])
        w.changed = True


cdef int query_edit(exchange_t* x, const conf_t* conf) noexcept nogil:
    cdef span_t[64] values                    # QUERY_EDITS
    cdef writer_t w
    cdef uint64_t size
    cdef char* text
    cdef uint32_t i
    cdef int error
    for i in range(conf.come_count):
        error = template_run(conf.come[i].value, x, &values[i])
        if error != 0:
            return error
    w.at = NULL
    w.size = 0
    w.changed = w.begun = False
    put_all(&w, x, conf, values)
    if not w.changed:
        return 0
    size = w.size
    if size > QUERY_MAX:
        return E_DOWN_LINE_LENGTH
    if size == 0:
        return retarget_query(x, span(NULL, 0))
    text = w.at = arena_bytes(&x.arena, size)
    if unlikely(text == NULL):
        return E_CORE_MEMORY
    w.begun = False
    put_all(&w, x, conf, values)
    BUG_ON(w.at != text + size)
    return retarget_query(x, span(text, size))


cdef verdict_t query_request(exchange_t* x, const filter_t* f) noexcept nogil:
    cdef int error = query_edit(x, <conf_t*>f.conf)
    return verdict_refuse(x, error) if unlikely(error != 0) else VERDICT_NEXT


ops.name = b"query"
ops.request = query_request
