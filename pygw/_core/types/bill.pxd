# Owns: what filters cost: a worker's rows of counters, and what one exchange spent where.
# Thread and GIL: rows are written by their worker's loop only, read by anyone; declarations only.
# Never does: hold a pointer in what other processes read.
# Read next: ../bill.pxd, ../bills.pxd.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

# How a run failed, beside its verdict; the two together are the place of its counter.
cdef enum bill_fault:
    BILL_FAILED = 4           # the code failed: verdict NEXT is a failure that was skipped
    BILL_LATE = 8             # past its deadline, whatever the policy made of it
    BILL_OUTCOMES = 12

# What an exchange does that no filter does. A part ends where the next one begins, and what filters
# took meanwhile is not in it, so parts and filters together are the whole time of an exchange.
cdef enum bill_part:
    PART_HEAD = 0             # from the first byte of the head to its last
    PART_ROUTE = 1            # forwarding fields, routing
    PART_TARGET = 2           # the request chain's own time, the choice of a target
    PART_CONNECT = 3          # the pool's queue and the connection
    PART_SEND = 4             # the attempt chain's own time, the request's head
    PART_UPSTREAM = 5         # until the answer's head is here; the request's body meanwhile
    PART_ANSWER = 6           # the response chain's own time, the answer's head
    PART_BODY = 7             # the answer's body
    PART_FLUSH = 8            # until the kernel has all of it
    PARTS = 9

cdef enum:
    BILL_BUCKETS = 60         # two for each power of two, from 16 ns on: see bill_bucket
    BILL_TEXT = 64            # bytes of a name
    BILL_LAYOUT = 0x70796702  # "pyg", then a number: raised when a struct here changes
    BILL_ROUTE = 6            # phase of a row that is of a whole route: PHASES

# One filter in one phase on one route, or one route. The first two lines are what a run touches.
# Times are in ns. A time that was taken for `every` runs counts for as many: sums and buckets are
# of all runs, `timed` says how many were looked at.
cdef struct bill_row_t:
    uint32_t left             # runs until the next is timed
    uint32_t every            # runs that it will stand for
    uint64_t counts[12]       # BILL_OUTCOMES: by verdict | bill_fault
    uint64_t cancelled        # waits that the end of the exchange ended
    uint64_t timed            # runs; of a route: exchanges
    uint64_t ns
    uint64_t max_ns
    uint64_t waits            # WAITs that are over
    uint64_t wait_ns
    uint64_t wait_max_ns
    uint64_t buckets[60]      # BILL_BUCKETS: of runs; of a route: of exchanges
    uint64_t wait_buckets[60] # BILL_BUCKETS
    uint64_t part_ns[9]       # PARTS: of a route
    uint64_t seed             # what the next `every` is made of
    uint64_t last_ns          # the run that was timed last
    uint64_t last_weight      # the runs that it stands for
    uint64_t key              # hash of what follows; 0 while the row is made
    uint8_t phase             # enum phase, or BILL_ROUTE
    uint8_t nth               # of several with the same names on one route
    uint8_t route_len
    uint8_t name_len
    uint8_t kind_len
    char route[64]            # BILL_TEXT
    char name[64]             # BILL_TEXT: of a hook, else the filter's
    char kind[16]             # the filter's name; of a hook its language

# What stands before a worker's rows.
cdef struct bill_head_t:
    uint64_t layout           # BILL_LAYOUT
    uint32_t row_bytes
    uint32_t room             # rows there may be
    uint32_t used             # rows from the first that are, or were, in use
    uint32_t pid              # of the worker
    uint64_t lost             # filters of plans that had no row: they share the first
    uint64_t clock_ns         # what taking a time costs; off every time of a run
    uint64_t exact_until_ns   # written by readers: every exchange is timed until then; 0: none is

# A WAIT of an exchange. The filter's code may go on meanwhile, again and again: that is no waiting.
cdef struct pause_t:
    uint64_t since_ns
    uint64_t on_ns            # since when its code goes on
    uint64_t ran_ns           # what it took before that
    uint64_t first_ns         # what it had taken when it first waited
    uint64_t weight           # runs that it stands for; 0: it is not timed
    uint32_t depth            # of bill_on

# What one exchange spent in one filter and phase.
cdef struct bill_item_t:
    bill_row_t* row           # borrow(worker, for ever); NULL: it did not run
    uint64_t key              # of the row when it was written; another one: the hook is gone
    uint64_t ns
    uint64_t wait_ns
    uint8_t outcome           # verdict | bill_fault; BILL_OUTCOMES: cancelled

# Of one exchange that is timed.
cdef struct bill_t:
    uint64_t mark_ns          # where the current part began
    uint64_t aside_ns         # what filters took since
    uint64_t began_ns
    uint64_t part_ns[9]       # PARTS
    bill_item_t* items        # arena: as chain.rows; NULL before routing
    uint32_t item_count
