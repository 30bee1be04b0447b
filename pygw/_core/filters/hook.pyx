# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: the filter `hook`: user code in a chain, whatever its language.
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: know a language; trust what a hook answers.
# Read next: hook.pxd for the contract.

from libc.stdint cimport uint8_t, uint32_t
from libc.stdio cimport snprintf
from pygw._core.bill cimport bill_off, bill_on
from pygw._core.buffer cimport slices_move
from pygw._core.check cimport BUG_ON, likely, unlikely
from pygw._core.exchange cimport exchange_resume
from pygw._core.fault cimport E_CORE_MEMORY
from pygw._core.gather cimport gather_continue
from pygw._core.hook_body cimport (
    half_of, piece_ended, pieces_run, side_of, whole_ended, whole_run, whole_too_long)
from pygw._core.hook_cache cimport hook_cache_again, hook_cache_keep, hook_cache_take
from pygw._core.hook_conf cimport hook_conf_build
from pygw._core.hook_line cimport (
    hook_line_lead, hook_line_leave, hook_line_next, hook_line_stands)
from pygw._core.hook_run cimport (
    call_blame, call_drop, call_find, call_give, call_init, call_init_head, call_link, call_run,
    call_take, call_unlink, call_verdict)
from pygw._core.limits cimport HOOK_CACHE_WAIT_MS, HOOK_ERROR_MAX
from pygw._core.part cimport Part, plan_alloc, plan_fail
from pygw._core.types.exchange cimport *
from pygw._core.types.header cimport span_t
from pygw._core.types.hook cimport *
from pygw._core.types.memory cimport arena_t, slices_t
from pygw._core.types.message cimport (
    half_t, FRAMING_LENGTH, FRAMING_NONE, MF_SELF_MADE)
from pygw._core.types.stream cimport stream_t
from pygw._core.types.timer cimport timer_t
from pygw._core.view cimport span_is

# hook_t first: the filter's conf is the hook.
cdef struct conf_t:
    hook_t hook
    filter_ops_t ops


# --- build ----------------------------------------------------------------------------------------


cdef int hook_tie(hook_t* hook, plan_t* plan) except -1:
    cdef uint32_t i, k
    cdef span_t name
    for i in range(hook.fetch_count):
        name = hook.fetch_names[i]
        for k in range(plan.upstream_count):
            if span_is(plan.upstreams[k].name, name.ptr, name.len):
                hook.fetch_to[i] = &plan.upstreams[k]
        if hook.fetch_to[i] == NULL:
            plan_fail(f"hook {hook.name.ptr[:hook.name.len].decode()}",
                      f"fetches from {name.ptr[:name.len].decode()}, which is no upstream")
    return 0


cdef int hook_build(Part part, arena_t* arena, filter_t* out) except -1:
    cdef conf_t* conf = <conf_t*>plan_alloc(arena, sizeof(conf_t))
    conf.hook.slot = out.slot
    hook_conf_build(part, arena, &conf.hook)
    ops_fill(&conf.hook, &conf.ops)
    out.ops = &conf.ops
    out.conf = conf
    return 0


cdef void ops_fill(const hook_t* hook, filter_ops_t* ops) noexcept nogil:
    cdef bint whole = hook.body == HOOK_BODY_WHOLE
    cdef bint request_body = hook.phases & 1 << <int>PHASE_REQUEST_BODY
    cdef bint response_body = hook.phases & 1 << <int>PHASE_RESPONSE_BODY
    ops.name = b"hook"
    ops.cancel = hook_cancel
    ops.gather = hook_gather
    if hook.phases & 1 << <int>PHASE_REQUEST or (request_body and whole):
        ops.request = hook_request
    if hook.phases & 1 << <int>PHASE_RESPONSE or (response_body and whole):
        ops.response = hook_response
    if request_body and not whole:
        ops.request_body = hook_request_body
        ops.edits_request_body = True
    if response_body and not whole:
        ops.response_body = hook_response_body
        ops.edits_response_body = True
    if hook.phases & 1 << <int>PHASE_ATTEMPT:
        ops.attempt = hook_attempt
    if hook.phases & 1 << <int>PHASE_LOG:
        ops.log = hook_logged


cdef hook_t* hook_of(const filter_t* f) noexcept nogil:
    return <hook_t*>f.conf if f.ops.cancel == hook_cancel else NULL


# --- runs that wait -------------------------------------------------------------------------------


