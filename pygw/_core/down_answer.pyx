# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, nonecheck=False
# Owns: the answering side of a client's connection: HTTP/1 as the exchange's downstream stream.
# Thread and GIL: one worker's loop; no GIL.
# Never does: read.
# Read next: down_answer.pxd for the contract, downstream.pyx.

from libc.stdint cimport uint32_t
from pygw._core.limits cimport DRAIN_BODY_MAX
from pygw._core.types.header cimport headers_t
from pygw._core.types.memory cimport slices_t
from pygw._core.types.message cimport (
    half_t, response_t, FRAMING_NONE, FRAMING_CHUNKED, FRAMING_CLOSE, MF_EXPECT_CONTINUE,
    MF_KEEP_ALIVE)
from pygw._core.types.stream cimport stream_t, stream_ops_t
from pygw._core.types.exchange cimport exchange_t, XF_CONTINUE_SENT
from pygw._core.down cimport down_t, down_of_stream, down_arm, down_close
from pygw._core.fault cimport fault_get, SIDE_DOWN
from pygw._core.http1_write cimport WRITE_CLOSE, WRITE_KEEP_ALIVE, WRITE_UPGRADE
from pygw._core.inlet cimport inlet_unread
from pygw._core.outlet cimport outlet_framing, outlet_response, outlet_body, outlet_end
from pygw._core.transport cimport (
    transport_flush, transport_queued, transport_read_start, transport_read_stop)


# May the rest of the request be read and dropped after an early answer?
cdef bint down_drainable(down_t* d) noexcept nogil:
    cdef half_t* half = &d.exchange.request.half
    if d.request_done:
        return True
    if half.flags & MF_EXPECT_CONTINUE and not d.exchange.flags & XF_CONTINUE_SENT:
        return False                                 # whether the body comes is not known
    return half.framing == FRAMING_CHUNKED or half.length - half.received <= DRAIN_BODY_MAX


cdef int down_stream_head(stream_t* s, half_t* half) noexcept nogil:
    cdef down_t* d = down_of_stream(s)
    cdef exchange_t* x = d.exchange
    cdef response_t* response = <response_t*>half
    cdef uint32_t most = x.plan.limits.keepalive_requests
    cdef uint32_t flags = 0
    cdef int framing
    cdef int error
    if response.status < 200 and response.status != 101:
        error = outlet_response(&d.outlet, response, FRAMING_NONE, 0)
        down_stream_flush(s)
        down_arm(d)                                  # after a 100 the body is due
        return error
    framing = outlet_framing(half, False, x.request.half.version)
    if response.status == 101:
        flags = WRITE_UPGRADE
    elif (not x.request.half.flags & MF_KEEP_ALIVE or d.input_dead or d.home.draining
            or (d.half_closed and inlet_unread(&d.inlet) == 0) or framing == FRAMING_CLOSE
            or (x.error and fault_get(x.error).side == SIDE_DOWN)
            or (most and d.served >= most) or not down_drainable(d)):
        d.close_after = True
        flags = WRITE_CLOSE
    elif x.request.half.version < 11:
        flags = WRITE_KEEP_ALIVE
    error = outlet_response(&d.outlet, response, framing, flags)
    s.queued = transport_queued(&d.transport)
    down_arm(d)
    return error


cdef int down_stream_body(stream_t* s, slices_t* slices) noexcept nogil:
    cdef down_t* d = down_of_stream(s)
    cdef int error = outlet_body(&d.outlet, slices)
    s.queued = transport_queued(&d.transport)
    down_arm(d)
    return error


cdef int down_stream_end(stream_t* s, headers_t* trailers) noexcept nogil:
    cdef down_t* d = down_of_stream(s)
    cdef int error = outlet_end(&d.outlet, trailers)
    s.queued = transport_queued(&d.transport)
    return error


cdef void down_stream_flush(stream_t* s) noexcept nogil:
    cdef down_t* d = down_of_stream(s)
    transport_flush(&d.transport)
    s.queued = transport_queued(&d.transport)


cdef void down_stream_pause(stream_t* s) noexcept nogil:
    cdef down_t* d = down_of_stream(s)
    if s.paused:
        return
    s.paused = True
    if not d.request_done:
        transport_read_stop(&d.transport)
        down_arm(d)


cdef void down_stream_resume(stream_t* s) noexcept nogil:
    cdef down_t* d = down_of_stream(s)
    if not s.paused:
        return
    s.paused = False
    transport_read_start(&d.transport)
    down_arm(d)


# What was sent still goes out, but never looks complete: a body that ends with the connection ends
# with a reset.
cdef void down_stream_reset(stream_t* s, int error) noexcept nogil:
    cdef down_t* d = down_of_stream(s)
    transport_flush(&d.transport)
    down_close(d, d.outlet.framing == FRAMING_CLOSE
               and (d.outlet.open or transport_queued(&d.transport) != 0))


cdef stream_ops_t ops
ops.head = down_stream_head
ops.body = down_stream_body
ops.end = down_stream_end
ops.flush = down_stream_flush
ops.pause = down_stream_pause
ops.resume = down_stream_resume
ops.reset = down_stream_reset


cdef const stream_ops_t* down_stream_ops() noexcept nogil:
    return &ops
