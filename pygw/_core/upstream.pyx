# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, nonecheck=False
# Owns: a connection to a target: connecting, HTTP/1 as the exchange's upstream stream, resting.
# Thread and GIL: one worker's loop; no GIL.
# Never does: choose a target or a connection (pool does), or serve again after a fault.
# Read next: upstream.pxd for the contract, pool.pyx.

from libc.string cimport memset
from pygw._core.check cimport BUG_ON, unlikely
from pygw._core.types.header cimport headers_t
from pygw._core.types.memory cimport slices_t, BUFFER_MEDIUM, BUFFER_LARGE
from pygw._core.types.message cimport *
from pygw._core.types.stream cimport stream_ops_t
from pygw._core.types.exchange cimport XF_CONTINUE_SENT
from pygw._core.types.transport cimport transport_on_t, TF_BROKEN, TF_FINISHED, TF_CLOSING
from pygw._core.limits cimport MEDIUM_BUFFER
from pygw._core.libs.llhttp cimport HTTP_HEAD
from pygw._core.libs.uv cimport (
    uv_buf_t, UV_ENOBUFS, UV_EOF, UV_ECONNREFUSED, UV_ENOENT, UV_ETIMEDOUT, UV_EAGAIN)
from pygw._core.block cimport blocks_init, blocks_fini, block_take, block_give
from pygw._core.buffer cimport buffer_ref, slices_add, slices_init
from pygw._core.exchange_memory cimport exchange_response_reset
from pygw._core.fault cimport *
from pygw._core.http1_read cimport *
from pygw._core.http1_write cimport WRITE_UPGRADE
from pygw._core.inlet cimport *
from pygw._core.outlet cimport outlet_request, outlet_body, outlet_end
from pygw._core.stats cimport (
    stat_add, stat_get, stat_set, ST_UPSTREAM_CONNECTS, ST_UPSTREAM_CONNECT_FAULTS,
    ST_UPSTREAM_REUSED, ST_UPSTREAM_OPEN)
from pygw._core.timer cimport timer_init, timer_arm, timer_disarm, timer_detach, wheel_now
from pygw._core.transport cimport *
from pygw._core.transport_uv cimport transport_handle_bytes


cdef inline up_t* from_stream(stream_t* s) noexcept nogil:
    return <up_t*>(<char*>s - <size_t>&(<up_t*>NULL).stream)


cdef inline up_t* from_timer(timer_t* t) noexcept nogil:
    return <up_t*>(<char*>t - <size_t>&(<up_t*>NULL).timer)


cdef void ups_init(ups_t* home, host_t* host, transports_t* transports,
                   wheel_t* wheel, const up_on_t* on) noexcept nogil:
    home.host = host
    home.transports = transports
    home.wheel = wheel
    home.on = on
    blocks_init(&home.blocks, up_bytes() + transport_handle_bytes())


cdef void ups_fini(ups_t* home) noexcept nogil:
    blocks_fini(&home.blocks)


cdef inline size_t up_bytes() noexcept nogil:
    return (sizeof(up_t) + 15) & ~<size_t>15


# --- connecting and closing -----------------------------------------------------------------------


cdef int up_connect_error(int status) noexcept nogil:
    if status == UV_ECONNREFUSED or status == UV_ENOENT or status == UV_EAGAIN:
        return E_UP_REFUSED
    if status == UV_ETIMEDOUT:
        return E_UP_CONNECT_TIMEOUT
    return E_UP_UNREACHABLE


cdef up_t* up_connect(ups_t* home, void* pool, const sockaddr* address, const char* path,
                      uint32_t connect_ms, int* error) noexcept nogil:
    cdef up_t* up = <up_t*>block_take(&home.blocks)
    cdef int status
    if unlikely(up == NULL):
        error[0] = E_CORE_MEMORY
        return NULL
    memset(up, 0, sizeof(up_t))
    up.home = home
    up.pool = pool
    up.state = UP_CONNECTING
    up.stream.ops = &stream_ops
    up.stream.version = 11
    up.outlet.transport = &up.transport
    inlet_init(&up.inlet)
    timer_init(&up.timer, up_on_timer)
    up.born_ms = wheel_now(home.wheel)
    stat_add(home.host.counters, ST_UPSTREAM_CONNECTS, 1)
    stat_add(home.host.counters, ST_UPSTREAM_OPEN, 1)
    status = home.transports.connect(&up.transport, home.transports, &transport_on,
                                     <char*>up + up_bytes(), address, path)
    if unlikely(status != 0):
        up.state = UP_CLOSING
        stat_add(home.host.counters, ST_UPSTREAM_CONNECT_FAULTS, 1)
        error[0] = up_connect_error(status)
        return NULL                          # on.closed follows
    timer_arm(home.wheel, &up.timer, connect_ms)
    return up


