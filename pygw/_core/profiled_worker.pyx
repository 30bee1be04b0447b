# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Owns: a worker in memory that is timed by the real clock, with a row for each filter of its plan.
# Thread and GIL: holds the GIL; the C callbacks take none.
# Never does: serve a gateway; look at a clock where a worker that serves does not.
# Read next: memory_worker.pxd, types/bill.pxd.
"""What filters cost where nothing is served: ``ProfiledWorker``, for `pygw profile CONFIG`."""

from cpython.bytearray cimport PyByteArray_AS_STRING
from libc.stdint cimport uint64_t
from posix.time cimport clock_gettime, timespec, CLOCK_MONOTONIC, CLOCK_REALTIME
from pygw._core.bills cimport bills_open
from pygw._core.limits cimport BILL_ROWS
from pygw._core.memory_worker cimport MemoryWorker
from pygw._core.timer cimport wheel_next_ms
from pygw._core.types.bill cimport bill_head_t, bill_row_t
from pygw._core.types.exchange cimport host_t

__all__ = ["ProfiledWorker"]


cdef uint64_t clock_ns(host_t* h) noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <uint64_t>now.tv_sec * 1000000000 + <uint64_t>now.tv_nsec


cdef uint64_t clock_unix_ms(host_t* h) noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_REALTIME, &now)
    return <uint64_t>now.tv_sec * 1000 + <uint64_t>(now.tv_nsec // 1000000)


cdef class ProfiledWorker(MemoryWorker):
    """Timers fire when ``advance`` says that time has passed; all else sees the real clock."""

    cdef bytearray rows

    def __cinit__(self) -> None:
        self.rows = bytearray(sizeof(bill_head_t) + BILL_ROWS * sizeof(bill_row_t))
        self.w.host.now_ns, self.w.host.unix_ms = clock_ns, clock_unix_ms
        bills_open(&self.w.bills, &self.w.host, PyByteArray_AS_STRING(self.rows), BILL_ROWS)

    def exact(self, bint on=True) -> None:
        """Every exchange is timed from now on, or as many as usual."""
        self.w.bills.head.exact_until_ns = (<uint64_t>1 << 63) if on else 0

    @property
    def running(self) -> int:
        """Exchanges that are not over."""
        return self.w.downs.running

    @property
    def due_ms(self) -> int | None:
        """Milliseconds until the next timer is due; None: there is none."""
        cdef object wait_ms = wheel_next_ms(&self.w.wheel)
        return wait_ms if wait_ms >= 0 else None
