# Owns: what an entry for a hook says, and what its code says of itself, as the plan has it.
# Thread and GIL: builds plans; holds the GIL.
# Never does: run a hook, or serve by what `describe` made of its code.
# Read next: filters/hook.pxd for the keys, hooks.pxd for describe.

from pygw._core.part cimport Part
from pygw._core.types.hook cimport hook_t
from pygw._core.types.memory cimport arena_t

# Fills all of `hook` but its slot. Raises PlanError.
cdef int hook_conf_build(Part part, arena_t* arena, hook_t* hook) except -1
