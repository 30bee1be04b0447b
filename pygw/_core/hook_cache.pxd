# Owns: decisions of hooks that a worker keeps: what a run wrote and answered, by a key.
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: keep what a run that failed, aborted or had no answer did; give one hook's decision
#   to another hook, or to the same one in another plan.
# Read next: hook_line.pxd, hook_cache.pyx, filters/hook.pyx.
#
# "cache": {"key": template of template.pxd, "ttl_ms": N} in a hook's entry, which must have "reads"
# and act in the phase request only. The hook must be pure: what it decides depends on what it
# reads, and that stands in the key; the configuration sees to it. Kept are its writes, by the host
# table, in their order, and its reply. A request in which a named field that it reads, or a cookie
# or pair of the key, came twice has its own run. Of all decisions the least recently used goes
# first; nothing is kept twice.

from libc.stdint cimport uint32_t, uint64_t
from pygw._core.part cimport Part
from pygw._core.types.exchange cimport plan_t
from pygw._core.types.header cimport span_t
from pygw._core.types.hook cimport (
    caching_t, hook_cache_t, hook_call_t, hook_t, outcome_t)
from pygw._core.types.memory cimport arena_t

cdef enum op:
    OP_HEADER_SET = 0
    OP_HEADER_ADD = 1
    OP_HEADER_DEL = 2
    OP_METHOD = 3
    OP_PATH = 4
    OP_QUERY = 5
    OP_VAR = 6
    OP_REPLY = 7
    OP_REPLY_HEADER = 8
    OP_STATUS = 9
    OP_BODY = 10

# `reads`: the names of what the hook reads, or None.
cdef const caching_t* caching_build(Part part, const hook_t* hook, list reads,
                                    arena_t* arena) except? NULL

cdef void hook_cache_init(hook_cache_t* c) noexcept nogil
cdef void hook_cache_fini(hook_cache_t* c) noexcept nogil
# The plan is not served any more: the decisions of its hooks go.
cdef void hook_cache_forget(hook_cache_t* c, const plan_t* plan) noexcept nogil

# Before a run that may be kept: what was decided for its key is done again, and the outcome
# answered; OUTCOME_WAIT: nothing is known, the hook runs.
cdef outcome_t hook_cache_take(hook_call_t* call) noexcept nogil
# Its run came to this, and that was right.
cdef void hook_cache_keep(hook_call_t* call, outcome_t outcome) noexcept nogil
# As hook_cache_take for one that stood in a line: hook_line.pxd.
cdef outcome_t hook_cache_again(hook_call_t* call) noexcept nogil

# A hook that is watched is about to write: 0, or HOST_MASKED. `number`: a side (fields), a status.
cdef int hook_watch(hook_call_t* call, int what, uint32_t number, span_t name,
                    span_t value) noexcept nogil
# What it decides is not kept. Only a call of a hook with `caching` has a record, or NULL, there.
cdef inline void hook_unkept(hook_call_t* call) noexcept nogil:
    if call.hook.caching != NULL and call.record != NULL:
        call.record.broken = True
# A write that hook_watch let through came to nothing: what follows from that is not kept.
cdef inline int hook_unwritten(hook_call_t* call, int error) noexcept nogil:
    hook_unkept(call)
    return error
