# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: a worker's rows of what filters cost: which filter of a plan has which row.
# Thread and GIL: one worker's loop; no GIL. Rows are read by other processes at any time.
# Never does: count (bill.pyx does), or move a row that a plan points to.
# Read next: bills.pxd for the contract.

from libc.string cimport memcmp, memcpy, memset, strlen
from posix.unistd cimport getpid
from pygw._core.check cimport BUG_ON
from pygw._core.filters.hook cimport hook_of
from pygw._core.limits cimport BILL_ROWS
from pygw._core.types.bill cimport BILL_LAYOUT, BILL_ROUTE, BILL_TEXT
from pygw._core.types.exchange cimport chain_t, filter_t, route_t, PHASES
from pygw._core.types.header cimport span_t
from pygw._core.types.hook cimport hook_t
from pygw._core.view cimport span

cdef enum:
    PLACES = 8192             # a power of two, more than BILL_ROWS
    KIND_MAX = 16
    CLOCK_TRIES = 64

cdef uint64_t PRIME = 1099511628211ULL               # FNV-1a
cdef uint64_t BASIS = 14695981039346656037ULL

# What a row is found by.
cdef struct name_t:
    uint64_t key
    span_t route              # plan
    span_t name               # plan or static
    span_t kind               # static
    uint8_t phase
    uint8_t nth


# --- life -----------------------------------------------------------------------------------------


cdef void head_init(bill_head_t* head, uint32_t room) noexcept nogil:
    if head.layout != BILL_LAYOUT or head.room != room or head.used > room or head.used == 0:
        memset(head, 0, sizeof(bill_head_t) + sizeof(bill_row_t))
        head.used = 1
    head.layout = BILL_LAYOUT
    head.row_bytes = sizeof(bill_row_t)
    head.room = room
    head.pid = <uint32_t>getpid()
    head.lost = 0
    head.exact_until_ns = 0


# The least that two looks at the clock are apart.
cdef uint64_t clock_cost(host_t* host) noexcept nogil:
    cdef uint64_t least = 1000, at, then
    cdef int _
    for _ in range(CLOCK_TRIES):
        at = host.now_ns(host)
        then = host.now_ns(host)
        if then - at < least:
            least = then - at
    return least


cdef void bills_init(bills_t* b, host_t* host) noexcept nogil:
    memset(b, 0, sizeof(bills_t))
    b.head = &b.alone
    b.rows = &b.only
    head_init(b.head, 1)
    b.head.clock_ns = clock_cost(host)
    row_start(b.rows)
    host.bill = b.head


cdef void bills_open(bills_t* b, host_t* host, void* memory, uint32_t room) noexcept nogil:
    cdef uint32_t i
    BUG_ON(room < 1 or room > BILL_ROWS)
    b.head = <bill_head_t*>memory
    b.rows = <bill_row_t*>(b.head + 1)
    head_init(b.head, room)
    b.head.clock_ns = clock_cost(host)
    for i in range(b.head.used):
        row_start(&b.rows[i])
    host.bill = b.head
    places_fill(b)


cdef void row_start(bill_row_t* row) noexcept nogil:
    row.left = row.every = 1


cdef void bills_expire(bills_t* b, uint64_t now_ns) noexcept nogil:
    if b.head.exact_until_ns != 0 and b.head.exact_until_ns < now_ns:
        b.head.exact_until_ns = 0


# --- rows by their names --------------------------------------------------------------------------


cdef uint64_t mix(uint64_t hash, span_t s) noexcept nogil:
    cdef uint32_t i
    for i in range(s.len):
        hash = (hash ^ <uint8_t>s.ptr[i]) * PRIME
    return (hash ^ 0xFF) * PRIME


cdef span_t cut(const char* text, size_t size, uint32_t most) noexcept nogil:
    return span(text, <uint32_t>size if size < most else most)


cdef void name_finish(name_t* n) noexcept nogil:
    n.key = mix(mix(mix(BASIS, n.route), n.name), n.kind)
    n.key = (n.key ^ n.phase ^ <uint32_t>n.nth << 8) * PRIME | 1


cdef void name_of(name_t* n, const route_t* route, const filter_t* f, int phase) noexcept nogil:
    cdef const hook_t* hook = NULL if f == NULL else hook_of(f)
    n.route = cut(route.bill_name.ptr, route.bill_name.len, BILL_TEXT)
    n.phase = <uint8_t>phase
    if f == NULL:
        n.kind = span(b"route", 5)
        n.name = n.route
    elif hook != NULL:
        n.kind = cut(hook.ops.name, strlen(hook.ops.name), KIND_MAX)
        n.name = cut(hook.name.ptr, hook.name.len, BILL_TEXT)
    else:
        n.kind = cut(f.ops.name, strlen(f.ops.name), KIND_MAX)
        n.name = n.kind


cdef bint is_named(const bill_row_t* row, const name_t* n) noexcept nogil:
    return (row.key == n.key and row.phase == n.phase and row.nth == n.nth
            and row.route_len == n.route.len and row.name_len == n.name.len
            and row.kind_len == n.kind.len
            and memcmp(row.route, n.route.ptr, n.route.len) == 0
            and memcmp(row.name, n.name.ptr, n.name.len) == 0
            and memcmp(row.kind, n.kind.ptr, n.kind.len) == 0)


