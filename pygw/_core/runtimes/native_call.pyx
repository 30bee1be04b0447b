# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: calls of native hooks, and the judgement of their answers.
# Thread and GIL: one worker's loop; no GIL.
# Never does: trust a number that a plugin answers.
# Read next: native_call.pxd for the contract.

from pygw._core.check cimport likely
from pygw._core.types.exchange cimport PHASE_LOG
from pygw._core.types.hook cimport *


cdef void native_fill(hook_call_t* call, pygw_call* c) noexcept nogil:
    cdef hooks_t* k = call.hooks
    c.size = sizeof(pygw_call)
    c.phase = call.phase
    c.last = call.last
    c.ctx = k
    c.host = <const pygw_host*>k.api
    c.request = <const pygw_request*>&k.request
    c.response = <const pygw_response*>&k.response


cdef outcome_t native_outcome(hook_call_t* call, int answer) noexcept nogil:
    if likely(answer == OUTCOME_NEXT):
        return OUTCOME_NEXT
    if answer == OUTCOME_REPLY or answer == OUTCOME_ABORT:
        return <outcome_t>answer
    if answer == OUTCOME_WAIT and call.hook.may_wait and call.phase != PHASE_LOG:
        if call.pending != NULL:                     # else nothing would ever wake it
            return OUTCOME_WAIT
    call.fault = HOOK_RAISED if answer == OUTCOME_FAILED else HOOK_WRONG
    return OUTCOME_FAILED
