# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Owns: who hears of body that comes while its head still waits in the chain.
# Thread and GIL: one worker's loop; no GIL; no I/O of its own.
# Never does: hold a byte: what comes lies in side.arrived.
# Read next: gather.pxd for the contract.

from pygw._core.answer cimport answer_send_informational, answer_throttle
from pygw._core.attempt cimport attempt_throttle
from pygw._core.check cimport BUG_ON, likely
from pygw._core.exchange_memory cimport exchange_response_reset
from pygw._core.headers cimport headers_remove
from pygw._core.http1_write cimport http1_reason
from pygw._core.types.exchange cimport (
    exchange_t, filter_t, PHASE_REQUEST, PHASE_RESPONSE, XF_CONTINUE_SENT, XF_GATHER_REQUEST,
    XF_GATHER_RESPONSE)
from pygw._core.types.header cimport H_EXPECT
from pygw._core.types.message cimport MF_EXPECT_CONTINUE, MF_SELF_MADE


cdef inline void tell(exchange_t* x, int phase) noexcept nogil:
    cdef filter_t* f
    BUG_ON(x.waiting[phase] == 0)
    f = x.route.chain.by_phase[phase][x.waiting[phase] - 1]
    f.ops.gather(x, f, phase)


cdef void gather_request(exchange_t* x) noexcept nogil:
    if likely(not x.flags & XF_GATHER_REQUEST):
        attempt_throttle(x)
    else:
        tell(x, PHASE_REQUEST)


cdef void gather_response(exchange_t* x) noexcept nogil:
    if likely(not x.flags & XF_GATHER_RESPONSE):
        answer_throttle(x)
    else:
        tell(x, PHASE_RESPONSE)


cdef int gather_continue(exchange_t* x) noexcept nogil:
    cdef int error
    if not x.request.half.flags & MF_EXPECT_CONTINUE or x.flags & XF_CONTINUE_SENT:
        return 0
    x.flags |= XF_CONTINUE_SENT
    headers_remove(&x.request.half.headers, H_EXPECT)
    exchange_response_reset(x)
    x.response.status = 100
    x.response.reason = http1_reason(100)
    x.response.half.version = 11
    x.response.half.flags = MF_SELF_MADE
    error = answer_send_informational(x)
    exchange_response_reset(x)
    return error
