# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: compressors: their memory, how many there are, those kept for reuse, what they put out.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: decide what is compressed.
# Read next: deflater.pxd for the contract.

from libc.stdint cimport uint8_t
from libc.string cimport memset
from pygw._core.arena cimport arena_alloc, arena_fini, arena_init
from pygw._core.block cimport block_give, block_take, blocks_fini, blocks_init
from pygw._core.buffer cimport buffer_data, buffer_space, buffer_take, buffer_unref, slices_add
from pygw._core.check cimport PYGW_DEBUG, likely, unlikely
from pygw._core.fault cimport E_CORE_INTERNAL, E_CORE_MEMORY
from pygw._core.libs.zlib cimport (
    zlib, zlib_begin, Z_BUF_ERROR, Z_FINISH, Z_NO_FLUSH, Z_OK, Z_STREAM_END, Z_SYNC_FLUSH)
from pygw._core.limits cimport GZIP_SPARE, GZIP_STREAM_BYTES, GZIP_STREAMS_MAX
from pygw._core.types.memory cimport (
    arena_t, buffer_t, buffers_t, slice_t, slices_t, BUFFER_SMALL)

cdef enum:
    ROOM = 1024               # a buffer with less of it left is not filled any further
    LEVELS = 10


cdef void* on_alloc(void* opaque, unsigned int items, unsigned int size) noexcept nogil:
    return arena_alloc(<arena_t*>opaque, <size_t>items * size)


# The arena goes as a whole.
cdef void on_free(void* opaque, void* address) noexcept nogil:
    pass


cdef void deflaters_init(deflaters_t* home, buffers_t* buffers) noexcept nogil:
    memset(home, 0, sizeof(deflaters_t))
    home.buffers = buffers
    blocks_init(&home.blocks, sizeof(deflater_t))


cdef void deflater_free(deflater_t* d) noexcept nogil:
    cdef deflaters_t* home = d.home
    home.bytes -= d.arena.bytes
    arena_fini(&d.arena)
    block_give(&home.blocks, d)


cdef void deflaters_fini(deflaters_t* home) noexcept nogil:
    cdef deflater_t* d
    cdef int level
    for level in range(LEVELS):
        while home.spare[level] != NULL:
            d = home.spare[level]
            home.spare[level] = d.next
            deflater_free(d)
    home.spares = 0
    blocks_fini(&home.blocks)


cdef deflater_t* deflater_make(deflaters_t* home, uint8_t level) noexcept nogil:
    cdef deflater_t* d = <deflater_t*>block_take(&home.blocks)
    cdef int status
    if unlikely(d == NULL):
        return NULL
    memset(d, 0, sizeof(deflater_t))
    arena_init(&d.arena, NULL, 0, GZIP_STREAM_BYTES)
    d.home = home
    d.level = level
    d.z.zalloc = on_alloc
    d.z.zfree = on_free
    d.z.opaque = &d.arena
    status = zlib_begin(&d.z, level)
    home.bytes += d.arena.bytes
    if unlikely(status != Z_OK):
        deflater_free(d)
        return NULL
    return d


cdef deflater_t* deflater_take(deflaters_t* home, uint8_t level) noexcept nogil:
    cdef deflater_t* d = home.spare[level]
    if unlikely(home.running >= GZIP_STREAMS_MAX):
        return NULL
    if likely(d != NULL):
        home.spare[level] = d.next
        home.spares -= 1
        d.next = NULL
    else:
        d = deflater_make(home, level)
        if unlikely(d == NULL):
            return NULL
    home.running += 1
    return d


cdef void deflater_give(deflater_t* d) noexcept nogil:
    cdef deflaters_t* home = d.home
    buffer_unref(d.out)
    d.out = NULL
    d.sent = 0
    d.held = False
    home.running -= 1
    if PYGW_DEBUG or home.spares >= GZIP_SPARE or zlib.reset(&d.z) != Z_OK:
        deflater_free(d)
        return
    d.next = home.spare[d.level]
    home.spare[d.level] = d
    home.spares += 1


# What was written into the buffer since the last time becomes a slice.
cdef int emit(deflater_t* d, slices_t* out) noexcept nogil:
    cdef buffer_t* b = d.out
    cdef int error = 0
    if b == NULL:
        return 0
    error = slices_add(d.home.buffers, out, b, buffer_data(b) + d.sent, b.used - d.sent)
    d.sent = b.used
    if buffer_space(b) < ROOM:
        buffer_unref(b)
        d.out = NULL
        d.sent = 0
    return error


# Room for what zlib puts out. 0 or E_CORE_MEMORY.
cdef int make_room(deflater_t* d, slices_t* out) noexcept nogil:
    if d.out != NULL and buffer_space(d.out) == 0 and emit(d, out) != 0:
        return E_CORE_MEMORY
    if d.out == NULL:
        d.out = buffer_take(d.home.buffers, BUFFER_SMALL)
        d.sent = 0
        if unlikely(d.out == NULL):
            return E_CORE_MEMORY
    d.z.next_out = buffer_data(d.out) + d.out.used
    d.z.avail_out = buffer_space(d.out)
    return 0


# Compresses what z.next_in holds. zlib is done when it leaves room in what it was given.
cdef int run(deflater_t* d, int flush, slices_t* out) noexcept nogil:
    cdef int status
    while True:
        if unlikely(make_room(d, out) != 0):
            return E_CORE_MEMORY
        status = zlib.deflate(&d.z, flush)
        d.out.used = d.out.cap - d.z.avail_out
        if status == Z_STREAM_END:
            return 0
        if unlikely(status != Z_OK and status != Z_BUF_ERROR):
            return E_CORE_INTERNAL
        if d.z.avail_out != 0:
            return 0 if likely(d.z.avail_in == 0) else <int>E_CORE_INTERNAL


cdef int deflater_write(deflater_t* d, const slices_t* body, slices_t* out) noexcept nogil:
    cdef const slice_t* s = body.first
    cdef int error = 0
    while s != NULL and error == 0:
        d.z.next_in = s.ptr
        d.z.avail_in = s.len
        d.held = True
        error = run(d, Z_NO_FLUSH, out)
        s = s.next
    return error


cdef int deflater_flush(deflater_t* d, bint last, slices_t* out) noexcept nogil:
    cdef int error
    if not d.held and not last:
        return 0
    d.z.next_in = NULL
    d.z.avail_in = 0
    error = run(d, Z_FINISH if last else Z_SYNC_FLUSH, out)
    d.held = False
    return error if error != 0 else emit(d, out)
