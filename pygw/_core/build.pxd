# Owns: turning a plan's text into plan_t.
# Thread and GIL: holds the GIL; may run on any thread; touches nothing published.
# Never does: publish, or know a pool (the worker ties targets to pools).
# Read next: build_routes.pxd, build_filters.pxd, build_upstreams.pxd, worker.pyx.
#
# The text is the supervisor's, but nothing in it is trusted: every value is checked for type and
# bounds, and every complaint is a PlanError (a ValueError) that names the place. The plan and all
# it points to lie in its own arena, bounded by PLAN_BYTES_MAX.

from pygw._core.types.exchange cimport plan_t

# A whole plan with refs = 1 from its JSON text. Raises PlanError naming the place and the fault.
cdef plan_t* plan_build(bytes text) except NULL
# The same in at most max_bytes: what other live plans leave of PLAN_BYTES_MAX.
cdef plan_t* plan_build_within(bytes text, size_t max_bytes) except NULL
# Frees a plan and its filters' conf (refs must be 0, or 1 for a plan that was never published).
cdef void plan_free(plan_t* plan) noexcept nogil
# Bytes a plan takes.
cdef size_t plan_bytes(plan_t* plan) noexcept nogil
