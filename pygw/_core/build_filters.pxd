# Owns: which filters there are; a route's chain from its entries in a plan.
# Thread and GIL: holds the GIL; may run on any thread; touches nothing published.
# Never does: publish.
# Read next: filters/.

from pygw._core.part cimport Part
from pygw._core.types.exchange cimport chain_t, filter_t, plan_t
from pygw._core.types.memory cimport arena_t

# A filter's build half: reads its part of the plan (all keys but "filter") and sets out.ops and
# out.conf, whose memory is the plan's arena or is given back by ops.conf_free. Raises PlanError.
ctypedef int (*filter_build_fn)(Part part, arena_t* arena, filter_t* out) except -1

# Makes {"filter": name} known to plans built from now on. ValueError when the name is taken.
cdef int filter_register(str name, filter_build_fn build) except -1
# The chain of the lists `middleware` and `mirrors` in `part`; the plan's upstreams are built
# already. Raises PlanError; what was built then counts.
cdef int chain_build(Part part, plan_t* plan, chain_t* chain) except -1
# Gives back what filters keep outside the arena.
cdef void chain_free(chain_t* chain) noexcept nogil
