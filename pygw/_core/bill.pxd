# Owns: counting and timing of what runs for an exchange.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: decide anything; fail: without memory an exchange is not timed.
# Read next: types/bill.pxd, bills.pxd.
#
# Each run is counted; one in 64 or so is timed, the first 64 of a row each. The distance between
# two that are timed varies, so that no rhythm of requests hides from it. An exchange with a bill is
# timed throughout: see bill_open.

from libc.stdint cimport uint32_t, uint64_t
from pygw._core.check cimport likely, unlikely
from pygw._core.stats cimport stat_add
from pygw._core.types.bill cimport bill_row_t
from pygw._core.types.exchange cimport exchange_t, verdict_t

# The slow halves of what follows.
cdef uint64_t bill_clock(exchange_t* x) noexcept nogil
cdef void bill_ran(exchange_t* x, uint32_t at, verdict_t verdict, uint64_t began_ns) noexcept nogil
cdef void bill_part_end(exchange_t* x, int part) noexcept nogil

# Around one run of the filter that `row`, which is chain.rows[at], is of. What begin answered goes
# into end.
cdef inline uint64_t bill_begin(exchange_t* x, bill_row_t* row) noexcept nogil:
    row.left -= 1
    if likely(row.left != 0 and x.bill == NULL):
        return 0
    return bill_clock(x)

cdef inline void bill_end(exchange_t* x, bill_row_t* row, uint32_t at, verdict_t verdict,
                          uint64_t began_ns) noexcept nogil:
    stat_add(row.counts, <int>verdict | x.blame, 1)
    if unlikely((began_ns | x.blame) != 0):
        bill_ran(x, at, verdict, began_ns)

# A run answered WAIT, timed or not; and what it came to in the end.
cdef void bill_wait(exchange_t* x, int phase, bint timed) noexcept nogil
cdef void bill_resumed(exchange_t* x, int phase, verdict_t verdict) noexcept nogil
cdef void bill_cancelled(exchange_t* x, int phase, uint32_t at) noexcept nogil
# Around code that goes on while the chain waits for it in this phase: it runs, it does not wait.
# May be nested. Nothing happens where the chain does not wait.
cdef void bill_on(exchange_t* x, int phase) noexcept nogil
cdef void bill_off(exchange_t* x, int phase) noexcept nogil

# Times all of this exchange from here on: when a head begins, if all are; after routing, if its
# listener, the log or a reader wants it.
cdef void bill_open(exchange_t* x) noexcept nogil
cdef void bill_items(exchange_t* x) noexcept nogil
# The exchange is over: its route's row.
cdef void bill_close(exchange_t* x) noexcept nogil

cdef inline void bill_mark(exchange_t* x, int part) noexcept nogil:
    if unlikely(x.bill != NULL):
        bill_part_end(x, part)

# The bucket of a time. Bucket b from 1 on begins at 16 ns * 2**(b // 2), half as much more for odd.
cdef uint32_t bill_bucket(uint64_t ns) noexcept nogil
