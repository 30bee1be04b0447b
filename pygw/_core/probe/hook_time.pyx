# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Owns: a chain's request phase run again and again on one request, for the micro benchmarks.
# Thread and GIL: the main thread; the loop runs without the GIL, which a hook may take.
# Never does: serve traffic, or measure: who calls it does.
# Read next: ../runtimes/hook_host.pxd.
"""What a hook costs: the same loop over the chain of a plan with it, and of one without."""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy
from pygw._core.arena cimport arena_fini, arena_init
from pygw._core.chain cimport chain_head
from pygw._core.hooks cimport hooks_fini, hooks_init, hooks_load, hooks_release
from pygw._core.limits cimport ARENA_INLINE, ARENA_MAX, FILTERS_MAX, HOOK_ERROR_MAX
from pygw._core.probe.filters cimport Plan
from pygw._core.runtimes.hook_host cimport hook_host
from pygw._core.stats cimport ST_COUNT
from pygw._core.types.exchange cimport PHASE_REQUEST, VERDICT_NEXT, exchange_t, host_t
from pygw._core.types.header cimport header_t
from pygw._core.types.hook cimport hooks_t
from pygw._core.view cimport span

cdef enum:
    HEADERS = 20
    SPACE = 40


cdef uint64_t no_time(host_t* h) noexcept nogil:
    return 1


cdef class Chain:
    """The chain of a plan's first route, its hooks loaded; ``fields`` are 20 pairs of bytes."""

    cdef Plan plan
    cdef host_t host
    cdef hooks_t hooks
    cdef exchange_t x
    cdef header_t[HEADERS] given
    cdef header_t[SPACE] items
    cdef (void*)[FILTERS_MAX] slots
    cdef uint64_t[ST_COUNT] counters
    cdef list fields           # what `given` points at

    def __init__(self, text: bytes, fields: list) -> None:
        cdef char[HOOK_ERROR_MAX] why
        cdef uint32_t i
        cdef bytes name, value
        self.plan = Plan(text)
        self.fields = fields
        self.host.hooks = &self.hooks
        self.host.counters = self.counters
        self.host.now_ns = no_time
        self.host.unix_ms = no_time
        hooks_init(&self.hooks, &self.host, hook_host())
        if hooks_load(&self.hooks, self.plan.plan, why, HOOK_ERROR_MAX) != 0:
            raise ValueError((<bytes>why).decode())
        for i, (name, value) in enumerate(fields[:HEADERS]):
            self.given[i].name = span(name, len(name))
            self.given[i].value = span(value, len(value))
        self.x.host = &self.host
        self.x.plan = self.plan.plan
        self.x.route = &self.plan.plan.routes[0]
        self.x.slots = self.slots
        self.x.request.half.version = 11
        self.x.request.half.arena = &self.x.arena
        self.x.request.half.headers.items = self.items
        self.x.request.half.headers.cap = SPACE
        self.x.request.method_name = span(b"GET", 3)
        self.x.request.path = span(b"/", 1)

    def __dealloc__(self) -> None:
        if self.hooks.host != NULL:
            hooks_release(&self.hooks, self.plan.plan)
            hooks_fini(&self.hooks)

    def run(self, rounds: int) -> int:
        """Its request phase so many times. Returns how many fields the last run added."""
        cdef exchange_t* x = &self.x
        cdef uint64_t _, n = rounds
        cdef bint good = True
        with nogil:
            for _ in range(n):
                arena_init(&x.arena, x.inline_memory, ARENA_INLINE, ARENA_MAX)
                memcpy(self.items, self.given, sizeof(self.given))
                x.request.half.headers.count = HEADERS
                good &= chain_head(x, PHASE_REQUEST, 0) == VERDICT_NEXT
                arena_fini(&x.arena)
        if not good:
            raise AssertionError("a hook did not go on")
        return x.request.half.headers.count - HEADERS
