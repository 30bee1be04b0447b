# Owns: a worker's rows of what filters cost: which filter of a plan has which row.
# Thread and GIL: one worker's loop; no GIL. Rows are read by other processes at any time.
# Never does: count (bill.pyx does), or move a row that a plan points to.
# Read next: types/bill.pxd, bill_read.pyx.
#
# A row is found by names: route, filter, phase. A route without a name has one here that is made of
# its predicate ("bill_name" in its plan): a route that a reload puts before it moves no row. A
# reload, and a worker that starts again, go on with the rows that are there. When none is left,
# those that no living plan knows are taken; when there are none of these, filters share the first
# row, and `lost` counts them.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from pygw._core.types.bill cimport bill_head_t, bill_row_t
from pygw._core.types.exchange cimport host_t, plan_t

cdef struct bills_t:
    bill_head_t* head         # borrow(Worker, for ever): shared memory, or `alone`
    bill_row_t* rows          # borrow(Worker, for ever): behind it
    bill_head_t alone         # when there is no shared memory
    bill_row_t only
    uint8_t refs[4096]        # BILL_ROWS: living plans that have it
    uint16_t places[8192]     # PLACES: by hash, 1 + the row; 0: none

# Without shared memory: one row for all.
cdef void bills_init(bills_t* b, host_t* host) noexcept nogil
# With it: `memory` is zeroed, or what a worker before left; `room` of BILL_ROWS are used.
cdef void bills_open(bills_t* b, host_t* host, void* memory, uint32_t room) noexcept nogil
# Gives each filter of a plan its row; and takes note that the plan goes.
cdef void bills_tie(bills_t* b, plan_t* plan) noexcept nogil
cdef void bills_untie(bills_t* b, plan_t* plan) noexcept nogil
# Readers that have gone away leave `exact_until_ns` behind.
cdef void bills_expire(bills_t* b, uint64_t now_ns) noexcept nogil