# Where the row of this key is, or would be.
cdef uint32_t place_of(bills_t* b, uint64_t key, const name_t* n) noexcept nogil:
    cdef uint32_t at = <uint32_t>(key >> 40) % PLACES
    while b.places[at] != 0:
        if n != NULL and is_named(&b.rows[b.places[at] - 1], n):
            break
        at = (at + 1) % PLACES
    return at


cdef void places_fill(bills_t* b) noexcept nogil:
    cdef uint32_t i
    memset(b.places, 0, sizeof(b.places))
    for i in range(1, b.head.used):
        if b.rows[i].key != 0:
            b.places[place_of(b, b.rows[i].key, NULL)] = <uint16_t>(i + 1)


# Rows that no living plan knows are free from now on.
cdef void rows_sweep(bills_t* b) noexcept nogil:
    cdef uint32_t i
    for i in range(1, b.head.used):
        if b.refs[i] == 0:
            b.rows[i].key = 0
    places_fill(b)


# A free row; 0: none. `free_from` is where the last search ended.
cdef uint32_t row_free(bills_t* b, uint32_t free_from) noexcept nogil:
    cdef uint32_t i
    if b.head.used < b.head.room:
        b.head.used += 1
        return b.head.used - 1
    for i in range(free_from, b.head.used):
        if b.rows[i].key == 0:
            return i
    return 0


cdef void row_make(bill_row_t* row, const name_t* n) noexcept nogil:
    memset(row, 0, sizeof(bill_row_t))
    row_start(row)
    row.seed = n.key
    row.phase = n.phase
    row.nth = n.nth
    row.route_len = <uint8_t>n.route.len
    row.name_len = <uint8_t>n.name.len
    row.kind_len = <uint8_t>n.kind.len
    # COPY: other processes read them, and they outlive the plan
    memcpy(row.route, n.route.ptr, n.route.len)
    memcpy(row.name, n.name.ptr, n.name.len)
    memcpy(row.kind, n.kind.ptr, n.kind.len)
    row.key = n.key


# --- plans ----------------------------------------------------------------------------------------


# What one plan's tying goes through.
cdef struct tie_t:
    bills_t* b                # borrow(bills_tie, until it returns)
    uint32_t free_from
    bint swept


cdef bill_row_t* row_get(tie_t* tie, const name_t* n) noexcept nogil:
    cdef bills_t* b = tie.b
    cdef uint32_t at = place_of(b, n.key, n)
    cdef uint32_t row
    if b.places[at] != 0:
        row = b.places[at] - 1
    else:
        row = row_free(b, tie.free_from)
        if row == 0 and not tie.swept:
            tie.swept = True
            rows_sweep(b)
            at = place_of(b, n.key, n)
            row = row_free(b, 1)
        tie.free_from = row + 1 if row else b.head.used
        if row == 0:
            b.head.lost += 1
            return b.rows
        row_make(&b.rows[row], n)
        b.places[at] = <uint16_t>(row + 1)
    b.refs[row] += 1
    return &b.rows[row]


# Which of the filters with its names it is, from 0.
cdef uint8_t nth_of(const chain_t* chain, const route_t* route, int phase,
                    uint32_t place) noexcept nogil:
    cdef name_t mine, other
    cdef uint32_t i
    cdef uint8_t nth = 0
    name_of(&mine, route, chain.by_phase[phase][place], phase)
    for i in range(place):
        name_of(&other, route, chain.by_phase[phase][i], phase)
        if (mine.name.len == other.name.len and mine.kind.len == other.kind.len
                and memcmp(mine.name.ptr, other.name.ptr, mine.name.len) == 0
                and memcmp(mine.kind.ptr, other.kind.ptr, mine.kind.len) == 0):
            nth += 1
    return nth


cdef void bills_tie(bills_t* b, plan_t* plan) noexcept nogil:
    cdef tie_t tie
    cdef route_t* route
    cdef chain_t* chain
    cdef name_t n
    cdef uint32_t i, k
    cdef int phase
    tie.b = b
    tie.free_from = 1
    tie.swept = False
    b.head.lost = 0
    for i in range(plan.route_count):
        route = &plan.routes[i]
        chain = &route.chain
        name_of(&n, route, NULL, BILL_ROUTE)
        n.nth = 0
        name_finish(&n)
        chain.whole = row_get(&tie, &n)
        for phase in range(PHASES):
            for k in range(chain.counts[phase]):
                name_of(&n, route, chain.by_phase[phase][k], phase)
                n.nth = nth_of(chain, route, phase, k)
                name_finish(&n)
                chain.rows[chain.row_at[phase] + k] = row_get(&tie, &n)


cdef inline void row_unref(bills_t* b, bill_row_t* row) noexcept nogil:
    if row != NULL and row != b.rows:
        b.refs[row - b.rows] -= 1


cdef void bills_untie(bills_t* b, plan_t* plan) noexcept nogil:
    cdef chain_t* chain
    cdef uint32_t i, k
    for i in range(plan.route_count):
        chain = &plan.routes[i].chain
        row_unref(b, chain.whole)
        chain.whole = NULL
        for k in range(chain.row_count):
            row_unref(b, chain.rows[k])
            chain.rows[k] = NULL
