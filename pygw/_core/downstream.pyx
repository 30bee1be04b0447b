# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, nonecheck=False
# Owns: what a client's connection does: accepting, reading request after request, time, closing.
# Thread and GIL: one worker's loop; no GIL.
# Never does: read a second request before the first is answered, beyond one buffer.
# Read next: downstream.pxd for the contract.

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset
from posix.unistd cimport close
from pygw._core.check cimport likely, unlikely
from pygw._core.limits cimport DRAIN_BODY_MAX, LINGER_IDLE_MS, LINGER_MS, MEDIUM_BUFFER
from pygw._core.types.memory cimport slices_t, BUFFER_SMALL, BUFFER_LARGE
from pygw._core.types.message cimport half_t, FRAMING_LENGTH
from pygw._core.types.timer cimport timer_t
from pygw._core.types.transport cimport transport_t, transports_t, TF_BROKEN
from pygw._core.types.exchange cimport plan_t
from pygw._core.libs.sockets cimport sockaddr, sockaddr_storage, AF_UNIX
from pygw._core.libs.uv cimport uv_buf_t, UV_ENOBUFS, UV_EOF
from pygw._core.address cimport address_from_socket
from pygw._core.bill cimport bill_open
from pygw._core.block cimport block_take
from pygw._core.buffer cimport buffer_ref, slices_add, slices_init
from pygw._core.down cimport *
from pygw._core.down_answer cimport down_stream_ops
from pygw._core.exchange cimport (
    exchange_begin, exchange_refuse, exchange_abort, exchange_on_down)
from pygw._core.exchange_memory cimport exchange_init
from pygw._core.fault cimport (
    E_CORE_MEMORY, E_CORE_STOPPED, E_DOWN_BODY_TIMEOUT, E_DOWN_CLOSED, E_DOWN_HEAD_TIMEOUT,
    E_DOWN_RESET, E_DOWN_SLOW_READER)
from pygw._core.http1_read cimport (
    http1_found_t, http1_read, http1_reader_move, http1_reader_request, READ_END, READ_HEAD)
from pygw._core.inlet cimport (
    inlet_data, inlet_filled, inlet_fini, inlet_head_space, inlet_rest, inlet_space, inlet_unread)
from pygw._core.timer cimport timer_init, timer_arm, timer_disarm, wheel_now
from pygw._core.transport cimport (
    transport_finish, transport_queued, transport_read_start, transport_read_stop,
    transport_unread, transports_flush)
from pygw._core.transport_uv cimport transport_accept, transport_adopt, transport_peer


cdef inline down_t* from_timer(timer_t* t) noexcept nogil:
    return <down_t*>(<char*>t - <size_t>&(<down_t*>NULL).timer)


# --- a connection's life --------------------------------------------------------------------------


cdef void on_closed(transport_t* t) noexcept nogil:
    down_closed(<down_t*>t)


cdef down_t* down_make(downs_t* home, uint16_t listener) noexcept nogil:
    cdef down_t* d = down_new(home, listener)
    if likely(d != NULL):
        d.stream.ops = down_stream_ops()
        timer_init(&d.timer, on_timer)
    return d


cdef bint down_accept(downs_t* home, uv_stream_t* server, bint is_unix,
                      uint16_t listener) noexcept nogil:
    cdef down_t* d = down_make(home, listener)
    if unlikely(d == NULL):
        return False
    down_opened(d, transport_accept(&d.transport, home.transports, &transport_on,
                                    <char*>d + down_bytes(), server, is_unix), is_unix)
    return True


cdef bint down_adopt(downs_t* home, int fd, bint is_unix, uint16_t listener) noexcept nogil:
    cdef down_t* d = down_make(home, listener)
    if unlikely(d == NULL):
        close(fd)
        return False
    down_opened(d, transport_adopt(&d.transport, home.transports, &transport_on,
                                   <char*>d + down_bytes(), fd, is_unix), is_unix)
    return True


cdef void down_opened(down_t* d, int error, bint is_unix) noexcept nogil:
    cdef sockaddr_storage peer
    if unlikely(error != 0):
        d.state = DOWN_CLOSING
        return
    memset(&peer, 0, sizeof(peer))
    peer.ss_family = AF_UNIX                         # whose peers have no address
    if not is_unix:
        transport_peer(&d.transport, <sockaddr*>&peer, sizeof(peer))
    address_from_socket(&d.peer, <sockaddr*>&peer)
    down_start(d)


cdef const transport_on_t* down_transport_on() noexcept nogil:
    return &transport_on


