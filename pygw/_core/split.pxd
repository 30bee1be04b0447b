# Owns: which of a route's upstreams a request goes to.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: look at targets or at their health.
# Read next: balance.pxd.

from pygw._core.check cimport unlikely
from pygw._core.types.exchange cimport exchange_t

# Sets x.upstream and x.timeouts from the splits of x.route, by their weights.
cdef void split_choose(exchange_t* x) noexcept nogil

# Sets x.upstream and x.timeouts from x.route.
cdef inline void split_begin(exchange_t* x) noexcept nogil:
    x.upstream = x.route.upstream
    x.timeouts = &x.route.timeouts
    if unlikely(x.route.split_count != 0):
        split_choose(x)
