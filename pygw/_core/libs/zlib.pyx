# cython: language_level=3
# Owns: the one table of zlib's functions and the proof that zlib.pxd declares them rightly.
# Thread and GIL: the table is filled at import under the GIL; the calls need none.
# Never does: fail to import: pygw runs without zlib, only the filter gzip does not.
# Read next: zlib.pxd for the contracts.

from libc.string cimport memset

from pygw._core.libs.loader cimport Library, file_of, library_open
from pygw._core.libs.wheel import ZLIB, LibraryError, LibraryInfo

cdef enum:
    Z_DEFLATED = 8
    WINDOW_BITS = 31          # 15, and 16 for the gzip format
    MEM_LEVEL = 8

cdef bint ready = False


cdef bint zlib_ready() noexcept nogil:
    return ready


cdef int zlib_begin(z_stream* s, int level) noexcept nogil:
    if zlib.init_ng != NULL:
        return zlib.init_ng(s, level, Z_DEFLATED, WINDOW_BITS, MEM_LEVEL, 0)
    return zlib.init(s, level, Z_DEFLATED, WINDOW_BITS, MEM_LEVEL, 0, zlib.version(),
                     sizeof(z_stream))


cdef int refuse(Library lib, str problem) except -1:
    raise LibraryError(lib.name, f"{problem} in {lib.path} ({lib.release})", lib.remedy)


cdef int fill(Library lib) except -1:
    if lib.has(b"zlibng_version"):
        lib.fill(&zlib.version, b"zlibng_version")
        lib.fill(&zlib.deflate, b"zng_deflate")
        lib.fill(&zlib.reset, b"zng_deflateReset")
        lib.fill(&zlib.end, b"zng_deflateEnd")
        lib.fill(&zlib.init_ng, b"zng_deflateInit2")
    else:
        lib.fill(&zlib.version, b"zlibVersion")
        lib.fill(&zlib.deflate, b"deflate")
        lib.fill(&zlib.reset, b"deflateReset")
        lib.fill(&zlib.end, b"deflateEnd")
        lib.fill(&zlib.init, b"deflateInit2_")
    return 0


# zlib is at 1, zlib-ng at 2 (built in zlib's form it calls itself 1.x.zlib-ng).
cdef int prove_version(Library lib) except -1:
    cdef str version = zlib.version().decode()
    if version.split(".")[0] != ("2" if zlib.init_ng != NULL else "1"):
        refuse(lib, f"version {version} is unknown")
    return 0


cdef bytes deflate_all(Library lib, z_stream* s, bytes text):
    cdef char[256] out
    cdef int flushed, finished
    s.next_in = text
    s.avail_in = <unsigned int>len(text)
    s.next_out = out
    s.avail_out = sizeof(out)
    flushed = zlib.deflate(s, Z_SYNC_FLUSH)
    if flushed != Z_OK or s.avail_in != 0 or s.total_in != <size_t>len(text):
        refuse(lib, f"a flush answers {flushed}")
    finished = zlib.deflate(s, Z_FINISH)
    if finished != Z_STREAM_END:
        refuse(lib, f"a stream's end answers {finished}")
    return out[:sizeof(out) - s.avail_out]


# Two streams over one state, as the data plane uses it, read back by Python's own zlib.
cdef int prove_streams(Library lib) except -1:
    import zlib as reader

    cdef z_stream s
    cdef bytes text = b"proven at import, " * 8
    cdef int status
    memset(&s, 0, sizeof(s))
    status = zlib_begin(&s, 6)
    if status != Z_OK:
        refuse(lib, f"a stream's beginning answers {status}")
    try:
        for _ in range(2):
            if reader.decompress(deflate_all(lib, &s, text), 31) != text:
                refuse(lib, "what is compressed becomes something else")
            if zlib.reset(&s) != Z_OK:
                refuse(lib, "a stream can not be used again")
    except reader.error as error:
        refuse(lib, f"what is compressed can not be read ({error})")
    finally:
        zlib.end(&s)
    return 0


cdef object load():
    cdef Library lib = library_open(ZLIB)
    fill(lib)
    prove_version(lib)
    prove_streams(lib)
    kind = "-ng" if zlib.init_ng != NULL else ""
    path = file_of(<void*>zlib.version) or lib.path
    return LibraryInfo(f"zlib{kind}", zlib.version().decode(), lib.release, path,
                       {"stream": sizeof(z_stream)})


# What is in use, for `pygw doctor`, or why there is none.
info = problem = None
try:
    info = load()
    ready = True
except LibraryError as error:
    problem = error
