# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Owns: what filters cost, as the control plane reads it out of the shared block.
# Thread and GIL: any Python thread, in any process that maps the block.
# Never does: write a row; add up (pygw/bill.py does).
# Read next: types/bill.pxd for the layout.
"""The workers' rows of what filters cost, as other processes read them.

Figures are of slightly different moments, for their worker goes on writing them.
"""

from cpython.buffer cimport Py_buffer, PyObject_GetBuffer, PyBuffer_Release, PyBUF_SIMPLE
from libc.stdint cimport uint32_t, uint64_t
from pygw._core.limits cimport BILL_ROWS
from pygw._core.stats cimport SHARE_BYTES, STATS_BYTES, stat_get
from pygw._core.types.bill cimport *

PHASE_NAMES = ("request", "request_body", "attempt", "response", "response_body", "log", "route")
PART_NAMES = ("head", "route", "target", "connect", "send", "upstream", "answer", "body", "flush")
if len(PART_NAMES) != PART_FLUSH + 1 or len(PHASE_NAMES) != BILL_ROUTE + 1:
    raise ImportError("bill_read.pyx and types/bill.pxd name different phases or parts")
if STATS_BYTES + sizeof(bill_head_t) + BILL_ROWS * sizeof(bill_row_t) > SHARE_BYTES:
    raise ImportError("a worker's share is too small for its rows")

ROW_BYTES = sizeof(bill_row_t)
EXACT_OFFSET = STATS_BYTES + <size_t>&(<bill_head_t*>NULL).exact_until_ns


def bucket_starts() -> list[int]:
    """Where each bucket of a time begins, in ns."""
    return [0] + [(2 + b % 2) << (3 + b // 2) for b in range(1, BILL_BUCKETS)]


cdef list numbers(const uint64_t* at, int count):
    cdef int i
    return [stat_get(at, i) for i in range(count)]


cdef dict row_dict(const bill_row_t* row):
    return {
        "route": row.route[:row.route_len].decode(errors="replace"),
        "name": row.name[:row.name_len].decode(errors="replace"),
        "kind": row.kind[:row.kind_len].decode(errors="replace"),
        "phase": PHASE_NAMES[min(row.phase, <int>BILL_ROUTE)], "nth": row.nth,
        "counts": numbers(row.counts, BILL_OUTCOMES), "cancelled": stat_get(&row.cancelled, 0),
        "timed": stat_get(&row.timed, 0), "ns": stat_get(&row.ns, 0),
        "max_ns": stat_get(&row.max_ns, 0), "waits": stat_get(&row.waits, 0),
        "wait_ns": stat_get(&row.wait_ns, 0), "wait_max_ns": stat_get(&row.wait_max_ns, 0),
        "buckets": numbers(row.buckets, BILL_BUCKETS),
        "wait_buckets": numbers(row.wait_buckets, BILL_BUCKETS),
        "part_ns": numbers(row.part_ns, PART_FLUSH + 1),
    }


cdef dict rows_of(const char* memory):
    cdef const bill_head_t* head = <const bill_head_t*>memory
    cdef const bill_row_t* rows = <const bill_row_t*>(head + 1)
    cdef list out = []
    cdef uint32_t i, used = head.used
    if head.layout != BILL_LAYOUT or head.row_bytes != sizeof(bill_row_t):
        return {"pid": 0, "lost": 0, "rows": out, "layout": head.layout}
    for i in range(min(used, head.room)):
        # The first is of filters that had no room: it has no names.
        if rows[i].key != 0 or (i == 0 and any(numbers(rows[i].counts, BILL_OUTCOMES))):
            out.append(row_dict(&rows[i]))
    return {"pid": head.pid, "lost": stat_get(&head.lost, 0), "rows": out, "layout": head.layout}


def bill_layout() -> int:
    """What the block of a gateway of this version begins its rows with."""
    return BILL_LAYOUT


def bills_read(shared: object, worker: int) -> dict[str, object]:
    """One worker's rows: ``pid``, ``lost`` (filters without a row of their own), ``layout`` (0:
    that worker never began) and ``rows``, each with its names, counts and times.

    ``shared`` is the shared block, anything with the buffer protocol. Raises ValueError when it is
    too small or not aligned to 8 bytes.
    """
    cdef Py_buffer view
    cdef Py_ssize_t at = worker * <Py_ssize_t>SHARE_BYTES + STATS_BYTES
    PyObject_GetBuffer(shared, &view, PyBUF_SIMPLE)
    try:
        if worker < 0 or view.len < (worker + 1) * <Py_ssize_t>SHARE_BYTES:
            raise ValueError(f"{view.len} bytes hold no worker {worker}")
        if <size_t>view.buf % 8:
            raise ValueError("the block is not aligned to 8 bytes")
        return rows_of(<const char*>view.buf + at)
    finally:
        PyBuffer_Release(&view)


cdef dict bills_of(const bill_head_t* head):
    return rows_of(<const char*>head)
