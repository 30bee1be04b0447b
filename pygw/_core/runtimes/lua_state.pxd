# Owns: a worker's Lua: its state, the memory it may take, the time a piece of it may run.
# Thread and GIL: one worker's loop, no GIL; a state of lua.describe is its caller's thread's.
# Never does: let a Lua error out of lua_pcall: what can raise runs inside of the prelude.
# Read next: prelude/core.lua, then lua_run.pxd.

from libc.stddef cimport size_t
from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t
from pygw._core.libs.luajit cimport lua_State
from pygw._core.runtimes.hook_fetch cimport fetch_t, fetched_t
from pygw._core.runtimes.lua_match cimport lua_match_t
from pygw._core.types.hook cimport hook_call_t, hook_t, hooks_t
from pygw._core.types.memory cimport blocks_t
from pygw._core.types.timer cimport timer_t

# Slots of the registry that the prelude fills: its functions, then eight for each hook.
cdef enum lua_slot:
    SLOT_HANDLER = 1                  # adds the position to an error
    SLOT_LOAD = 2                     # (source, size, name, size, config, size) -> first slot
    SLOT_UNLOAD = 3                   # (first slot)
    SLOT_SPAWN = 4                    # () -> slot of a coroutine that waits for work
    SLOT_COLLECT = 5                  # () a full collection
    SLOT_DESCRIBE = 6                 # (first slot) -> what the hook declares, as JSON
    SLOT_UNSPAWN = 7                  # (slot) lets go of a coroutine

# How a coroutine gave back control.
cdef enum lua_mark:
    MARK_NONE = 0                     # by a yield of the hook's own: wrong
    MARK_DONE = 1
    MARK_FAILED = 2                   # the message is on its stack
    MARK_WAIT = 3

# What C and the prelude tell each other; prelude/core.lua has the same struct.
cdef struct lua_shared_t:
    int32_t mark                      # lua_mark
    int32_t depth                     # of the hook's own coroutines, one inside the other
    int32_t wrong                     # the error at hand is about what the hook answered
    int32_t aborted                   # gw.abort was called
    uint8_t out[64]                   # DIGEST_BYTES_MAX
    lua_match_t match

# One hook that runs in a coroutine.
cdef struct lua_run_t:
    lua_run_t* next                   # own: the list of idle ones
    lua_t* home                       # borrow(worker, for ever)
    lua_State* co                     # borrow(registry, until its slot is emptied)
    hook_call_t* call                 # borrow(filter, until it is over); NULL: idle
    timer_t timer                     # of gw.sleep
    fetch_t* fetch                    # own: of gw.fetch, from its opening until it came; or NULL
    int32_t slot                      # of the registry
    int32_t depth                     # shared.depth while it waits

cdef struct lua_t:
    lua_shared_t shared               # first: the prelude knows it by this address
    lua_State* L                      # own: until lua_close
    hooks_t* hooks                    # borrow(worker, for ever)
    size_t used                       # bytes that it has
    size_t limit                      # and may have
    size_t swept                      # what it had after the last full collection
    size_t churn                      # bytes taken since the clock was looked at
    uint64_t burst_ns                 # when the piece at hand must be over; 0: nobody asked yet
    uint32_t burst_ms                 # how long it may run
    uint8_t late                      # it did not keep that
    uint8_t ready                     # the prelude stands: allocations may fail
    lua_run_t* running                # borrow(itself, while its coroutine runs)
    const fetched_t* fetched          # borrow(hook_fetch, while what waited for it goes on)
    lua_run_t* idle                   # own
    uint32_t idle_count
    uint32_t run_count                # idle ones too
    blocks_t runs

# NULL with the reason in `error`. `host` is the table that the prelude calls: lua_host.pxd.
cdef lua_t* lua_open(hooks_t* hooks, const void* host, char* error, uint32_t size) noexcept nogil
cdef void lua_close(lua_t* vm) noexcept nogil
# Sets the hook up: 0, or an E_* with the reason in `error`. hook.loaded is its first slot.
cdef int lua_load(lua_t* vm, hook_t* hook, char* error, uint32_t size) noexcept nogil
cdef void lua_unload(lua_t* vm, hook_t* hook) noexcept nogil
# A piece of Lua begins: its time counts from its first look at the clock.
cdef void lua_begin(lua_t* vm, uint32_t deadline_ms) noexcept nogil
# Whether the piece at hand is over its time: then the milliseconds that it had, else 0.
cdef int lua_late(lua_t* vm) noexcept nogil
# The message on the stack of `from_`, NUL-terminated, cut at `size`.
cdef void lua_message(lua_State* from_, char* error, uint32_t size) noexcept nogil
# After a piece: frees memory when little is left, or when `now`.
cdef void lua_collect(lua_t* vm, bint now) noexcept nogil
