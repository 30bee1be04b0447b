# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: the filter `rewrite`: another path and query for the service, by templates.
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: choose another route; routing is over.
# Read next: rewrite.pxd for the contract.

from pygw._core.check cimport unlikely
from pygw._core.filters.verdict cimport verdict_refuse
from pygw._core.limits cimport TEMPLATE_MAX
from pygw._core.part cimport Part, plan_alloc, plan_fail
from pygw._core.retarget cimport retarget_path, retarget_query
from pygw._core.template cimport (
    template_t, template_build, template_run, PLACE_PATH, PLACE_QUERY)
from pygw._core.types.exchange cimport (
    exchange_t, filter_t, filter_ops_t, verdict_t, VERDICT_NEXT)
from pygw._core.types.header cimport span_t
from pygw._core.types.memory cimport arena_t
from pygw._core.view cimport span

cdef struct conf_t:
    template_t* path          # plan; NULL: stays
    template_t* query         # plan; NULL: stays

cdef filter_ops_t ops


cdef int rewrite_build(Part part, arena_t* arena, filter_t* out) except -1:
    cdef conf_t* conf = <conf_t*>plan_alloc(arena, sizeof(conf_t))
    if part.has("path"):
        conf.path = template_build(part.value("path"), part.at("path"), PLACE_PATH, TEMPLATE_MAX,
                                   arena)
    if part.has("query"):
        conf.query = template_build(part.value("query"), part.at("query"), PLACE_QUERY,
                                    TEMPLATE_MAX, arena)
    if conf.path == NULL and conf.query == NULL:
        plan_fail(part.place, "needs path or query")
    out.ops = &ops
    out.conf = conf
    return 0


# Both templates run before either edit: each sees what came.
cdef verdict_t rewrite_request(exchange_t* x, const filter_t* f) noexcept nogil:
    cdef const conf_t* conf = <conf_t*>f.conf
    cdef span_t path, query
    cdef int error = 0
    if conf.path != NULL:
        error = template_run(conf.path, x, &path)
    if error == 0 and conf.query != NULL:
        error = template_run(conf.query, x, &query)
    if error == 0 and conf.path != NULL:
        error = retarget_path(x, span(b"", 0), path)
    if error == 0 and conf.query != NULL:
        error = retarget_query(x, query)
    return verdict_refuse(x, error) if unlikely(error != 0) else VERDICT_NEXT


ops.name = b"rewrite"
ops.request = rewrite_request
