# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: what Lua's prelude calls besides the host table: time, waits, patterns, digests.
# Thread and GIL: one worker's loop; no GIL.
# Never does: raise a Lua error, or run Lua.
# Read next: lua_host.pxd for the contract.

from libc.stdint cimport uint8_t, uint32_t
from pygw._core.ids cimport ids_t, ids_uuid7
from pygw._core.libs.crypto cimport crypto_digest, crypto_hmac
from pygw._core.limits cimport FETCH_MAX_MS, LUA_SLEEP_MAX_MS
from pygw._core.runtimes.hook_fetch cimport (
    fetch_field, fetch_line, fetch_open, fetch_send, fetch_t, fetched_t)
from pygw._core.runtimes.lua_match cimport lua_find, lua_match
from pygw._core.runtimes.lua_run cimport run_fetch, run_fetched
from pygw._core.runtimes.lua_state cimport lua_late, lua_t, MARK_WAIT
from pygw._core.types.exchange cimport host_t
from pygw._core.types.hook cimport HOST_BAD, HOST_PHASE
from pygw._core.view cimport span

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
    run_fetch(vm.running, NULL)
    host.timer_arm(host, &vm.running.timer, <uint32_t>ms if ms >= 1 else 1)
    vm.shared.mark = MARK_WAIT
    return 0


# --- gw.fetch -------------------------------------------------------------------------------------


cdef inline fetch_t* opened(lua_t* vm) noexcept nogil:
    return vm.running.fetch if vm.running != NULL else NULL


cdef int on_fetch_open(lua_t* vm, const char* upstream, uint32_t size) noexcept nogil:
    cdef int error = HOST_PHASE
    cdef fetch_t* f
    if vm.running == NULL:
        return error
    run_fetch(vm.running, NULL)
    f = fetch_open(vm.running.call, span(upstream, size), &error)
    vm.running.fetch = f
    return error


cdef int on_fetch_line(lua_t* vm, const char* method, uint32_t method_size, const char* target,
                       uint32_t size) noexcept nogil:
    cdef fetch_t* f = opened(vm)
    if f == NULL:
        return HOST_PHASE
    return fetch_line(f, span(method, method_size), span(target, size))


cdef int on_fetch_field(lua_t* vm, const char* name, uint32_t name_size, const char* value,
                        uint32_t size) noexcept nogil:
    cdef fetch_t* f = opened(vm)
    if f == NULL:
        return HOST_PHASE
    return fetch_field(f, span(name, name_size), span(value, size))


cdef int on_fetch_send(lua_t* vm, const char* body, size_t size, double timeout_ms) noexcept nogil:
    cdef host_t* host = vm.hooks.host
    cdef fetch_t* f = opened(vm)
    cdef int error
    if f == NULL:
        return HOST_PHASE
    if not 0 <= timeout_ms <= FETCH_MAX_MS:
        return HOST_BAD
    if 0 < timeout_ms < 1:
        timeout_ms = 1
    error = fetch_send(f, span(body, size), <uint32_t>timeout_ms, run_fetched, vm.running)
    if error == 0:
        host.timer_disarm(host, &vm.running.timer)
        vm.shared.mark = MARK_WAIT
    return error


cdef const fetched_t* on_fetch_result(lua_t* vm) noexcept nogil:
    return vm.fetched


# --- the rest -------------------------------------------------------------------------------------


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
table.fetch_open = on_fetch_open
table.fetch_line = on_fetch_line
table.fetch_field = on_fetch_field
table.fetch_send = on_fetch_send
table.fetch_result = on_fetch_result
