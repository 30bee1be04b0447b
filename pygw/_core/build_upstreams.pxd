# Owns: upstreams and their targets from their entries in a plan.
# Thread and GIL: holds the GIL; may run on any thread; touches nothing published.
# Never does: know a pool (the worker ties targets to pools).
# Read next: types/upstream.pxd.

from pygw._core.part cimport Part
from pygw._core.types.exchange cimport plan_t, route_t
from pygw._core.types.upstream cimport timeouts_t, upstream_t

# The list `upstreams` of a plan. Raises PlanError.
cdef int upstreams_build(plan_t* plan, Part root) except -1
# What stands behind a route whose name and path are set: its upstream or splits, its timeouts as
# far as these give them. Raises PlanError.
cdef int route_upstreams_build(plan_t* plan, Part part, route_t* route) except -1
# The upstream that the key names; NULL when it is null. Raises PlanError for an unknown name.
cdef upstream_t* upstream_find(plan_t* plan, Part part, str key) except? NULL
# The four timeouts of the upstream side; keys beyond them are refused.
cdef int timeouts_build(Part part, timeouts_t* out) except -1
