# Owns: the declarations of zlib, written by hand, and the one table of its functions.
# Thread and GIL: the table is filled once at import; its calls are any thread's, without GIL.
# Never does: include a header of zlib, or fail to import: without a library zlib_ready() is False.
# Read next: zlib.pyx for the guards, ../deflater.pxd for the use.
#
# zlib and zlib-ng are one here: zlib-ng's stream is laid out alike as far as we look, only narrower
# behind it (`adler` has 32 bits), and its functions are called `zng_*`.

from libc.stddef cimport size_t

ctypedef void* (*z_alloc_fn)(void* opaque, unsigned int items, unsigned int size) noexcept nogil
ctypedef void (*z_free_fn)(void* opaque, void* address) noexcept nogil

cdef struct z_stream:
    const char* next_in               # borrow(caller, until the call returns)
    unsigned int avail_in
    size_t total_in
    char* next_out                    # borrow(caller, until the call returns)
    unsigned int avail_out
    size_t total_out
    const char* msg                   # static: of the last error, or NULL
    void* state                       # own: of deflate_begin, until zlib.end
    z_alloc_fn zalloc                 # static
    z_free_fn zfree                   # static
    void* opaque                      # borrow(caller, until zlib.end): what both are given
    int data_type
    size_t adler
    size_t reserved

cdef enum:
    Z_NO_FLUSH = 0
    Z_SYNC_FLUSH = 2
    Z_FINISH = 4
    Z_OK = 0
    Z_STREAM_END = 1
    Z_BUF_ERROR = -5                  # no progress was possible: no harm is done

# zlib's functions. All but the two forms of init are there when zlib_ready().
cdef struct zlib_api:
    const char* (*version)() noexcept nogil
    int (*deflate)(z_stream* s, int flush) noexcept nogil
    int (*reset)(z_stream* s) noexcept nogil        # deflateReset: a new stream of the same level
    int (*end)(z_stream* s) noexcept nogil          # deflateEnd
    # zlib's, which is told what the caller was compiled against; NULL with zlib-ng
    int (*init)(z_stream* s, int level, int method, int window_bits, int mem_level, int strategy,
                const char* version, int stream_size) noexcept nogil
    # zlib-ng's; NULL with zlib
    int (*init_ng)(z_stream* s, int level, int method, int window_bits, int mem_level,
                   int strategy) noexcept nogil

cdef zlib_api zlib

# Whether a library was found and proven.
cdef bint zlib_ready() noexcept nogil
# deflateInit2 for the gzip format (RFC 1952), a window of 32 KiB. `s` is zeroed but for zalloc,
# zfree and opaque. Z_OK, or an error: then nothing is kept.
cdef int zlib_begin(z_stream* s, int level) noexcept nogil
