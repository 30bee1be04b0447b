# Owns: the verdict of a filter that can not go on.
# Thread and GIL: one worker's loop, no GIL; inline.
# Never does: answer when memory is short: the exchange ends then.
# Read next: ../reply.pxd.

from pygw._core.fault cimport E_CORE_MEMORY
from pygw._core.reply cimport reply_fault
from pygw._core.types.exchange cimport exchange_t, verdict_t, VERDICT_REPLY, VERDICT_ABORT

# The client is answered with the fault's status by way of the response chain.
cdef inline verdict_t verdict_refuse(exchange_t* x, int error) noexcept nogil:
    if error != E_CORE_MEMORY and reply_fault(x, error) == 0:
        return VERDICT_REPLY
    if x.error == 0:
        x.error = error
    return VERDICT_ABORT
