# Owns: a worker's counters: which there are and how one is raised.
# Thread and GIL: written by their worker's loop only, read by anyone; relaxed 64-bit atomics.
# Never does: lock, or sum over workers (the reader does).
# Read next: types/exchange.pxd.

from libc.stdint cimport uint64_t

cdef extern from *:
    """
    #ifndef PYGW_STATS
    #define PYGW_STATS
    #include <stdint.h>
    _Static_assert(__atomic_always_lock_free(8, 0), "64-bit atomics must be lock free");
    static inline void stat_add(uint64_t *counters, int which, uint64_t n) {
        __atomic_store_n(counters + which,
                         __atomic_load_n(counters + which, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
    }
    static inline void stat_set(uint64_t *counters, int which, uint64_t n) {
        __atomic_store_n(counters + which, n, __ATOMIC_RELAXED);
    }
    static inline uint64_t stat_get(const uint64_t *counters, int which) {
        return __atomic_load_n(counters + which, __ATOMIC_RELAXED);
    }
    #endif
    """
    # Raises a counter; only its owner may call this.
    void stat_add(uint64_t* counters, int which, uint64_t n) noexcept nogil
    void stat_set(uint64_t* counters, int which, uint64_t n) noexcept nogil
    uint64_t stat_get(const uint64_t* counters, int which) noexcept nogil

# Order is the layout of the shared block: append only. Names in stats.pyx, one each.
cdef enum stat:
    ST_HEARTBEAT_MS = 0       # gauge: loop clock at the last turn that was timed
    ST_CONNECTIONS            # gauge: downstream connections open
    ST_ACCEPTED               # downstream connections taken
    ST_ACCEPT_PAUSED          # times accepting stopped at max_connections
    ST_REQUESTS               # exchanges begun
    ST_RESPONSES_1XX
    ST_RESPONSES_2XX
    ST_RESPONSES_3XX
    ST_RESPONSES_4XX
    ST_RESPONSES_5XX
    ST_RESPONSES_CUT          # cut after their head
    ST_CLIENT_GONE            # 499
    ST_REFUSED_HEADS          # heads answered 4xx or 5xx by the parser
    ST_ATTEMPTS
    ST_RETRIES
    ST_UPSTREAM_CONNECTS
    ST_UPSTREAM_CONNECT_FAULTS
    ST_UPSTREAM_REUSED
    ST_UPSTREAM_IDLE          # gauge: idle connections in all pools
    ST_UPSTREAM_OPEN          # gauge: connections in all pools
    ST_QUEUED                 # exchanges that had to wait for a connection
    ST_TUNNELS                # gauge
    ST_LOG_LINES
    ST_LOG_DROPPED
    ST_BYTES_IN               # from clients, counted when their connection ends
    ST_BYTES_OUT              # to clients, likewise
    ST_GZIP_RESPONSES         # compressed
    ST_GZIP_FULL              # left as they are: no compressor was free
    ST_GZIP_BYTES_IN          # of content before compression
    ST_GZIP_BYTES_OUT         # and after
    ST_MALFORMED              # requests refused for what was wrong with them
    ST_MALFORMED_CLIENTS      # times a client passed limits.malformed
    ST_EJECTIONS              # times a target was taken out of rotation
    ST_RETRIES_OVER_BUDGET    # attempts that were not made for lack of budget
    ST_HOOK_CACHE_HITS        # decisions of hooks that were kept and taken
    ST_HOOK_CACHE_MISSES      # runs of hooks whose decision may be kept
    ST_FETCHES                # requests that hooks made
    ST_FETCH_FAULTS           # of these, without an answer; those that were let go are none
    ST_MIRRORED               # copies of requests that were sent
    ST_MIRROR_FAULTS          # of these, those without a whole answer
    ST_MIRROR_TOO_LARGE       # not sent: a body longer than the mirror takes
    ST_MIRROR_NO_ROOM         # not sent: too many, or too much memory, on their way
    ST_MIRROR_CUT             # not sent: the request did not come to its end
    ST_HOOK_CACHE_WAITS       # requests that waited for another's run of a hook
    ST_COUNT

# Bytes one worker's counters take in the shared block: a page, so that no two workers share a line.
cdef enum:
    STATS_BYTES = 4096

# Of one worker in the shared block: its counters, then its rows of what filters cost (bills.pxd),
# which take memory only where they are used.
cdef enum:
    SHARE_BYTES = 8388608
