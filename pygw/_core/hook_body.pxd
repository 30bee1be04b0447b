# Owns: bodies before a hook: whole ones and streamed ones, and what becomes of them.
# Thread and GIL: one worker's loop; no GIL.
# Never does: resume an exchange (filters/hook.pyx does), or keep a body longer than its bound.
# Read next: filters/hook.pyx.
#
# VERDICT_WAIT from here: the run answered WAIT, and the caller keeps it.

from pygw._core.types.exchange cimport (
    exchange_t, side_t, verdict_t, PHASE_REQUEST)
from pygw._core.types.hook cimport hook_call_t, outcome_t
from pygw._core.types.memory cimport slices_t
from pygw._core.types.message cimport half_t

cdef inline side_t* side_of(exchange_t* x, int head_phase) noexcept nogil:
    return &x.request_side if head_phase == PHASE_REQUEST else &x.response_side

cdef inline half_t* half_of(exchange_t* x, int head_phase) noexcept nogil:
    return &x.request.half if head_phase == PHASE_REQUEST else &x.response.half

# The whole body lies in `arrived`: the hook runs with it.
cdef verdict_t whole_run(hook_call_t* call) noexcept nogil
# That run came to an end: what it replaced takes the body's place, with its length.
cdef verdict_t whole_ended(hook_call_t* call, outcome_t outcome) noexcept nogil
# More came than the hook holds.
cdef verdict_t whole_too_long(hook_call_t* call) noexcept nogil

# The hook runs with each piece of call.rest; what they become goes into `out`.
cdef verdict_t pieces_run(hook_call_t* call, slices_t* out) noexcept nogil
# The run with call.piece came to an end.
cdef verdict_t piece_ended(hook_call_t* call, outcome_t outcome, slices_t* out) noexcept nogil
