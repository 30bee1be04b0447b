# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: hooks that may wait: the coroutines they run in, what they wait for.
# Thread and GIL: one worker's loop; no GIL.
# Never does: run two at once: one that is resumed runs until it waits or ends.
# Read next: lua_run.pxd for the contract.

from libc.stdint cimport int32_t
from libc.stdio cimport snprintf
from libc.string cimport memset, strncmp
from pygw._core.block cimport block_give, block_take
from pygw._core.check cimport likely, unlikely
from pygw._core.filters.hook cimport hook_resume
from pygw._core.bill cimport bill_off, bill_on
from pygw._core.hooks cimport hook_enter, hook_leave
from pygw._core.libs.luajit cimport *
from pygw._core.limits cimport HOOK_ERROR_MAX, LUA_RUNS_MAX, LUA_RUNS_SPARE
from pygw._core.runtimes.hook_fetch cimport fetch_drop, fetch_t, fetched_t
from pygw._core.runtimes.lua_state cimport *
from pygw._core.types.exchange cimport host_t
from pygw._core.types.hook cimport (
    hook_call_t, outcome_t, HOOK_LATE, HOOK_MEMORY, HOOK_RAISED, HOOK_WRONG, OUTCOME_ABORT,
    OUTCOME_FAILED, OUTCOME_NEXT, OUTCOME_REPLY, OUTCOME_WAIT)
from pygw._core.types.timer cimport timer_t


cdef outcome_t run_failed(lua_t* vm, hook_call_t* call, int fault) noexcept nogil:
    if vm.late:
        fault = HOOK_LATE
        if call.error[0] == 0 or strncmp(call.error, b"not enough memory", 17) == 0:
            snprintf(call.error, HOOK_ERROR_MAX, b"ran for more than %u ms", vm.burst_ms)
    elif vm.shared.wrong:
        fault = HOOK_WRONG
    call.fault = fault
    return OUTCOME_FAILED


cdef outcome_t run_outcome(lua_t* vm, hook_call_t* call, int failed) noexcept nogil:
    if likely(failed == LUA_OK and not vm.late):
        if unlikely(vm.shared.aborted):
            return OUTCOME_ABORT
        return OUTCOME_NEXT if likely(call.reply == NULL) else OUTCOME_REPLY
    return run_failed(vm, call, HOOK_MEMORY if failed == LUA_ERRMEM else HOOK_RAISED)


# --- coroutines -----------------------------------------------------------------------------------


cdef lua_run_t* run_make(lua_t* vm) noexcept nogil:
    cdef lua_State* L = vm.L
    cdef lua_run_t* r
    if vm.run_count >= LUA_RUNS_MAX:
        return NULL
    r = <lua_run_t*>block_take(&vm.runs)
    if r == NULL:
        return NULL
    memset(r, 0, sizeof(lua_run_t))
    lua.rawgeti(L, LUA_REGISTRY, SLOT_SPAWN)
    if lua.pcall(L, 0, 1, 1) != LUA_OK:
        lua.settop(L, 1)
        block_give(&vm.runs, r)
        return NULL
    r.home = vm
    r.slot = <int32_t>lua.tonumber(L, -1)
    lua.rawgeti(L, LUA_REGISTRY, r.slot)
    r.co = lua.tothread(L, -1)
    lua.settop(L, 1)
    vm.run_count += 1
    return r


# Its coroutine is garbage from here on, wherever it stands. An emptied slot takes no new memory.
cdef void run_drop(lua_run_t* r) noexcept nogil:
    cdef lua_t* vm = r.home
    lua.rawgeti(vm.L, LUA_REGISTRY, SLOT_UNSPAWN)
    lua.pushnumber(vm.L, r.slot)
    lua.pcall(vm.L, 1, 0, 1)
    lua.settop(vm.L, 1)
    vm.run_count -= 1
    block_give(&vm.runs, r)


cdef void run_rest(lua_run_t* r) noexcept nogil:
    cdef lua_t* vm = r.home
    r.call = NULL
    if vm.idle_count >= LUA_RUNS_SPARE:
        run_drop(r)
        return
    lua.settop(r.co, 0)
    r.next = vm.idle
    vm.idle = r
    vm.idle_count += 1


