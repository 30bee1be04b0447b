# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Owns: a worker in memory that tells what its hooks did: each run, each line, what is left over.
# Thread and GIL: holds the GIL; the C callbacks take none.
# Never does: serve a gateway, or decide anything: each call goes to the language itself.
# Read next: memory_worker.pxd.
"""What hooks do: ``WatchedWorker``, a ``MemoryWorker`` whose ``events`` are looked at by a test."""

from typing import NamedTuple

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset, strlen
from posix.time cimport clock_gettime, timespec, CLOCK_MONOTONIC
from pygw._core.arena cimport arena_bytes, arena_fini, arena_init, arena_zalloc
from pygw._core.down cimport down_of_stream
from pygw._core.fault cimport fault_get
from pygw._core.hooks cimport runtime_ops
from pygw._core.limits cimport WATCH_BYTES_MAX
from pygw._core.memory_worker cimport MemoryWorker
from pygw._core.memory_worker import End
from pygw._core.runtimes.lua_host cimport lua_clock_ahead
from pygw._core.timer cimport wheel_next_ms
from pygw._core.transport cimport transports_flush
from pygw._core.types.exchange cimport (
    exchange_t, plan_t, PHASE_ATTEMPT, PHASE_LOG, PHASE_REQUEST, PHASE_REQUEST_BODY,
    PHASE_RESPONSE, PHASE_RESPONSE_BODY)
from pygw._core.types.header cimport span_t
from pygw._core.types.hook cimport *
from pygw._core.types.memory cimport arena_t
from pygw._core.view cimport span

cdef enum event_kind:
    EVENT_RUN = 0             # a call of a hook returned
    EVENT_ENDED = 1           # a run that waited came to its end, or a run failed
    EVENT_CANCELLED = 2       # a run that waited was ended from outside
    EVENT_LINE = 3            # a line for the log
    EVENT_VAR = 4             # a variable of an exchange that is over
    EVENT_OVER = 5            # an exchange is over

__all__ = ["End", "Event", "WatchedWorker", "clock_cost_ns"]

KINDS = ("run", "ended", "cancelled", "line", "var", "over")
PHASE_NAMES = {
    PHASE_REQUEST: "request", PHASE_REQUEST_BODY: "request_body", PHASE_ATTEMPT: "attempt",
    PHASE_RESPONSE: "response", PHASE_RESPONSE_BODY: "response_body", PHASE_LOG: "log"}
OUTCOMES_BY_NUMBER = ("next", "reply", "wait", "failed", "abort")
FAULTS = ("", "raised", "late", "memory", "wrong")


class Event(NamedTuple):
    """One thing that happened, in order.

    `connection` is the `number` of the client's end, `call` tells one run from others that wait.
    `name` and `text` are those of a hook and its error, of a variable and its value, of a route
    and the cause of an end; of a line only `text` is set. `ns` is what the call took.
    """

    kind: str
    connection: int
    call: int
    name: bytes
    text: bytes
    phase: str
    outcome: str
    fault: str
    runtime: int
    ns: int


cdef struct event_t:
    event_t* next             # arena: the next one
    uint64_t connection       # address of a down_t
    uint64_t call             # address of a hook_call_t
    uint64_t ns               # of EVENT_RUN
    span_t name               # arena
    span_t text               # arena
    int kind                  # event_kind
    int phase
    int outcome               # outcome_t
    int fault                 # hook_fault
    int runtime

# What is kept between two looks.
cdef struct watch_t:
    arena_t arena             # own
    event_t* first            # arena
    event_t* last             # arena
    uint32_t lost             # events that WATCH_BYTES_MAX had no room for
    hooks_t* hooks            # borrow(worker, for ever)
    void (*logged)(exchange_t* x) noexcept nogil         # the worker's own
    runtime_ops_t ops[3]      # by enum runtime: calls of a language, looked at


cdef uint64_t clock_ns() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <uint64_t>now.tv_sec * 1000000000 + <uint64_t>now.tv_nsec


cdef span_t kept(watch_t* watch, const char* text, size_t size) noexcept nogil:
    cdef char* at = arena_bytes(&watch.arena, size) if size else NULL
    if at == NULL:
        watch.lost += size != 0
        return span(NULL, 0)
    memcpy(at, text, size)                 # COPY: what it is of may be gone when a test looks
    return span(at, <uint32_t>size)


# NULL: there is no room.
cdef event_t* event_add(watch_t* watch, int kind) noexcept nogil:
    cdef event_t* event = <event_t*>arena_zalloc(&watch.arena, sizeof(event_t))
    if event == NULL:
        watch.lost += 1
        return NULL
    event.kind = kind
    if watch.last == NULL:
        watch.first = event
    else:
        watch.last.next = event
    watch.last = event
    return event


cdef void event_of_call(hook_call_t* call, int kind, int outcome, uint64_t ns) noexcept nogil:
    cdef watch_t* watch = <watch_t*>call.hooks.write_arg
    cdef event_t* event = event_add(watch, kind)
    if event == NULL:
        return
    event.connection = <size_t>down_of_stream(call.x.down)
    event.call = <size_t>call
    event.name = kept(watch, call.hook.name.ptr, call.hook.name.len)
    event.phase = call.phase
    event.runtime = call.hook.runtime
    event.outcome = outcome
    event.ns = ns
    if outcome == OUTCOME_FAILED:
        event.fault = call.fault
        event.text = kept(watch, call.error, strlen(call.error))


