# cython: language_level=3
# Owns: mirrors of a route from their entries in a plan.
# Thread and GIL: holds the GIL; may run on any thread; touches nothing published.
# Never does: publish.
# Read next: build_mirrors.pxd for the contract.
"""The mirrors of a plan's routes."""

from libc.stdint cimport uint32_t
from pygw._core.build_upstreams cimport upstream_find
from pygw._core.filters.mirror cimport mirror_ops
from pygw._core.limits cimport MIRROR_BODY_MAX, MIRROR_MS_MAX
from pygw._core.mirror cimport mirror_conf_t
from pygw._core.part cimport plan_alloc, plan_fail, plan_keep
from pygw._core.types.upstream cimport SHARES


cdef int mirror_build(Part part, Part route, plan_t* plan, filter_t* out) except -1:
    cdef mirror_conf_t* conf = <mirror_conf_t*>plan_alloc(&plan.arena, sizeof(mirror_conf_t))
    plan_keep(&plan.arena, route.name("name"), &conf.route)
    conf.to = upstream_find(plan, part, "to")
    if conf.to == NULL:
        plan_fail(part.at("to"), "must name an upstream")
    conf.share = <uint32_t>part.number("share", 0, SHARES)
    conf.max_bytes = part.number("max_bytes", 0, MIRROR_BODY_MAX)
    conf.timeout_ms = <uint32_t>part.number("timeout_ms", 1, MIRROR_MS_MAX)
    out.ops = mirror_ops()
    out.conf = conf
    return part.finish()
