# Owns: mirrors of a route from their entries in a plan.
# Thread and GIL: holds the GIL; may run on any thread; touches nothing published.
# Never does: publish.
# Read next: filters/mirror.pxd.
#
# {"to": upstream, "share": of 10 000 requests, "max_bytes": n, "timeout_ms": n}

from pygw._core.part cimport Part
from pygw._core.types.exchange cimport filter_t, plan_t

# One of the list `mirrors` of `route`. Raises PlanError.
cdef int mirror_build(Part part, Part route, plan_t* plan, filter_t* out) except -1