cdef void on_connect(transport_t* t, int status) noexcept nogil:
    cdef up_t* up = <up_t*>t
    if up.state != UP_CONNECTING:
        return
    timer_disarm(&up.timer)
    if unlikely(status != 0):
        connect_failed(up, up_connect_error(status))
        return
    transport_read_start(t)
    up.home.on.connect(up, 0)


cdef void connect_failed(up_t* up, int error) noexcept nogil:
    cdef ups_t* home = up.home
    stat_add(home.host.counters, ST_UPSTREAM_CONNECT_FAULTS, 1)
    up_close(up)
    home.on.connect(up, error)               # its memory stays until on.closed


cdef void up_close(up_t* up) noexcept nogil:
    if up.state == UP_CLOSING:
        return
    if up.state == UP_IDLE:
        up.home.on.rest_over(up)
    up.state = UP_CLOSING
    up.exchange = NULL
    up.stream.on = NULL
    up.stream.sink = NULL
    timer_detach(up.home.wheel, &up.timer)
    # Half a request ends with a reset: a FIN would wait behind what the service does not read.
    transport_close(&up.transport, up.outlet.open or transport_queued(&up.transport) != 0)


cdef void on_closed(transport_t* t) noexcept nogil:
    cdef up_t* up = <up_t*>t
    cdef ups_t* home = up.home
    cdef uint64_t* counters = home.host.counters
    inlet_fini(&up.inlet)
    timer_detach(home.wheel, &up.timer)
    stat_set(counters, ST_UPSTREAM_OPEN, stat_get(counters, ST_UPSTREAM_OPEN) - 1)
    home.on.closed(up)
    block_give(&home.blocks, up)


# --- serving --------------------------------------------------------------------------------------


cdef void up_begin(up_t* up, exchange_t* x) noexcept nogil:
    BUG_ON(up.exchange != NULL)
    up.state = UP_BUSY
    up.exchange = x
    up.response_done = False
    up.keep_alive = False
    up.paused = False
    up.reader_ready = False
    up.stream.queued = 0
    up.stream.paused = False
    if up.served:
        stat_add(up.home.host.counters, ST_UPSTREAM_REUSED, 1)
    up.served += 1
    timer_disarm(&up.timer)


cdef bint up_reusable(up_t* up) noexcept nogil:
    return (up.state == UP_BUSY and up.response_done and up.keep_alive
            and not up.outlet.open and inlet_unread(&up.inlet) == 0
            and transport_queued(&up.transport) == 0
            and not up.transport.flags & (TF_BROKEN | TF_FINISHED | TF_CLOSING))


cdef void up_rest(up_t* up, uint32_t idle_ms) noexcept nogil:
    up.state = UP_IDLE
    up.exchange = NULL
    up.stream.on = NULL
    up.stream.sink = NULL
    inlet_rest(&up.inlet)
    transport_read_start(&up.transport)
    timer_arm(up.home.wheel, &up.timer, idle_ms)


# Is it the service's turn, before its answer: has it all, or does not take it, or must say 100?
cdef bint up_owed(up_t* up) noexcept nogil:
    cdef exchange_t* x = up.exchange
    return (not up.outlet.open or transport_queued(&up.transport) != 0
            or (x.request.half.flags & MF_EXPECT_CONTINUE and not x.flags & XF_CONTINUE_SENT
                and x.request.half.received == 0))


# The wait that fits what the attempt waits for; each call moves the deadline on.
cdef void up_arm(up_t* up) noexcept nogil:
    cdef exchange_t* x = up.exchange
    cdef uint32_t ms = 0
    if x.response.half.state >= HALF_BODY:
        if not up.paused:
            ms = x.timeouts.between_bytes_ms
    elif up_owed(up):
        ms = x.timeouts.response_ms
    timer_arm(up.home.wheel, &up.timer, ms)


