# Owns: routes from their entries in a plan.
# Thread and GIL: holds the GIL; may run on any thread; touches nothing published.
# Never does: match a request.
# Read next: build_match.pxd, build_router.pxd.

from pygw._core.part cimport Part
from pygw._core.types.exchange cimport plan_t

# The list `routes` of a plan whose upstreams are built. Raises PlanError; what was built counts.
cdef int routes_build(plan_t* plan, Part root) except -1
