# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, nonecheck=False
# Owns: the life of an exchange: every event of its streams, every verdict, every end.
# Thread and GIL: one worker's loop; no GIL; no I/O of its own.
# Never does: touch an exchange after a call that may end it: such calls stand last.
# Read next: exchange.pxd for the contract, attempt.pyx and answer.pyx for the leaves.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from pygw._core.check cimport BUG_ON, PYGW_DEBUG, likely, unlikely
from pygw._core.types.message cimport MF_SELF_MADE
from pygw._core.types.stream cimport stream_t, stream_on_t
from pygw._core.types.timer cimport timer_t
from pygw._core.types.bill cimport PART_BODY
from pygw._core.types.exchange cimport *
from pygw._core.answer cimport *
from pygw._core.attempt cimport *
from pygw._core.bill cimport bill_close, bill_mark, bill_resumed
from pygw._core.buffer cimport slices_clear, slices_move
from pygw._core.chain cimport chain_begin, chain_body, chain_cancel, chain_head, chain_log
from pygw._core.fault cimport (
    fault_get, E_CORE_TOTAL_TIMEOUT, E_CORE_INTERNAL,
    E_DOWN_CLOSED, E_DOWN_RESET, E_DOWN_SLOW_READER, E_HOOK_ABORTED)
from pygw._core.exchange_memory cimport EXCHANGE_MAGIC, exchange_body_drop, exchange_count
from pygw._core.forwarding cimport forwarding_begin
from pygw._core.gather cimport gather_request, gather_response
from pygw._core.half cimport half_cut
from pygw._core.ids cimport ids_t
from pygw._core.steps cimport steps_leave, steps_take
from pygw._core.router cimport router_take
from pygw._core.split cimport split_begin
from pygw._core.stats cimport stat_add, ST_REQUESTS, ST_REFUSED_HEADS

# --- the end --------------------------------------------------------------------------------------


# Everything that still waits is told, the log phase runs, the downstream takes x back.
cdef void exchange_end(exchange_t* x) noexcept nogil:
    cdef host_t* host = x.host
    BUG_ON((x.flags & XF_ENDING) != 0)
    x.flags |= XF_ENDING
    chain_cancel(x)
    attempt_end(x, False)
    if x.total.link != NULL:
        host.timer_detach(host, &x.total)
    if unlikely(x.step_link != NULL):
        steps_leave(x)
    exchange_count(x)
    chain_log(x)
    if unlikely(x.bill != NULL):
        bill_close(x)
    host.log(x)
    exchange_body_drop(x)
    slices_clear(host.buffers, &x.replay)
    host.exchange_done(x)


# --- the request half -----------------------------------------------------------------------------


cdef void exchange_begin(exchange_t* x) noexcept nogil:
    cdef host_t* host = x.host
    cdef int error
    BUG_ON(PYGW_DEBUG and x.magic != EXCHANGE_MAGIC)
    x.started_ns = host.now_ns(host)
    stat_add(host.counters, ST_REQUESTS, 1)
    error = forwarding_begin(x, <ids_t*>host.ids, host.unix_ms(host))
    if likely(error == 0):
        error = router_take(x)
    if likely(error == 0):
        error = chain_begin(x)
    if unlikely(error != 0):
        exchange_fail(x, error)
        return
    split_begin(x)
    if x.timeouts.total_ms:
        x.total.fire = exchange_on_total
        host.timer_arm(host, &x.total, x.timeouts.total_ms)
    request_verdict(x, chain_head(x, PHASE_REQUEST, 0))


cdef void exchange_refuse(exchange_t* x, int error) noexcept nogil:
    x.started_ns = x.host.now_ns(x.host)
    x.client = x.peer[0]
    x.flags |= XF_REFUSED
    x.request.half.headers.count = 0
    half_cut(&x.request.half)
    stat_add(x.host.counters, ST_REQUESTS, 1)
    stat_add(x.host.counters, ST_REFUSED_HEADS, 1)
    exchange_fail(x, error)


cdef void request_verdict(exchange_t* x, verdict_t verdict) noexcept nogil:
    if verdict == VERDICT_NEXT:
        x.request_side.head_passed = True
        exchange_try(x)
    elif verdict != VERDICT_WAIT:
        exchange_stop(x, verdict)


cdef void request_on_body(stream_t* s, slices_t* slices) noexcept nogil:
    cdef exchange_t* x = <exchange_t*>s.sink
    if x.flags & XF_REPLIED:
        slices_clear(x.host.buffers, slices)         # nobody reads it any more
        return
    slices_move(&x.request_side.arrived, slices)
    request_pump(x)


cdef void request_on_end(stream_t* s) noexcept nogil:
    cdef exchange_t* x = <exchange_t*>s.sink
    x.request_side.end_arrived = True
    if not x.flags & XF_REPLIED:
        request_pump(x)