cdef void up_on_timer(timer_t* t) noexcept nogil:
    cdef up_t* up = from_timer(t)
    if up.state == UP_CONNECTING:
        connect_failed(up, E_UP_CONNECT_TIMEOUT)
    elif up.state == UP_IDLE:
        up_close(up)
    elif up.state == UP_BUSY and up.exchange.response.half.state >= HALF_BODY:
        up_fault(up, E_UP_STALLED)
    elif up.state == UP_BUSY and up_owed(up):        # else the client is slow, not the service
        up_fault(up, E_UP_RESPONSE_TIMEOUT)
    transports_flush(up.home.transports)


cdef void up_fault(up_t* up, int error) noexcept nogil:
    up.keep_alive = False
    if up.stream.on != NULL:
        up.stream.on.fault(&up.stream, error)
    else:
        up_close(up)


# --- reading --------------------------------------------------------------------------------------


cdef void on_space(transport_t* t, uv_buf_t* buf) noexcept nogil:
    cdef up_t* up = <up_t*>t
    cdef half_t* half
    if up.state != UP_BUSY:
        inlet_space(&up.inlet, up.home.transports.buffers, BUFFER_MEDIUM, buf)
        return
    half = &up.exchange.response.half
    if up.reader_ready and half.state <= HALF_HEAD and up.inlet.buffer != NULL:
        if inlet_head_space(&up.inlet, up.home.transports.buffers, buf):
            http1_reader_move(&up.reader, inlet_data(&up.inlet) - (up.inlet.pos - up.inlet.head))
    elif (half.state >= HALF_BODY and not half.flags & MF_BODY_EDITED
            and (half.framing != FRAMING_LENGTH
                 or half.length - half.received > MEDIUM_BUFFER)):
        inlet_space(&up.inlet, up.home.transports.buffers, BUFFER_LARGE, buf)
    else:                                      # a filter works on it: others wait meanwhile
        inlet_space(&up.inlet, up.home.transports.buffers, BUFFER_MEDIUM, buf)


cdef void on_read(transport_t* t, ssize_t size) noexcept nogil:
    cdef up_t* up = <up_t*>t
    if unlikely(size < 0):
        up_ended(up, <int>size)
        return
    inlet_filled(&up.inlet, <uint32_t>size)
    if up.state == UP_BUSY and not up.response_done:
        up_parse(up)
    else:
        up_surprise(up)


# Bytes that answer nothing: an idle connection speaks, or goes on after its answer's end.
cdef void up_surprise(up_t* up) noexcept nogil:
    if up.state == UP_BUSY:
        up.keep_alive = False
        transport_read_stop(&up.transport)
    else:
        up_close(up)


cdef void up_ended(up_t* up, int status) noexcept nogil:
    cdef int error
    if up.state != UP_BUSY:
        up_close(up)
        return
    if up.response_done:
        up.keep_alive = False
        transport_read_stop(&up.transport)
        return
    if status == UV_ENOBUFS:
        transport_read_stop(&up.transport)
        up_fault(up, E_CORE_MEMORY)
        return
    if status == UV_EOF and not up.transport.flags & TF_BROKEN:
        if up.reader_ready:
            error = http1_read_finish(&up.reader)
            if error == 0 and up.exchange.response.half.state == HALF_DONE:
                up_finished(up)
                return
        else:
            error = E_UP_CLOSED
        up_fault(up, error if error != 0 else <int>E_UP_CLOSED)
    else:
        error = E_UP_RESET
        if up.exchange.response.half.state >= HALF_BODY:
            error = E_UP_INCOMPLETE
        up_fault(up, error)


cdef void up_finished(up_t* up) noexcept nogil:
    up.response_done = True
    timer_disarm(&up.timer)
    if up.stream.on != NULL:
        up.stream.on.end(&up.stream)


# Reads what lies in the inlet, telling the exchange piece by piece. The exchange may let this
# connection go in any of the calls: up.exchange is then another or NULL.
cdef void up_parse(up_t* up) noexcept nogil:
    cdef exchange_t* x = up.exchange
    cdef http1_found_t found
    cdef slices_t body
    cdef int error
    while inlet_unread(&up.inlet):
        if not up.reader_ready:
            up_head_begin(up, x)
        found.events = 0
        found.count = 0
        found.consumed = 0
        error = http1_read(&up.reader, inlet_data(&up.inlet), inlet_unread(&up.inlet), &found)
        up.inlet.pos += found.consumed
        if found.events & READ_HEAD:
            if not up_head(up, x, found.events):
                return
            if up.exchange != x:
                return
        if found.count:
            slices_init(&body)
            if up_collect(up, &found, &body) != 0:
                error = E_CORE_MEMORY
            up.stream.on.body(&up.stream, &body)
            if up.exchange != x:
                return
        if unlikely(error != 0):
            up_fault(up, error)
            return
        if found.events & READ_END:
            if x.response.status >= 200:
                if inlet_unread(&up.inlet):
                    up.keep_alive = False
                up_finished(up)
                return
            up.reader_ready = False            # a 1xx: the next head follows
    up_arm(up)
    if up.stream.on != NULL:
        up.stream.on.rest(&up.stream)


