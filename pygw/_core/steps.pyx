# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: how much body goes in one turn through filters that compute (gzip), and whose turn is next.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: run a chain.
# Read next: steps.pxd for the contract.

from libc.stdint cimport uint64_t
from libc.string cimport memset
from pygw._core.buffer cimport slices_take
from pygw._core.check cimport BUG_ON
from pygw._core.limits cimport STEPS_ONE, STEPS_TURN
from pygw._core.types.exchange cimport exchange_t, host_t, side_t
from pygw._core.types.timer cimport timer_t


cdef void steps_init(steps_t* p, host_t* host, steps_go_fn go) noexcept nogil:
    memset(p, 0, sizeof(steps_t))
    p.host = host
    p.go = go
    p.end = &p.first
    p.left = STEPS_TURN
    p.timer.fire = on_turn


cdef void steps_fini(steps_t* p) noexcept nogil:
    BUG_ON(p.first != NULL)
    p.host.timer_detach(p.host, &p.timer)


# Nobody waits twice, and the last one brings the next turn about.
cdef void line_up(steps_t* p, exchange_t* x) noexcept nogil:
    x.step_link = p.end
    x.step_next = NULL
    p.end[0] = x
    p.end = &x.step_next
    if p.timer.link == NULL:
        p.used = not p.running
        p.host.timer_soon(p.host, &p.timer)


cdef void steps_leave(exchange_t* x) noexcept nogil:
    cdef steps_t* p = <steps_t*>x.host.steps
    x.step_link[0] = x.step_next
    if x.step_next != NULL:
        x.step_next.step_link = x.step_link
    else:
        p.end = x.step_link
    x.step_link = NULL


cdef bint steps_take(exchange_t* x, bint* last) noexcept nogil:
    cdef steps_t* p = <steps_t*>x.host.steps
    cdef side_t* side = &x.response_side
    cdef bint mine = p.now == x
    cdef uint64_t size = side.arrived.bytes
    p.now = NULL
    if x.step_link != NULL:
        return False
    if size and (p.left == 0 or (p.first != NULL and not mine)):
        line_up(p, x)
        return False
    size = min(size, p.left, <uint64_t>STEPS_ONE)
    p.left -= size
    slices_take(x.host.buffers, &side.hand, &side.arrived, size)
    if side.arrived.first != NULL:
        last[0] = False
    return True


# A new turn: those that wait go on, first come, first served, as long as there is room.
cdef void on_turn(timer_t* t) noexcept nogil:
    cdef steps_t* p = <steps_t*>(<char*>t - <size_t>&(<steps_t*>NULL).timer)
    cdef exchange_t* x
    if p.used:
        p.used = False
        p.host.timer_soon(p.host, t)
        return
    p.left = STEPS_TURN
    p.running = True
    while p.first != NULL and p.left:
        x = p.first
        steps_leave(x)
        p.now = x
        p.go(x)
    p.now = NULL
    p.running = False
    if p.first != NULL and p.timer.link == NULL:
        p.host.timer_soon(p.host, &p.timer)
    p.host.flush(p.host)
