# cython: language_level=3
# Owns: compressors without exchanges, and what is said of codings, for tests and benchmarks.
# Thread and GIL: holds the GIL.
# Never does: load in a gateway.
# Read next: ../deflater.pxd, ../coding.pxd.
"""``Deflaters``: a worker's compressors; ``unmark`` and ``mark`` of entity tags."""

from libc.stdint cimport uint64_t
from pygw._core.arena cimport arena_fini, arena_init
from pygw._core.buffer cimport (
    buffers_fini, buffers_init, slices_add, slices_clear, slices_init)
from pygw._core.coding cimport coding_has_marked, coding_mark_tag, coding_unmark_tags
from pygw._core.deflater cimport *
from pygw._core.limits cimport GZIP_SPARE, GZIP_STREAM_BYTES, GZIP_STREAMS_MAX
from pygw._core.types.header cimport span_t
from pygw._core.types.memory cimport arena_t, buffers_t, slice_t, slices_t
from pygw._core.view cimport span

STREAMS_MAX = GZIP_STREAMS_MAX
STREAM_BYTES = GZIP_STREAM_BYTES
SPARE = GZIP_SPARE


cdef bytes drain(buffers_t* home, slices_t* out):
    cdef slice_t* s = out.first
    pieces = []
    while s != NULL:
        pieces.append(s.ptr[:s.len])
        s = s.next
    slices_clear(home, out)
    return b"".join(pieces)


cdef class Deflaters:
    """Compressors are known by the number that ``take`` answers."""

    cdef buffers_t buffers
    cdef deflaters_t home
    cdef list taken

    def __cinit__(self) -> None:
        buffers_init(&self.buffers, 1 << 30)
        deflaters_init(&self.home, &self.buffers)
        self.taken = []

    def __dealloc__(self) -> None:
        for number in range(len(self.taken)):
            self.give(number)
        deflaters_fini(&self.home)
        buffers_fini(&self.buffers)

    def take(self, level: int) -> int | None:
        """A compressor, or None beyond the bound."""
        cdef deflater_t* d = deflater_take(&self.home, level)
        if d == NULL:
            return None
        self.taken.append(<uint64_t>d)
        return len(self.taken) - 1

    def give(self, number: int) -> None:
        """Gives it back; twice is once."""
        cdef uint64_t d = self.taken[number]
        self.taken[number] = 0
        if d:
            deflater_give(<deflater_t*>d)

    def write(self, number: int, *pieces: bytes) -> bytes:
        """What comes out of these pieces at once."""
        cdef slices_t body, out
        cdef const char* text
        cdef uint64_t d = self.taken[number]
        slices_init(&body)
        slices_init(&out)
        for piece in pieces:
            text = piece
            slices_add(&self.buffers, &body, NULL, text, len(piece))
        if deflater_write(<deflater_t*>d, &body, &out) != 0:
            raise MemoryError
        slices_clear(&self.buffers, &body)
        return drain(&self.buffers, &out)

    def flush(self, number: int, last: bool = False) -> bytes:
        """What was held."""
        cdef slices_t out
        cdef uint64_t d = self.taken[number]
        slices_init(&out)
        if deflater_flush(<deflater_t*>d, last, &out) != 0:
            raise MemoryError
        return drain(&self.buffers, &out)

    def hold(self, running: int) -> None:
        """As if so many more were running."""
        self.home.running += running

    @property
    def counted(self) -> dict[str, int]:
        """Running, spare, bytes of all, and buffers that are out."""
        return {"running": self.home.running, "spare": self.home.spares,
                "bytes": self.home.bytes, "buffers": self.buffers.live}


cdef span_t span_of(bytes text):
    cdef const char* ptr = text
    return span(ptr, len(text))


def mark(tag: bytes) -> bytes:
    """coding_mark_tag."""
    cdef arena_t arena
    cdef span_t out
    arena_init(&arena, NULL, 0, 65536)
    try:
        if not coding_mark_tag(&arena, span_of(tag), &out):
            raise MemoryError
        return out.ptr[:out.len]
    finally:
        arena_fini(&arena)


def unmark(value: bytes) -> bytes:
    """coding_unmark_tags."""
    cdef arena_t arena
    cdef span_t out
    cdef bint changed = False
    arena_init(&arena, NULL, 0, 1 << 20)
    try:
        if not coding_unmark_tags(&arena, span_of(value), &out, &changed):
            raise MemoryError
        return out.ptr[:out.len]
    finally:
        arena_fini(&arena)


def has_marked(value: bytes, tag: bytes) -> bool:
    """coding_has_marked."""
    return bool(coding_has_marked(span_of(value), span_of(tag)))
