# Owns: hooks that may wait: the coroutines they run in, what they wait for.
# Thread and GIL: one worker's loop; no GIL.
# Never does: run two at once: one that is resumed runs until it waits or ends.
# Read next: lua_run.pyx, prelude/sandbox.lua for the hook's own coroutines.

from pygw._core.runtimes.hook_fetch cimport fetch_t
from pygw._core.runtimes.lua_state cimport lua_run_t, lua_t
from pygw._core.types.hook cimport hook_call_t, outcome_t

# Runs the function of a slot in a coroutine. WAIT: call.run is it.
cdef outcome_t run_begin(lua_t* vm, hook_call_t* call, int slot) noexcept nogil
# The call ends while it waits.
cdef void run_cancel(lua_t* vm, hook_call_t* call) noexcept nogil
# What a piece came to that ended without a wait; `failed` as lua.pcall has it.
cdef outcome_t run_outcome(lua_t* vm, hook_call_t* call, int failed) noexcept nogil
# The request that the run waits for from now on (NULL: none); one that it had is given up.
cdef void run_fetch(lua_run_t* r, fetch_t* f) noexcept nogil
# What came for a run that waited: its done call.
cdef void run_fetched(fetch_t* f) noexcept nogil
# Ends all coroutines, before the state closes.
cdef void runs_fini(lua_t* vm) noexcept nogil
