# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Owns: running a route's filters: order, verdicts, suspension.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: know in which language a filter is written.
# Read next: chain.pxd for the contract.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from pygw._core.arena cimport arena_zalloc
from pygw._core.bill cimport (
    bill_begin, bill_cancelled, bill_end, bill_items, bill_wait)
from pygw._core.check cimport BUG_ON, unlikely
from pygw._core.fault cimport E_CORE_MEMORY
from pygw._core.headers cimport headers_remove
from pygw._core.types.bill cimport bill_row_t
from pygw._core.types.exchange cimport (
    exchange_t, chain_t, filter_t, verdict_t, filter_head_fn, filter_body_fn, PHASE_REQUEST,
    PHASE_REQUEST_BODY, PHASE_RESPONSE, PHASE_LOG, PHASES, VERDICT_NEXT, VERDICT_WAIT)
from pygw._core.types.header cimport H_CONTENT_LENGTH
from pygw._core.types.message cimport FRAMING_NONE, MF_BODY_EDITED


cdef inline filter_head_fn head_call(const filter_t* f, int phase) noexcept nogil:
    if phase == PHASE_REQUEST:
        return f.ops.request
    if phase == PHASE_RESPONSE:
        return f.ops.response
    return f.ops.attempt


cdef inline verdict_t chain_stopped(exchange_t* x, int phase, int place,
                                    verdict_t verdict, bint timed) noexcept nogil:
    x.chain_at = <uint8_t>place
    if verdict == VERDICT_WAIT:
        BUG_ON(x.waiting[phase] != 0)
        x.waiting[phase] = <uint8_t>(place + 1)
        bill_wait(x, phase, timed)
    return verdict


cdef int chain_begin(exchange_t* x) noexcept nogil:
    cdef uint32_t count = x.route.chain.filter_count
    if count:
        x.slots = <void**>arena_zalloc(&x.arena, count * sizeof(void*))
        if unlikely(x.slots == NULL):
            x.route = NULL                           # its filters have no word to look at
            return E_CORE_MEMORY
    if unlikely(x.plan.timed or x.bill != NULL):
        if x.bill != NULL or x.plan.log_hooks or x.listener.server_timing:
            bill_items(x)
    return 0


cdef verdict_t chain_head(exchange_t* x, int phase, int start) noexcept nogil:
    cdef chain_t* chain = &x.route.chain
    cdef uint32_t at = chain.row_at[phase] + start
    cdef bill_row_t* row
    cdef uint64_t began_ns
    cdef filter_t* f
    cdef verdict_t verdict
    cdef int i
    for i in range(start, chain.counts[phase]):
        f = chain.by_phase[phase][i]
        row = chain.rows[at]
        began_ns = bill_begin(x, row)
        verdict = head_call(f, phase)(x, f)
        bill_end(x, row, at, verdict, began_ns)
        at += 1
        if verdict != VERDICT_NEXT:
            return chain_stopped(x, phase, i, verdict, began_ns != 0)
    return VERDICT_NEXT


cdef verdict_t chain_body(exchange_t* x, int phase, int start, slices_t* body,
                          bint last) noexcept nogil:
    cdef chain_t* chain = &x.route.chain
    cdef uint32_t at = chain.row_at[phase] + start
    cdef bill_row_t* row
    cdef uint64_t began_ns
    cdef filter_t* f
    cdef filter_body_fn call
    cdef verdict_t verdict
    cdef int i
    for i in range(start, chain.counts[phase]):
        f = chain.by_phase[phase][i]
        call = f.ops.request_body if phase == PHASE_REQUEST_BODY else f.ops.response_body
        row = chain.rows[at]
        began_ns = bill_begin(x, row)
        verdict = call(x, f, body, last)
        bill_end(x, row, at, verdict, began_ns)
        at += 1
        if verdict != VERDICT_NEXT:
            return chain_stopped(x, phase, i, verdict, began_ns != 0)
    return VERDICT_NEXT


# The field goes even where no body follows: HEAD gets the fields of GET (RFC 9110 9.3.2).
cdef void chain_edit_response(exchange_t* x) noexcept nogil:
    headers_remove(&x.response.half.headers, H_CONTENT_LENGTH)
    if x.response.half.framing != FRAMING_NONE:
        x.response.half.flags |= MF_BODY_EDITED


cdef int chain_fault(exchange_t* x) noexcept nogil:
    cdef filter_t* f
    cdef int i
    for i in range(x.route.chain.filter_count):
        f = &x.route.chain.filters[i]
        if f.ops.fault != NULL and f.ops.fault(x, f) != VERDICT_NEXT:
            return E_CORE_MEMORY
    return 0


cdef void chain_log(exchange_t* x) noexcept nogil:
    cdef uint64_t began_ns
    cdef bill_row_t* row
    cdef uint32_t at
    cdef filter_t* f
    cdef int i
    if x.route == NULL:
        return
    at = x.route.chain.row_at[<int>PHASE_LOG]
    for i in range(x.route.chain.counts[<int>PHASE_LOG]):
        f = x.route.chain.by_phase[<int>PHASE_LOG][i]
        row = x.route.chain.rows[at]
        began_ns = bill_begin(x, row)
        f.ops.log(x, f)
        bill_end(x, row, at, VERDICT_NEXT, began_ns)
        at += 1


cdef void chain_cancel(exchange_t* x) noexcept nogil:
    cdef filter_t* f
    cdef int phase, place
    for phase in range(PHASES):
        place = x.waiting[phase]
        if place == 0:
            continue
        x.waiting[phase] = 0
        bill_cancelled(x, phase, x.route.chain.row_at[phase] + place - 1)
        f = x.route.chain.by_phase[phase][place - 1]
        if f.ops.cancel != NULL:
            f.ops.cancel(x, f, phase)
