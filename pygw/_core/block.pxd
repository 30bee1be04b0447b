# Owns: freelists of equal structs.
# Thread and GIL: one worker's loop; no GIL.
# Never does: keep more than SPARE_BLOCKS for reuse.
# Read next: buffer.pxd.

from pygw._core.types.memory cimport blocks_t

cdef void blocks_init(blocks_t* b, size_t size) noexcept nogil
# One struct, NOT zeroed; NULL when out of memory.
cdef void* block_take(blocks_t* b) noexcept nogil
cdef void block_give(blocks_t* b, void* block) noexcept nogil
# Frees what is spare. Structs still out stay with their owners.
cdef void blocks_fini(blocks_t* b) noexcept nogil
