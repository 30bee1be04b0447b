# Owns: Lua's patterns (Lua 5.1 reference manual, 5.4.1), matched in bounded time.
# Thread and GIL: any; a leaf without Python.
# Never does: allocate, or go on for more than LUA_MATCH_STEPS steps.
# Read next: prelude/strings.lua for find, match, gmatch and gsub on top of it.

from libc.stddef cimport size_t
from libc.stdint cimport int32_t, uint32_t

cdef enum lua_match_error:
    MATCH_NONE = 0
    MATCH_FOUND = 1
    MATCH_LONG = -1                   # more than LUA_MATCH_STEPS steps
    MATCH_DEEP = -2                   # nested deeper than LUA_MATCH_DEPTH
    MATCH_PATTERN = -3                # the pattern is malformed
    MATCH_CAPTURES = -4               # more than LUA_CAPTURES, or one that is not closed

# What was found: places count from 0. `len` of a capture: CAPTURE_PLACE for `()`.
cdef struct lua_match_t:
    uint32_t init
    uint32_t anchor
    int32_t first
    int32_t last                      # one past the end
    uint32_t count                    # captures
    uint32_t steps
    int32_t start[32]                 # LUA_CAPTURES
    int32_t len[32]                   # LUA_CAPTURES

cdef enum:
    CAPTURE_OPEN = -1
    CAPTURE_PLACE = -2

# The first match of the pattern at or after m.init: a lua_match_error. A pattern that begins with
# '^' matches there only, unless m.anchor is 0 (gmatch).
cdef int lua_match(lua_match_t* m, const char* text, size_t size, const char* pattern,
                   size_t pattern_size) noexcept nogil
# The first place of the bytes at or after `init`; -1: none.
cdef int32_t lua_find(const char* text, size_t size, const char* part, size_t part_size,
                      size_t init) noexcept nogil
