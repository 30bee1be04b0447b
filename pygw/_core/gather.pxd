# Owns: who hears of body that comes while its head still waits in the chain.
# Thread and GIL: one worker's loop; no GIL; no I/O of its own.
# Never does: hold a byte: what comes lies in side.arrived.
# Read next: types/exchange.pxd (XF_GATHER_*), filters/hook.pyx.

from pygw._core.types.exchange cimport exchange_t

# Body lies in front of a chain that does not take it: a filter that gathers it is told, which may
# end the exchange; else the source is paused when too much lies there.
cdef void gather_request(exchange_t* x) noexcept nogil
cdef void gather_response(exchange_t* x) noexcept nogil
# The client waits to be told before it sends a body that somebody here wants whole (RFC 9110
# 10.1.1): 100 leaves now and the expectation goes no further. 0 or a negative E_*.
cdef int gather_continue(exchange_t* x) noexcept nogil
