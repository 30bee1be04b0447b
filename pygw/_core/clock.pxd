# Owns: the one libuv timer that drives a worker's wheel.
# Thread and GIL: one worker's loop; no GIL.
# Never does: start the libuv timer again unless the next deadline came nearer.
# Read next: access_log.pxd.

from pygw._core.libs.uv cimport uv_loop_t, uv_timer_t
from pygw._core.types.memory cimport blocks_t
from pygw._core.timer cimport wheel_t

ctypedef void (*clock_closed_fn)(void* arg) noexcept nogil

cdef struct loop_clock_t:
    wheel_t* wheel                    # borrow(worker, until clock_close)
    uv_loop_t* loop                   # borrow(loop, until clock_close)
    uv_timer_t* handle                # own: freed in its close callback
    blocks_t handles                  # where the handle's memory comes from
    clock_closed_fn closed            # static
    void* closed_arg                  # borrow(who closes, until closed)
    bint closing

# Starts `wheel` on the loop's clock and promises wheel_advance whenever something is due.
# 0 or E_CORE_MEMORY.
cdef int clock_init(loop_clock_t* c, wheel_t* wheel, uv_loop_t* loop) noexcept nogil
# No timer fires any more; `closed` is called from the loop when the handle is gone. Arming stays
# harmless. Legal once, after clock_init succeeded.
cdef void clock_close(loop_clock_t* c, clock_closed_fn closed, void* arg) noexcept nogil
