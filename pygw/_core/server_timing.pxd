# Owns: telling the client where the time went: Server-Timing (W3C Server Timing, 3).
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: take away what the service itself says in such a field.
# Read next: bill.pxd.
#
# One metric for each filter that ran, in the chain's order, all its phases so far together, then
# `upstream` (connection and wait for the answer's head) if one was asked, then `total`. Durations
# are milliseconds. Bytes of a name that no token has (RFC 9110 5.6.2) become `_`. Metrics beyond
# SERVER_TIMING_MAX bytes are left out, those of filters first.

from pygw._core.types.exchange cimport exchange_t

# Adds the field to the response that is about to leave. 0 or E_CORE_MEMORY.
cdef int server_timing_add(exchange_t* x) noexcept nogil
