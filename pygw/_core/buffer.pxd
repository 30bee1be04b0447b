# Owns: read buffers, their counted references, and queues of slices.
# Thread and GIL: one worker's loop; no GIL.
# Never does: move bytes that somebody points into.
# Read next: headers.pxd.

from libc.stdint cimport uint32_t, uint64_t
from pygw._core.types.memory cimport buffer_t, buffers_t, slice_t, slices_t

cdef inline char* buffer_data(buffer_t* b) noexcept nogil:
    return <char*>(b + 1)

cdef inline uint32_t buffer_space(buffer_t* b) noexcept nogil:
    return b.cap - b.used

cdef void buffers_init(buffers_t* home, uint64_t max_bytes) noexcept nogil
cdef void buffers_fini(buffers_t* home) noexcept nogil
# An empty buffer of a class (buffer_class) with one reference; NULL beyond max_bytes.
cdef buffer_t* buffer_take(buffers_t* home, int kind) noexcept nogil
# The same of any size, for bytes that must lie side by side; it is never kept for reuse.
cdef buffer_t* buffer_take_sized(buffers_t* home, uint32_t size) noexcept nogil
cdef void buffer_ref(buffer_t* b) noexcept nogil
# Drops a reference; the last one gives the buffer back. NULL is allowed.
cdef void buffer_unref(buffer_t* b) noexcept nogil

cdef inline void slices_init(slices_t* q) noexcept nogil:
    q.first = NULL
    q.last = NULL
    q.bytes = 0

# Appends bytes that lie in `buffer` (a reference is taken); buffer NULL: bytes that outlive the
# queue. 0 or E_CORE_MEMORY. Empty pieces are not queued.
cdef int slices_add(buffers_t* home, slices_t* q, buffer_t* buffer,
                    const char* ptr, uint32_t size) noexcept nogil
# Moves all of `source` behind `q`.
cdef void slices_move(slices_t* q, slices_t* source) noexcept nogil
# Moves the first `size` bytes of `source`, or all, behind `q`. A slice is cut where `size` ends;
# out of memory it goes as a whole.
cdef void slices_take(buffers_t* home, slices_t* q, slices_t* source,
                      uint64_t size) noexcept nogil
# Appends further references to the same bytes. 0 or E_CORE_MEMORY.
cdef int slices_share(buffers_t* home, slices_t* q, const slices_t* source) noexcept nogil
# Drops `size` bytes from the front.
cdef void slices_skip(buffers_t* home, slices_t* q, uint64_t size) noexcept nogil
cdef void slices_clear(buffers_t* home, slices_t* q) noexcept nogil