# WAIT was answered: it goes on in hook_resume, or ends in hook_cancel or at its deadline.
cdef verdict_t call_park(hook_call_t* call) noexcept nogil:
    cdef exchange_t* x = call.x
    call.waiting = True
    call_link(call)
    if call.hook.deadline_ms:
        call.timer.fire = call_late
        x.host.timer_arm(x.host, &call.timer, call.hook.deadline_ms)
    return VERDICT_WAIT


cdef void call_unpark(hook_call_t* call) noexcept nogil:
    call.waiting = False
    call_unlink(call)
    if call.timer.fire != NULL:
        call.x.host.timer_detach(call.x.host, &call.timer)
        call.timer.fire = NULL


cdef void call_late(timer_t* t) noexcept nogil:
    cdef hook_call_t* call = <hook_call_t*>(<char*>t - <size_t>&(<hook_call_t*>NULL).timer)
    if hook_line_stands(call):
        hook_line_leave(call)
        call.error[0] = 0
        if call.hook.deadline_ms == 0:
            call.timer.fire = NULL
            line_go_on(call)
            call.hooks.host.flush(call.hooks.host)
            return
    else:
        call.hook.ops.cancel(call.hooks.states[call.hook.runtime], call)
    call.fault = HOOK_LATE
    snprintf(call.error, HOOK_ERROR_MAX, b"did not come to an end within its deadline of %u ms",
             call.hook.deadline_ms)
    hook_resume(call, OUTCOME_FAILED)


cdef void hook_resume(hook_call_t* call, outcome_t outcome) noexcept nogil:
    cdef host_t* host = call.x.host
    BUG_ON(not call.waiting)
    if unlikely(not call.waiting):
        return
    if unlikely(outcome == OUTCOME_WAIT):
        outcome = OUTCOMES                             # there is no such answer here
    if unlikely(call.hooks.watch != NULL):
        call.hooks.watch(call, outcome)
    call_over(call, outcome)
    host.flush(host)                                   # what called us may be no I/O


# One that was parked has come to this.
cdef void call_over(hook_call_t* call, outcome_t outcome) noexcept nogil:
    cdef exchange_t* x = call.x
    cdef int chain_phase = call.chain_phase
    cdef verdict_t verdict
    call_unpark(call)
    verdict = call_ended(call, outcome)
    if verdict != VERDICT_WAIT:
        exchange_resume(x, chain_phase, verdict)


# What a run came to. The call is given back, or parked again: then WAIT.
cdef verdict_t call_ended(hook_call_t* call, outcome_t outcome) noexcept nogil:
    cdef exchange_t* x = call.x
    cdef const hook_t* hook = call.hook
    cdef int phase = call.phase, chain_phase = call.chain_phase
    cdef verdict_t verdict
    if phase != chain_phase:
        verdict = whole_ended(call, outcome)
        call_give(call)
        return verdict
    if phase == PHASE_REQUEST_BODY or phase == PHASE_RESPONSE_BODY:
        return stream_on(call, outcome)
    verdict = head_verdict(call, outcome)
    call_give(call)
    if verdict == VERDICT_NEXT:
        return whole_begin(x, hook, phase)
    return verdict


cdef void hook_cancel(exchange_t* x, const filter_t* f, int phase) noexcept nogil:
    cdef hook_call_t* call = call_find(x, <hook_t*>f.conf, phase)
    BUG_ON(call == NULL)
    if call.gathering:
        gather_over(call)
    else:
        call_unpark(call)
        if not hook_line_stands(call):
            call.hook.ops.cancel(call.hooks.states[call.hook.runtime], call)
    call_give(call)


# --- runs that wait for another of their key ------------------------------------------------------


# It may come later than the exchange before it: nothing of the call has run yet.
cdef verdict_t line_park(hook_call_t* call) noexcept nogil:
    cdef host_t* host = call.x.host
    call.hooks.cache.wake.fire = on_wake
    call_park(call)
    if call.hook.deadline_ms == 0:
        call.timer.fire = call_late
        host.timer_arm(host, &call.timer, HOOK_CACHE_WAIT_MS)
    return VERDICT_WAIT


