# Owns: requests that wait for another's run of the same hook and key.
# Thread and GIL: one worker's loop; no GIL.
# Never does: run a hook, or resume an exchange (filters/hook.pyx does).
# Read next: hook_cache.pxd, filters/hook.pyx.
#
# Requests of one key that come while the first's run waits stand in a line behind it, at most
# HOOK_CACHE_LINE, and are woken by its end: what was kept is done for each; when nothing was kept
# (it failed, or asked and had no answer), each has its own run. When the first was cancelled, the
# next has the run for all. A request stands there until the hook's deadline at most, and that is
# one deadline for its place in the line and its run.

from pygw._core.types.hook cimport hook_cache_t, hook_call_t, record_t

# Its decision is not known, but a run that waits will bring it: it stands behind that. False: no
# run of its key waits, or HOOK_CACHE_LINE others stand there already.
cdef bint hook_line_up(hook_cache_t* c, record_t* r) noexcept nogil
# It stands in a line: it must be parked, not run.
cdef inline bint hook_line_stands(const hook_call_t* call) noexcept nogil:
    return call.record != NULL and call.record.line != NULL
# It does so no more.
cdef void hook_line_leave(hook_call_t* call) noexcept nogil
# Its run waits: others of its key may stand behind it.
cdef void hook_line_lead(hook_call_t* call) noexcept nogil
# The call is given back: who stands behind it goes on when c.wake fires, soon.
cdef void hook_line_over(hook_call_t* call) noexcept nogil
# The next that goes on, out of the line; NULL: none.
cdef hook_call_t* hook_line_next(hook_cache_t* c) noexcept nogil
