# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Owns: one try at one target, seen from the exchange.
# Thread and GIL: one worker's loop; no GIL; no I/O of its own.
# Never does: end an exchange; it reports and the exchange decides.
# Read next: attempt.pxd for the contract.

from libc.stdint cimport uint32_t, uint64_t
from pygw._core.check cimport BUG_ON, unlikely
from pygw._core.limits cimport EJECT_FAULTS, EJECT_MS, EJECT_MS_MAX, WRITE_HIGH, WRITE_LOW
from pygw._core.types.memory cimport slices_t
from pygw._core.types.message cimport FRAMING_NONE, MF_BODY_EDITED
from pygw._core.types.exchange cimport *
from pygw._core.types.upstream cimport health_t, target_t
from pygw._core.libs.llhttp cimport (
    HTTP_GET, HTTP_HEAD, HTTP_PUT, HTTP_DELETE, HTTP_OPTIONS, HTTP_TRACE)
from pygw._core.balance cimport balance_pick
from pygw._core.buffer cimport slices_init, slices_move, slices_share, slices_clear
from pygw._core.fault cimport fault_get, SIDE_UP, E_CORE_NO_TARGET, E_CORE_INTERNAL
from pygw._core.forwarding cimport forwarding_request
from pygw._core.headers cimport headers_mark_hop
from pygw._core.ids cimport ids_t
from pygw._core.stats cimport stat_add, ST_ATTEMPTS, ST_RETRIES


cdef inline bint idempotent(exchange_t* x) noexcept nogil:    # RFC 9110 9.2.2
    cdef int m = x.request.method
    return (m == HTTP_GET or m == HTTP_HEAD or m == HTTP_PUT or m == HTTP_DELETE
            or m == HTTP_OPTIONS or m == HTTP_TRACE)


cdef int attempt_choose(exchange_t* x) noexcept nogil:
    cdef target_t* target
    cdef int error
    if unlikely(x.route.upstream == NULL):
        return E_CORE_INTERNAL
    if not x.flags & XF_FORWARDED:
        x.flags |= XF_FORWARDED
        headers_mark_hop(&x.request.half.headers)
        error = forwarding_request(x, <ids_t*>x.host.ids)
        if unlikely(error != 0):
            return error
        if x.route.chain.edits_request_body and x.request.half.framing != FRAMING_NONE:
            x.request.half.flags |= MF_BODY_EDITED
        if idempotent(x) and x.route.upstream.retries:
            x.flags |= XF_REPLAYABLE
    x.attempt.started_ns = x.started_ns if x.attempts == 0 else x.host.now_ns(x.host)
    target = balance_pick(x.route.upstream, x.attempt.target, x.attempt.started_ns)
    if unlikely(target == NULL):
        return E_CORE_NO_TARGET
    x.attempts += 1
    stat_add(x.host.counters, ST_ATTEMPTS, 1)
    if x.attempts > 1:
        stat_add(x.host.counters, ST_RETRIES, 1)
    x.attempt.number = x.attempts
    x.attempt.target = target
    x.attempt.flags = AF_STARTED | (x.attempt.flags & AF_FRESH)
    x.attempt.stream = NULL
    return 0


cdef void attempt_attach(exchange_t* x, stream_t* up, const stream_on_t* on) noexcept nogil:
    BUG_ON(not x.attempt.flags & AF_STARTED)
    x.attempt.stream = up
    x.attempt.flags |= AF_READY
    up.sink = x
    up.on = on


cdef int attempt_send_head(exchange_t* x) noexcept nogil:
    cdef stream_t* up = x.attempt.stream
    cdef slices_t again
    cdef int error = up.ops.head(up, &x.request.half)
    if unlikely(error != 0):
        return error
    x.attempt.flags |= AF_HEAD_SENT
    if x.replay.first != NULL:             # a retry: what was sent goes first once more
        again = x.replay
        slices_init(&x.replay)
        slices_move(&again, &x.request_side.passed)
        x.request_side.passed = again
    return 0


# Keeps further references to what is about to leave, as long as the upstream's bound allows.
cdef int replay_keep(exchange_t* x, slices_t* passed) noexcept nogil:
    if not x.flags & XF_REPLAYABLE:
        return 0
    if x.replay.bytes + passed.bytes > x.route.upstream.replay_body:
        x.flags &= ~<unsigned int>XF_REPLAYABLE
        slices_clear(x.host.buffers, &x.replay)
        return 0
    return slices_share(x.host.buffers, &x.replay, passed)


cdef int attempt_send_body(exchange_t* x) noexcept nogil:
    cdef stream_t* up = x.attempt.stream
    cdef side_t* side = &x.request_side
    cdef int error
    if not x.attempt.flags & AF_HEAD_SENT or x.attempt.flags & AF_END_SENT:
        return 0
    if side.passed.first != NULL:
        error = replay_keep(x, &side.passed)
        if unlikely(error != 0):
            return error
        x.request.half.sent += side.passed.bytes
        error = up.ops.body(up, &side.passed)
        if unlikely(error != 0):
            return error
    if side.end_passed:
        x.attempt.flags |= AF_END_SENT
        return up.ops.end(up, &x.request.half.trailers)
    return 0


cdef void attempt_end(exchange_t* x, bint reusable) noexcept nogil:
    if not x.attempt.flags & AF_STARTED:
        return
    x.attempt.flags &= ~<unsigned int>AF_STARTED
    if x.attempt.stream != NULL:
        x.attempt.stream.on = NULL
        x.attempt.stream.sink = NULL
    x.host.attempt_end(x, reusable)
    x.attempt.stream = NULL


cdef void attempt_judge(exchange_t* x, int error) noexcept nogil:
    cdef health_t* health = x.attempt.target.health
    if health == NULL:
        return
    if error == 0:
        health.faults = 0
        health.back_off_ms = 0
        health.ejected_until_ns = 0
        return
    if fault_get(error).side != SIDE_UP:
        return
    health.faults += 1
    if health.faults < EJECT_FAULTS:
        return
    health.back_off_ms = health.back_off_ms * 2 if health.back_off_ms else <uint32_t>EJECT_MS
    if health.back_off_ms > EJECT_MS_MAX:
        health.back_off_ms = EJECT_MS_MAX
    health.ejected_until_ns = x.host.now_ns(x.host) + <uint64_t>health.back_off_ms * 1000000


cdef bint attempt_may_retry(exchange_t* x, int error) noexcept nogil:
    cdef attempt_t* a = &x.attempt
    if x.attempts > x.route.upstream.retries or a.flags & AF_ANSWERED:
        return False
    if not fault_get(error).retryable:
        return False
    if not a.flags & AF_HEAD_SENT:
        return True
    if not idempotent(x):
        return False
    if x.request.half.sent and not x.flags & XF_REPLAYABLE:
        return False
    x.attempt.flags |= AF_FRESH
    x.request.half.sent = 0
    return True


cdef void attempt_throttle(exchange_t* x) noexcept nogil:
    cdef side_t* side = &x.request_side
    cdef stream_t* up = x.attempt.stream
    cdef uint64_t bytes = side.arrived.bytes + side.hand.bytes + side.passed.bytes
    if up != NULL:
        if up.queued >= WRITE_HIGH:
            up.ops.flush(up)             # what is only gathered does not count as slow
        bytes += up.queued
    if bytes >= WRITE_HIGH:
        x.down.ops.pause(x.down)
    elif bytes <= WRITE_LOW and x.down.paused:
        x.down.ops.resume(x.down)
