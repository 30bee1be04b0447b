# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Owns: bump memory given back all at once.
# Thread and GIL: one worker's loop (or the thread that builds a plan); no GIL.
# Never does: free a single allocation.
# Read next: arena.pxd for the contract.

from libc.stdint cimport uintptr_t
from libc.stdlib cimport malloc, free
from libc.string cimport memset
from pygw._core.check cimport PYGW_DEBUG, likely, unlikely
from pygw._core.limits cimport ARENA_CHUNK
from pygw._core.shortage cimport shortage
from pygw._core.types.memory cimport arena_t, arena_chunk_t


cdef void arena_init(arena_t* a, char* memory, size_t size, size_t max_bytes) noexcept nogil:
    a.at = memory
    a.end = memory + size
    a.chunks = NULL
    a.bytes = 0
    a.max_bytes = max_bytes


cdef char* arena_grow(arena_t* a, size_t size) noexcept nogil:
    cdef size_t wanted = size if PYGW_DEBUG or size > ARENA_CHUNK else ARENA_CHUNK
    cdef arena_chunk_t* chunk = NULL
    if likely(not shortage()):
        chunk = <arena_chunk_t*>malloc(sizeof(arena_chunk_t) + wanted)
    if chunk == NULL:
        return NULL
    chunk.next = a.chunks
    chunk.size = wanted
    a.chunks = chunk
    if PYGW_DEBUG:
        return <char*>(chunk + 1)
    a.at = <char*>(chunk + 1) + size
    a.end = <char*>(chunk + 1) + wanted
    return <char*>(chunk + 1)


cdef void* arena_alloc(arena_t* a, size_t size) noexcept nogil:
    cdef size_t pad = (16 - (<uintptr_t>a.at & 15)) & 15
    cdef char* p = a.at + pad
    if unlikely(size > a.max_bytes - a.bytes):
        return NULL
    a.bytes += size
    if PYGW_DEBUG or unlikely(<size_t>(a.end - a.at) < size + pad):
        return arena_grow(a, size)     # the rest of this chunk is given up: a fresh one is aligned
    a.at = p + size
    return p


cdef void* arena_zalloc(arena_t* a, size_t size) noexcept nogil:
    cdef void* p = arena_alloc(a, size)
    if p != NULL:
        memset(p, 0, size)
    return p


cdef void arena_fini(arena_t* a) noexcept nogil:
    cdef arena_chunk_t* chunk = a.chunks
    cdef arena_chunk_t* next_chunk
    while chunk != NULL:
        next_chunk = chunk.next
        free(chunk)
        chunk = next_chunk
    a.chunks = NULL
    a.at = NULL
    a.end = NULL
    a.bytes = 0
