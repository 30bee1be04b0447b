# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: counting and timing of what runs for an exchange.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: decide anything; fail: without memory an exchange is not timed.
# Read next: bill.pxd for the contract.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from pygw._core.arena cimport arena_zalloc
from pygw._core.stats cimport stat_get, stat_set
from pygw._core.types.bill cimport (
    bill_item_t, bill_row_t, bill_t, pause_t, BILL_BUCKETS, BILL_OUTCOMES, PARTS, PART_FLUSH,
    PART_HEAD, PART_ROUTE)
from pygw._core.types.exchange cimport PHASES

cdef extern from *:
    int highest_bit "63 - __builtin_clzll"(unsigned long long n) noexcept nogil

cdef enum:
    EXACT = 64                # runs of a row that are all timed at first
    EVERY_LEAST = 33          # then one of 33 to 96


cdef inline uint64_t now(exchange_t* x) noexcept nogil:
    return x.host.now_ns(x.host)


cdef uint32_t bill_bucket(uint64_t ns) noexcept nogil:
    cdef int high
    cdef uint32_t bucket
    if ns < 16:
        return 0
    high = highest_bit(ns)
    bucket = 2 * (high - 4) + ((ns >> (high - 1)) & 1)
    return bucket if bucket < BILL_BUCKETS else BILL_BUCKETS - 1


# --- runs -----------------------------------------------------------------------------------------


cdef inline void add(uint64_t* to, uint64_t n) noexcept nogil:
    stat_add(to, 0, n)


cdef inline void raise_to(uint64_t* to, uint64_t n) noexcept nogil:
    if stat_get(to, 0) < n:
        stat_set(to, 0, n)


cdef uint64_t bill_clock(exchange_t* x) noexcept nogil:
    return now(x) | 1                                # 0 says that nobody looks


# The next run to be timed, and how many it stands for.
cdef void row_next(bill_row_t* row) noexcept nogil:
    row.every = 1
    if row.timed >= EXACT:
        row.seed = row.seed * 6364136223846793005ULL + 1442695040888963407ULL
        row.every = EVERY_LEAST + <uint32_t>(row.seed >> 58)
    row.left = row.every


cdef void row_time(bill_row_t* row, uint64_t ns) noexcept nogil:
    cdef uint64_t weight = 1
    add(&row.timed, 1)
    if row.left == 0:
        weight = row.every
        row_next(row)
    else:
        row.every -= 1                               # it stands for itself only
    add(&row.ns, ns * weight)
    add(&row.buckets[bill_bucket(ns)], weight)
    raise_to(&row.max_ns, ns)
    row.last_ns = ns
    row.last_weight = weight


# A run that was timed before it waited took more.
cdef void row_more(bill_row_t* row, const pause_t* p) noexcept nogil:
    cdef uint64_t ns = p.first_ns + p.ran_ns
    add(&row.ns, p.ran_ns * p.weight)
    add(&row.buckets[bill_bucket(p.first_ns)], -p.weight)
    add(&row.buckets[bill_bucket(ns)], p.weight)
    raise_to(&row.max_ns, ns)


cdef inline bill_item_t* item_of(exchange_t* x, uint32_t at) noexcept nogil:
    if x.bill == NULL or at >= x.bill.item_count:
        return NULL
    return &x.bill.items[at]


cdef void item_note(exchange_t* x, uint32_t at, uint8_t outcome) noexcept nogil:
    cdef bill_item_t* item = item_of(x, at)
    if item != NULL:
        item.row = x.route.chain.rows[at]
        item.key = item.row.key
        # What went wrong is not covered up by what went well later.
        if item.outcome < BILL_OUTCOMES // 3 or outcome > item.outcome:
            item.outcome = outcome


cdef void bill_ran(exchange_t* x, uint32_t at, verdict_t verdict,
                   uint64_t began_ns) noexcept nogil:
    cdef uint64_t taken_ns = 0, cost_ns = x.host.bill.clock_ns
    item_note(x, at, <uint8_t>verdict | x.blame)
    x.blame = 0
    if began_ns == 0:
        return
    taken_ns = now(x)
    taken_ns = taken_ns - began_ns if taken_ns > began_ns else 0
    if x.bill != NULL:
        x.bill.aside_ns += taken_ns
    taken_ns = taken_ns - cost_ns if taken_ns > cost_ns else 0
    row_time(x.route.chain.rows[at], taken_ns)
    if item_of(x, at) != NULL:
        x.bill.items[at].ns += taken_ns


# --- waits ----------------------------------------------------------------------------------------


cdef void bill_wait(exchange_t* x, int phase, bint timed) noexcept nogil:
    cdef bill_row_t* row = x.route.chain.rows[x.route.chain.row_at[phase] + x.chain_at]
    cdef pause_t* p
    if x.pauses == NULL:
        x.pauses = <pause_t*>arena_zalloc(&x.arena, PHASES * sizeof(pause_t))
        if x.pauses == NULL:
            return
    p = &x.pauses[phase]
    p.ran_ns = 0
    p.depth = 0
    p.first_ns = row.last_ns
    p.weight = row.last_weight if timed else 0
    p.since_ns = now(x)


