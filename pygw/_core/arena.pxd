# Owns: bump memory given back all at once.
# Thread and GIL: one worker's loop (or the thread that builds a plan); no GIL.
# Never does: free a single allocation.
# Read next: block.pxd.

from pygw._core.check cimport PYGW_DEBUG, unlikely
from pygw._core.types.memory cimport arena_t

# Starts an arena on `memory` (may be NULL with size 0). Beyond max_bytes allocation is refused.
cdef void arena_init(arena_t* a, char* memory, size_t size, size_t max_bytes) noexcept nogil
# 16-byte aligned memory, not zeroed; NULL when refused or out of memory.
cdef void* arena_alloc(arena_t* a, size_t size) noexcept nogil
cdef void* arena_zalloc(arena_t* a, size_t size) noexcept nogil
# A chunk that holds at least `size` bytes becomes the current one: for the two that allocate.
cdef char* arena_grow(arena_t* a, size_t size) noexcept nogil
# Bytes without alignment: neighbours are contiguous (header lines rely on it to leave as one run).
cdef inline char* arena_bytes(arena_t* a, size_t size) noexcept nogil:
    cdef char* p = a.at
    if unlikely(size > a.max_bytes - a.bytes):
        return NULL
    a.bytes += size
    if PYGW_DEBUG or unlikely(<size_t>(a.end - p) < size):
        return arena_grow(a, size)
    a.at = p + size
    return p
# Gives all memory back; `memory` of arena_init may be used again by another arena_init.
cdef void arena_fini(arena_t* a) noexcept nogil
