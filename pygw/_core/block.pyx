# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Owns: freelists of equal structs.
# Thread and GIL: one worker's loop; no GIL.
# Never does: keep more than SPARE_BLOCKS for reuse; a debug build keeps none.
# Read next: block.pxd for the contract.

from libc.stdlib cimport malloc, free
from pygw._core.check cimport BUG_ON, PYGW_DEBUG, likely
from pygw._core.limits cimport SPARE_BLOCKS
from pygw._core.shortage cimport shortage
from pygw._core.types.memory cimport block_t, blocks_t


cdef void blocks_init(blocks_t* b, size_t size) noexcept nogil:
    b.free = NULL
    b.size = <unsigned int>(size if size > sizeof(block_t) else sizeof(block_t))
    b.spare = 0
    b.live = 0
    b.made = 0


cdef void* block_take(blocks_t* b) noexcept nogil:
    cdef block_t* block = b.free
    if likely(block != NULL):
        b.free = block.next
        b.spare -= 1
    else:
        if likely(not shortage()):
            block = <block_t*>malloc(b.size)
        if block == NULL:
            return NULL
    b.live += 1
    b.made += 1
    return block


cdef void block_give(blocks_t* b, void* block) noexcept nogil:
    BUG_ON(b.live == 0)
    b.live -= 1
    if PYGW_DEBUG or b.spare >= SPARE_BLOCKS:
        free(block)
        return
    (<block_t*>block).next = b.free
    b.free = <block_t*>block
    b.spare += 1


cdef void blocks_fini(blocks_t* b) noexcept nogil:
    cdef block_t* block = b.free
    cdef block_t* next_block
    while block != NULL:
        next_block = block.next
        free(block)
        block = next_block
    b.free = NULL
    b.spare = 0