cdef void bill_on(exchange_t* x, int phase) noexcept nogil:
    if x.pauses == NULL or x.waiting[phase] == 0:
        return
    x.pauses[phase].depth += 1
    if x.pauses[phase].depth == 1:
        x.pauses[phase].on_ns = now(x)


cdef void bill_off(exchange_t* x, int phase) noexcept nogil:
    cdef pause_t* p
    cdef uint64_t ns
    if x.pauses == NULL or x.waiting[phase] == 0 or x.pauses[phase].depth == 0:
        return
    p = &x.pauses[phase]
    p.depth -= 1
    if p.depth == 0:
        ns = now(x) - p.on_ns
        p.ran_ns += ns - x.host.bill.clock_ns if ns > x.host.bill.clock_ns else 0


cdef void wait_over(exchange_t* x, int phase, uint32_t at) noexcept nogil:
    cdef bill_row_t* row = x.route.chain.rows[at]
    cdef pause_t* p
    cdef uint64_t ns, waited_ns
    if x.pauses == NULL:
        return
    p = &x.pauses[phase]
    ns = now(x) - p.since_ns
    if p.depth != 0:                                 # its own code ended it
        p.ran_ns += now(x) - p.on_ns
        p.depth = 0
    waited_ns = ns - p.ran_ns if ns > p.ran_ns else 0
    add(&row.waits, 1)
    add(&row.wait_ns, waited_ns)
    add(&row.wait_buckets[bill_bucket(waited_ns)], 1)
    raise_to(&row.wait_max_ns, waited_ns)
    if p.weight and p.ran_ns:
        row_more(row, p)
    if x.bill != NULL:
        x.bill.aside_ns += ns if p.since_ns >= x.bill.mark_ns else 0
    if item_of(x, at) != NULL:
        x.bill.items[at].wait_ns += waited_ns
        x.bill.items[at].ns += p.ran_ns


cdef void bill_resumed(exchange_t* x, int phase, verdict_t verdict) noexcept nogil:
    cdef uint32_t at = x.route.chain.row_at[phase] + x.chain_at
    if at >= x.route.chain.row_count:                # detached: nobody waited but the beginning
        return
    wait_over(x, phase, at)
    add(&x.route.chain.rows[at].counts[<int>verdict | x.blame], 1)
    item_note(x, at, <uint8_t>verdict | x.blame)
    x.blame = 0


cdef void bill_cancelled(exchange_t* x, int phase, uint32_t at) noexcept nogil:
    wait_over(x, phase, at)
    add(&x.route.chain.rows[at].cancelled, 1)
    item_note(x, at, BILL_OUTCOMES)


# --- exchanges ------------------------------------------------------------------------------------


cdef void bill_open(exchange_t* x) noexcept nogil:
    x.bill = <bill_t*>arena_zalloc(&x.arena, sizeof(bill_t))
    if x.bill != NULL:
        x.bill.mark_ns = x.bill.began_ns = now(x)


cdef void bill_items(exchange_t* x) noexcept nogil:
    cdef uint32_t count = x.route.chain.row_count
    if x.bill == NULL:
        bill_open(x)
        if x.bill == NULL:
            return
        x.bill.began_ns = x.started_ns
    x.bill.part_ns[<int>PART_HEAD] = x.started_ns - x.bill.began_ns
    x.bill.mark_ns = x.started_ns
    bill_part_end(x, PART_ROUTE)
    if count:
        x.bill.items = <bill_item_t*>arena_zalloc(&x.arena, count * sizeof(bill_item_t))
        x.bill.item_count = count if x.bill.items != NULL else 0


cdef void bill_part_end(exchange_t* x, int part) noexcept nogil:
    cdef bill_t* bill = x.bill
    cdef uint64_t now_ns = now(x)
    cdef uint64_t ns = now_ns - bill.mark_ns
    bill.part_ns[part] += ns - bill.aside_ns if ns > bill.aside_ns else 0
    bill.mark_ns = now_ns
    bill.aside_ns = 0


cdef void bill_close(exchange_t* x) noexcept nogil:
    cdef bill_row_t* row
    cdef uint64_t ns
    cdef int i
    bill_part_end(x, PART_FLUSH)
    if x.route == NULL or x.route.chain.whole == NULL:
        return
    row = x.route.chain.whole
    ns = x.bill.mark_ns - x.bill.began_ns
    add(&row.timed, 1)
    add(&row.ns, ns)
    add(&row.buckets[bill_bucket(ns)], 1)
    raise_to(&row.max_ns, ns)
    for i in range(PARTS):
        add(&row.part_ns[i], x.bill.part_ns[i])
