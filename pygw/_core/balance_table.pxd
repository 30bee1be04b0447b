# Owns: the tables that balance reads: whose turn it is by weight, and who has a hash's slot.
# Thread and GIL: the thread that builds a plan; holds the GIL but for the slots.
# Never does: change after the plan was built.
# Read next: build_upstreams.pxd.
#
# Slots: each goes to the target that scores highest for it (rendezvous hashing, Thaler and
# Ravishankar 1998; weights as in Mosko's logarithmic method). So when a target goes, its own slots
# move and no others, and a table of any process is the same.

from pygw._core.types.memory cimport arena_t
from pygw._core.types.upstream cimport group_t

# Sets turns of a group with its weights; none when these are equal. Raises PlanError.
cdef int turns_build(group_t* group, arena_t* arena) except -1
# Sets slots of a group with its weights and keys; none for one target. Raises PlanError.
cdef int slots_build(group_t* group, arena_t* arena) except -1