cdef void down_start(down_t* d) noexcept nogil:
    transport_read_start(&d.transport)
    down_rest(d, d.home.plan[0].limits.client_head_ms)


# The wait for a request. WHY a drain does not close at once: the request may be on its way, and
# who has sent one to a connection that closes can not tell whether it was served.
cdef inline void down_rest(down_t* d, uint32_t ms) noexcept nogil:
    if unlikely(d.home.draining and d.home.drain_idle_ms < ms):
        ms = d.home.drain_idle_ms
    timer_arm(d.home.wheel, &d.timer, ms)


cdef void downs_drain(downs_t* home, uint32_t idle_ms) noexcept nogil:
    cdef down_t* d = home.first
    home.draining = True
    home.drain_idle_ms = idle_ms if idle_ms else 1
    while d != NULL:
        if d.state == DOWN_IDLE:
            timer_arm(home.wheel, &d.timer, home.drain_idle_ms)
        d = d.next


cdef void downs_stop(downs_t* home) noexcept nogil:
    cdef down_t* d = home.first
    home.draining = True
    while d != NULL:
        if d.state == DOWN_BUSY:
            exchange_abort(d.exchange, E_CORE_STOPPED)
        elif d.state == DOWN_DRAIN:
            down_exchange_free(d)
        if d.state != DOWN_TUNNEL:
            down_close(d, False)
        d = d.next                                   # its memory stays until on_closed


# --- exchanges ------------------------------------------------------------------------------------


cdef bint head_begin(down_t* d) noexcept nogil:
    cdef plan_t* plan = d.home.plan[0]
    cdef exchange_t* x = <exchange_t*>block_take(&d.home.exchanges)
    if unlikely(x == NULL):
        return False
    d.home.running += 1
    exchange_init(x, d.home.host, plan, &d.stream)
    if unlikely(d.home.host.bill.exact_until_ns != 0):
        bill_open(x)
    x.peer = &d.peer
    x.listener = &plan.listeners[d.listener if d.listener < plan.listener_count else 0]
    d.exchange = x
    d.stream.on = exchange_on_down()
    d.stream.sink = x
    d.stream.queued = 0
    d.stream.paused = False
    d.state = DOWN_HEAD
    d.request_done = False
    http1_reader_request(&d.reader, &x.request, &plan.limits)
    d.inlet.head = d.inlet.pos
    return True


# The exchange is answered and logged: what becomes of the connection?
cdef void down_exchange_done(exchange_t* x) noexcept nogil:
    cdef down_t* d = down_of_stream(x.down)
    d.stream.on = NULL
    d.stream.sink = NULL
    if d.state == DOWN_CLOSING:
        down_exchange_free(d)
    elif d.state == DOWN_TUNNEL or d.transport.flags & TF_BROKEN:
        down_exchange_free(d)
        down_close(d, False)
    elif d.close_after or d.input_dead:
        down_exchange_free(d)
        down_linger(d)
    elif d.request_done:
        down_exchange_free(d)
        down_idle(d)
    else:
        d.state = DOWN_DRAIN
        d.dropped = 0
        transport_read_start(&d.transport)
        timer_arm(d.home.wheel, &d.timer, x.plan.limits.client_body_ms)
        down_parse(d)


cdef void down_idle(down_t* d) noexcept nogil:
    d.state = DOWN_IDLE
    down_rest(d, d.home.plan[0].limits.keepalive_ms)
    if likely(not d.half_closed):
        transport_read_start(&d.transport)
    down_parse(d)


# Our FIN goes out; bytes that are still on their way are read and dropped for a while, for a close
# with unread bytes would reset the connection and take the answer with it (RFC 9112 9.6). Time is
# the bound, not bytes: most clients write a whole upload before they look for an answer.
cdef void down_linger(down_t* d) noexcept nogil:
    if d.request_done and not d.input_dead and inlet_unread(&d.inlet) == 0:
        down_close(d, False)
        return
    d.state = DOWN_LINGER
    d.linger_end_ms = wheel_now(d.home.wheel) + LINGER_MS
    inlet_fini(&d.inlet)
    transport_finish(&d.transport)
    transport_read_start(&d.transport)
    timer_arm(d.home.wheel, &d.timer, LINGER_IDLE_MS)


# --- time -----------------------------------------------------------------------------------------


