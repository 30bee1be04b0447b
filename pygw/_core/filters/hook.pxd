# Owns: the filter `hook`: user code in a chain, whatever its language.
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: know a language; trust what a hook answers.
# Read next: ../hooks.pxd, ../types/hook.pxd.
#
# {"filter": "hook", "runtime": "lua", "name": NAME, "file": PATH, "code": TEXT, "config": OBJECT or
# null, "phases": [PHASE, ...] or null for those that the code has, "deadline_ms": N or null,
# "on_error": "fail" | "skip", "body": "none" | "buffered" | "stream", "body_max": BYTES}
# and, where they are: "fetch": [NAME, ...] of the upstreams that it may fetch from; "reads",
# "writes": hook_mask.pxd; "cache": hook_cache.pxd
#
# A hook that fails, by any road, is counted, logged and dealt with by its policy: fail answers 500
# (502 when the service has answered), skip goes on as if it had said nothing; edits that it made
# before stay. What it replied counts only when its run comes to REPLY.

from pygw._core.part cimport Part
from pygw._core.types.exchange cimport filter_t, plan_t
from pygw._core.types.hook cimport hook_call_t, hook_t, outcome_t
from pygw._core.types.memory cimport arena_t

cdef int hook_build(Part part, arena_t* arena, filter_t* out) except -1
# Finds what it names in the plan, when that is whole. Raises PlanError.
cdef int hook_tie(hook_t* hook, plan_t* plan) except -1
# The hook of a filter; NULL when the filter is another.
cdef hook_t* hook_of(const filter_t* f) noexcept nogil

# For a runtime whose run answered WAIT: what it came to. The call is over and gone after it, and
# the exchange may be: it stands last. Nothing happens for one that does not wait.
cdef void hook_resume(hook_call_t* call, outcome_t outcome) noexcept nogil
