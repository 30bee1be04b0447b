# Owns: bytes in and out of a connection: gathered output, its queue, reading on and off, closing.
# Thread and GIL: one worker's loop; no GIL.
# Never does: know HTTP, or write while a callback still gathers.
# Read next: transport_uv.pxd.

from libc.stddef cimport size_t
from libc.stdint cimport uint32_t, uint64_t
from pygw._core.libs.uv cimport uv_loop_t
from pygw._core.types.memory cimport buffer_t, buffers_t, slices_t
from pygw._core.types.transport cimport (
    transport_t, transport_ops_t, transport_on_t, transports_t)

cdef void transports_init(transports_t* home, uv_loop_t* loop, buffers_t* buffers) noexcept nogil
cdef void transports_fini(transports_t* home) noexcept nogil
# Sends what the current callback gathered. Every entry from outside (a timer, Python) ends with it;
# transport's own callbacks do so themselves.
cdef void transports_flush(transports_t* home) noexcept nogil

cdef void transport_read_start(transport_t* t) noexcept nogil
cdef void transport_read_stop(transport_t* t) noexcept nogil
# Whether bytes have come that nobody has read yet: a close now would reset the connection.
cdef bint transport_unread(transport_t* t) noexcept nogil

# Output: a piece that lies in `buffer` (a reference is taken), or with NULL stays until the
# exchange is done; `scratch` is for a few bytes that do not. `slices` takes them all.
cdef void transport_put(transport_t* t, const char* ptr, size_t size,
                        buffer_t* buffer) noexcept nogil
cdef void transport_put_scratch(transport_t* t, const char* ptr, uint32_t size) noexcept nogil
cdef void transport_put_slices(transport_t* t, slices_t* slices) noexcept nogil
# Writes what is gathered for t now.
cdef void transport_flush(transport_t* t) noexcept nogil
# Bytes gathered, queued and in flight; never 0 once a write failed.
cdef uint64_t transport_queued(transport_t* t) noexcept nogil
# FIN when everything is out.
cdef void transport_finish(transport_t* t) noexcept nogil
# Drops the queue and closes; on.closed follows. `reset`: by RST. Legal twice.
cdef void transport_close(transport_t* t, bint reset) noexcept nogil

# For kinds of transport (transport_uv, transport_memory): a fresh struct; bytes came or the reading
# ended; a write that was taken is over; the end of a close. Each tells the owner and flushes.
cdef void transport_init(transport_t* t, transports_t* home, const transport_ops_t* ops,
                         const transport_on_t* on) noexcept nogil
cdef void transport_arrived(transport_t* t, ssize_t size) noexcept nogil
cdef void transport_wrote(transport_t* t, int status) noexcept nogil
cdef void transport_closed(transport_t* t) noexcept nogil
