# Owns: the declarations of LuaJIT's C API, written by hand, and the one table of its functions.
# Thread and GIL: the table is filled once at import; a state's calls are its one thread's, no GIL.
# Never does: include a header of LuaJIT, or use luaL_Buffer or lua_Debug, whose layout is not ours.
# Read next: luajit.pyx for the guards, ../runtimes/lua_state.pxd for the use.
#
# A Lua error outside of pcall, resume and load ends the process. So the data plane calls only what
# raises none as it is used here; those that can, for want of memory, serve a state's set-up only.

from libc.stddef cimport size_t

ctypedef void lua_State
ctypedef void* (*lua_alloc_fn)(void* ud, void* ptr, size_t old, size_t new) noexcept nogil

cdef enum:
    LUA_REGISTRY = -10000             # pseudo-index of the registry
    LUA_GLOBALS = -10002              # pseudo-index of the globals
    LUA_OK = 0
    LUA_YIELDED = 1
    LUA_ERRRUN = 2
    LUA_ERRSYNTAX = 3
    LUA_ERRMEM = 4
    LUA_ERRERR = 5
    LUA_TNIL = 0
    LUA_TNUMBER = 3
    LUA_TSTRING = 4
    LUA_TTABLE = 5
    LUA_TFUNCTION = 6
    LUA_TTHREAD = 8
    LUA_GC_COLLECT = 2
    LUA_GC_COUNT = 3

cdef struct lua_api:
    lua_State* (*newstate)(lua_alloc_fn f, void* ud) noexcept nogil
    void (*close)(lua_State* L) noexcept nogil
    # Protected: a status, and on failure the message on the stack.
    int (*pcall)(lua_State* L, int args, int results, int handler) noexcept nogil
    int (*resume)(lua_State* L, int args) noexcept nogil
    int (*load)(lua_State* L, const char* text, size_t size, const char* name,
                const char* mode) noexcept nogil            # luaL_loadbufferx
    int (*gc)(lua_State* L, int what, int data) noexcept nogil
    # No metamethod, no conversion, no new memory: none of these raises.
    int (*gettop)(lua_State* L) noexcept nogil
    void (*settop)(lua_State* L, int index) noexcept nogil
    int (*type)(lua_State* L, int index) noexcept nogil
    void (*rawgeti)(lua_State* L, int index, int n) noexcept nogil
    void (*pushnumber)(lua_State* L, double n) noexcept nogil
    void (*pushvalue)(lua_State* L, int index) noexcept nogil
    void (*pushnil)(lua_State* L) noexcept nogil
    double (*tonumber)(lua_State* L, int index) noexcept nogil
    lua_State* (*tothread)(lua_State* L, int index) noexcept nogil
    const char* (*tolstring)(lua_State* L, int index, size_t* size) noexcept nogil
    # Raises without memory: while a state is set up only, when nothing is capped yet.
    void (*pushlstring)(lua_State* L, const char* text, size_t size) noexcept nogil
    void (*openlibs)(lua_State* L) noexcept nogil           # raises: as pushlstring

cdef lua_api lua
