# Owns: the plan's picture of the upstream side: timeouts, targets, pools' bounds.
# Thread and GIL: built under the GIL, then read only; declarations only.
# Never does: change after publishing; what changes (pool_t, health) is reached through `pool`.
# Read next: types/exchange.pxd.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from pygw._core.types.header cimport span_t

# Milliseconds; 0 = off. Resolved when the plan is built: global < upstream < route.
cdef struct timeouts_t:
    uint32_t connect_ms
    uint32_t response_ms        # from the request's last byte sent to the first byte of the answer
    uint32_t between_bytes_ms   # within a response
    uint32_t total_ms           # the whole exchange; never covers tunnels

cdef struct pool_limits_t:
    uint32_t idle               # connections kept for reuse, a target
    uint32_t connections        # open at once, a target
    uint32_t queue              # exchanges that wait for a connection, a target
    uint32_t queue_timeout_ms
    uint32_t idle_timeout_ms
    uint32_t lifetime_ms        # a connection older than this is not reused

cdef enum target_family:
    TARGET_TCP = 0
    TARGET_UNIX = 1

cdef enum:
    PRIORITIES_MAX = 8          # groups of targets; a lower number is tried first
    SHARES = 10000              # what a share is counted in: a hundredth of a percent

# How an upstream chooses among the targets of a group.
cdef enum balance_kind:
    BALANCE_ROUND_ROBIN = 0
    BALANCE_LEAST_CONNECTIONS = 1
    BALANCE_RANDOM_TWO = 2
    BALANCE_HASH = 3

# What is hashed for BALANCE_HASH; a request without it goes by round robin.
cdef enum hash_source:
    HASH_CLIENT_IP = 0
    HASH_PATH = 1
    HASH_HEADER = 2
    HASH_COOKIE = 3

# What a further attempt is made for, besides statuses.
cdef enum retry_condition:
    RETRY_CONNECT_FAILURE = 1
    RETRY_RESET = 2
    RETRY_RESPONSE_TIMEOUT = 4

# A set of statuses from 400 to 599: a bit each, 400 first.
cdef struct statuses_t:
    uint64_t bits[4]

cdef struct retry_t:
    uint32_t attempts           # after the first
    uint32_t on                 # retry_condition mask
    statuses_t statuses
    uint32_t budget             # of SHARES requests, within BUDGET_MS
    uint32_t floor              # retries a second that are allowed in any case

cdef struct eject_t:
    uint32_t faults             # failed attempts in a row; 0: no target is ever ejected
    uint32_t back_off_ms        # at first, doubled each time
    uint32_t back_off_max_ms
    statuses_t statuses         # answers that count as failed attempts

# How the target at an address has done lately; lives in its pool and survives plans.
cdef struct health_t:
    uint64_t ejected_until_ns   # monotonic; 0: in rotation
    uint64_t ejected_ns         # when that was decided: attempts begun before say nothing new
    uint32_t faults             # attempts that failed in a row
    uint32_t back_off_ms        # of the last ejection; 0 after a success
    uint32_t active             # attempts that run there

# How an upstream of some name goes on, whatever plan describes it; survives plans.
cdef struct standing_t:
    standing_t* next            # borrow(standings, until standing_unref): its list
    uint32_t refs               # upstreams of living plans
    uint32_t cursors[8]         # PRIORITIES_MAX: round robin's place in each group
    uint64_t random             # what the next random number is made of
    uint64_t turn               # of splits that begin with this upstream
    uint64_t window             # number of the budget's current half of BUDGET_MS
    uint32_t requests[2]        # first attempts in this half and the one before
    uint32_t retries[2]
    uint8_t name_len
    char name[64]

cdef struct target_t:
    span_t url                  # plan: as configured; its pool goes by family, host and port
    span_t host                 # plan: name or address; socket path for TARGET_UNIX; terminated
    uint16_t port
    uint8_t family              # target_family
    uint8_t priority            # below PRIORITIES_MAX; 0 is tried first
    uint32_t weight             # from 1
    uint64_t key                # hash of url: the same in every process
    uint64_t sticky_id          # what a sticky cookie says; 0: none
    span_t cookie               # plan: value of Set-Cookie; empty: none
    health_t* health            # borrow(pool, until the plan is freed); NULL: never judged
    void* pool                  # borrow(worker, until the plan is freed): pool_t of pool.pxd

# The targets of one priority.
cdef struct group_t:
    target_t* targets           # plan
    uint32_t count
    uint32_t turn_count
    uint16_t* turns             # plan: who comes when, by weight; NULL: equal weights, all in turn
    uint16_t* slots             # plan: HASH_SLOTS targets; NULL: not BALANCE_HASH, or one target

cdef struct upstream_t:
    span_t name                 # plan
    target_t* targets           # plan: by rising priority
    uint32_t target_count
    group_t* groups             # plan: by rising priority
    uint32_t group_count
    uint8_t balance             # balance_kind
    uint8_t hash_source         # hash_source
    span_t hash_name            # plan: of the header or the cookie
    span_t sticky               # plan: the cookie's name; empty: none
    eject_t eject
    retry_t retry
    uint32_t replay_body        # bytes of request body kept for a further attempt
    timeouts_t timeouts
    pool_limits_t limits
    standing_t* standing        # borrow(worker, until the plan is freed); plan: while not `tied`
    uint8_t tied                # `standing` is the worker's

# One of the upstreams between which a route's requests are split.
cdef struct split_t:
    upstream_t* upstream        # plan
    uint32_t weight             # from 0
    timeouts_t timeouts
