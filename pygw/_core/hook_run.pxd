# Owns: one run of a hook: made, run, judged, given back.
# Thread and GIL: one worker's loop; no GIL.
# Never does: resume an exchange (filters/hook.pyx does), or trust what a hook answers.
# Read next: hook_body.pxd, filters/hook.pyx.

from libc.stdint cimport uint8_t
from libc.string cimport memset
from pygw._core.types.exchange cimport exchange_t, verdict_t
from pygw._core.types.hook cimport hook_call_t, hook_t, hooks_t, outcome_t

cdef void call_init(hook_call_t* call, exchange_t* x, const hook_t* hook, int phase) noexcept nogil
# The same for a head's run that cannot wait: what only others need is left as it is.
cdef inline void call_init_head(hook_call_t* call, exchange_t* x, const hook_t* hook,
                                int phase) noexcept nogil:
    cdef hooks_t* k = <hooks_t*>x.host.hooks
    memset(call, 0, <size_t>&(<hook_call_t*>NULL).piece)
    call.x = x
    call.hook = hook
    call.hooks = k
    call.phase = <uint8_t>phase
    call.chain_phase = <uint8_t>phase
    call.error = k.error

# Runs the hook's code once, with the views of its exchange.
cdef outcome_t call_run(hook_call_t* call) noexcept nogil
# What a run that is over means to the chain: a reply becomes the exchange's response, a failure is
# logged and dealt with by the hook's policy. Never VERDICT_WAIT.
cdef verdict_t call_verdict(hook_call_t* call, outcome_t outcome) noexcept nogil
# Logs why it failed.
cdef void call_blame(hook_call_t* call) noexcept nogil
# Gives up the body that it holds.
cdef void call_drop(hook_call_t* call) noexcept nogil

# For runs that may wait: one at an address that stays. NULL without memory:
# x.error says so.
cdef hook_call_t* call_take(exchange_t* x, const hook_t* hook, int phase) noexcept nogil
cdef void call_give(hook_call_t* call) noexcept nogil
# The runs of one hook that wait in one exchange, at most one for each phase of the chain.
cdef void call_link(hook_call_t* call) noexcept nogil
cdef void call_unlink(hook_call_t* call) noexcept nogil
cdef hook_call_t* call_find(exchange_t* x, const hook_t* hook, int chain_phase) noexcept nogil
