# Owns: what Lua's prelude calls besides the host table: time, waits, patterns, digests.
# Thread and GIL: one worker's loop; no GIL.
# Never does: raise a Lua error, or run Lua: each is a plain C function that compiled code may call.
# Read next: prelude/core.lua.

from libc.stdint cimport int32_t, uint8_t, uint32_t
from pygw._core.runtimes.hook_fetch cimport fetched_t
from pygw._core.runtimes.lua_match cimport lua_match_t
from pygw._core.runtimes.lua_state cimport lua_t

# prelude/core.lua has the same struct.
cdef struct lua_host_t:
    uint32_t size
    int (*late)(lua_t* vm) noexcept nogil
    # 0, or a host_error: the run waits `ms`, and the prelude yields.
    int (*sleep)(lua_t* vm, double ms) noexcept nogil
    int (*match)(lua_match_t* m, const char* text, size_t size, const char* pattern,
                 size_t pattern_size) noexcept nogil
    int32_t (*find)(const char* text, size_t size, const char* part, size_t part_size,
                    size_t init) noexcept nogil
    double (*now)() noexcept nogil
    int (*digest)(int kind, const char* data, size_t size, uint8_t* out) noexcept nogil
    int (*hmac)(int kind, const char* key, uint32_t key_size, const char* data, size_t size,
                uint8_t* out) noexcept nogil
    # 36 bytes; 0 outside of a worker.
    int (*uuid)(lua_t* vm, uint8_t* out) noexcept nogil
    # gw.fetch in steps, as in hook_fetch.pxd; each 0 or a host_error. After fetch_send the prelude
    # yields; then fetch_result is what came.
    int (*fetch_open)(lua_t* vm, const char* upstream, uint32_t size) noexcept nogil
    int (*fetch_line)(lua_t* vm, const char* method, uint32_t method_size, const char* target,
                      uint32_t size) noexcept nogil
    int (*fetch_field)(lua_t* vm, const char* name, uint32_t name_size, const char* value,
                       uint32_t size) noexcept nogil
    int (*fetch_send)(lua_t* vm, const char* body, size_t size, double timeout_ms) noexcept nogil
    const fetched_t* (*fetch_result)(lua_t* vm) noexcept nogil

cdef const lua_host_t* lua_host() noexcept nogil
# What `now` tells is so much later than it is: for a worker in memory, whose time is not real.
cdef void lua_clock_ahead(double seconds) noexcept nogil