cdef void on_timer(timer_t* t) noexcept nogil:
    cdef down_t* d = from_timer(t)
    cdef transports_t* transports = d.home.transports
    if d.state == DOWN_HEAD and d.reader.head_bytes:
        down_refuse(d, E_DOWN_HEAD_TIMEOUT)
    elif d.state == DOWN_BUSY:
        if transport_queued(&d.transport):
            d.stream.on.fault(&d.stream, E_DOWN_SLOW_READER)
        elif not d.request_done and not d.stream.paused:
            d.input_dead = True
            d.stream.on.fault(&d.stream, E_DOWN_BODY_TIMEOUT)
    elif d.state == DOWN_DRAIN:
        down_exchange_free(d)
        d.input_dead = True
        down_linger(d)
    elif d.state == DOWN_IDLE and transport_unread(&d.transport):
        timer_arm(d.home.wheel, &d.timer, 1)         # we are late, not the client
    elif d.state != DOWN_TUNNEL:
        down_close(d, False)
    transports_flush(transports)


# --- reading --------------------------------------------------------------------------------------


cdef void on_space(transport_t* t, uv_buf_t* buf) noexcept nogil:
    cdef down_t* d = <down_t*>t
    cdef half_t* half
    cdef int kind = BUFFER_SMALL
    if d.state == DOWN_HEAD and d.inlet.buffer != NULL:
        if d.reader.head_bytes == 0:
            d.inlet.head = d.inlet.pos
        if inlet_head_space(&d.inlet, d.home.transports.buffers, buf):
            http1_reader_move(&d.reader, inlet_data(&d.inlet) - (d.inlet.pos - d.inlet.head))
    else:
        if d.state == DOWN_BUSY and not d.request_done:
            half = &d.exchange.request.half
            if half.framing != FRAMING_LENGTH:
                kind = BUFFER_LARGE if half.received > MEDIUM_BUFFER else BUFFER_SMALL
            elif half.length - half.received > MEDIUM_BUFFER:
                kind = BUFFER_LARGE
        inlet_space(&d.inlet, d.home.transports.buffers, kind, buf)


cdef void on_read(transport_t* t, ssize_t size) noexcept nogil:
    cdef down_t* d = <down_t*>t
    if unlikely(size == UV_ENOBUFS):
        down_starved(d)
        return
    if unlikely(size < 0):
        down_ended(d, <int>size)
        return
    inlet_filled(&d.inlet, <uint32_t>size)
    if unlikely(d.state == DOWN_BUSY and d.input_dead):
        inlet_fini(&d.inlet)                         # its answer is on its way, nothing else counts
    elif likely(d.state <= DOWN_DRAIN):
        down_parse(d)
    elif d.state == DOWN_LINGER:
        down_discard(d)


cdef void down_discard(down_t* d) noexcept nogil:
    cdef uint64_t now_ms = wheel_now(d.home.wheel)
    inlet_fini(&d.inlet)
    if now_ms >= d.linger_end_ms:
        down_close(d, False)
    elif d.linger_end_ms - now_ms > LINGER_IDLE_MS:
        timer_arm(d.home.wheel, &d.timer, LINGER_IDLE_MS)
    else:
        timer_arm(d.home.wheel, &d.timer, <uint32_t>(d.linger_end_ms - now_ms))


# No space for what comes: one buffer of further requests is enough, else memory ran out.
cdef void down_starved(down_t* d) noexcept nogil:
    transport_read_stop(&d.transport)
    if d.transport.flags & TF_BROKEN:
        down_ended(d, UV_EOF)                        # there is no room to read the end into
        return
    if d.state == DOWN_BUSY and d.request_done:
        return                                       # down_idle reads on
    if d.state == DOWN_HEAD:
        down_refuse(d, E_CORE_MEMORY)
    elif d.state == DOWN_BUSY:
        d.input_dead = True
        d.stream.on.fault(&d.stream, E_CORE_MEMORY)
    else:
        down_ended(d, UV_ENOBUFS)


cdef void down_ended(down_t* d, int status) noexcept nogil:
    cdef bint broken = status != UV_EOF or d.transport.flags & TF_BROKEN
    if d.state == DOWN_DRAIN:
        down_exchange_free(d)
        down_close(d, False)
    elif d.state != DOWN_BUSY:
        down_close(d, False)
    elif not broken and d.request_done and d.exchange.listener.answer_half_closed:
        d.half_closed = True                         # what came before is answered
    else:
        d.input_dead = True
        d.stream.on.fault(&d.stream, E_DOWN_RESET if broken else E_DOWN_CLOSED)