cdef void request_on_fault(stream_t* s, int error) noexcept nogil:
    cdef exchange_t* x = <exchange_t*>s.sink
    half_cut(&x.request.half)
    if error == E_DOWN_CLOSED or error == E_DOWN_RESET or error == E_DOWN_SLOW_READER:
        exchange_abort(x, error)
    elif not x.flags & XF_REPLIED:                   # else an answer is on its way already
        exchange_fail(x, error)


# Body moves arrived > hand > (chain) > passed > stream, as far as filters and stream let it.
cdef void request_pump(exchange_t* x) noexcept nogil:
    cdef side_t* side = &x.request_side
    cdef verdict_t verdict
    cdef bint last
    if not side.head_passed or side.running or x.waiting[<int>PHASE_REQUEST_BODY]:
        gather_request(x)
        return
    if x.route.chain.counts[<int>PHASE_REQUEST_BODY] == 0:
        slices_move(&side.passed, &side.arrived)
        side.end_passed = side.end_arrived
        request_send(x)
        return
    last = side.end_arrived and not side.last_given
    if side.arrived.first == NULL and not last:
        request_send(x)
        return
    slices_move(&side.hand, &side.arrived)
    side.last_given |= last
    side.running = True
    verdict = chain_body(x, PHASE_REQUEST_BODY, 0, &side.hand, last)
    side.running = False
    request_body_verdict(x, verdict)


cdef void request_body_verdict(exchange_t* x, verdict_t verdict) noexcept nogil:
    cdef side_t* side = &x.request_side
    if verdict == VERDICT_WAIT:
        attempt_throttle(x)
        return
    if verdict != VERDICT_NEXT:
        exchange_stop(x, verdict)
        return
    slices_move(&side.passed, &side.hand)
    side.end_passed = side.last_given
    if side.arrived.first != NULL or (side.end_arrived and not side.last_given):
        request_pump(x)                              # came while a filter waited
    else:
        request_send(x)


cdef void request_send(exchange_t* x) noexcept nogil:
    cdef int error = 0
    if x.attempt.stream != NULL:
        error = attempt_send_body(x)
    if unlikely(error != 0):
        exchange_attempt_failed(x, error)
    else:
        attempt_throttle(x)


# --- attempts -------------------------------------------------------------------------------------


cdef void exchange_try(exchange_t* x) noexcept nogil:
    cdef int error = attempt_choose(x)
    if unlikely(error != 0):
        exchange_fail(x, error)
    else:
        x.host.attempt_start(x)


cdef void exchange_attempt_ready(exchange_t* x, stream_t* up) noexcept nogil:
    attempt_attach(x, up, &on_up)
    if x.route.chain.counts[<int>PHASE_ATTEMPT] == 0:
        attempt_verdict(x, VERDICT_NEXT)
    else:
        attempt_verdict(x, chain_head(x, PHASE_ATTEMPT, 0))


cdef void attempt_verdict(exchange_t* x, verdict_t verdict) noexcept nogil:
    cdef int error
    if verdict == VERDICT_WAIT:
        return
    if verdict != VERDICT_NEXT:
        exchange_stop(x, verdict)
        return
    error = attempt_send_head(x)
    if unlikely(error != 0):
        exchange_attempt_failed(x, error)
    else:
        request_pump(x)


cdef void exchange_attempt_failed(exchange_t* x, int error) noexcept nogil:
    cdef bint again
    if x.flags & XF_RESPONSE_STARTED:
        exchange_fail(x, error)
        return
    attempt_judge(x, error)
    again = attempt_may_retry(x, error)
    if x.waiting[<int>PHASE_ATTEMPT] or x.waiting[<int>PHASE_RESPONSE]:
        chain_cancel(x)
        again = False
    attempt_end(x, False)
    if again:
        exchange_try(x)
    else:
        exchange_fail(x, error)


# --- the response half ----------------------------------------------------------------------------


cdef void response_on_head(stream_t* s) noexcept nogil:
    cdef exchange_t* x = <exchange_t*>s.sink
    cdef int kind = answer_kind_of(x)
    cdef int error = 0
    if unlikely(kind == ANSWER_FINAL and x.response.status >= 400 and attempt_replace(x)):
        exchange_try(x)
    elif kind == ANSWER_FINAL or kind == ANSWER_TUNNEL:
        error = attempt_answered(x)
        if unlikely(error != 0):
            exchange_fail(x, error)
        else:
            response_run(x, 0)
    elif kind == ANSWER_PASS:
        error = answer_send_informational(x)
        if unlikely(error != 0):
            exchange_abort(x, error)
    elif kind < 0:
        exchange_attempt_failed(x, kind)


