# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Owns: one try at one target, seen from the exchange.
# Thread and GIL: one worker's loop; no GIL; no I/O of its own.
# Never does: end an exchange; it reports and the exchange decides.
# Read next: attempt.pxd for the contract.

from libc.stdint cimport uint32_t, uint64_t
from pygw._core.check cimport BUG_ON, likely, unlikely
from pygw._core.limits cimport EJECT_CONNECT_MS, WRITE_HIGH, WRITE_LOW
from pygw._core.types.memory cimport slices_t
from pygw._core.types.message cimport FRAMING_NONE, MF_BODY_EDITED
from pygw._core.types.bill cimport PART_CONNECT, PART_SEND, PART_TARGET, PART_UPSTREAM
from pygw._core.types.exchange cimport *
from pygw._core.types.upstream cimport (
    health_t, target_t, upstream_t, BALANCE_HASH, RETRY_CONNECT_FAILURE, RETRY_RESET,
    RETRY_RESPONSE_TIMEOUT)
from pygw._core.libs.llhttp cimport (
    HTTP_GET, HTTP_HEAD, HTTP_PUT, HTTP_DELETE, HTTP_OPTIONS, HTTP_TRACE)
from pygw._core.affinity cimport affinity_answer, affinity_hash, affinity_sticky
from pygw._core.balance cimport ask_t, balance_pick, status_in
from pygw._core.bill cimport bill_mark
from pygw._core.buffer cimport slices_init, slices_move, slices_share, slices_clear
from pygw._core.exchange_memory cimport exchange_response_reset
from pygw._core.fault cimport (
    fault_get, SIDE_UP, E_CORE_INTERNAL, E_CORE_NO_TARGET, E_UP_BROKEN, E_UP_CLOSED,
    E_UP_CONNECT_TIMEOUT, E_UP_NAME, E_UP_REFUSED, E_UP_RESET, E_UP_RESPONSE_TIMEOUT,
    E_UP_UNREACHABLE)
from pygw._core.forwarding cimport forwarding_request
from pygw._core.headers cimport headers_mark_hop
from pygw._core.ids cimport ids_t
from pygw._core.standing cimport budget_request, budget_retry
from pygw._core.stats cimport (
    stat_add, ST_ATTEMPTS, ST_EJECTIONS, ST_RETRIES, ST_RETRIES_OVER_BUDGET)


cdef inline bint idempotent(exchange_t* x) noexcept nogil:    # RFC 9110 9.2.2
    cdef int m = x.request.method
    return (m == HTTP_GET or m == HTTP_HEAD or m == HTTP_PUT or m == HTTP_DELETE
            or m == HTTP_OPTIONS or m == HTTP_TRACE)


# Which target, when there are several.
cdef target_t* attempt_target(exchange_t* x) noexcept nogil:
    cdef const upstream_t* u = x.upstream
    cdef ask_t ask
    if likely(u.target_count == 1):
        return u.targets
    ask.tried = x.attempt.target
    ask.now_ns = x.attempt.started_ns
    ask.hash = affinity_hash(x) if u.balance == BALANCE_HASH else 0
    ask.sticky_id = affinity_sticky(x) if u.sticky.len else 0
    return balance_pick(u, &ask)


cdef int attempt_choose(exchange_t* x) noexcept nogil:
    cdef target_t* target
    cdef int error
    if unlikely(x.upstream == NULL):
        return E_CORE_INTERNAL
    if not x.flags & XF_FORWARDED:
        x.flags |= XF_FORWARDED
        headers_mark_hop(&x.request.half.headers)
        error = forwarding_request(x, <ids_t*>x.host.ids)
        if unlikely(error != 0):
            return error
        if x.route.chain.edits_request_body and x.request.half.framing != FRAMING_NONE:
            x.request.half.flags |= MF_BODY_EDITED
        if x.upstream.retry.attempts:
            budget_request(x.upstream.standing, x.started_ns)
            if idempotent(x):
                x.flags |= XF_REPLAYABLE
    x.attempt.started_ns = x.started_ns if x.attempts == 0 else x.host.now_ns(x.host)
    target = attempt_target(x)
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
    if target.health != NULL:
        target.health.active += 1
    bill_mark(x, PART_TARGET)
    return 0


cdef void attempt_attach(exchange_t* x, stream_t* up, const stream_on_t* on) noexcept nogil:
    BUG_ON(not x.attempt.flags & AF_STARTED)
    x.attempt.stream = up
    x.attempt.flags |= AF_READY
    up.sink = x
    up.on = on
    bill_mark(x, PART_CONNECT)


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
    bill_mark(x, PART_SEND)
    return 0


# Keeps further references to what is about to leave, as long as the upstream's bound allows.
cdef int replay_keep(exchange_t* x, slices_t* passed) noexcept nogil:
    if not x.flags & XF_REPLAYABLE:
        return 0
    if x.replay.bytes + passed.bytes > x.upstream.replay_body:
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
    if x.attempt.target.health != NULL:
        x.attempt.target.health.active -= 1
    if x.attempt.stream != NULL:
        x.attempt.stream.on = NULL
        x.attempt.stream.sink = NULL
    x.host.attempt_end(x, reusable)
    x.attempt.stream = NULL


