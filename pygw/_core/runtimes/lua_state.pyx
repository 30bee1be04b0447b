# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: a worker's Lua: its state, the memory it may take, the time a piece of it may run.
# Thread and GIL: one worker's loop, no GIL; the prelude is read at import.
# Never does: let a Lua error out of lua_pcall: what can raise runs inside of the prelude.
# Read next: lua_state.pxd for the contract.

from pathlib import Path

from libc.stdint cimport uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memset
from pygw._core.block cimport blocks_fini, blocks_init
from pygw._core.check cimport likely, unlikely
from pygw._core.fault cimport E_CORE_INTERNAL
from pygw._core.libs.luajit cimport *
from pygw._core.limits cimport (
    LUA_BURST_MS, LUA_CHURN, LUA_MEMORY_MAX, LUA_NESTED_MAX, LUA_PIECE_MAX, LUA_RESERVE,
    LUA_STEPS)
from pygw._core.runtimes.hook_host cimport hook_host
from pygw._core.shortage cimport shortage
from pygw._core.types.header cimport header_t
from pygw._core.types.hook cimport (
    hook_host_t, hook_t, hooks_t, request_view_t, response_view_t)

cdef extern from "<time.h>" nogil:
    int CLOCK_MONOTONIC
    struct timespec:
        long tv_sec
        long tv_nsec
    int clock_gettime(int clock, timespec* now)

cdef enum:
    PARTS = 8
    HOOK_SLOTS = 8

# The prelude's text: read once, shared by all states.
PRELUDE = ("core", "strings", "sandbox", "json", "coding", "kv", "fetch", "api")
texts = [
    (Path(__file__).parent / "prelude" / f"{name}.lua").read_bytes() for name in PRELUDE]
names = [f"=pygw.{name}".encode() for name in PRELUDE]

cdef const char* part_text[8]         # static: PARTS of the prelude
cdef size_t part_size[8]
cdef const char* part_name[8]         # static
cdef int part
for part in range(PARTS):
    part_text[part] = <const char*><bytes>texts[part]
    part_size[part] = len(texts[part])
    part_name[part] = <const char*><bytes>names[part]


cdef uint64_t now_ns() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <uint64_t>now.tv_sec * 1000000000 + <uint64_t>now.tv_nsec


# --- memory and time ------------------------------------------------------------------------------


# Long work that no loop of the hook's shows, such as a..a, takes memory: it is timed here.
cdef bint churned(lua_t* vm, size_t more) noexcept nogil:
    vm.churn += more
    if likely(vm.churn < LUA_CHURN):
        return False
    vm.churn = 0
    return lua_late(vm) != 0


# The table of interned strings, which a collection builds anew at half its size: the one thing that
# it allocates. WHY: LuaJIT dies of an error that is raised in a collection which compiled code has
# begun (the unwinder takes a state for a trace's number). So what looks like such a table, at most
# half of the largest piece, may use the reserve above the limit; nothing else may. A text whose
# memory is a power of two looks so as well, and takes of the reserve.
cdef inline bint is_reserved(lua_t* vm, void* ptr, size_t size) noexcept nogil:
    return (ptr == NULL and 2048 <= size <= LUA_PIECE_MAX // 2 and size & (size - 1) == 0
            and vm.used + size <= vm.limit + LUA_RESERVE)


cdef void* lua_alloc(void* ud, void* ptr, size_t old, size_t size) noexcept nogil:
    cdef lua_t* vm = <lua_t*>ud
    cdef void* out
    if ptr == NULL:
        old = 0
    if size == 0:
        vm.used -= old
        free(ptr)
        return NULL
    if size > old and vm.ready and not is_reserved(vm, ptr, size):
        if unlikely(vm.used + size - old > vm.limit or size > LUA_PIECE_MAX or shortage()):
            return NULL
        if unlikely(size >= 4096 and (vm.late or churned(vm, size))):
            return NULL
    out = realloc(ptr, size)
    if likely(out != NULL):
        vm.used += size - old
    return out


cdef void lua_begin(lua_t* vm, uint32_t deadline_ms) noexcept nogil:
    vm.burst_ns = 0
    vm.burst_ms = deadline_ms if deadline_ms and deadline_ms < LUA_BURST_MS else LUA_BURST_MS
    vm.late = False
    vm.shared.mark = MARK_NONE
    vm.shared.depth = 0
    vm.shared.wrong = 0
    vm.shared.aborted = 0


cdef int lua_late(lua_t* vm) noexcept nogil:
    cdef uint64_t now = now_ns()
    if vm.burst_ns == 0:
        vm.burst_ns = now + <uint64_t>vm.burst_ms * 1000000
    elif now >= vm.burst_ns:
        vm.late = True
    return <int>vm.burst_ms if vm.late else 0