# The response chain from filter `start` on, then the head leaves.
cdef void response_run(exchange_t* x, int start) noexcept nogil:
    if x.flags & XF_BYPASS or x.route.chain.counts[<int>PHASE_RESPONSE] == 0:
        response_verdict(x, VERDICT_NEXT)
    else:
        response_verdict(x, chain_head(x, PHASE_RESPONSE, start))


cdef void response_verdict(exchange_t* x, verdict_t verdict) noexcept nogil:
    cdef int error
    if verdict == VERDICT_WAIT:
        answer_throttle(x)
        return
    if verdict != VERDICT_NEXT:
        exchange_stop(x, verdict)
        return
    error = answer_send_head(x)
    if unlikely(error != 0):
        exchange_abort(x, error)
    elif x.response.status == 101 and not x.flags & XF_REPLIED:
        x.host.timer_disarm(x.host, &x.total)
        x.host.tunnel_start(x)
    else:
        exchange_pump_response(x)


cdef void response_on_body(stream_t* s, slices_t* slices) noexcept nogil:
    cdef exchange_t* x = <exchange_t*>s.sink
    x.response_side.rested = False
    slices_move(&x.response_side.arrived, slices)
    exchange_pump_response(x)


# Nothing more is at hand: what a filter keeps only to make larger pieces is called for.
cdef void response_on_rest(stream_t* s) noexcept nogil:
    cdef exchange_t* x = <exchange_t*>s.sink
    x.response_side.rested = True
    if unlikely(x.flags & XF_HELD):
        exchange_pump_response(x)


# The upstream half is over: its stream serves others while the client still reads.
cdef void response_on_end(stream_t* s) noexcept nogil:
    cdef exchange_t* x = <exchange_t*>s.sink
    x.response_side.end_arrived = True
    attempt_end(x, x.attempt.flags & AF_END_SENT)
    exchange_pump_response(x)


cdef void response_on_fault(stream_t* s, int error) noexcept nogil:
    exchange_attempt_failed(<exchange_t*>s.sink, error)


# Does a filter keep body for which nothing more is at hand?
cdef inline bint response_held(exchange_t* x) noexcept nogil:
    return (x.flags & XF_HELD and x.response_side.rested and not x.response_side.last_given)


cdef void exchange_pump_response(exchange_t* x) noexcept nogil:
    cdef side_t* side = &x.response_side
    cdef verdict_t verdict
    cdef bint last
    if not side.head_passed or side.running or x.waiting[<int>PHASE_RESPONSE_BODY]:
        gather_response(x)
        return
    if x.flags & XF_BYPASS or x.route.chain.counts[<int>PHASE_RESPONSE_BODY] == 0:
        slices_move(&side.passed, &side.arrived)
        side.end_passed = side.end_arrived
        response_send(x)
        return
    last = side.end_arrived and not side.last_given
    if side.arrived.first == NULL and not last:
        if not response_held(x):
            response_send(x)
            return
        side.rested = False
    if likely(not x.flags & XF_STEPPED):
        slices_move(&side.hand, &side.arrived)
    elif not steps_take(x, &last):
        response_send(x)                             # goes on when its turn comes
        return
    x.flags &= ~<uint32_t>XF_HELD                    # whoever still keeps something says so again
    side.last_given |= last
    side.running = True
    verdict = chain_body(x, PHASE_RESPONSE_BODY, 0, &side.hand, last)
    side.running = False
    response_body_verdict(x, verdict)


cdef void response_body_verdict(exchange_t* x, verdict_t verdict) noexcept nogil:
    cdef side_t* side = &x.response_side
    if verdict == VERDICT_WAIT:
        answer_throttle(x)
        return
    if verdict != VERDICT_NEXT:
        exchange_stop(x, verdict)
        return
    slices_move(&side.passed, &side.hand)
    side.end_passed = side.last_given
    if (side.arrived.first != NULL or (side.end_arrived and not side.last_given)
            or response_held(x)):
        exchange_pump_response(x)                             # came while a filter waited
    else:
        response_send(x)


cdef void response_send(exchange_t* x) noexcept nogil:
    cdef int error = answer_send_body(x)
    if unlikely(error != 0):
        exchange_fail(x, error)
    else:
        answer_throttle(x)
        exchange_settle(x)


# Ends the exchange once its whole response is with the kernel.
cdef void exchange_settle(exchange_t* x) noexcept nogil:
    if not x.response_side.end_sent:
        return
    bill_mark(x, PART_BODY)
    x.down.ops.flush(x.down)
    if x.down.queued == 0:
        exchange_end(x)


cdef void response_on_drain(stream_t* s) noexcept nogil:
    cdef exchange_t* x = <exchange_t*>s.sink
    answer_throttle(x)
    exchange_settle(x)


