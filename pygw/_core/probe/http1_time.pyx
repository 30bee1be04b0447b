# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Owns: how long the HTTP/1 reader and writer take, as an exchange calls them.
# Thread and GIL: any thread; the timed loops run without the GIL.
# Never does: serve traffic: the gateway never imports it.
# Read next: http1.pyx, ../http1_read.pxd.
"""CPU time of reading and writing HTTP/1 heads, for the micro benchmarks."""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset
from posix.time cimport CLOCK_THREAD_CPUTIME_ID, clock_gettime, timespec
from pygw._core.limits cimport ARENA_INLINE, ARENA_MAX, HEADERS_INLINE
from pygw._core.arena cimport arena_fini, arena_init
from pygw._core.headers cimport headers_find_name, headers_init, headers_mark_hop
from pygw._core.http1_read cimport (
    READ_HEAD, http1_found_t, http1_read, http1_reader_request, http1_reader_response,
    http1_reader_t)
from pygw._core.http1_write cimport http1_write_request, http1_write_response, pieces_t
from pygw._core.view cimport span
from pygw._core.types.exchange cimport limits_t
from pygw._core.types.header cimport header_t, span_t
from pygw._core.types.memory cimport arena_t
from pygw._core.types.message cimport half_t, request_t, response_t


cdef uint64_t now_ns() noexcept nogil:
    cdef timespec t
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t)
    return <uint64_t>t.tv_sec * 1000000000 + <uint64_t>t.tv_nsec


# One head as an exchange reads it: inline memory, nothing allocated.
cdef struct bench_t:
    request_t request
    response_t response
    http1_reader_t reader
    http1_found_t found
    limits_t limits
    arena_t arena
    pieces_t pieces
    header_t items[16]        # HEADERS_INLINE
    char memory[752]          # ARENA_INLINE


cdef half_t* bench_read(bench_t* b, const char* data, uint32_t size,
                        bint is_response) noexcept nogil:
    cdef half_t* half = &b.response.half if is_response else &b.request.half
    if is_response:
        memset(&b.response, 0, sizeof(response_t))
    else:
        memset(&b.request, 0, sizeof(request_t))
    arena_init(&b.arena, b.memory, ARENA_INLINE, ARENA_MAX)
    half.arena = &b.arena
    headers_init(&half.headers, b.items, HEADERS_INLINE)
    if is_response:
        http1_reader_response(&b.reader, &b.response, &b.limits, False)
    else:
        http1_reader_request(&b.reader, &b.request, &b.limits)
    if http1_read(&b.reader, data, size, &b.found) or not b.found.events & READ_HEAD:
        return NULL
    return half


def time_read(bytes data not None, str kind, uint64_t rounds) -> float:
    """CPU nanoseconds to read the message in data once, the mean of so many rounds."""
    cdef bench_t b
    cdef const char* ptr = data
    cdef uint32_t size = <uint32_t>len(data)
    cdef bint is_response = kind == "response"
    cdef uint64_t start, _
    cdef bint good = True
    memset(&b, 0, sizeof(bench_t))
    b.limits.request_line, b.limits.head, b.limits.headers = 8192, 32768, 100
    with nogil:
        start = now_ns()
        for _ in range(rounds):
            good = good and bench_read(&b, ptr, size, is_response) != NULL
            arena_fini(&b.arena)
        start = now_ns() - start
    if not good:
        raise ValueError("the message was refused")
    return start / rounds


def time_find(bytes data not None, bytes name not None, uint64_t rounds) -> float:
    """CPU nanoseconds to find the field called name in the request in data."""
    cdef bench_t b
    cdef span_t wanted = span(name, len(name))
    cdef const char* ptr = data
    cdef half_t* half
    cdef uint64_t start, _, found = 0
    memset(&b, 0, sizeof(bench_t))
    b.limits.request_line, b.limits.head, b.limits.headers = 8192, 32768, 100
    half = bench_read(&b, ptr, <uint32_t>len(data), False)
    if half == NULL:
        raise ValueError("the message was refused")
    with nogil:
        start = now_ns()
        for _ in range(rounds):
            found += headers_find_name(&half.headers, wanted, NULL) != NULL
        start = now_ns() - start
    arena_fini(&b.arena)
    if found != rounds:
        raise KeyError(name)
    return start / rounds


def time_write(bytes data not None, str kind, uint64_t rounds) -> float:
    """CPU nanoseconds to mark the hop-by-hop fields of the head in data and write it again."""
    cdef bench_t b
    cdef const char* ptr = data
    cdef bint is_response = kind == "response"
    cdef half_t* half
    cdef uint64_t start, _
    cdef int error = 0
    memset(&b, 0, sizeof(bench_t))
    b.limits.request_line, b.limits.head, b.limits.headers = 8192, 32768, 100
    half = bench_read(&b, ptr, <uint32_t>len(data), is_response)
    if half == NULL:
        raise ValueError("the message was refused")
    with nogil:
        start = now_ns()
        for _ in range(rounds):
            headers_mark_hop(&half.headers)
            if is_response:
                error |= http1_write_response(&b.response, half.framing, 0, &b.pieces)
            else:
                error |= http1_write_request(&b.request, half.framing, 0, &b.pieces)
        start = now_ns() - start
    arena_fini(&b.arena)
    if error:
        raise MemoryError("no memory for a head")
    return start / rounds