cdef void lua_collect(lua_t* vm, bint now) noexcept nogil:
    if likely(not now and vm.used < vm.limit // 2):
        return
    if not now and vm.used < vm.swept + vm.limit // 8:
        return
    vm.limit += vm.limit // 4               # a collection may need some to free more
    lua_begin(vm, 0)
    lua.rawgeti(vm.L, LUA_REGISTRY, SLOT_COLLECT)
    lua.pcall(vm.L, 0, 0, 0)
    lua.settop(vm.L, 1)
    vm.limit = LUA_MEMORY_MAX
    vm.swept = vm.used


cdef void lua_message(lua_State* from_, char* error, uint32_t size) noexcept nogil:
    cdef size_t length = 0
    cdef const char* text = NULL
    if lua.gettop(from_) > 0 and lua.type(from_, -1) == LUA_TSTRING:
        text = lua.tolstring(from_, -1, &length)
    if text == NULL:
        snprintf(error, size, b"failed with an error that is no text")
        return
    if length >= size:
        length = size - 1
    memcpy(error, text, length)           # COPY: the message is Lua's to free
    error[length] = 0


# --- life -----------------------------------------------------------------------------------------


# Runs a part of the prelude; the first makes the table that the others are given.
cdef int part_run(lua_t* vm, int which, const void* host) noexcept nogil:
    cdef lua_State* L = vm.L
    cdef int failed = lua.load(L, part_text[which], part_size[which], part_name[which], b"t")
    if failed:
        return failed
    if which:
        lua.pushvalue(L, 1)
        return lua.pcall(L, 1, 0, 0)
    lua.pushnumber(L, <double><size_t>vm)
    lua.pushnumber(L, <double><size_t>vm.hooks)
    lua.pushnumber(L, <double><size_t>hook_host())
    lua.pushnumber(L, <double><size_t>host)
    lua.pushnumber(L, sizeof(hook_host_t))
    lua.pushnumber(L, sizeof(request_view_t))
    lua.pushnumber(L, sizeof(response_view_t))
    lua.pushnumber(L, sizeof(header_t))
    lua.pushnumber(L, sizeof(lua_shared_t))
    lua.pushnumber(L, LUA_STEPS)
    lua.pushnumber(L, LUA_NESTED_MAX)
    return lua.pcall(L, 11, 1, 0)


cdef lua_t* lua_open(hooks_t* hooks, const void* host, char* error, uint32_t size) noexcept nogil:
    cdef lua_t* vm = <lua_t*>malloc(sizeof(lua_t))
    cdef int i, failed = 0
    if vm == NULL:
        snprintf(error, size, b"no memory for a Lua state")
        return NULL
    memset(vm, 0, sizeof(lua_t))
    vm.hooks = hooks
    vm.limit = LUA_MEMORY_MAX
    blocks_init(&vm.runs, sizeof(lua_run_t))
    vm.L = lua.newstate(lua_alloc, vm)
    if vm.L == NULL:
        snprintf(error, size, b"no memory for a Lua state")
        free(vm)
        return NULL
    lua.openlibs(vm.L)
    for i in range(PARTS):
        failed = part_run(vm, i, host)
        if failed:
            lua_message(vm.L, error, size)
            lua_close(vm)
            return NULL
    lua.settop(vm.L, 0)
    lua.rawgeti(vm.L, LUA_REGISTRY, SLOT_HANDLER)
    vm.ready = True
    return vm


cdef void lua_close(lua_t* vm) noexcept nogil:
    vm.ready = False
    lua.close(vm.L)
    blocks_fini(&vm.runs)
    free(vm)


# --- hooks ----------------------------------------------------------------------------------------


cdef int lua_load(lua_t* vm, hook_t* hook, char* error, uint32_t size) noexcept nogil:
    cdef lua_State* L = vm.L
    lua_begin(vm, 0)
    lua.rawgeti(L, LUA_REGISTRY, SLOT_LOAD)
    lua.pushnumber(L, <double><size_t>hook.code.ptr)
    lua.pushnumber(L, hook.code.len)
    lua.pushnumber(L, <double><size_t>hook.file.ptr)
    lua.pushnumber(L, hook.file.len)
    lua.pushnumber(L, <double><size_t>hook.config.ptr)
    lua.pushnumber(L, hook.config.len)
    if lua.pcall(L, 6, 1, 1) != LUA_OK:
        lua_message(L, error, size)
        lua.settop(L, 1)
        lua_collect(vm, True)
        return E_CORE_INTERNAL
    hook.loaded = <void*><size_t>lua.tonumber(L, -1)
    lua.settop(L, 1)
    return 0


cdef void lua_unload(lua_t* vm, hook_t* hook) noexcept nogil:
    lua_begin(vm, 0)
    lua.rawgeti(vm.L, LUA_REGISTRY, SLOT_UNLOAD)
    lua.pushnumber(vm.L, <double><size_t>hook.loaded)
    lua.pcall(vm.L, 1, 0, 1)
    lua.settop(vm.L, 1)
    hook.loaded = NULL
    lua_collect(vm, True)
