# Owns: what of an exchange a hook may read and write.
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: cost anything where a hook has no mask.
# Read next: hook_cache.pxd.
#
# What a hook may not read is not there for it: a text is empty, a field or variable is missing. So
# a hook sees the same in the worker and behind a border that only carries what it reads. What it
# may not write is HOST_MASKED.

from libc.stdint cimport uint32_t
from pygw._core.part cimport Part
from pygw._core.types.header cimport span_t
from pygw._core.types.hook cimport hook_call_t, mask_t
from pygw._core.types.memory cimport arena_t

# "reads" or "writes" of a hook's entry: a list of "method", "path", "query", "scheme", "authority",
# "version", "client", "id", "headers", "headers.NAME", "body", "status", "response.headers",
# "response.headers.NAME", "response.body", "vars", "vars.NAME" and, of writes, "reply". `told` is
# what the code declares of itself, None or such a list: then the entry may only name what that has,
# and without it that is the mask. Answers the names, or None: there is no mask. Raises PlanError.
cdef list mask_names(Part part, str key, object told)
# The mask of these names; NULL for None.
cdef const mask_t* mask_build(Part part, str key, list names, arena_t* arena) except? NULL

cdef bint mask_has_name(const mask_t* m, int kind, span_t name) noexcept nogil
# The same for hooks with a mask or without.
cdef inline bint mask_allows(const mask_t* m, uint32_t field) noexcept nogil:
    return m == NULL or m.fields & field != 0

cdef inline bint mask_allows_name(const mask_t* m, int kind, span_t name) noexcept nogil:
    return m == NULL or mask_has_name(m, kind, name)

# Empties in the views what the call's hook, which has a mask, does not read. A head's list is empty
# unless all of it is read: named fields are looked up.
cdef void mask_views(hook_call_t* call) noexcept nogil
