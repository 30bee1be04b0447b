# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, nonecheck=False
# Owns: a tunnel: bytes between two transports after an upgrade, both ways at once.
# Thread and GIL: one worker's loop; no GIL.
# Never does: look at the bytes.
# Read next: relay.pxd for the contract.

from libc.string cimport memset
from pygw._core.check cimport unlikely
from pygw._core.limits cimport TUNNEL_IDLE_MS, WRITE_HIGH, WRITE_LOW
from pygw._core.types.memory cimport BUFFER_MEDIUM
from pygw._core.types.transport cimport TF_BROKEN
from pygw._core.libs.uv cimport uv_buf_t, UV_ENOBUFS, UV_EOF
from pygw._core.block cimport blocks_init, blocks_fini, block_take, block_give
from pygw._core.fault cimport E_CORE_MEMORY, E_DOWN_RESET, E_UP_RESET, E_UP_STALLED
from pygw._core.inlet cimport (
    inlet_space, inlet_filled, inlet_data, inlet_unread, inlet_rest)
from pygw._core.stats cimport stat_get, stat_set, ST_TUNNELS
from pygw._core.timer cimport timer_init, timer_arm, timer_detach
from pygw._core.transport cimport (
    transport_put, transport_flush, transport_queued, transport_finish, transport_read_start,
    transport_read_stop, transports_flush)


cdef void relays_init(relays_t* home, transports_t* transports, wheel_t* wheel,
                      uint64_t* counters, relay_ended_fn ended) noexcept nogil:
    home.transports = transports
    home.wheel = wheel
    home.counters = counters
    home.ended = ended
    blocks_init(&home.blocks, sizeof(relay_t))


cdef void relays_fini(relays_t* home) noexcept nogil:
    blocks_fini(&home.blocks)


cdef relay_t* relay_start(relays_t* home, exchange_t* x, transport_t* down, inlet_t* down_inlet,
                          transport_t* up, inlet_t* up_inlet) noexcept nogil:
    cdef relay_t* r = <relay_t*>block_take(&home.blocks)
    if unlikely(r == NULL):
        return NULL
    memset(r, 0, sizeof(relay_t))
    r.home = home
    r.exchange = x
    end_init(&r.down, down, down_inlet, r)
    end_init(&r.up, up, up_inlet, r)
    timer_init(&r.timer, on_timer)
    timer_arm(home.wheel, &r.timer, TUNNEL_IDLE_MS)
    stat_set(home.counters, ST_TUNNELS, stat_get(home.counters, ST_TUNNELS) + 1)
    relay_pass(r, &r.down, &r.up)
    relay_pass(r, &r.up, &r.down)
    transport_read_start(down)
    transport_read_start(up)
    return r


cdef void end_init(relay_end_t* e, transport_t* t, inlet_t* inlet, relay_t* r) noexcept nogil:
    e.transport = t
    e.inlet = inlet
    e.was = t.on
    t.on = &transport_on
    t.tunnel = r


cdef void relay_stop(relay_t* r, int error) noexcept nogil:
    cdef relays_t* home = r.home
    r.down.transport.on = r.down.was
    r.up.transport.on = r.up.was
    timer_detach(home.wheel, &r.timer)
    stat_set(home.counters, ST_TUNNELS, stat_get(home.counters, ST_TUNNELS) - 1)
    home.ended(r, error)
    block_give(&home.blocks, r)


# Bytes that lie in one end's inlet go out at the other.
cdef void relay_pass(relay_t* r, relay_end_t* source, relay_end_t* sink) noexcept nogil:
    cdef uint32_t size = inlet_unread(source.inlet)
    if size == 0:
        return
    source.bytes += size
    transport_put(sink.transport, inlet_data(source.inlet), size, source.inlet.buffer)
    source.inlet.pos += size
    transport_flush(sink.transport)
    if transport_queued(sink.transport) >= WRITE_HIGH:
        transport_read_stop(source.transport)
    inlet_rest(source.inlet)
    timer_arm(r.home.wheel, &r.timer, TUNNEL_IDLE_MS)


cdef inline relay_end_t* end_of(relay_t* r, transport_t* t) noexcept nogil:
    return &r.down if r.down.transport == t else &r.up


cdef inline relay_end_t* other_of(relay_t* r, transport_t* t) noexcept nogil:
    return &r.up if r.down.transport == t else &r.down


cdef void on_space(transport_t* t, uv_buf_t* buf) noexcept nogil:
    cdef relay_t* r = <relay_t*>t.tunnel
    inlet_space(end_of(r, t).inlet, t.home.buffers, BUFFER_MEDIUM, buf)


cdef void on_read(transport_t* t, ssize_t size) noexcept nogil:
    cdef relay_t* r = <relay_t*>t.tunnel
    cdef relay_end_t* source = end_of(r, t)
    cdef relay_end_t* sink = other_of(r, t)
    if size > 0:
        inlet_filled(source.inlet, <uint32_t>size)
        relay_pass(r, source, sink)
        return
    if unlikely(size == UV_ENOBUFS):
        relay_stop(r, E_CORE_MEMORY)
        return
    if size != UV_EOF or t.flags & TF_BROKEN:
        relay_stop(r, E_DOWN_RESET if source == &r.down else E_UP_RESET)
        return
    inlet_rest(source.inlet)
    source.finished = True
    if sink.finished and transport_queued(t) == 0 and transport_queued(sink.transport) == 0:
        relay_stop(r, 0)
    else:
        transport_finish(sink.transport)


cdef void on_drain(transport_t* t) noexcept nogil:
    cdef relay_t* r = <relay_t*>t.tunnel
    cdef relay_end_t* source = other_of(r, t)
    timer_arm(r.home.wheel, &r.timer, TUNNEL_IDLE_MS)
    if not source.finished:
        if transport_queued(t) <= WRITE_LOW:
            transport_read_start(source.transport)
    elif end_of(r, t).finished and transport_queued(t) == 0 \
            and transport_queued(source.transport) == 0:
        relay_stop(r, 0)


cdef void on_timer(timer_t* t) noexcept nogil:
    cdef relay_t* r = <relay_t*>(<char*>t - <size_t>&(<relay_t*>NULL).timer)
    cdef transports_t* transports = r.home.transports
    relay_stop(r, E_UP_STALLED)
    transports_flush(transports)


cdef transport_on_t transport_on
transport_on.space = on_space
transport_on.read = on_read
transport_on.drain = on_drain
