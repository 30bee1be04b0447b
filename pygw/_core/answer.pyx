# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Owns: sending the response half to the client.
# Thread and GIL: one worker's loop; no GIL; no I/O of its own.
# Never does: end an exchange; it reports and the exchange decides.
# Read next: answer.pxd for the contract.

from libc.stdint cimport uint64_t
from pygw._core.check cimport unlikely
from pygw._core.limits cimport INFORMATIONAL_MAX, WRITE_HIGH, WRITE_LOW
from pygw._core.types.header cimport header_t, H_UPGRADE
from pygw._core.types.message cimport (
    MF_SELF_MADE, MF_HEAD_ONLY, MF_EXPECT_CONTINUE, MF_UPGRADE)
from pygw._core.types.stream cimport stream_t
from pygw._core.types.bill cimport PART_ANSWER
from pygw._core.types.exchange cimport *
from pygw._core.bill cimport bill_mark
from pygw._core.buffer cimport slices_add
from pygw._core.chain cimport chain_edit_response, chain_fault
from pygw._core.fault cimport E_CORE_MEMORY, E_UP_INFORMATIONAL, E_UP_PROTOCOL, E_UP_UPGRADE
from pygw._core.forwarding cimport forwarding_response
from pygw._core.headers cimport headers_find, headers_mark_hop
from pygw._core.reply cimport reply_fault
from pygw._core.server_timing cimport server_timing_add
from pygw._core.view cimport span_equal_nocase


# Does the 101 name the protocol that was asked for (RFC 9110 7.8)? Either half has one Upgrade.
cdef bint upgrade_matches(exchange_t* x) noexcept nogil:
    cdef header_t* asked = headers_find(&x.request.half.headers, H_UPGRADE, NULL)
    cdef header_t* given = headers_find(&x.response.half.headers, H_UPGRADE, NULL)
    return asked != NULL and given != NULL and span_equal_nocase(asked.value, given.value)


# RFC 9110 15.2: informational heads pass to who can read them; 100 only to who waits for it.
cdef int answer_kind_of(exchange_t* x) noexcept nogil:
    if unlikely(not x.attempt.flags & AF_HEAD_SENT):
        return E_UP_PROTOCOL             # an answer to nothing: a filter still holds the request
    if x.response.status >= 200:
        return ANSWER_FINAL
    if x.response.status == 101:
        if x.request.half.flags & MF_UPGRADE and upgrade_matches(x):
            return ANSWER_TUNNEL
        return E_UP_UPGRADE
    x.informational += 1
    if x.informational > INFORMATIONAL_MAX:
        return E_UP_INFORMATIONAL
    if x.request.half.version < 11:
        return ANSWER_SWALLOW
    if x.response.status == 100:
        if not x.request.half.flags & MF_EXPECT_CONTINUE or x.flags & XF_CONTINUE_SENT:
            return ANSWER_SWALLOW
        x.flags |= XF_CONTINUE_SENT
    return ANSWER_PASS


cdef int answer_send_informational(exchange_t* x) noexcept nogil:
    headers_mark_hop(&x.response.half.headers)
    return x.down.ops.head(x.down, &x.response.half)


cdef int answer_send_head(exchange_t* x) noexcept nogil:
    cdef side_t* side = &x.response_side
    cdef int error
    if not x.response.half.flags & MF_SELF_MADE:
        headers_mark_hop(&x.response.half.headers)
    if not x.flags & XF_BYPASS and x.route.chain.edits_response_body:
        chain_edit_response(x)
    error = forwarding_response(x)
    if unlikely(x.listener.server_timing and error == 0):
        error = server_timing_add(x)
    if unlikely(error != 0):
        return error
    side.head_passed = True
    x.flags |= XF_RESPONSE_STARTED
    error = x.down.ops.head(x.down, &x.response.half)
    bill_mark(x, PART_ANSWER)
    if unlikely(error != 0):
        return error
    if x.response.half.flags & MF_SELF_MADE:
        side.end_arrived = True
        if not x.response.half.flags & MF_HEAD_ONLY:
            return slices_add(x.host.buffers, &side.arrived, NULL,
                              x.reply_body.ptr, x.reply_body.len)
    return 0


cdef int answer_fault(exchange_t* x, int error, bint waited) noexcept nogil:
    cdef int failed = reply_fault(x, error)
    if failed != 0 or waited or x.slots == NULL or error == E_CORE_MEMORY:
        return failed
    return chain_fault(x)


cdef int answer_send_body(exchange_t* x) noexcept nogil:
    cdef stream_t* down = x.down
    cdef side_t* side = &x.response_side
    cdef int error
    if side.passed.first != NULL:
        x.body_bytes += side.passed.bytes
        error = down.ops.body(down, &side.passed)
        if unlikely(error != 0):
            return error
    if side.end_passed and not side.end_sent:
        side.end_sent = True
        return down.ops.end(down, &x.response.half.trailers)
    return 0


cdef void answer_throttle(exchange_t* x) noexcept nogil:
    cdef side_t* side = &x.response_side
    cdef stream_t* up = x.attempt.stream
    cdef uint64_t bytes
    if up == NULL or x.flags & XF_GATHER_RESPONSE:
        return
    # What is only gathered does not count as slow, and no drain tells of it when it has left.
    if x.down.queued >= WRITE_HIGH or (up.paused and x.down.queued):
        x.down.ops.flush(x.down)
    bytes = side.arrived.bytes + side.hand.bytes + side.passed.bytes + x.down.queued
    if bytes >= WRITE_HIGH:
        up.ops.pause(up)
    elif bytes <= WRITE_LOW and up.paused:
        up.ops.resume(up)
