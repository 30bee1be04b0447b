# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: what Lua's prelude calls besides the host table: time, waits, patterns, digests.
# Thread and GIL: one worker's loop; no GIL.
# Never does: raise a Lua error, or run Lua.
# Read next: lua_host.pxd for the contract.

from libc.stdint cimport uint8_t, uint32_t
from pygw._core.ids cimport ids_t, ids_uuid7
from pygw._core.libs.crypto cimport crypto_digest, crypto_hmac
from pygw._core.limits cimport LUA_SLEEP_MAX_MS
from pygw._core.runtimes.lua_match cimport lua_find, lua_match
from pygw._core.runtimes.lua_state cimport lua_late, lua_t, MARK_WAIT
from pygw._core.types.exchange cimport host_t
from pygw._core.types.hook cimport HOST_BAD, HOST_PHASE

cdef extern from "<time.h>" nogil:
    int CLOCK_REALTIME
    struct timespec:
        long tv_sec
        long tv_nsec
    int clock_gettime(int clock, timespec* now)

cdef lua_host_t table
cdef double ahead                     # seconds that a test's clock is ahead


cdef int on_sleep(lua_t* vm, double ms) noexcept nogil:
    cdef host_t* host
    if vm.running == NULL:
        return HOST_PHASE
    if not 0 <= ms <= LUA_SLEEP_MAX_MS:
        return HOST_BAD
    host = vm.hooks.host
    host.timer_arm(host, &vm.running.timer, <uint32_t>ms if ms >= 1 else 1)
    vm.shared.mark = MARK_WAIT
    return 0


cdef double on_now() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_REALTIME, &now)
    return <double>now.tv_sec + <double>(now.tv_nsec // 1000) / 1e6 + ahead


cdef void lua_clock_ahead(double seconds) noexcept nogil:
    global ahead
    ahead = seconds


cdef int on_uuid(lua_t* vm, uint8_t* out) noexcept nogil:
    cdef host_t* host = vm.hooks.host
    if host == NULL:
        return 0
    ids_uuid7(<ids_t*>host.ids, host.unix_ms(host), <char*>out)
    return 1


cdef const lua_host_t* lua_host() noexcept nogil:
    return &table


table.size = sizeof(lua_host_t)
table.late = lua_late
table.sleep = on_sleep
table.match = lua_match
table.find = lua_find
table.now = on_now
table.digest = crypto_digest
table.hmac = crypto_hmac
table.uuid = on_uuid
