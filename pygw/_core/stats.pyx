# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Owns: the counters' names, and their sums over workers.
# Thread and GIL: any Python thread, in any process that maps the shared block.
# Never does: write a counter.
# Read next: stats.pxd for the layout.
"""The workers' counters as the control plane reads them.

Every worker owns ``SHARED_BYTES_PER_WORKER`` bytes of one shared block and writes there with
relaxed atomics; a reader takes no lock and disturbs nobody, so sums are of slightly different
moments.
"""

from cpython.buffer cimport Py_buffer, PyObject_GetBuffer, PyBuffer_Release, PyBUF_SIMPLE
from libc.stdint cimport uint64_t

SHARED_BYTES_PER_WORKER = SHARE_BYTES

# In the order of `enum stat`.
NAMES = (
    "heartbeat_ms",
    "connections",
    "accepted",
    "accept_paused",
    "requests",
    "responses_1xx",
    "responses_2xx",
    "responses_3xx",
    "responses_4xx",
    "responses_5xx",
    "responses_cut",
    "client_gone",
    "refused_heads",
    "attempts",
    "retries",
    "upstream_connects",
    "upstream_connect_faults",
    "upstream_reused",
    "upstream_idle",
    "upstream_open",
    "queued",
    "tunnels",
    "log_lines",
    "log_dropped",
    "bytes_in",
    "bytes_out",
    "gzip_responses",
    "gzip_full",
    "gzip_bytes_in",
    "gzip_bytes_out",
    "malformed",
    "malformed_clients",
    "ejections",
    "retries_over_budget",
    "hook_cache_hits",
    "hook_cache_misses",
    "fetches",
    "fetch_faults",
    "mirrored",
    "mirror_faults",
    "mirror_too_large",
    "mirror_no_room",
    "mirror_cut",
    "hook_cache_waits",
)
if len(NAMES) != ST_COUNT or ST_COUNT * 8 > STATS_BYTES:
    raise ImportError("stats.pyx and stats.pxd name different counters")


def stats_names() -> tuple[str, ...]:
    """Names of all counters, in the order of the shared block."""
    return NAMES


cdef uint64_t least_beat(const uint64_t* block, int workers) noexcept nogil:
    cdef uint64_t least = stat_get(block, ST_HEARTBEAT_MS), beat
    cdef int i
    for i in range(1, workers):
        beat = stat_get(block + i * (SHARE_BYTES // 8), ST_HEARTBEAT_MS)
        if beat < least:
            least = beat
    return least


cdef uint64_t sum_of(const uint64_t* block, int workers, int which) noexcept nogil:
    cdef uint64_t total = 0
    cdef int i
    for i in range(workers):
        total += stat_get(block + i * (SHARE_BYTES // 8), which)
    return total


def stats_read(shared: object, workers: int, first: int = 0) -> dict[str, int]:
    """Sums the counters of ``workers`` workers from worker ``first`` on, by name.

    ``shared`` is the shared block, anything with the buffer protocol. ``heartbeat_ms`` is no sum:
    it is the oldest beat of these workers, in ms of the monotonic clock. Raises ValueError when the
    block is too small or not aligned to 8 bytes.
    """
    cdef Py_buffer view
    cdef const uint64_t* block
    cdef int i, count = workers, skip = first
    if count < 1 or skip < 0:
        raise ValueError("workers must be at least 1, first at least 0")
    PyObject_GetBuffer(shared, &view, PyBUF_SIMPLE)
    try:
        if view.len < <Py_ssize_t>(skip + count) * SHARE_BYTES:
            raise ValueError(f"{view.len} bytes hold less than {skip + count} workers' counters")
        if <size_t>view.buf % 8:
            raise ValueError("the block is not aligned to 8 bytes")
        block = <const uint64_t*>view.buf + skip * (SHARE_BYTES // 8)
        out = {NAMES[i]: sum_of(block, count, i) for i in range(1, ST_COUNT)}
        out["heartbeat_ms"] = least_beat(block, count)
        return out
    finally:
        PyBuffer_Release(&view)