# It waits for nothing any more.
cdef void wait_end(lua_run_t* r) noexcept nogil:
    cdef host_t* host = r.home.hooks.host
    if r.timer.fire != NULL:
        host.timer_detach(host, &r.timer)
        r.timer.fire = NULL
    run_fetch(r, NULL)


cdef void run_fetch(lua_run_t* r, fetch_t* f) noexcept nogil:
    if unlikely(r.fetch != NULL):
        fetch_drop(r.fetch)
    r.fetch = f


# Goes on with what lies on its stack, until it waits or ends.
cdef outcome_t run_step(lua_run_t* r, int args) noexcept nogil:
    cdef lua_t* vm = r.home
    cdef hook_call_t* call = r.call
    cdef lua_run_t* before = vm.running
    cdef outcome_t outcome
    cdef int status
    lua_begin(vm, call.hook.deadline_ms)
    vm.shared.depth = r.depth
    vm.running = r
    r.timer.fire = on_timer
    status = lua.resume(r.co, args)
    vm.running = before
    if status == LUA_YIELDED and vm.shared.mark == MARK_WAIT and not vm.late:
        r.depth = vm.shared.depth
        return OUTCOME_WAIT
    wait_end(r)
    if likely(status == LUA_YIELDED and vm.shared.mark == MARK_DONE):
        outcome = run_outcome(vm, call, LUA_OK)
        run_rest(r)
    elif status == LUA_YIELDED and vm.shared.mark == MARK_FAILED:
        lua_message(r.co, call.error, HOOK_ERROR_MAX)
        outcome = run_failed(vm, call, HOOK_RAISED)
        run_rest(r)
    else:
        if status == LUA_YIELDED:
            snprintf(call.error, HOOK_ERROR_MAX, b"yields outside of a coroutine of its own")
        else:
            lua_message(r.co, call.error, HOOK_ERROR_MAX)
        outcome = run_failed(vm, call, HOOK_WRONG if status == LUA_YIELDED else HOOK_MEMORY)
        run_drop(r)
    lua_collect(vm, outcome == OUTCOME_FAILED and vm.used > vm.limit // 2)
    return outcome


cdef outcome_t run_begin(lua_t* vm, hook_call_t* call, int slot) noexcept nogil:
    cdef lua_run_t* r = vm.idle
    if likely(r != NULL):
        vm.idle = r.next
        vm.idle_count -= 1
    else:
        lua_begin(vm, call.hook.deadline_ms)
        r = run_make(vm)
        if r == NULL:
            snprintf(call.error, HOOK_ERROR_MAX, b"there is no room for one more coroutine")
            return run_failed(vm, call, HOOK_MEMORY)
    r.call = call
    r.depth = 0
    call.run = r
    lua.rawgeti(r.co, LUA_REGISTRY, slot)
    return run_step(r, 1)


cdef void on_timer(timer_t* t) noexcept nogil:
    run_go_on(<lua_run_t*>(<char*>t - <size_t>&(<lua_run_t*>NULL).timer), NULL)


cdef void run_fetched(fetch_t* f) noexcept nogil:
    cdef lua_run_t* r = <lua_run_t*>f.owner
    r.fetch = NULL
    run_go_on(r, f)


# What it waited for is there: `f`, or its time.
cdef void run_go_on(lua_run_t* r, fetch_t* f) noexcept nogil:
    cdef lua_t* vm = r.home
    cdef hook_call_t* call = r.call
    cdef hook_call_t* before = hook_enter(call)
    cdef const fetched_t* fetched = vm.fetched
    cdef outcome_t outcome
    bill_on(call.x, call.chain_phase)
    call.error[0] = 0
    lua.settop(r.co, 0)
    vm.fetched = &f.result if f != NULL else NULL
    outcome = run_step(r, 0)
    vm.fetched = fetched
    hook_leave(call, before)
    bill_off(call.x, call.chain_phase)
    if f != NULL:
        fetch_drop(f)
    if outcome != OUTCOME_WAIT:
        hook_resume(call, outcome)


cdef void run_cancel(lua_t* vm, hook_call_t* call) noexcept nogil:
    cdef lua_run_t* r = <lua_run_t*>call.run
    call.run = NULL
    wait_end(r)
    run_drop(r)


cdef void runs_fini(lua_t* vm) noexcept nogil:
    cdef lua_run_t* r
    while vm.idle != NULL:
        r = vm.idle
        vm.idle = r.next
        vm.idle_count -= 1
        run_drop(r)
