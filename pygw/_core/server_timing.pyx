# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: telling the client where the time went: Server-Timing (W3C Server Timing, 3).
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: take away what the service itself says in such a field.
# Read next: server_timing.pxd for the contract.

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy
from pygw._core.headers cimport header_token_byte, headers_add
from pygw._core.limits cimport SERVER_TIMING_MAX
from pygw._core.types.bill cimport (
    bill_item_t, bill_row_t, PART_CONNECT, PART_UPSTREAM)
from pygw._core.types.exchange cimport chain_t, exchange_t, filter_t, PHASES, XF_DETACHED
from pygw._core.view cimport decimal_write, span

cdef enum:
    METRIC_MAX = 128          # bytes of one: a name, `;dur=`, twenty digits, a point and three more
    ENDING = 2 * METRIC_MAX   # what `upstream` and `total` may need


# ", name;dur=12.345": at most METRIC_MAX bytes.
cdef char* put_metric(char* at, bint first, const char* name, uint32_t name_len,
                      uint64_t ns) noexcept nogil:
    cdef uint64_t us = ns // 1000
    cdef uint32_t i
    if not first:
        at[0] = c','
        at[1] = c' '
        at += 2
    for i in range(name_len):
        at[0] = name[i] if header_token_byte(name[i]) else c'_'
        at += 1
    memcpy(at, b";dur=", 5)   # COPY: a field is made of its parts
    at += 5
    at += decimal_write(at, us // 1000)
    at[0] = c'.'
    at[1] = <char>(c'0' + us // 100 % 10)
    at[2] = <char>(c'0' + us // 10 % 10)
    at[3] = <char>(c'0' + us % 10)
    return at + 4


# What a filter took in all its phases; NULL: it did not run.
cdef const bill_row_t* filter_took(const exchange_t* x, const filter_t* f,
                                   uint64_t* ns) noexcept nogil:
    cdef const chain_t* chain = &x.route.chain
    cdef const bill_row_t* row = NULL
    cdef const bill_item_t* item
    cdef uint32_t k
    cdef int phase
    ns[0] = 0
    for phase in range(PHASES):
        for k in range(chain.counts[phase]):
            item = &x.bill.items[chain.row_at[phase] + k]
            if chain.by_phase[phase][k] == f and item.row != NULL:
                row = item.row
                ns[0] += item.ns + item.wait_ns
    return row


cdef int server_timing_add(exchange_t* x) noexcept nogil:
    cdef char text[2048]      # SERVER_TIMING_MAX
    cdef char* at = text
    cdef const bill_row_t* row
    cdef uint64_t ns
    cdef uint32_t i
    if x.flags & XF_DETACHED:
        return 0
    if x.route != NULL and x.bill != NULL and x.bill.items != NULL:
        for i in range(x.route.chain.filter_count):
            row = filter_took(x, &x.route.chain.filters[i], &ns)
            if row != NULL and at - text < SERVER_TIMING_MAX - ENDING - METRIC_MAX:
                at = put_metric(at, at == text, row.name, row.name_len, ns)
    if x.bill != NULL and x.attempts:
        ns = x.bill.part_ns[<int>PART_CONNECT] + x.bill.part_ns[<int>PART_UPSTREAM]
        at = put_metric(at, at == text, b"upstream", 8, ns)
    at = put_metric(at, at == text, b"total", 5, x.host.now_ns(x.host) - x.started_ns)
    return headers_add(&x.response.half.headers, &x.arena, span(b"Server-Timing", 13),
                       span(text, <uint32_t>(at - text)))
