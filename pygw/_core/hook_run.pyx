# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: one run of a hook: made, run, judged, given back.
# Thread and GIL: one worker's loop; no GIL.
# Never does: resume an exchange (filters/hook.pyx does), or trust what a hook answers.
# Read next: hook_run.pxd for the contract.

from libc.stdint cimport uint32_t
from libc.stdio cimport snprintf
from libc.string cimport memset, strlen
from pygw._core.block cimport block_give, block_take
from pygw._core.buffer cimport slices_clear
from pygw._core.check cimport likely, unlikely
from pygw._core.fault cimport (
    E_CORE_MEMORY, E_HOOK_ABORTED, E_HOOK_FAILED, E_HOOK_LATE, E_HOOK_RESPONSE)
from pygw._core.filters.verdict cimport verdict_refuse
from pygw._core.headers cimport headers_add, headers_set
from pygw._core.hook_line cimport hook_line_over
from pygw._core.hook_mask cimport mask_allows
from pygw._core.hooks cimport hook_enter, hook_leave, hook_log
from pygw._core.limits cimport HOOK_ERROR_MAX
from pygw._core.reply cimport reply_set
from pygw._core.types.bill cimport BILL_FAILED, BILL_LATE
from pygw._core.types.exchange cimport (
    exchange_t, verdict_t, PHASE_RESPONSE, VERDICT_ABORT, VERDICT_NEXT, VERDICT_REPLY,
    XF_RESPONSE_STARTED)
from pygw._core.types.header cimport headers_t, H_CONTENT_TYPE
from pygw._core.types.hook cimport *


cdef void call_init(hook_call_t* call, exchange_t* x, const hook_t* hook,
                    int phase) noexcept nogil:
    memset(&call.piece, 0, sizeof(hook_call_t) - <size_t>&(<hook_call_t*>NULL).piece)
    call_init_head(call, x, hook, phase)


cdef outcome_t call_run(hook_call_t* call) noexcept nogil:
    cdef hook_call_t* before = hook_enter(call)
    cdef outcome_t outcome
    call.error[0] = 0
    outcome = call.hook.ops.call(call.hooks.states[call.hook.runtime], call)
    hook_leave(call, before)
    return outcome


cdef void call_drop(hook_call_t* call) noexcept nogil:
    slices_clear(call.x.host.buffers, &call.piece)
    slices_clear(call.x.host.buffers, &call.fresh)
    slices_clear(call.x.host.buffers, &call.rest)


cdef void call_blame(hook_call_t* call) noexcept nogil:
    if call.error[0] == 0:
        snprintf(call.error, HOOK_ERROR_MAX, b"failed without a message")
    hook_log(call, LOG_ERROR, call.error, <uint32_t>strlen(call.error))
    call.x.blame = BILL_LATE if call.fault == HOOK_LATE else BILL_FAILED
    if unlikely(call.hooks.watch != NULL):
        call.hooks.watch(call, OUTCOME_FAILED)


# It failed: logged, and its policy decides.
cdef verdict_t call_failed(hook_call_t* call) noexcept nogil:
    cdef exchange_t* x = call.x
    call_blame(call)
    if call.hook.policy == HOOK_SKIP:
        return VERDICT_NEXT
    if call.phase < PHASE_RESPONSE:
        return verdict_refuse(x, E_HOOK_LATE if call.fault == HOOK_LATE else E_HOOK_FAILED)
    if x.error == 0:
        x.error = E_HOOK_RESPONSE
    return VERDICT_ABORT


cdef verdict_t call_wrong(hook_call_t* call, const char* text) noexcept nogil:
    call.fault = HOOK_WRONG
    snprintf(call.error, HOOK_ERROR_MAX, b"%s", text)
    return call_failed(call)


# Makes the answer that host.reply described the exchange's.
cdef verdict_t call_reply(hook_call_t* call) noexcept nogil:
    cdef exchange_t* x = call.x
    cdef const reply_t* r = call.reply
    cdef headers_t* hs = &x.response.half.headers
    cdef uint32_t i
    cdef int error
    if unlikely(r == NULL or x.flags & XF_RESPONSE_STARTED):
        return call_wrong(call, b"answered REPLY, but no reply was made")
    error = reply_set(x, r.status, r.content_type, r.body)
    for i in range(r.field_count):
        if error == 0 and r.fields[i].id == H_CONTENT_TYPE:
            error = headers_set(hs, &x.arena, r.fields[i].name, r.fields[i].value)
        elif error == 0:
            error = headers_add(hs, &x.arena, r.fields[i].name, r.fields[i].value)
    if unlikely(error != 0):
        x.error = error
        return VERDICT_ABORT
    return VERDICT_REPLY


cdef verdict_t call_verdict(hook_call_t* call, outcome_t outcome) noexcept nogil:
    if likely(outcome == OUTCOME_NEXT):
        return VERDICT_NEXT
    if outcome == OUTCOME_REPLY:
        return call_reply(call)
    if outcome == OUTCOME_ABORT:
        if unlikely(not mask_allows(call.hook.writes, FIELD_REPLY)):
            return call_wrong(call, b"ends the request, but its writes does not name reply")
        if call.x.error == 0:
            call.x.error = E_HOOK_ABORTED
        return VERDICT_ABORT
    if outcome == OUTCOME_FAILED:
        return call_failed(call)
    return call_wrong(call, b"answered no verdict that there is")


# --- runs that wait -------------------------------------------------------------------------------


cdef hook_call_t* call_take(exchange_t* x, const hook_t* hook, int phase) noexcept nogil:
    cdef hooks_t* k = <hooks_t*>x.host.hooks
    cdef hook_call_t* call = <hook_call_t*>block_take(&k.calls)
    if unlikely(call == NULL):
        x.error = E_CORE_MEMORY
        return NULL
    call_init(call, x, hook, phase)
    return call


cdef void call_give(hook_call_t* call) noexcept nogil:
    while unlikely(call.pending != NULL):
        call.pending.over(call.pending)
    if unlikely(call.record != NULL):
        hook_line_over(call)
    call_drop(call)
    block_give(&call.hooks.calls, call)


cdef inline void** calls_of(exchange_t* x, const hook_t* hook) noexcept nogil:
    return &x.slots[hook.slot]


cdef void call_link(hook_call_t* call) noexcept nogil:
    cdef void** first = calls_of(call.x, call.hook)
    call.next = <hook_call_t*>first[0]
    first[0] = call


cdef void call_unlink(hook_call_t* call) noexcept nogil:
    cdef void** first = calls_of(call.x, call.hook)
    cdef hook_call_t* c = <hook_call_t*>first[0]
    if c == call:
        first[0] = call.next
        return
    while c.next != call:
        c = c.next
    c.next = call.next


cdef hook_call_t* call_find(exchange_t* x, const hook_t* hook, int chain_phase) noexcept nogil:
    cdef hook_call_t* c = <hook_call_t*>calls_of(x, hook)[0]
    while c != NULL and c.chain_phase != chain_phase:
        c = c.next
    return c
