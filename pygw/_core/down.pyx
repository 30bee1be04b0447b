# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, nonecheck=False
# Owns: a client's connection as a thing: its memory, its place in the list, its wait, its end.
# Thread and GIL: one worker's loop; no GIL.
# Never does: read or write a byte.
# Read next: down.pxd for the contract, down_answer.pyx, downstream.pyx.

from libc.string cimport memset
from pygw._core.check cimport BUG_ON, unlikely
from pygw._core.types.message cimport MF_EXPECT_CONTINUE
from pygw._core.types.exchange cimport exchange_t, limits_t, plan_t, XF_CONTINUE_SENT
from pygw._core.block cimport blocks_init, blocks_fini, block_take, block_give
from pygw._core.exchange_memory cimport exchange_fini
from pygw._core.inlet cimport inlet_fini, inlet_init
from pygw._core.stats cimport (
    stat_add, stat_set, ST_ACCEPTED, ST_BYTES_IN, ST_BYTES_OUT, ST_CONNECTIONS)
from pygw._core.timer cimport timer_arm, timer_disarm, timer_detach
from pygw._core.transport cimport transport_close, transport_queued
from pygw._core.transport_uv cimport transport_handle_bytes


cdef void downs_init(downs_t* home, host_t* host, transports_t* transports, wheel_t* wheel,
                     plan_t** plan) noexcept nogil:
    memset(home, 0, sizeof(downs_t))
    home.host = host
    home.transports = transports
    home.wheel = wheel
    home.plan = plan
    blocks_init(&home.blocks, down_bytes() + transport_handle_bytes())
    blocks_init(&home.exchanges, sizeof(exchange_t))


cdef void downs_fini(downs_t* home) noexcept nogil:
    blocks_fini(&home.blocks)
    blocks_fini(&home.exchanges)


cdef down_t* down_new(downs_t* home, uint16_t listener) noexcept nogil:
    cdef down_t* d = <down_t*>block_take(&home.blocks)
    if unlikely(d == NULL):
        return NULL
    memset(d, 0, sizeof(down_t))
    d.home = home
    d.listener = listener
    d.stream.version = 11
    d.outlet.transport = &d.transport
    inlet_init(&d.inlet)
    d.next = home.first
    d.link = &home.first
    if d.next != NULL:
        d.next.link = &d.next
    home.first = d
    home.count += 1
    stat_add(home.host.counters, ST_ACCEPTED, 1)
    stat_set(home.host.counters, ST_CONNECTIONS, home.count)
    return d


cdef void down_close(down_t* d, bint reset) noexcept nogil:
    if d.state == DOWN_CLOSING:
        return
    if d.state == DOWN_HEAD:
        down_exchange_free(d)                             # it has not begun
    d.state = DOWN_CLOSING
    timer_detach(d.home.wheel, &d.timer)
    transport_close(&d.transport, reset)


cdef void down_closed(down_t* d) noexcept nogil:
    cdef downs_t* home = d.home
    BUG_ON(d.exchange != NULL)
    stat_add(home.host.counters, ST_BYTES_IN, d.transport.bytes_in)
    stat_add(home.host.counters, ST_BYTES_OUT, d.transport.bytes_out)
    inlet_fini(&d.inlet)
    timer_detach(home.wheel, &d.timer)
    if unlikely(home.pins_at == d):
        home.pins_at = d.next
    d.link[0] = d.next
    if d.next != NULL:
        d.next.link = d.link
    block_give(&home.blocks, d)
    home.count -= 1
    stat_set(home.host.counters, ST_CONNECTIONS, home.count)
    if home.closed != NULL:
        home.closed(home)


cdef void down_exchange_free(down_t* d) noexcept nogil:
    cdef exchange_t* x = d.exchange
    cdef plan_t* plan = x.plan
    d.exchange = NULL
    d.stream.on = NULL
    d.stream.sink = NULL
    exchange_fini(x)
    block_give(&d.home.exchanges, x)
    d.home.running -= 1
    plan.refs -= 1
    if unlikely(plan.refs == 0):
        d.home.plan_unpin(d.home, plan)


# The wait of a running exchange: for a reader that takes nothing, else for a body that does not
# come; none while the client itself waits for us.
cdef void down_arm(down_t* d) noexcept nogil:
    cdef exchange_t* x = d.exchange
    cdef limits_t* limits = &x.plan.limits
    if transport_queued(&d.transport):
        timer_arm(d.home.wheel, &d.timer, limits.slow_reader_ms)
    elif (d.request_done or d.stream.paused
          or (x.request.half.flags & MF_EXPECT_CONTINUE and not x.flags & XF_CONTINUE_SENT
              and x.request.half.received == 0)):
        timer_disarm(&d.timer)
    else:
        timer_arm(d.home.wheel, &d.timer, limits.client_body_ms)