cdef void request_on_drain(stream_t* s) noexcept nogil:
    attempt_throttle(<exchange_t*>s.sink)


cdef void exchange_tunnel_ended(exchange_t* x, uint64_t bytes_up, uint64_t bytes_down,
                                int error) noexcept nogil:
    x.request.half.received = bytes_up
    x.body_bytes = bytes_down
    x.error = x.error if x.error else error
    exchange_end(x)


# --- answers of our own and early ends ------------------------------------------------------------


# A filter said REPLY or ABORT. Behind a reply only the response's can; none sees its own again.
cdef void exchange_stop(exchange_t* x, verdict_t verdict) noexcept nogil:
    cdef bint answered = x.flags & XF_REPLIED or (x.request_side.head_passed
                                                  and x.attempt.flags & AF_ANSWERED)
    if verdict == VERDICT_REPLY:
        if not x.flags & XF_RESPONSE_STARTED and x.response.half.flags & MF_SELF_MADE:
            exchange_take_over(x)
            response_run(x, x.chain_at + 1 if answered else 0)
            return
        x.error = E_CORE_INTERNAL                    # too late, or without reply_set
    exchange_fail(x, x.error if x.error else <int>E_HOOK_ABORTED)


# Lets the attempt go and forgets the request body: from here on the answer is ours.
cdef void exchange_take_over(exchange_t* x) noexcept nogil:
    x.flags |= XF_REPLIED
    chain_cancel(x)
    attempt_end(x, False)
    exchange_body_drop(x)
    x.response_side.end_arrived = False
    if x.down.paused:
        x.down.ops.resume(x.down)


cdef void exchange_fail(exchange_t* x, int error) noexcept nogil:
    cdef bint waited = x.waiting[<int>PHASE_RESPONSE] != 0
    if x.error == 0:
        x.error = error
    if x.flags & XF_RESPONSE_STARTED:
        x.flags |= XF_CUT
        half_cut(&x.response.half)
        x.down.ops.reset(x.down, error)
        exchange_end(x)
        return
    exchange_take_over(x)
    x.flags |= XF_BYPASS                             # the response chain may be what failed
    if fault_get(error).status == 499 or answer_fault(x, error, waited) != 0:
        exchange_abort(x, error)
    else:
        response_verdict(x, VERDICT_NEXT)


cdef void exchange_abort(exchange_t* x, int error) noexcept nogil:
    if x.error == 0:
        x.error = error
    if x.flags & XF_RESPONSE_STARTED and not x.response_side.end_sent:
        x.flags |= XF_CUT
    if fault_get(x.error).status == 499:
        x.flags |= XF_CLIENT_GONE
    half_cut(&x.response.half)
    x.down.ops.reset(x.down, error)
    exchange_end(x)


cdef void exchange_on_total(timer_t* t) noexcept nogil:
    cdef exchange_t* x = <exchange_t*>(<char*>t - <size_t>&(<exchange_t*>NULL).total)
    exchange_fail(x, E_CORE_TOTAL_TIMEOUT)


# --- suspension -----------------------------------------------------------------------------------


cdef void exchange_resume(exchange_t* x, int phase, verdict_t verdict) noexcept nogil:
    cdef int place = x.waiting[phase]                # the filter after the one that waited
    BUG_ON(place == 0 or verdict == VERDICT_WAIT)
    x.waiting[phase] = 0
    x.chain_at = <uint8_t>(place - 1)
    bill_resumed(x, phase, verdict)
    if phase == PHASE_REQUEST_BODY:
        if verdict == VERDICT_NEXT:
            verdict = chain_body(x, phase, place, &x.request_side.hand, x.request_side.last_given)
        request_body_verdict(x, verdict)
    elif phase == PHASE_RESPONSE_BODY:
        if verdict == VERDICT_NEXT:
            verdict = chain_body(x, phase, place, &x.response_side.hand,
                                 x.response_side.last_given)
        response_body_verdict(x, verdict)
    else:
        if verdict == VERDICT_NEXT:
            verdict = chain_head(x, phase, place)
        if phase == PHASE_REQUEST:
            request_verdict(x, verdict)
        elif phase == PHASE_ATTEMPT:
            attempt_verdict(x, verdict)
        else:
            response_verdict(x, verdict)


cdef stream_on_t on_down
on_down.head = NULL
on_down.body = request_on_body
on_down.end = request_on_end
on_down.rest = NULL
on_down.fault = request_on_fault
on_down.drain = response_on_drain

cdef stream_on_t on_up
on_up.head = response_on_head
on_up.body = response_on_body
on_up.end = response_on_end
on_up.rest = response_on_rest
on_up.fault = response_on_fault
on_up.drain = request_on_drain


cdef const stream_on_t* exchange_on_down() noexcept nogil:
    return &on_down
