# Owns: a whole worker without a loop, sockets or a clock: a test plays all clients and services.
# Thread and GIL: holds the GIL; the C callbacks take none.
# Never does: serve a gateway; tell the worker anything but in `turn` and `advance`.
# Read next: memory_worker.pyx; watched_worker.pyx for one that tells what hooks do.

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy
from pygw._core.host cimport worker_t
from pygw._core.libs.uv cimport uv_buf_t
from pygw._core.resolver cimport name_t
from pygw._core.transport_memory cimport memory_end_t, memory_net_t
from pygw._core.types.bill cimport bill_head_t, bill_row_t
from pygw._core.types.exchange cimport host_t, plan_t

cdef enum:
    MEMORY_ROWS = 64          # of what filters cost
    TOLD_BYTES = 2048         # of lines about mirrors; what comes then is lost
    UNIX_MS = 1700000000000   # the wall clock when a worker begins
    LOOKUPS = 16              # names looked up at once

# What a worker in memory is made of, as C sees it.
cdef struct memory_worker_t:
    worker_t worker           # first, so that callbacks recover it
    memory_net_t net
    uint64_t counters[512]    # STATS_BYTES
    bill_head_t bill
    bill_row_t rows[64]       # MEMORY_ROWS
    name_t* asked[16]         # borrow(resolver, until answered): LOOKUPS on their way, in order
    uint32_t asked_count
    char told[2048]           # TOLD_BYTES
    uint32_t told_used
    uv_buf_t log_piece        # borrow(access log, until access_log_wrote)


# Its clocks, and what mirrors would write to standard error.
cdef inline uint64_t now_ns(host_t* h) noexcept nogil:
    return (<worker_t*>h.worker).wheel.now_ms * 1000000


cdef inline uint64_t unix_ms(host_t* h) noexcept nogil:
    return UNIX_MS + (<worker_t*>h.worker).wheel.now_ms


cdef inline void keep_line(void* arg, const char* line, size_t size) noexcept nogil:
    cdef memory_worker_t* m = <memory_worker_t*>arg
    if size <= TOLD_BYTES - m.told_used:
        memcpy(m.told + m.told_used, line, size)     # COPY: a test reads it later
        m.told_used += <uint32_t>size


# A test's end of one connection: a client of the worker, or a service it connected to.
cdef class End:
    cdef memory_end_t end
    cdef MemoryWorker worker  # keeps this until the transport is gone
    cdef bytearray wire       # what end.output points at
    cdef object sending       # deque: pieces on their way in, each read by itself
    cdef Py_ssize_t at        # bytes of the first piece that were read
    cdef bytearray taken
    cdef bint automatic       # what leaves is taken in each turn
    cdef bint finished
    cdef bint was_reset
    cdef object verdict       # of a connect: None while it hangs, 0 or a negative errno

    cdef bint turn_connect(self)
    cdef bint turn_write(self)
    cdef bint turn_read(self)


cdef class MemoryWorker:
    cdef memory_worker_t m
    cdef worker_t* w
    cdef plan_t* prepared     # own, from `prepare` to `commit`
    cdef list spare           # what m.net.spare links
    cdef list ends            # all of both sides that are not over
    cdef bytearray log_bytes
    cdef uint64_t hoarded     # by `hoard`
    cdef readonly list connections
    cdef public object policy

    cdef int fill(self) except -1
    cdef End adopt(self, memory_end_t* e)
    cdef int look(self) except -1
    # A plan that is not served yet, for what a subclass does to it.
    cdef int built(self, plan_t* plan) except -1
    cdef bint turn_log(self)
