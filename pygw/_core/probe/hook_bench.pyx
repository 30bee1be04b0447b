# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: what a hook costs beyond the empty chain: a request chain run again and again, no server.
# Thread and GIL: holds the GIL around a run; the chain takes none (but what a hook takes itself).
# Never does: load in a gateway.
# Read next: ../filters/hook.pyx, benchmarks/micro.
"""Chains of hooks timed alone: ``HookChain``."""

import os
import time

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset
from pygw._core.arena cimport arena_fini, arena_zalloc
from pygw._core.build cimport plan_build
from pygw._core.chain cimport chain_head
from pygw._core.exchange_memory cimport exchange_init
from pygw._core.headers cimport headers_add
from pygw._core.host cimport *
from pygw._core.libs.luajit cimport lua, LUA_OK
from pygw._core.runtimes.lua_state cimport lua_begin, lua_t
from pygw._core.types.exchange cimport (
    exchange_t, plan_t, PHASE_REQUEST, VERDICT_NEXT)
from pygw._core.types.header cimport HF_REMOVED
from pygw._core.types.hook cimport hooks_t, RUNTIME_LUA
from pygw._core.types.stream cimport stream_t
from pygw._core.view cimport span


cdef class HookChain:
    """The request chain of the first route of a plan, before one request with these fields.

    Raises what a worker raises for a plan, or a hook, that it cannot serve. One at a time.
    """

    cdef worker_t w
    cdef uint64_t counters[512]       # STATS_BYTES
    cdef plan_t* plan                 # own
    cdef exchange_t x
    cdef stream_t down

    def __init__(self, plan: bytes, fields: list[tuple[bytes, bytes]]) -> None:
        cdef char why[1024]           # HOOK_ERROR_MAX
        if host_init(&self.w, NULL, self.counters, os.open(os.devnull, os.O_WRONLY)) != 0:
            raise MemoryError
        self.plan = plan_build(plan)
        if host_prepare(&self.w, self.plan, why) != 0:
            raise RuntimeError(why.decode(errors="replace"))
        memset(&self.x, 0, sizeof(self.x))
        exchange_init(&self.x, &self.w.host, self.plan, &self.down)
        self.x.route = self.plan.routes
        self.x.request.method_name = span(b"GET", 3)
        self.x.request.path = span(b"/", 1)
        for name, value in fields:
            if headers_add(&self.x.request.half.headers, &self.x.arena, span(name, len(name)),
                           span(value, len(value))) != 0:
                raise ValueError(f"no field: {name!r}")
        self.x.slots = <void**>arena_zalloc(
            &self.x.arena, (self.x.route.chain.filter_count + 1) * sizeof(void*))

    def run(self, rounds: int) -> float:
        """Nanoseconds a call, ``rounds`` times; each finds the request as it came. RuntimeError
        when a hook does not answer NEXT."""
        cdef exchange_t* x = &self.x
        cdef uint32_t count = x.request.half.headers.count, i
        cdef char* at = x.arena.at
        cdef size_t used = x.arena.bytes
        cdef void* vars = x.vars
        cdef uint64_t _, n = rounds
        cdef bint good = True
        began = time.perf_counter_ns()
        with nogil:
            for _ in range(n):
                if chain_head(x, PHASE_REQUEST, 0) != VERDICT_NEXT:
                    good = False
                x.request.half.headers.count = <unsigned short>count
                for i in range(count):
                    x.request.half.headers.items[i].flags &= ~<unsigned short>HF_REMOVED
                x.vars = vars
                x.arena.at = at
                x.arena.bytes = used
        ended = time.perf_counter_ns()
        if not good:
            raise RuntimeError("a hook did not answer NEXT")
        return (ended - began) / n

    def lua(self, code: bytes) -> str:
        """What this code, which no sandbox holds, returns in the worker's own Lua state."""
        cdef lua_t* vm = <lua_t*>(<hooks_t*>self.w.host.hooks).states[<int>RUNTIME_LUA]
        cdef size_t size = 0
        cdef const char* text
        lua_begin(vm, 0)
        failed = lua.load(vm.L, code, len(code), b"=probe", b"t")
        if failed == LUA_OK:
            failed = lua.pcall(vm.L, 0, 1, 0)
        text = lua.tolstring(vm.L, -1, &size)
        told = text[:size].decode() if text != NULL else ""
        lua.settop(vm.L, 1)
        if failed != LUA_OK:
            raise RuntimeError(told)
        return told

    def close(self) -> None:
        """Gives everything back."""
        arena_fini(&self.x.arena)
        self.plan.refs = 0
        host_drop(&self.w, self.plan)
