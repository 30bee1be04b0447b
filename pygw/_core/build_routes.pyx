# cython: language_level=3
# Owns: routes from their entries in a plan, and their order.
# Thread and GIL: holds the GIL; may run on any thread; touches nothing published.
# Never does: publish.
# Read next: build_routes.pxd for the contract.
"""The routes of a plan."""

from libc.stdint cimport uint8_t, uint32_t
from pygw._core.build_filters cimport chain_build
from pygw._core.build_upstreams cimport timeouts_build, upstream_find
from pygw._core.part cimport plan_alloc, plan_fail, plan_keep, plan_unique
from pygw._core.router cimport ROUTE_SCRATCH, router_prepare
from pygw._core.types.exchange cimport route_t, MATCH_EXACT, MATCH_PREFIX
from pygw._core.types.upstream cimport timeouts_t
from pygw._core.view cimport span


cdef bytes route_path(Part part):
    cdef char[ROUTE_SCRATCH] form
    cdef bytes path = part.text("path", ROUTE_SCRATCH)
    cdef uint32_t size = router_prepare(span(path, len(path)), form)
    if size == 0:
        plan_fail(part.at("path"), "must begin with / and have only one reading: no //, no dot"
                  " segments, no ; \\ ? # or spaces, no encoded / \\ or NUL")
    return form[:size]


cdef uint8_t route_kind(Part part) except? 255:
    cdef bytes kind = part.text("match", 16)
    if kind not in (b"exact", b"prefix"):
        plan_fail(part.at("match"), "must be exact or prefix")
    return <uint8_t>(MATCH_EXACT if kind == b"exact" else MATCH_PREFIX)


cdef int route_build(plan_t* plan, Part part, Part root, bytes path, route_t* out) except -1:
    out.match = route_kind(part)
    plan_keep(&plan.arena, path, &out.path)
    plan_keep(&plan.arena, part.name("name"), &out.name)
    out.upstream = upstream_find(plan, part, "upstream")
    part.value("upstream")            # null is a value, no key is a fault
    if part.value("timeouts") is not None:
        timeouts_build(part.part("timeouts"), &out.timeouts)
    elif out.upstream != NULL:
        out.timeouts = out.upstream.timeouts
    else:
        out.timeouts = default_timeouts(root)
    chain_build(part, &plan.arena, &out.chain)
    if out.upstream == NULL and out.chain.filter_count == 0:
        plan_fail(part.place, "needs an upstream or a filter that answers")
    return part.finish()


cdef timeouts_t default_timeouts(Part root) except *:
    cdef timeouts_t out
    cdef Part part = root.part("timeouts")
    out.connect_ms = part.number_or_off("connect_ms", 0, 0xFFFFFFFFU)
    out.response_ms = part.number_or_off("response_ms", 0, 0xFFFFFFFFU)
    out.between_bytes_ms = part.number_or_off("between_bytes_ms", 0, 0xFFFFFFFFU)
    out.total_ms = part.number_or_off("total_ms", 0, 0xFFFFFFFFU)
    return out


# Exact ones first, then by falling length of path: the first that matches is the right one.
cdef int routes_build(plan_t* plan, Part root) except -1:
    cdef list parts = root.parts("routes")
    cdef list order = []
    cdef Part part
    cdef dict seen = {}
    plan_unique(parts, "routes")
    for part in parts:
        path = route_path(part)
        kind = route_kind(part)
        if seen.setdefault((kind, path), part.place) != part.place:
            plan_fail(part.at("path"), f"{seen[(kind, path)]} has the same path")
        order.append((kind, -len(path), len(order), path, part))
    order.sort(key=sort_key)
    plan.routes = <route_t*>plan_alloc(&plan.arena, len(order) * sizeof(route_t))
    for _, _, _, path, part in order:
        plan.route_count += 1         # from here on plan_free looks at its chain
        route_build(plan, part, root, path, &plan.routes[plan.route_count - 1])
    return 0


def sort_key(entry: tuple) -> tuple:
    """What decides a route's place: kind, falling length, place in the plan."""
    return entry[:3]
