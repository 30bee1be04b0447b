# Owns: a worker's hooks as one home: which languages there are, loading, the call that runs.
# Thread and GIL: one worker's loop, no GIL; the registry holds the GIL, at import and in builds.
# Never does: know a filter, or what a hook may do (filters/hook.pyx, runtimes/hook_host.pyx).
# Read next: filters/hook.pxd.

from libc.stddef cimport size_t
from libc.stdint cimport uint32_t
from pygw._core.types.exchange cimport host_t, plan_t
from pygw._core.types.hook cimport hook_call_t, hook_host_t, hooks_t, runtime_ops_t

cdef void hooks_init(hooks_t* k, host_t* host, const hook_host_t* api) noexcept nogil
# Every plan was released: the languages close.
cdef void hooks_fini(hooks_t* k) noexcept nogil

# A language says at its import what it can. describe(code: bytes, file: str, config: object) ->
# dict runs off the loop, with the GIL, when a plan is built; it judges the code without serving by
# it: {"phases": names of phases, "may_wait": bool, "config": the configuration with defaults}. It
# raises ValueError with file and line in the text.
cdef int runtime_register(int which, const runtime_ops_t* ops, object describe) except -1
# The number of a language and its describe; imports runtimes/<name> if need be. ValueError for a
# name that no runtime has.
cdef tuple runtime_find(str name)
cdef const runtime_ops_t* runtime_ops(int which) noexcept nogil

# Loads each hook of a plan. 0, or the E_* of the first that fails with the reason in `error`; then
# none is loaded.
cdef int hooks_load(hooks_t* k, plan_t* plan, char* error, uint32_t size) noexcept nogil
# Lets go of those that are loaded: no exchange has the plan any more.
cdef void hooks_release(hooks_t* k, plan_t* plan) noexcept nogil

# The views show the call's exchange and hooks.running is it, until hook_leave. Around each piece of
# code that a hook runs: filters/hook.pyx does it for `call`, a runtime before what waits goes on.
# Returns what ran before, for hook_leave.
cdef hook_call_t* hook_enter(hook_call_t* call) noexcept nogil
cdef void hook_leave(hook_call_t* call, hook_call_t* before) noexcept nogil
# After an edit: the views show it.
cdef void hook_views(hook_call_t* call) noexcept nogil

# Writes a line about a hook to standard error: "level hook NAME: TEXT". At most HOOK_LOG_LINES in
# HOOK_LOG_MS, HOOK_LINE_MAX bytes each; control bytes are written as spaces. False: dropped.
cdef bint hook_log(hook_call_t* call, uint32_t level, const char* text,
                   uint32_t size) noexcept nogil
