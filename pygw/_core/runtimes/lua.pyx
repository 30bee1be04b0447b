# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: Lua as a language of hooks: its table for filters/hook.pyx, and what a file declares.
# Thread and GIL: calls are one worker's loop without the GIL; describe is any thread's.
# Never does: run a hook in the state of another worker, or trust what it declares.
# Read next: lua_state.pxd, lua_run.pxd, prelude/core.lua.
"""Lua hooks: source files that LuaJIT runs in a state of each worker."""

import json

from libc.stddef cimport size_t
from libc.stdint cimport uint32_t
from libc.string cimport memcpy, memset
from pygw._core.check cimport unlikely
from pygw._core.fault cimport E_CORE_INTERNAL
from pygw._core.hooks cimport hooks_init, runtime_register
from pygw._core.libs.luajit import problem
from pygw._core.libs.luajit cimport *
from pygw._core.limits cimport HOOK_ERROR_MAX
from pygw._core.runtimes.hook_host cimport hook_host
from pygw._core.runtimes.lua_config import checked
from pygw._core.runtimes.lua_guard import SourceError, guard, words
from pygw._core.runtimes.lua_host cimport lua_host
from pygw._core.runtimes.lua_run cimport run_begin, run_cancel, run_outcome, runs_fini
from pygw._core.runtimes.lua_state cimport *
from pygw._core.types.exchange cimport PHASE_LOG
from pygw._core.types.header cimport span_t
from pygw._core.types.hook cimport *
from pygw._core.view cimport span

WAITERS = {b"sleep", b"fetch"}

cdef runtime_ops_t ops


cdef void* on_open(hooks_t* hooks, char* error, uint32_t size) noexcept nogil:
    return lua_open(hooks, lua_host(), error, size)


cdef void on_close(void* state) noexcept nogil:
    runs_fini(<lua_t*>state)
    lua_close(<lua_t*>state)


# The bytes that LuaJIT gets live until it has compiled them.
cdef int on_load(void* state, hook_t* hook, char* error, uint32_t size) noexcept with gil:
    cdef span_t source = hook.code
    cdef bytes counted
    cdef bytes text
    cdef int failed
    try:
        counted = guard(hook.code.ptr[:hook.code.len])
    except ValueError as why:
        text = str(why).encode()[:size - 1]
        memcpy(error, <const char*>text, len(text) + 1)       # COPY: the text is Python's
        return E_CORE_INTERNAL
    hook.code = span(counted, len(counted))
    with nogil:
        failed = lua_load(<lua_t*>state, hook, error, size)
    hook.code = source
    return failed


cdef void on_release(void* state, hook_t* hook) noexcept nogil:
    lua_unload(<lua_t*>state, hook)


cdef outcome_t on_call(void* state, hook_call_t* call) noexcept nogil:
    cdef lua_t* vm = <lua_t*>state
    cdef lua_State* L = vm.L
    cdef int slot = <int><size_t>call.hook.loaded + call.phase
    cdef outcome_t outcome
    cdef int failed
    if call.hook.may_wait and call.phase != PHASE_LOG:
        return run_begin(vm, call, slot)
    lua_begin(vm, call.hook.deadline_ms)
    lua.rawgeti(L, LUA_REGISTRY, slot)
    failed = lua.pcall(L, 0, 0, 1)
    if unlikely(failed != LUA_OK):
        lua_message(L, call.error, HOOK_ERROR_MAX)
        lua.settop(L, 1)
    outcome = run_outcome(vm, call, failed)
    lua_collect(vm, failed == LUA_ERRMEM)
    return outcome


cdef void on_cancel(void* state, hook_call_t* call) noexcept nogil:
    run_cancel(<lua_t*>state, call)


# --- describe -------------------------------------------------------------------------------------


cdef str declared_in(lua_t* vm, bytes code, bytes file, bytes config):
    cdef hook_t hook
    cdef char error[1024]                 # HOOK_ERROR_MAX
    cdef const char* text
    cdef size_t size
    cdef int failed
    memset(&hook, 0, sizeof(hook))
    hook.code, hook.file = span(code, len(code)), span(file, len(file))
    hook.config = span(config, len(config))
    error[0] = 0
    with nogil:
        failed = lua_load(vm, &hook, error, HOOK_ERROR_MAX)
        if failed == 0:
            lua_begin(vm, 0)
            lua.rawgeti(vm.L, LUA_REGISTRY, SLOT_DESCRIBE)
            lua.pushnumber(vm.L, <double><size_t>hook.loaded)
            failed = lua.pcall(vm.L, 1, 1, 1)
            if failed:
                lua_message(vm.L, error, HOOK_ERROR_MAX)
    if failed:
        raise ValueError(error.decode(errors="replace"))
    text = lua.tolstring(vm.L, -1, &size)
    return text[:size].decode(errors="replace")


cdef str declared(bytes code, bytes file, bytes config):
    cdef hooks_t hooks
    cdef char error[1024]                 # HOOK_ERROR_MAX
    cdef lua_t* vm
    hooks_init(&hooks, NULL, hook_host())
    error[0] = 0
    with nogil:
        vm = lua_open(&hooks, lua_host(), error, HOOK_ERROR_MAX)
    if vm == NULL:
        raise ValueError(error.decode(errors="replace"))
    try:
        return declared_in(vm, code, file, config)
    finally:
        lua_close(vm)


def describe(code: bytes, file: str, config: object) -> dict[str, object]:
    """What a Lua file declares, and its configuration checked; in a state that is gone afterwards.

    Raises ValueError with file and line for code that does not compile, that fails while it is
    loaded, or that declares what means nothing, and for a configuration that it does not take.
    """
    try:
        source = guard(code)
    except SourceError as error:
        raise ValueError(f"{file}:{error.line}: {error}") from None
    told = json.loads(declared(source, file.encode(), b""))
    values = checked(told["config"], config, file)
    declared(source, file.encode(), json.dumps(values).encode())
    waits = told["wait"] if "wait" in told else not WAITERS.isdisjoint(words(code))
    return {"phases": told["phases"], "may_wait": bool(waits), "config": values,
            "reads": names_in(told, "reads", file), "writes": names_in(told, "writes", file)}


# A list of texts, which an empty table may be too; None: it is not there.
cdef list names_in(dict told, str key, str file):
    names = told.get(key)
    if names == {}:
        return []
    if names is not None and (not isinstance(names, list)
                              or any(not isinstance(one, str) for one in names)):
        raise ValueError(f"{file}: '{key}' must be a list of names")
    return names


ops.name = b"lua"
ops.open = on_open
ops.close = on_close
ops.load = on_load
ops.release = on_release
ops.call = on_call
ops.cancel = on_cancel

if problem is not None:
    raise problem
runtime_register(RUNTIME_LUA, &ops, describe)