# Its turn has come: by what is kept now, or by a run of its own, which has what is left of its
# deadline. The call may be over and gone after it.
cdef void line_go_on(hook_call_t* call) noexcept nogil:
    cdef exchange_t* x = call.x
    cdef host_t* host = x.host
    cdef int phase = call.chain_phase
    cdef outcome_t outcome
    if call.hook.deadline_ms == 0 and call.timer.fire != NULL:
        host.timer_detach(host, &call.timer)
        call.timer.fire = NULL
    bill_on(x, phase)
    outcome = hook_cache_again(call)
    if outcome == OUTCOME_WAIT:
        outcome = call_run(call)
        if outcome == OUTCOME_WAIT:
            hook_line_lead(call)
            bill_off(x, phase)
            return
    bill_off(x, phase)
    call_over(call, outcome)


cdef void on_wake(timer_t* t) noexcept nogil:
    cdef hook_cache_t* c = <hook_cache_t*>(<char*>t - <size_t>&(<hook_cache_t*>NULL).wake)
    cdef uint32_t left = c.woken.count
    cdef hook_call_t* call = NULL
    cdef host_t* host = NULL
    while left:
        call = hook_line_next(c)
        if call == NULL:
            break
        host = call.x.host
        line_go_on(call)
        left -= 1
    if host != NULL:
        host.flush(host)


# --- heads ----------------------------------------------------------------------------------------


cdef inline verdict_t head_run(exchange_t* x, const hook_t* hook, int phase) noexcept nogil:
    cdef hook_call_t here
    cdef hook_call_t* call
    cdef outcome_t outcome
    if not hook.phases & 1 << phase:
        return VERDICT_NEXT
    if likely(not hook.kept):
        call_init_head(&here, x, hook, phase)
        outcome = call_run(&here)
        return VERDICT_NEXT if likely(outcome == OUTCOME_NEXT) else call_verdict(&here, outcome)
    call = call_take(x, hook, phase)
    if unlikely(call == NULL):
        return VERDICT_ABORT
    outcome = OUTCOME_WAIT
    if hook.caching != NULL:
        outcome = hook_cache_take(call)
        if hook_line_stands(call):
            return line_park(call)
    if outcome == OUTCOME_WAIT:
        outcome = call_run(call)
        if outcome == OUTCOME_WAIT and hook.may_wait:
            hook_line_lead(call)
            return call_park(call)
    verdict = head_verdict(call, outcome)
    call_give(call)
    return verdict


# What the run came to; a decision that may be kept is.
cdef verdict_t head_verdict(hook_call_t* call, outcome_t outcome) noexcept nogil:
    cdef verdict_t verdict = call_verdict(call, outcome)
    if call.record != NULL:
        call.record.ended = True
        if outcome == OUTCOME_NEXT or (verdict == VERDICT_REPLY and outcome == OUTCOME_REPLY
                                       and call.reply.status < 500):
            hook_cache_keep(call, outcome)
    return verdict


cdef verdict_t hook_request(exchange_t* x, const filter_t* f) noexcept nogil:
    cdef const hook_t* hook = <hook_t*>f.conf
    cdef verdict_t verdict = head_run(x, hook, PHASE_REQUEST)
    if likely(verdict != VERDICT_NEXT or hook.body != HOOK_BODY_WHOLE):
        return verdict
    return whole_begin(x, hook, PHASE_REQUEST)


cdef verdict_t hook_response(exchange_t* x, const filter_t* f) noexcept nogil:
    cdef const hook_t* hook = <hook_t*>f.conf
    cdef verdict_t verdict = head_run(x, hook, PHASE_RESPONSE)
    if likely(verdict != VERDICT_NEXT or hook.body != HOOK_BODY_WHOLE):
        return verdict
    return whole_begin(x, hook, PHASE_RESPONSE)


cdef verdict_t hook_attempt(exchange_t* x, const filter_t* f) noexcept nogil:
    return head_run(x, <hook_t*>f.conf, PHASE_ATTEMPT)


# Nothing can wait any more, and nothing can be answered.
cdef void hook_logged(exchange_t* x, const filter_t* f) noexcept nogil:
    cdef hook_call_t call
    call_init(&call, x, <hook_t*>f.conf, PHASE_LOG)
    if call_run(&call) == OUTCOME_FAILED:
        call_blame(&call)


# --- whole bodies ---------------------------------------------------------------------------------


# After the head's own run: the body is waited for, if the hook wants it.
cdef verdict_t whole_begin(exchange_t* x, const hook_t* hook, int head_phase) noexcept nogil:
    cdef int phase = head_phase + 1
    cdef half_t* half = half_of(x, head_phase)
    cdef hook_call_t* call
    if (hook.body != HOOK_BODY_WHOLE or head_phase == PHASE_ATTEMPT
            or not hook.phases & 1 << phase
            or (head_phase == PHASE_RESPONSE and x.response.status == 101)):
        return VERDICT_NEXT
    call = call_take(x, hook, phase)
    if unlikely(call == NULL):
        return VERDICT_ABORT
    call.chain_phase = <uint8_t>head_phase
    if (half.framing == FRAMING_NONE or half.flags & MF_SELF_MADE
            or side_of(x, head_phase).end_arrived):
        return whole_now(call)
    return gather_begin(call)


