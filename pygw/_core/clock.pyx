# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: the one libuv timer that drives a worker's wheel.
# Thread and GIL: one worker's loop; no GIL.
# Never does: start the libuv timer again unless the next deadline came nearer.
# Read next: clock.pxd for the contract.

from libc.stdint cimport int64_t, UINT64_MAX
from pygw._core.check cimport BUG_ON, unlikely
from pygw._core.block cimport blocks_init, blocks_fini, block_take, block_give
from pygw._core.fault cimport E_CORE_MEMORY
from pygw._core.libs.uv cimport uv, uv_loop_t, uv_handle_t, uv_timer_t, UV_TIMER_SIZE
from pygw._core.timer cimport wheel_t, wheel_clock_fn, wheel_init, wheel_advance, wheel_next_ms

# What is allocated: our word in front of libuv's opaque handle. 16 bytes keep it aligned.
cdef struct clock_handle_t:
    loop_clock_t* clock       # borrow(worker, until the close callback)
    void* unused              # static: NULL, keeps what follows aligned


cdef inline loop_clock_t* clock_of(void* handle) noexcept nogil:
    return (<clock_handle_t*>handle - 1).clock


# Sets libuv's timer to the wheel's next slot, or leaves it unset when nothing hangs.
cdef void clock_set(loop_clock_t* c) noexcept nogil:
    cdef wheel_t* w = c.wheel
    cdef int64_t wait_ms = wheel_next_ms(w)
    if c.closing or wait_ms < 0:
        w.wake_ms = UINT64_MAX
        return
    w.wake_ms = w.now_ms + wait_ms
    uv.timer_start(c.handle, clock_on_timer, wait_ms, 0)


cdef void clock_on_sooner(wheel_t* w) noexcept nogil:
    clock_set(<loop_clock_t*>w.driver)


cdef void clock_on_timer(uv_timer_t* handle) noexcept nogil:
    cdef loop_clock_t* c = clock_of(handle)
    c.wheel.wake_ms = 0       # nothing is sooner than what is being done
    wheel_advance(c.wheel, uv.now(c.loop))
    clock_set(c)


cdef int clock_init(loop_clock_t* c, wheel_t* wheel, uv_loop_t* loop) noexcept nogil:
    cdef clock_handle_t* memory
    blocks_init(&c.handles, sizeof(clock_handle_t) + UV_TIMER_SIZE)
    memory = <clock_handle_t*>block_take(&c.handles)
    if unlikely(memory == NULL):
        return E_CORE_MEMORY
    memory.clock = c
    c.wheel = wheel
    c.loop = loop
    c.handle = <uv_timer_t*>(memory + 1)
    c.closed = NULL
    c.closed_arg = NULL
    c.closing = False
    uv.timer_init(loop, c.handle)
    wheel_init(wheel, uv.now(loop))
    wheel.driver = c
    wheel.sooner = clock_on_sooner
    # WHY the cast: uv.now takes the loop's own pointer type, the wheel any source of time.
    wheel.clock = <wheel_clock_fn><void*>uv.now
    wheel.clock_source = loop
    return 0


cdef void clock_on_close(uv_handle_t* handle) noexcept nogil:
    cdef loop_clock_t* c = clock_of(handle)
    block_give(&c.handles, <clock_handle_t*>handle - 1)
    blocks_fini(&c.handles)
    c.handle = NULL
    c.closed(c.closed_arg)


cdef void clock_close(loop_clock_t* c, clock_closed_fn closed, void* arg) noexcept nogil:
    BUG_ON(c.closing)
    c.closing = True
    c.closed = closed
    c.closed_arg = arg
    # The wheel may outlive the loop: whoever arms a timer now must find neither.
    c.wheel.sooner = NULL
    c.wheel.clock = NULL
    c.wheel.driver = NULL
    uv.close(<uv_handle_t*>c.handle, clock_on_close)
