# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Owns: the filter `test_params`, which sets an exchange's params to what a test says.
# Thread and GIL: the build half holds the GIL; the run half is one loop, no GIL.
# Never does: load in a gateway unless a test imports it: importing registers the filter.
# Read next: test_filters.pyx.
"""``{"filter": "test_params", "values": [text, ...]}``: params that no router would give, too."""

from libc.stdint cimport uint16_t
from pygw._core.build_filters cimport filter_register
from pygw._core.part cimport Part, plan_alloc, plan_keep, plan_text
from pygw._core.types.exchange cimport (
    exchange_t, filter_t, filter_ops_t, verdict_t, VERDICT_NEXT)
from pygw._core.types.header cimport span_t
from pygw._core.types.memory cimport arena_t

cdef struct conf_t:
    span_t* values            # plan
    uint16_t count

cdef filter_ops_t ops


cdef int params_build(Part part, arena_t* arena, filter_t* out) except -1:
    cdef conf_t* conf = <conf_t*>plan_alloc(arena, sizeof(conf_t))
    cdef list values = part.items("values")
    conf.count = <uint16_t>len(values)
    conf.values = <span_t*>plan_alloc(arena, len(values) * sizeof(span_t) + 1)
    for i, value in enumerate(values):
        plan_keep(arena, plan_text(value, part.at("values"), 65536), &conf.values[<size_t>i])
    out.ops = &ops
    out.conf = conf
    return 0


# WHY a plan is changed here: the count belongs to a route, and this route has no names in its path.
cdef verdict_t params_request(exchange_t* x, const filter_t* f) noexcept nogil:
    cdef const conf_t* conf = <conf_t*>f.conf
    x.params = conf.values
    x.route.param_count = conf.count
    return VERDICT_NEXT


ops.name = b"test_params"
ops.request = params_request
filter_register("test_params", params_build)
