# cython: language_level=3
# Owns: the one table of LuaJIT's functions and the proof that it is the LuaJIT we know.
# Thread and GIL: the table is filled at import under the GIL; the calls need none.
# Never does: keep a state: the proof's own is closed at once.
# Read next: luajit.pxd for the contracts.

from pygw._core.libs.loader cimport Library, file_of, library_open
from pygw._core.libs.wheel import LUAJIT, LibraryError, LibraryInfo

# What hooks stand on: the version, the compiler, FFI calls through a number, 64 bits in structs,
# text mode, and positions in errors.
cdef bytes PROOF = b"""
local ffi = require("ffi")
assert(jit.version_num >= 20100 and jit.version_num < 20200, jit.version)
assert(ffi.abi("64bit") and ffi.abi("le"), "pygw needs 64 bits, little end first")
ffi.cdef("typedef struct { uint32_t a; const char *p; uint64_t b; } pygw_proof_t;")
assert(ffi.sizeof("pygw_proof_t") == 24 and ffi.offsetof("pygw_proof_t", "b") == 16, "layout")
local x = ffi.new("pygw_proof_t[1]")
local y = ffi.cast("pygw_proof_t *", tonumber(ffi.cast("uintptr_t", x)))
y.b = 7
assert(x[0].b == 7, "pointers as numbers")
local ok, message = pcall(function() error("x") end)
assert(message == "pygw:11: x", message)
return (jit.status() and 1 or 0) + jit.version_num * 10
"""


cdef int refuse(Library lib, str problem) except -1:
    raise LibraryError(lib.name, f"{problem} in {lib.path} ({lib.release})", lib.remedy)


cdef int fill(Library lib) except -1:
    lib.fill(&lua.newstate, b"lua_newstate")
    lib.fill(&lua.close, b"lua_close")
    lib.fill(&lua.pcall, b"lua_pcall")
    lib.fill(&lua.resume, b"lua_resume")
    lib.fill(&lua.load, b"luaL_loadbufferx")
    lib.fill(&lua.gc, b"lua_gc")
    lib.fill(&lua.gettop, b"lua_gettop")
    lib.fill(&lua.settop, b"lua_settop")
    lib.fill(&lua.type, b"lua_type")
    lib.fill(&lua.rawgeti, b"lua_rawgeti")
    lib.fill(&lua.pushnumber, b"lua_pushnumber")
    lib.fill(&lua.pushvalue, b"lua_pushvalue")
    lib.fill(&lua.pushnil, b"lua_pushnil")
    lib.fill(&lua.tonumber, b"lua_tonumber")
    lib.fill(&lua.tothread, b"lua_tothread")
    lib.fill(&lua.tolstring, b"lua_tolstring")
    lib.fill(&lua.pushlstring, b"lua_pushlstring")
    lib.fill(&lua.openlibs, b"luaL_openlibs")
    return 0


# Runs the proof, and answers its number.
cdef int prove_in(Library lib, lua_State* L) except -1:
    cdef size_t size
    cdef const char* why
    cdef int failed
    lua.openlibs(L)
    failed = lua.load(L, PROOF, len(PROOF), b"=pygw", b"t")
    if failed == LUA_OK:
        failed = lua.pcall(L, 0, 1, 0)
    if failed:
        why = lua.tolstring(L, -1, &size)
        refuse(lib, why[:size].decode(errors="replace") if why != NULL else f"error {failed}")
    return <int>lua.tonumber(L, -1)


cdef int prove_text_mode(Library lib, lua_State* L) except -1:
    if lua.load(L, b"\x1bLJ", 3, b"=pygw", b"t") != LUA_ERRSYNTAX:
        refuse(lib, "bytecode is loaded where text is asked for")
    return 0


cdef object load():
    cdef Library lib = library_open(LUAJIT)
    cdef lua_State* (*make)() noexcept nogil
    cdef lua_State* L
    fill(lib)
    lib.fill(&make, b"luaL_newstate")
    L = make()
    if L == NULL:
        refuse(lib, "no state can be made")
    try:
        told = prove_in(lib, L)
        prove_text_mode(lib, L)
    finally:
        lua.close(L)
    number = told // 10
    version = f"{number // 10000}.{number // 100 % 100}.{number % 100}"
    path = file_of(<void*>lua.newstate) or lib.path
    return LibraryInfo("LuaJIT", version if told % 10 else f"{version} without compiler",
                       lib.release, path, {"pointer": sizeof(void*)})


# What is in use, for `pygw doctor`, or why there is none: gateways without Lua hooks run.
info = problem = None
try:
    info = load()
except LibraryError as error:
    problem = error
