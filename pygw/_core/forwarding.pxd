# Owns: what a request tells of its way: X-Forwarded-*, Forwarded, Via, X-Request-ID, traceparent.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: believe a field of a peer that is not among plan.trusted.
# Read next: router.pxd.
#
# A field that a filter has set (HF_EDITED) is the operator's word: it stays and ours is not added.

from libc.stdint cimport uint64_t
from pygw._core.types.exchange cimport exchange_t
from pygw._core.ids cimport ids_t
from pygw._core.types.header cimport span_t

# Once, when the head is complete and x.plan and x.peer are set, before any filter. Sets x.client
# (the rightmost untrusted address of X-Forwarded-For when the peer is trusted, else the peer) and
# x.request_id (arena). 0, E_DOWN_LOOP when Via already names plan.via, E_CORE_MEMORY; client is set
# in any case, request_id unless memory ran out.
cdef int forwarding_begin(exchange_t* x, ids_t* ids, uint64_t unix_ms) noexcept nogil
# Whether the peer is one of plan.trusted.
cdef bint forwarding_trusts(const exchange_t* x) noexcept nogil
# Whether an id that came may stand in logs and fields: 1 to 128 of A-Z a-z 0-9 - . _ ~ + / = :
cdef bint request_id_sane(span_t id) noexcept nogil
# Once, before the first attempt: edits x.request.half.headers. All added lines are one run of
# bytes. 0 or E_CORE_MEMORY (also when the list of fields is full).
cdef int forwarding_request(exchange_t* x, ids_t* ids) noexcept nogil
# Once, when the final response's head is complete (the gateway's own included): X-Request-ID is
# ours, whatever the upstream sent; Date is added if there is none. 0 or E_CORE_MEMORY.
cdef int forwarding_response(exchange_t* x) noexcept nogil
