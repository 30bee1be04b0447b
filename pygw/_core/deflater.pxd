# Owns: compressors: their memory, how many there are, those kept for reuse, what they put out.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: decide what is compressed (filters/gzip does).
# Read next: libs/zlib.pxd, filters/gzip.pxd.
#
# A compressor takes some 270 KiB from zlib, 350 from zlib-ng, all of it from an arena of its own,
# so that it is counted and bounded (GZIP_STREAM_BYTES). To begin a stream anew is much cheaper than
# to make one: GZIP_SPARE of them wait for reuse (none in a debug build). At most GZIP_STREAMS_MAX
# run at once.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from pygw._core.libs.zlib cimport z_stream
from pygw._core.types.memory cimport arena_t, blocks_t, buffer_t, buffers_t, slices_t

cdef struct deflater_t:
    z_stream z
    arena_t arena             # own: all that zlib asked for
    deflaters_t* home         # borrow(worker, for ever)
    deflater_t* next          # own: the spare list's next
    buffer_t* out             # own (one counted reference): being filled; NULL: none
    uint32_t sent             # bytes of `out` that left as slices
    uint8_t level
    uint8_t held              # bytes went in that have not come out

cdef struct deflaters_t:
    buffers_t* buffers        # borrow(worker, for ever)
    blocks_t blocks           # deflater_t
    deflater_t* spare[10]     # own: by level
    uint32_t spares
    uint32_t running          # taken and not given back
    uint64_t bytes            # in the arenas of all, spare ones too

cdef void deflaters_init(deflaters_t* home, buffers_t* buffers) noexcept nogil
cdef void deflaters_fini(deflaters_t* home) noexcept nogil
# A compressor at the beginning of a gzip stream; NULL beyond GZIP_STREAMS_MAX or out of memory.
cdef deflater_t* deflater_take(deflaters_t* home, uint8_t level) noexcept nogil
# Compresses all of `body`, which it leaves as it is. Only full pieces come out: held is then set.
# 0 or a negative E_*, after which the stream is good for nothing but being given back.
cdef int deflater_write(deflater_t* d, const slices_t* body, slices_t* out) noexcept nogil
# What is held comes out, to a byte's end, so that a reader has all that went in; `last`: and the
# stream's end. 0 or a negative E_*.
cdef int deflater_flush(deflater_t* d, bint last, slices_t* out) noexcept nogil
cdef void deflater_give(deflater_t* d) noexcept nogil