# The call is given back, or parked.
cdef verdict_t whole_now(hook_call_t* call) noexcept nogil:
    cdef verdict_t verdict = whole_run(call)
    if verdict == VERDICT_WAIT:
        return call_park(call)
    call_give(call)
    return verdict


cdef verdict_t gather_begin(hook_call_t* call) noexcept nogil:
    cdef exchange_t* x = call.x
    cdef bint request = call.chain_phase == PHASE_REQUEST
    cdef half_t* half = half_of(x, call.chain_phase)
    cdef stream_t* source = x.down if request else x.attempt.stream
    cdef verdict_t verdict
    if half.framing == FRAMING_LENGTH and half.length > call.hook.body_max:
        verdict = whole_too_long(call)
        call_give(call)
        return verdict
    if request and gather_continue(x) != 0:
        call_give(call)
        x.error = E_CORE_MEMORY
        return VERDICT_ABORT
    call.gathering = True
    call_link(call)
    x.flags |= XF_GATHER_REQUEST if request else XF_GATHER_RESPONSE
    if source != NULL and source.paused:
        source.ops.resume(source)
    return VERDICT_WAIT


cdef void gather_over(hook_call_t* call) noexcept nogil:
    call.gathering = False
    call_unlink(call)
    call.x.flags &= ~<uint32_t>(XF_GATHER_REQUEST if call.chain_phase == PHASE_REQUEST
                                else XF_GATHER_RESPONSE)


cdef void hook_gather(exchange_t* x, const filter_t* f, int phase) noexcept nogil:
    cdef hook_call_t* call = call_find(x, <hook_t*>f.conf, phase)
    cdef side_t* side = side_of(x, phase)
    cdef verdict_t verdict
    if side.arrived.bytes > call.hook.body_max:
        gather_over(call)
        verdict = whole_too_long(call)
        call_give(call)
    elif side.end_arrived:
        gather_over(call)
        bill_on(x, phase)
        verdict = whole_now(call)
        bill_off(x, phase)
    else:
        return
    if verdict != VERDICT_WAIT:
        exchange_resume(x, phase, verdict)


# --- bodies piece by piece ------------------------------------------------------------------------


# A run that waited has ended: the pieces behind it follow. The call is given back, or parked again.
cdef verdict_t stream_on(hook_call_t* call, outcome_t outcome) noexcept nogil:
    cdef exchange_t* x = call.x
    cdef side_t* side = &x.request_side if call.phase == PHASE_REQUEST_BODY else &x.response_side
    cdef slices_t* out = &side.hand
    cdef verdict_t verdict = piece_ended(call, outcome, out)
    if verdict == VERDICT_NEXT:
        bill_on(x, call.phase)
        verdict = pieces_run(call, out)
        bill_off(x, call.phase)
    if verdict == VERDICT_WAIT:
        return call_park(call)
    call_give(call)
    return verdict


cdef verdict_t body_run(exchange_t* x, const hook_t* hook, int phase, slices_t* body,
                        bint last) noexcept nogil:
    cdef hook_call_t here
    cdef hook_call_t* call = &here
    cdef verdict_t verdict
    if hook.may_wait:
        call = call_take(x, hook, phase)
        if unlikely(call == NULL):
            return VERDICT_ABORT
    else:
        call_init(call, x, hook, phase)
    call.ends = last
    slices_move(&call.rest, body)
    verdict = pieces_run(call, body)
    if verdict == VERDICT_WAIT:
        return call_park(call)
    if hook.may_wait:
        call_give(call)
    else:
        call_drop(call)
    return verdict


cdef verdict_t hook_request_body(exchange_t* x, const filter_t* f, slices_t* body,
                                 bint last) noexcept nogil:
    return body_run(x, <hook_t*>f.conf, PHASE_REQUEST_BODY, body, last)


cdef verdict_t hook_response_body(exchange_t* x, const filter_t* f, slices_t* body,
                                  bint last) noexcept nogil:
    return body_run(x, <hook_t*>f.conf, PHASE_RESPONSE_BODY, body, last)
