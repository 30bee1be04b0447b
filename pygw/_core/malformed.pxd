# Owns: who sends malformed requests: a table of counts by client, and the line about who passes.
# Thread and GIL: one worker's loop; no GIL.
# Never does: refuse anybody, wait for standard error, or grow.
# Read next: host.pyx.
#
# MALFORMED_CLIENTS places in sets of MALFORMED_WAYS: a client's address picks its set, and a new
# one takes the place whose window is over, else that with the fewest. IPv6 clients are told apart
# by their first 64 bits, for the rest is the client's own choice.

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from pygw._core.types.address cimport address_t
from pygw._core.types.exchange cimport limits_t

cdef enum:
    MALFORMED_WAYS = 4

cdef struct culprit_t:
    uint8_t bytes[16]
    uint8_t family            # address_family; ADDRESS_NONE: a free place
    uint32_t count            # in its window
    uint64_t since_ms         # when the window began

ctypedef void (*malformed_write_fn)(void* arg, const char* line, size_t size) noexcept nogil

cdef struct malformed_t:
    culprit_t table[1024]     # MALFORMED_CLIENTS
    uint64_t* counters        # borrow(worker, for ever)
    malformed_write_fn write  # static; NULL: nobody reads them
    void* write_arg           # borrow(worker, for ever)
    uint64_t lines_since_ms
    uint32_t lines            # written since then

cdef void malformed_init(malformed_t* m, uint64_t* counters) noexcept nogil
# Is this fault a request that no client should send? Timeouts and closed connections are not.
cdef bint malformed_is(int error) noexcept nogil
# One more of this client. When it reaches limits.malformed within its window, one line is written,
# at most MALFORMED_LINES of all clients in a window.
cdef void malformed_note(malformed_t* m, const address_t* client, int error,
                         const limits_t* limits, uint64_t now_ms) noexcept nogil