cdef outcome_t on_call(void* state, hook_call_t* call) noexcept nogil:
    cdef uint64_t began = clock_ns()
    cdef outcome_t outcome = runtime_ops(call.hook.runtime).call(state, call)
    event_of_call(call, EVENT_RUN, outcome, clock_ns() - began)
    return outcome


cdef void on_cancel(void* state, hook_call_t* call) noexcept nogil:
    runtime_ops(call.hook.runtime).cancel(state, call)
    event_of_call(call, EVENT_CANCELLED, OUTCOME_ABORT, 0)


cdef void on_ended(hook_call_t* call, outcome_t outcome) noexcept nogil:
    event_of_call(call, EVENT_ENDED, outcome, 0)


cdef void on_line(void* arg, const char* line, size_t size) noexcept nogil:
    cdef watch_t* watch = <watch_t*>arg
    cdef event_t* event = event_add(watch, EVENT_LINE)
    if event != NULL:
        event.text = kept(watch, line, size)
        event.connection = (<size_t>down_of_stream(watch.hooks.running.x.down)
                            if watch.hooks.running != NULL else 0)


# In place of the line in the access log, which follows.
cdef void on_over(exchange_t* x) noexcept nogil:
    cdef watch_t* watch = <watch_t*>(<hooks_t*>x.host.hooks).write_arg
    cdef var_t* v = <var_t*>x.vars
    cdef uint64_t connection = <size_t>down_of_stream(x.down)
    cdef const char* cause = b"-"
    cdef event_t* event
    if x.error:
        cause = fault_get(x.error).label
    while v != NULL:
        event = event_add(watch, EVENT_VAR)
        if event != NULL:
            event.connection = connection
            event.name = kept(watch, v.name.ptr, v.name.len)
            event.text = kept(watch, v.value.ptr, v.value.len)
        v = v.next
    event = event_add(watch, EVENT_OVER)
    if event != NULL:
        event.connection = connection
        event.text = kept(watch, cause, strlen(cause))
        if x.route != NULL:
            event.name = kept(watch, x.route.name.ptr, x.route.name.len)
    watch.logged(x)


def clock_cost_ns() -> int:
    """What looking at the clock adds to each call that is timed: the median of some."""
    cdef uint64_t began
    cdef list taken = []
    for _ in range(101):
        began = clock_ns()
        taken.append(clock_ns() - began)
    return sorted(taken)[50]


cdef bytes bytes_of(span_t s):
    return s.ptr[:s.len] if s.len else b""


cdef class WatchedWorker(MemoryWorker):
    """A ``MemoryWorker``; what its hooks did since the last look is in ``events``."""

    cdef watch_t watch

    def __cinit__(self) -> None:
        cdef hooks_t* hooks = &self.w.hooks
        arena_init(&self.watch.arena, NULL, 0, WATCH_BYTES_MAX)
        self.watch.hooks = hooks
        self.watch.logged = self.w.host.log
        self.w.host.log = on_over
        hooks.write, hooks.write_arg, hooks.watch = on_line, &self.watch, on_ended

    def __dealloc__(self) -> None:
        arena_fini(&self.watch.arena)

    cdef int built(self, plan_t* plan) except -1:
        cdef hook_t* hook
        cdef runtime_ops_t* ops
        cdef uint32_t i
        for i in range(plan.hook_count):
            hook = <hook_t*>plan.hooks[i]
            ops = &self.watch.ops[hook.runtime]
            ops[0] = runtime_ops(hook.runtime)[0]
            ops.call, ops.cancel = on_call, on_cancel
            hook.ops = ops
        return 0

    def events(self) -> list[Event]:
        """What happened since it was asked last; what there was no room for raises MemoryError."""
        cdef event_t* event = self.watch.first
        cdef uint32_t lost = self.watch.lost
        cdef list found = []
        while event != NULL:
            found.append(Event(
                KINDS[event.kind], event.connection, event.call, bytes_of(event.name),
                bytes_of(event.text), PHASE_NAMES.get(event.phase, ""),
                OUTCOMES_BY_NUMBER[event.outcome] if event.outcome < OUTCOMES else "failed",
                FAULTS[event.fault], event.runtime, event.ns))
            event = event.next
        arena_fini(&self.watch.arena)
        memset(&self.watch.arena, 0, sizeof(arena_t))
        arena_init(&self.watch.arena, NULL, 0, WATCH_BYTES_MAX)
        self.watch.first = self.watch.last = NULL
        self.watch.lost = 0
        self.w.hooks.log_lines = 0         # a test sees every line
        if lost:
            raise MemoryError(f"{lost} events of hooks had no room")
        return found

    @property
    def running(self) -> int:
        """Exchanges that have begun and are not over."""
        return self.w.downs.running

    @property
    def waiting(self) -> int:
        """Runs of hooks that wait."""
        return self.w.hooks.calls.live

    @property
    def due_ms(self) -> int | None:
        """Milliseconds of the worker's clock until its next timer; None: there is none."""
        cdef int64_t wait_ms = wheel_next_ms(&self.w.wheel)
        return None if wait_ms < 0 else wait_ms

    def turn(self) -> bool:
        """As ``MemoryWorker.turn``."""
        lua_clock_ahead(self.w.wheel.now_ms / 1000.0)
        return MemoryWorker.turn(self)

    def expire(self, uint64_t ms) -> None:
        """As ``MemoryWorker.expire``."""
        lua_clock_ahead((self.w.wheel.now_ms + ms) / 1000.0)
        MemoryWorker.expire(self, ms)

    def flush(self) -> None:
        """Lets what was put together outside of a turn leave."""
        transports_flush(&self.w.transports)