cdef void up_head_begin(up_t* up, exchange_t* x) noexcept nogil:
    exchange_response_reset(x)
    http1_reader_response(&up.reader, &x.response, &x.plan.limits,
                          x.request.method == HTTP_HEAD)
    up.inlet.head = up.inlet.pos
    http1_reader_move(&up.reader, inlet_data(&up.inlet))
    up.reader_ready = True


# A head is complete. False: the connection is no longer an HTTP/1 one of this exchange.
cdef bint up_head(up_t* up, exchange_t* x, uint32_t events) noexcept nogil:
    x.response.half.head = up.inlet.buffer
    buffer_ref(up.inlet.buffer)
    if x.response.status >= 200:
        up.keep_alive = x.response.half.flags & MF_KEEP_ALIVE
    up.stream.version = x.response.half.version
    up.stream.on.head(&up.stream)
    return up.exchange == x and up.state == UP_BUSY


cdef int up_collect(up_t* up, const http1_found_t* found, slices_t* body) noexcept nogil:
    cdef uint32_t i
    cdef int error
    for i in range(found.count):
        error = slices_add(up.home.transports.buffers, body, up.inlet.buffer,
                           found.body[i].ptr, found.body[i].len)
        if unlikely(error != 0):
            return error
    return 0


cdef void on_drain(transport_t* t) noexcept nogil:
    cdef up_t* up = <up_t*>t
    if up.state != UP_BUSY:
        return
    up.stream.queued = transport_queued(t)
    up_arm(up)
    if up.stream.on != NULL:
        up.stream.on.drain(&up.stream)


# --- what a stream can do -------------------------------------------------------------------------


cdef int up_stream_head(stream_t* s, half_t* half) noexcept nogil:
    cdef up_t* up = from_stream(s)
    cdef int error = outlet_request(&up.outlet, <request_t*>half,
                                    WRITE_UPGRADE if half.flags & MF_UPGRADE else 0)
    s.queued = transport_queued(&up.transport)
    up_arm(up)
    return error


cdef int up_stream_body(stream_t* s, slices_t* slices) noexcept nogil:
    cdef up_t* up = from_stream(s)
    cdef int error = outlet_body(&up.outlet, slices)
    s.queued = transport_queued(&up.transport)
    up_arm(up)
    return error


cdef int up_stream_end(stream_t* s, headers_t* trailers) noexcept nogil:
    cdef up_t* up = from_stream(s)
    cdef int error = outlet_end(&up.outlet, trailers)
    s.queued = transport_queued(&up.transport)
    up_arm(up)
    return error


cdef void up_stream_flush(stream_t* s) noexcept nogil:
    cdef up_t* up = from_stream(s)
    transport_flush(&up.transport)
    s.queued = transport_queued(&up.transport)


cdef void up_stream_pause(stream_t* s) noexcept nogil:
    cdef up_t* up = from_stream(s)
    if up.paused:
        return
    up.paused = True
    s.paused = True
    transport_read_stop(&up.transport)
    up_arm(up)


cdef void up_stream_resume(stream_t* s) noexcept nogil:
    cdef up_t* up = from_stream(s)
    if not up.paused:
        return
    up.paused = False
    s.paused = False
    transport_read_start(&up.transport)
    up_arm(up)


cdef void up_stream_reset(stream_t* s, int error) noexcept nogil:
    up_close(from_stream(s))


cdef stream_ops_t stream_ops
stream_ops.head = up_stream_head
stream_ops.body = up_stream_body
stream_ops.end = up_stream_end
stream_ops.flush = up_stream_flush
stream_ops.pause = up_stream_pause
stream_ops.resume = up_stream_resume
stream_ops.reset = up_stream_reset

cdef transport_on_t transport_on
transport_on.space = on_space
transport_on.read = on_read
transport_on.drain = on_drain
transport_on.connect = on_connect
transport_on.closed = on_closed
