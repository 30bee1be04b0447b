# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Owns: which filters there are; a route's chain from its entries in a plan.
# Thread and GIL: holds the GIL; may run on any thread; touches nothing published.
# Never does: publish.
# Read next: build_filters.pxd for the contract.
"""The filters of a plan, and chains of them."""

from libc.stdint cimport uint16_t
from pygw._core.build_mirrors cimport mirror_build
from pygw._core.filters.body_limit cimport body_limit_build
from pygw._core.filters.cors cimport cors_build
from pygw._core.filters.echo cimport echo_build
from pygw._core.filters.gzip cimport gzip_build
from pygw._core.filters.headers cimport headers_build
from pygw._core.filters.hook cimport hook_build
from pygw._core.filters.ip cimport ip_build
from pygw._core.filters.maintenance cimport maintenance_build
from pygw._core.filters.prefix cimport prefix_build
from pygw._core.filters.query cimport query_build
from pygw._core.filters.redirect cimport redirect_build
from pygw._core.filters.request_id cimport request_id_build
from pygw._core.filters.respond cimport respond_build
from pygw._core.filters.rewrite cimport rewrite_build
from pygw._core.limits cimport FILTERS_MAX, ROUTE_MIRRORS_MAX
from pygw._core.part cimport plan_alloc, plan_fail
from pygw._core.types.bill cimport bill_row_t
from pygw._core.types.exchange cimport (
    filter_t, PHASES, PHASE_LOG, PHASE_REQUEST, PHASE_REQUEST_BODY, PHASE_ATTEMPT, PHASE_RESPONSE,
    PHASE_RESPONSE_BODY)


# --- the filters there are ------------------------------------------------------------------------


cdef class Maker:
    cdef filter_build_fn build


cdef dict makers = {}


cdef int filter_register(str name, filter_build_fn build) except -1:
    cdef Maker maker = Maker()
    if name in makers:
        raise ValueError(f"there is a filter {name} already")
    maker.build = build
    makers[name] = maker
    return 0


filter_register("headers", headers_build)
filter_register("ip", ip_build)
filter_register("body_limit", body_limit_build)
filter_register("respond", respond_build)
filter_register("redirect", redirect_build)
filter_register("echo", echo_build)
filter_register("rewrite", rewrite_build)
filter_register("prefix", prefix_build)
filter_register("query", query_build)
filter_register("gzip", gzip_build)
filter_register("cors", cors_build)
filter_register("maintenance", maintenance_build)
filter_register("request_id", request_id_build)
filter_register("hook", hook_build)


# --- chains ---------------------------------------------------------------------------------------


cdef bint filter_acts(const filter_t* f, int phase) noexcept nogil:
    if phase == PHASE_REQUEST:
        return f.ops.request != NULL
    if phase == PHASE_REQUEST_BODY:
        return f.ops.request_body != NULL
    if phase == PHASE_ATTEMPT:
        return f.ops.attempt != NULL
    if phase == PHASE_RESPONSE:
        return f.ops.response != NULL
    if phase == PHASE_RESPONSE_BODY:
        return f.ops.response_body != NULL
    return f.ops.log != NULL


cdef int chain_sort(chain_t* chain, arena_t* arena) except -1:
    cdef uint16_t i
    cdef int phase
    cdef filter_t* f
    for phase in range(PHASES):
        chain.row_at[phase] = chain.row_count
        for i in range(chain.filter_count):
            f = &chain.filters[i]
            if not filter_acts(f, phase):
                continue
            if chain.by_phase[phase] == NULL:
                chain.by_phase[phase] = <filter_t**>plan_alloc(
                    arena, chain.filter_count * sizeof(filter_t*))
            chain.by_phase[phase][chain.counts[phase]] = f
            chain.counts[phase] += 1
            chain.row_count += 1
            if phase == PHASE_LOG and not f.ops.log_ends_early:
                chain.log_holds += 1
    chain.rows = <bill_row_t**>plan_alloc(arena, chain.row_count * sizeof(bill_row_t*))
    return 0


cdef int filter_build(Part part, arena_t* arena, filter_t* out) except -1:
    cdef Maker maker
    cdef str name = part.text("filter", 64).decode()
    if name not in makers:
        plan_fail(part.at("filter"), f"there is no filter {ascii(name)}")
    maker = makers[name]
    maker.build(part, arena, out)
    return 0


cdef int chain_build(Part part, plan_t* plan, chain_t* chain) except -1:
    cdef list entries = part.parts("middleware")
    cdef list mirrors = part.parts("mirrors") if part.has("mirrors") else []
    cdef arena_t* arena = &plan.arena
    cdef Part entry
    cdef filter_t* f
    if len(entries) > FILTERS_MAX:
        plan_fail(part.at("middleware"), f"has more than {<int>FILTERS_MAX} filters")
    if len(mirrors) > ROUTE_MIRRORS_MAX:
        plan_fail(part.at("mirrors"), f"has more than {<int>ROUTE_MIRRORS_MAX}")
    chain.filters = <filter_t*>plan_alloc(
        arena, (len(entries) + len(mirrors)) * sizeof(filter_t))
    for entry in entries:
        f = &chain.filters[chain.filter_count]
        f.slot = chain.filter_count
        filter_build(entry, arena, f)
        chain.filter_count += 1       # from here on plan_free gives its conf back
        entry.finish()
        chain.edits_request_body |= f.ops.edits_request_body
        chain.edits_response_body |= f.ops.edits_response_body
    for entry in mirrors:             # they copy what has passed all others
        f = &chain.filters[chain.filter_count]
        f.slot = chain.filter_count
        mirror_build(entry, part, plan, f)
        chain.filter_count += 1
    return chain_sort(chain, arena)


cdef void chain_free(chain_t* chain) noexcept nogil:
    cdef uint16_t i
    for i in range(chain.filter_count):
        if chain.filters[i].ops.conf_free != NULL:
            chain.filters[i].ops.conf_free(chain.filters[i].conf)