# The condition that a fault meets; 0: none.
cdef uint32_t condition_of(int error) noexcept nogil:
    if (error == E_UP_REFUSED or error == E_UP_UNREACHABLE or error == E_UP_CONNECT_TIMEOUT
            or error == E_UP_NAME):
        return RETRY_CONNECT_FAILURE
    if error == E_UP_CLOSED or error == E_UP_RESET or error == E_UP_BROKEN:
        return RETRY_RESET
    return RETRY_RESPONSE_TIMEOUT if error == E_UP_RESPONSE_TIMEOUT else 0


cdef void health_fault(exchange_t* x, health_t* health, bint no_connection) noexcept nogil:
    cdef const upstream_t* u = x.upstream
    cdef uint64_t now_ns
    # What was begun before the ejection says nothing that was not known then.
    if u.eject.faults == 0 or (health.ejected_ns and x.attempt.started_ns <= health.ejected_ns):
        return
    health.faults += 1
    if health.faults < u.eject.faults:
        return
    now_ns = x.host.now_ns(x.host)
    health.back_off_ms = health.back_off_ms * 2 if health.back_off_ms else u.eject.back_off_ms
    if health.back_off_ms > u.eject.back_off_max_ms:
        health.back_off_ms = u.eject.back_off_max_ms
    if no_connection and health.back_off_ms > EJECT_CONNECT_MS:
        health.back_off_ms = EJECT_CONNECT_MS
    health.ejected_ns = now_ns
    health.ejected_until_ns = now_ns + <uint64_t>health.back_off_ms * 1000000
    stat_add(x.host.counters, ST_EJECTIONS, 1)


cdef void attempt_judge(exchange_t* x, int error) noexcept nogil:
    cdef health_t* health = x.attempt.target.health
    if health == NULL:
        return
    if error == 0 and not status_in(&x.upstream.eject.statuses, x.response.status):
        health.faults = 0
        health.back_off_ms = 0
        health.ejected_ns = 0
        health.ejected_until_ns = 0
    elif error == 0 or fault_get(error).side == SIDE_UP:
        health_fault(x, health, condition_of(error) == RETRY_CONNECT_FAILURE)


# Is everything that was sent still here, and may it be sent again?
cdef bint repeatable(exchange_t* x) noexcept nogil:
    return idempotent(x) and (x.request.half.sent == 0 or x.flags & XF_REPLAYABLE)


cdef bint budget_allows(exchange_t* x) noexcept nogil:
    if budget_retry(x.upstream.standing, &x.upstream.retry, x.host.now_ns(x.host)):
        return True
    stat_add(x.host.counters, ST_RETRIES_OVER_BUDGET, 1)
    return False


cdef bint attempt_may_retry(exchange_t* x, int error) noexcept nogil:
    cdef attempt_t* a = &x.attempt
    if x.attempts > x.upstream.retry.attempts or a.flags & AF_ANSWERED:
        return False
    if not condition_of(error) & x.upstream.retry.on:
        return False
    if not a.flags & AF_HEAD_SENT:
        return budget_allows(x)
    if not repeatable(x) or not budget_allows(x):
        return False
    x.attempt.flags |= AF_FRESH
    x.request.half.sent = 0
    return True


cdef bint attempt_replace(exchange_t* x) noexcept nogil:
    if likely(not status_in(&x.upstream.retry.statuses, x.response.status)):
        return False
    if x.attempts > x.upstream.retry.attempts or x.informational or not repeatable(x):
        return False
    if not budget_allows(x):
        return False
    attempt_judge(x, 0)
    attempt_end(x, False)
    exchange_response_reset(x)
    x.request.half.sent = 0
    return True


cdef int attempt_answered(exchange_t* x) noexcept nogil:
    x.attempt.flags |= AF_ANSWERED
    x.attempt.head_ns = x.host.now_ns(x.host)
    bill_mark(x, PART_UPSTREAM)
    attempt_judge(x, 0)
    if unlikely(x.upstream.sticky.len != 0):
        return affinity_answer(x)
    return 0


cdef void attempt_throttle(exchange_t* x) noexcept nogil:
    cdef side_t* side = &x.request_side
    cdef stream_t* up = x.attempt.stream
    cdef uint64_t bytes = side.arrived.bytes + side.hand.bytes + side.passed.bytes
    if unlikely(x.flags & XF_GATHER_REQUEST):
        return
    if up != NULL:
        # What is only gathered does not count as slow, and no drain tells of it when it has left.
        if up.queued >= WRITE_HIGH or (x.down.paused and up.queued):
            up.ops.flush(up)
        bytes += up.queued
    if bytes >= WRITE_HIGH:
        x.down.ops.pause(x.down)
    elif bytes <= WRITE_LOW and x.down.paused:
        x.down.ops.resume(x.down)
