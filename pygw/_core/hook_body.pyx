# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: bodies before a hook: whole ones and streamed ones, and what becomes of them.
# Thread and GIL: one worker's loop; no GIL.
# Never does: resume an exchange (filters/hook.pyx does), or keep a body longer than its bound.
# Read next: hook_body.pxd for the contract.

from libc.stdint cimport uint32_t
from libc.string cimport memcpy
from pygw._core.buffer cimport (
    buffer_data, buffer_take_sized, buffer_unref, slices_add, slices_clear, slices_move)
from pygw._core.check cimport unlikely
from pygw._core.fault cimport E_CORE_MEMORY, E_DOWN_BODY_LENGTH, E_HOOK_BODY_LENGTH
from pygw._core.filters.verdict cimport verdict_refuse
from pygw._core.headers cimport headers_remove
from pygw._core.hook_run cimport call_run, call_verdict
from pygw._core.types.exchange cimport (
    exchange_t, side_t, verdict_t, PHASE_REQUEST, PHASE_RESPONSE, VERDICT_ABORT, VERDICT_NEXT,
    VERDICT_WAIT)
from pygw._core.types.header cimport H_CONTENT_LENGTH
from pygw._core.types.hook cimport hook_call_t, outcome_t, OUTCOME_NEXT, OUTCOME_WAIT
from pygw._core.types.memory cimport buffer_t, slice_t, slices_t
from pygw._core.types.message cimport (
    half_t, FRAMING_LENGTH, MF_BODY_EDITED, MF_SELF_MADE)
from pygw._core.view cimport span


# --- whole bodies ---------------------------------------------------------------------------------


cdef verdict_t whole_too_long(hook_call_t* call) noexcept nogil:
    if call.chain_phase == PHASE_REQUEST:
        return verdict_refuse(call.x, E_DOWN_BODY_LENGTH)
    call.x.error = E_HOOK_BODY_LENGTH
    return VERDICT_ABORT


# The body in one piece, in place of the pieces it came in. 0 or E_CORE_MEMORY.
cdef int whole_flatten(exchange_t* x, slices_t* q) noexcept nogil:
    cdef slice_t* s = q.first
    cdef buffer_t* flat
    cdef int error
    if s == NULL or s.next == NULL:
        return 0
    flat = buffer_take_sized(x.host.buffers, <uint32_t>q.bytes)
    if unlikely(flat == NULL):
        return E_CORE_MEMORY
    while s != NULL:
        memcpy(buffer_data(flat) + flat.used, s.ptr, s.len)   # COPY: a hook sees one piece
        flat.used += s.len
        s = s.next
    slices_clear(x.host.buffers, q)
    error = slices_add(x.host.buffers, q, flat, buffer_data(flat), flat.used)
    buffer_unref(flat)
    return error


cdef verdict_t whole_run(hook_call_t* call) noexcept nogil:
    cdef exchange_t* x = call.x
    cdef slices_t* q = &side_of(x, call.chain_phase).arrived
    cdef outcome_t outcome
    if unlikely(whole_flatten(x, q) != 0):
        x.error = E_CORE_MEMORY
        return VERDICT_ABORT
    call.body = span(q.first.ptr, q.first.len) if q.first != NULL else span(b"", 0)
    if call.chain_phase == PHASE_RESPONSE and x.response.half.flags & MF_SELF_MADE:
        call.body = x.reply_body
    call.last = True
    outcome = call_run(call)
    if outcome == OUTCOME_WAIT and call.hook.may_wait:
        return VERDICT_WAIT
    return whole_ended(call, outcome)


cdef verdict_t whole_ended(hook_call_t* call, outcome_t outcome) noexcept nogil:
    cdef exchange_t* x = call.x
    cdef half_t* half = half_of(x, call.chain_phase)
    cdef side_t* side = side_of(x, call.chain_phase)
    cdef verdict_t verdict = call_verdict(call, outcome)
    if verdict != VERDICT_NEXT or outcome != OUTCOME_NEXT or not call.replaced:
        return verdict
    slices_clear(x.host.buffers, &side.arrived)
    x.reply_body = span(b"", 0)
    half.framing = FRAMING_LENGTH
    half.length = call.fresh.bytes
    half.flags &= ~<uint32_t>MF_BODY_EDITED
    headers_remove(&half.headers, H_CONTENT_LENGTH)
    slices_move(&side.arrived, &call.fresh)
    return VERDICT_NEXT


# --- bodies piece by piece ------------------------------------------------------------------------


# Takes the next piece off `rest`. False: there is none, and the end was told or is not here.
cdef bint piece_next(hook_call_t* call) noexcept nogil:
    cdef slice_t* s = call.rest.first
    if s == NULL and (call.last or not call.ends):
        return False
    call.body = span(b"", 0)
    if s != NULL:
        call.rest.first = s.next
        call.rest.bytes -= s.len
        if s.next == NULL:
            call.rest.last = NULL
        s.next = NULL
        call.piece.first = s
        call.piece.last = s
        call.piece.bytes = s.len
        call.body = span(s.ptr, s.len)
    call.last = call.ends and call.rest.first == NULL
    return True


# One piece is done: what becomes of it goes into `out`.
cdef verdict_t piece_ended(hook_call_t* call, outcome_t outcome, slices_t* out) noexcept nogil:
    cdef verdict_t verdict = call_verdict(call, outcome)
    if verdict == VERDICT_NEXT and outcome == OUTCOME_NEXT and call.replaced:
        slices_clear(call.x.host.buffers, &call.piece)
        slices_move(out, &call.fresh)
    elif verdict == VERDICT_NEXT:
        slices_move(out, &call.piece)
    call_drop_piece(call)
    return verdict


cdef void call_drop_piece(hook_call_t* call) noexcept nogil:
    slices_clear(call.x.host.buffers, &call.piece)
    slices_clear(call.x.host.buffers, &call.fresh)
    call.replaced = False


cdef verdict_t pieces_run(hook_call_t* call, slices_t* out) noexcept nogil:
    cdef outcome_t outcome
    cdef verdict_t verdict = VERDICT_NEXT
    while verdict == VERDICT_NEXT and piece_next(call):
        outcome = call_run(call)
        if outcome == OUTCOME_WAIT and call.hook.may_wait:
            return VERDICT_WAIT
        verdict = piece_ended(call, outcome, out)
    return verdict
