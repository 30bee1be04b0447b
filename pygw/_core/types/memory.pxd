# Owns: the shapes of memory: arena, block pool, buffer, slice.
# Thread and GIL: one worker's loop; declarations only (functions: arena, block, buffer).
# Never does: share anything between workers.
# Read next: types/message.pxd.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

# Bump memory that is given back all at once. In a debug build each allocation is a malloc of its
# own, linked here, so that AddressSanitizer sees it.
cdef struct arena_chunk_t:
    arena_chunk_t* next   # own
    size_t size           # payload bytes behind this struct

cdef struct arena_t:
    char* at              # borrow(chunk or inline memory, until arena_fini): next free byte
    char* end             # borrow(as `at`, until arena_fini): one past the current chunk
    arena_chunk_t* chunks # own: chunks besides the inline one, newest first
    size_t bytes          # asked for so far
    size_t max_bytes      # refused beyond: allocation returns NULL

# Freelist of equal structs.
cdef struct block_t:
    block_t* next         # own: the freelist's next

cdef struct blocks_t:
    block_t* free         # own
    uint32_t size         # bytes of one struct
    uint32_t spare        # structs in `free`
    uint64_t live         # handed out and not given back
    uint64_t made         # handed out since the start

cdef enum buffer_class:
    BUFFER_SMALL = 0
    BUFFER_MEDIUM = 1
    BUFFER_LARGE = 2
    BUFFER_CLASSES = 3    # and the kind of a buffer of any other size

# Bytes read from, or about to be written to, a peer. Counted references: the connection that reads
# into it holds one, each slice and each head that points into it holds one.
# Invariant: bytes below `used` never change while refs > 1.
cdef struct buffer_t:
    buffer_t* next        # own: the freelist's next while it is free
    buffers_t* home       # borrow(worker, for ever): where it goes back to
    uint32_t refs
    uint32_t cap          # payload bytes; the payload starts right behind this struct
    uint32_t used
    uint8_t kind          # buffer_class

cdef struct buffers_t:
    buffer_t* free[3]     # own, by class
    uint32_t spare[3]
    uint64_t live         # buffers out
    uint64_t live_bytes   # their payload bytes
    uint64_t made
    uint64_t max_bytes    # live_bytes never exceeds it: buffer_take returns NULL beyond
    blocks_t slices       # slice_t structs

# A piece of body. `buffer` NULL: the bytes are static or belong to the plan the exchange pins.
cdef struct slice_t:
    slice_t* next         # own: the queue's next
    buffer_t* buffer      # own (one counted reference)
    const char* ptr       # borrow(buffer, until the slice goes)
    uint32_t len

# A queue of slices: how body travels between stream, filters and transport. A function that takes
# a `slices_t*` takes the slices: it leaves the queue empty or holding what it did not take.
cdef struct slices_t:
    slice_t* first        # own
    slice_t* last         # borrow(first, until it changes): the tail, NULL when empty
    uint64_t bytes
