# cython: language_level=3
# Owns: routes from their entries in a plan.
# Thread and GIL: holds the GIL; may run on any thread; touches nothing published.
# Never does: publish.
# Read next: build_routes.pxd for the contract.
"""The routes of a plan."""

from pygw._core.build_filters cimport chain_build
from pygw._core.build_match cimport (
    Expressions, conditions_build, expressions_build, hosts_build, segments_build)
from pygw._core.build_router cimport Form, router_build
from pygw._core.build_upstreams cimport route_upstreams_build, timeouts_build
from pygw._core.part cimport Part, plan_alloc, plan_fail, plan_keep, plan_unique
from pygw._core.types.bill cimport BILL_TEXT
from pygw._core.types.exchange cimport plan_t, route_t
from pygw._core.types.header cimport span_t
from pygw._core.types.memory cimport arena_t
from pygw._core.types.upstream cimport timeouts_t


cdef int names_keep(arena_t* arena, list names, route_t* out) except -1:
    if not names:
        return 0
    out.param_names = <span_t*>plan_alloc(arena, len(names) * sizeof(span_t))
    for name in names:
        plan_keep(arena, name, &out.param_names[out.param_count])
        out.param_count += 1
    return 0


# What the route asks, its predicate kept in `out`.
cdef Form form_build(plan_t* plan, Part part, Expressions known, route_t* out):
    cdef Form form = Form()
    cdef Part match = part.part("match")
    cdef list rank = []
    form.hosts = hosts_build(match)
    form.segments, names = segments_build(match, known)
    plan_keep(&plan.arena, match.value("path").encode(), &out.path)
    names_keep(&plan.arena, names, out)
    out.conditions = conditions_build(match, known, &plan.arena, rank)
    form.rank = tuple(rank)
    form.place = plan.route_count
    form.asks = out.conditions != NULL
    form.where = match.place
    match.finish()
    return form


cdef int route_build(plan_t* plan, Part part, Part root, route_t* out) except -1:
    plan_keep(&plan.arena, part.name("name"), &out.name)
    out.bill_name = out.name
    if part.has("bill_name"):
        plan_keep(&plan.arena, part.text("bill_name", BILL_TEXT), &out.bill_name)
    route_upstreams_build(plan, part, out)
    if part.value("timeouts") is not None:
        timeouts_build(part.part("timeouts"), &out.timeouts)
    elif out.upstream == NULL:
        out.timeouts = default_timeouts(root)
    chain_build(part, plan, &out.chain)
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


# Two routes with the very same predicate: the second would never be taken.
cdef int same_refuse(Part part, Form form, dict seen) except -1:
    asked = sorted([(key, repr(value)) for key, value in part.part("match").values.items()
                    if key not in ("path", "hosts")])
    for host in form.hosts:
        key = (host, tuple(form.segments), tuple(asked))
        if seen.setdefault(key, part.place) != part.place:
            plan_fail(part.at("match"), f"{seen[key]} asks the same")
    return 0


cdef int routes_build(plan_t* plan, Part root) except -1:
    cdef list parts = root.parts("routes")
    cdef list forms = []
    cdef dict seen = {}
    cdef Expressions known = expressions_build(root, &plan.arena)
    cdef route_t* out
    cdef Part part
    plan_unique(parts, "routes")
    plan.routes = <route_t*>plan_alloc(&plan.arena, len(parts) * sizeof(route_t))
    for part in parts:
        out = &plan.routes[plan.route_count]
        form = form_build(plan, part, known, out)
        same_refuse(part, form, seen)
        forms.append(form)
        plan.route_count += 1         # from here on plan_free looks at its chain
        route_build(plan, part, root, out)
    return router_build(plan, forms, known.dfas)
