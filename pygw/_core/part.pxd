# Owns: reading a plan's JSON values with their place in every complaint; PlanError.
# Thread and GIL: holds the GIL; any thread, one plan at a time each.
# Never does: run while an exchange does; know what a value is for.
# Read next: build.pxd, filters/.
#
# Everything here raises PlanError("routes[2].path: must be text") for what is missing, of another
# type or out of bounds, and for a plan that takes more memory than its arena gives.

from libc.stdint cimport uint64_t
from pygw._core.types.header cimport span_t
from pygw._core.types.memory cimport arena_t

# One JSON object of a plan and its place in it.
cdef class Part:
    cdef dict values
    cdef readonly str place           # "routes[2].middleware[0]"; "" for the plan itself
    cdef set unread                   # keys nobody asked for yet

    # Place of a key, for complaints.
    cdef str at(self, str key)
    # Whether the key is there with a value other than null; counts as asked for.
    cdef bint has(self, str key) except? 0
    cdef object value(self, str key)                          # as it is; must be there
    cdef uint64_t number(self, str key, uint64_t low, uint64_t high) except? 0
    # The same, where null means off and is read as 0.
    cdef uint64_t number_or_off(self, str key, uint64_t low, uint64_t high) except? 0
    cdef bint flag(self, str key) except? 0
    cdef bytes text(self, str key, size_t max_bytes)          # UTF-8; may be empty
    cdef bytes name(self, str key)                            # 1 to 64 of A-Z a-z 0-9 _ . -
    cdef list items(self, str key)
    cdef Part part(self, str key)
    cdef list parts(self, str key)                            # a list of objects
    # Every key has been asked for: others are unknown.
    cdef int finish(self) except -1

# Raises PlanError with the place in front of the message.
cdef int plan_fail(str place, str message) except -1
# Raises PlanError: the arena refused.
cdef int plan_full(arena_t* arena) except -1
# The UTF-8 bytes of a JSON string.
cdef bytes plan_text(object value, str place, size_t max_bytes)
# Zeroed, 16-byte aligned memory of the plan; never NULL.
cdef void* plan_alloc(arena_t* arena, size_t size) except NULL
# A terminated copy of the bytes in the plan.
cdef int plan_keep(arena_t* arena, bytes text, span_t* out) except -1
# Raises PlanError when two of the parts have the same `name`.
cdef int plan_unique(list parts, str what) except -1