# Reads what lies in the inlet, request after request, until one has to be waited for.
cdef void down_parse(down_t* d) noexcept nogil:
    if d.parsing:
        return
    d.parsing = True
    while down_step(d):
        pass
    d.parsing = False
    if d.half_closed and d.state <= DOWN_HEAD:
        down_close(d, False)                         # no more can come
    elif d.state == DOWN_IDLE:
        inlet_rest(&d.inlet)


cdef bint down_step(down_t* d) noexcept nogil:
    cdef http1_found_t found
    cdef int error
    if inlet_unread(&d.inlet) == 0:
        return False
    if d.state == DOWN_IDLE:
        if unlikely(not head_begin(d)):
            down_close(d, False)
            return False
    elif d.state > DOWN_DRAIN or d.request_done or d.input_dead:
        return False
    found.events = 0
    found.consumed = 0
    found.count = 0
    error = http1_read(&d.reader, inlet_data(&d.inlet), inlet_unread(&d.inlet), &found)
    d.inlet.pos += found.consumed
    if d.state == DOWN_HEAD:
        return down_head(d, &found, error)
    if d.state == DOWN_DRAIN:
        return down_drop(d, &found, error)
    return down_body(d, &found, error)


# More of a head, perhaps its end, and what follows it.
cdef bint down_head(down_t* d, http1_found_t* found, int error) noexcept nogil:
    cdef exchange_t* x = d.exchange
    if not found.events & READ_HEAD:
        if unlikely(error != 0):
            down_refuse(d, error)
            return False
        if d.reader.head_bytes and not d.head_timed:
            d.head_timed = True
            timer_arm(d.home.wheel, &d.timer, x.plan.limits.client_head_ms)
        return inlet_unread(&d.inlet) != 0
    d.head_timed = False
    d.state = DOWN_BUSY
    d.served += 1
    x.request.half.head = d.inlet.buffer
    buffer_ref(d.inlet.buffer)
    if found.events & READ_END and found.count == 0:
        d.request_done = True
        x.request_side.end_arrived = True
        timer_disarm(&d.timer)
        exchange_begin(x)
        return d.state == DOWN_IDLE
    down_arm(d)
    exchange_begin(x)
    if d.state == DOWN_DRAIN:
        return down_drop(d, found, error)
    if d.state != DOWN_BUSY:
        return False
    return down_body(d, found, error)


# Body for the running exchange.
cdef bint down_body(down_t* d, http1_found_t* found, int error) noexcept nogil:
    cdef slices_t body
    cdef uint32_t i
    if found.events & READ_END:
        d.request_done = True
    slices_init(&body)
    for i in range(found.count):
        if slices_add(d.home.transports.buffers, &body, d.inlet.buffer,
                      found.body[i].ptr, found.body[i].len) != 0:
            error = E_CORE_MEMORY
    down_arm(d)
    if body.first != NULL:
        d.stream.on.body(&d.stream, &body)
    if d.state != DOWN_BUSY:
        return down_after(d)
    if unlikely(error != 0):
        d.input_dead = True
        d.home.host.malformed(d.exchange, &d.exchange.client, error)
        d.stream.on.fault(&d.stream, error)
    elif found.events & READ_END:
        d.stream.on.end(&d.stream)
    return down_after(d)


# After events: is there more to read now?
cdef bint down_after(down_t* d) noexcept nogil:
    if d.state == DOWN_DRAIN and d.request_done:
        down_exchange_free(d)
        down_idle(d)
    return d.state <= DOWN_DRAIN and inlet_unread(&d.inlet) != 0


# The rest of a request that was answered already.
cdef bint down_drop(down_t* d, http1_found_t* found, int error) noexcept nogil:
    d.dropped += found.consumed
    if unlikely(error != 0 or d.dropped > DRAIN_BODY_MAX):
        down_exchange_free(d)
        d.input_dead = True
        down_linger(d)
        return False
    if found.events & READ_END:
        d.request_done = True
    return down_after(d)


cdef void down_refuse(down_t* d, int error) noexcept nogil:
    d.state = DOWN_BUSY
    d.input_dead = True
    timer_disarm(&d.timer)
    d.home.host.malformed(d.exchange, &d.peer, error)
    exchange_refuse(d.exchange, error)


cdef void on_drain(transport_t* t) noexcept nogil:
    cdef down_t* d = <down_t*>t
    if d.state != DOWN_BUSY:
        return
    d.stream.queued = transport_queued(t)
    down_arm(d)
    d.stream.on.drain(&d.stream)


cdef transport_on_t transport_on
transport_on.space = on_space
transport_on.read = on_read
transport_on.drain = on_drain
transport_on.closed = on_closed
