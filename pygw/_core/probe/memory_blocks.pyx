# cython: language_level=3
# Owns: Python doors to arena, block and buffer.
# Thread and GIL: Python's thread; GIL.
# Never does: serve traffic; the gateway does not import it.
# Read next: ../arena.pxd, ../block.pxd, ../buffer.pxd.
"""Memory as the data plane takes it: arenas, freelists of structs, buffers and their slices."""

from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc
from libc.stdint cimport uint32_t, uint64_t, uintptr_t
from libc.string cimport memcpy, memset
from pygw._core.arena cimport arena_alloc, arena_bytes, arena_fini, arena_init, arena_zalloc
from pygw._core.block cimport block_give, block_take, blocks_fini, blocks_init
from pygw._core.buffer cimport (
    buffer_data, buffer_ref, buffer_space, buffer_take, buffer_unref, buffers_fini, buffers_init,
    slices_add, slices_clear, slices_init, slices_move, slices_share, slices_skip)
from pygw._core.types.memory cimport (
    arena_chunk_t, arena_t, blocks_t, buffer_t, buffers_t, slice_t, slices_t)


cdef class Arena:
    """An arena on ``inline`` bytes that gives out at most ``max_bytes``.

    Addresses are numbers; None says refused. What is given out is overwritten at once, so that a
    sanitizer sees every byte that is not the caller's.
    """

    cdef arena_t arena
    cdef char* memory         # own: `inline` bytes
    cdef readonly size_t inline

    def __cinit__(self, size_t inline=0, size_t max_bytes=1 << 20):
        if inline:
            self.memory = <char*>PyMem_RawMalloc(inline)
            if self.memory == NULL:
                raise MemoryError
        self.inline = inline
        arena_init(&self.arena, self.memory, inline, max_bytes)

    def __dealloc__(self):
        arena_fini(&self.arena)
        PyMem_RawFree(self.memory)

    def take(self, size_t size, str kind="bytes") -> int | None:
        """The address of ``size`` bytes: ``bytes``, ``aligned`` or ``zeroed``."""
        cdef char* p
        cdef size_t i
        if kind == "bytes":
            p = arena_bytes(&self.arena, size)
        elif kind == "aligned":
            p = <char*>arena_alloc(&self.arena, size)
        else:
            p = <char*>arena_zalloc(&self.arena, size)
            for i in range(size if p != NULL else 0):
                assert p[i] == 0
        if p == NULL:
            return None
        memset(p, 0xA5, size)
        return <uintptr_t>p

    def lies_inline(self, uintptr_t address) -> bool:
        """Whether the address is in the inline memory."""
        return <uintptr_t>self.memory <= address < <uintptr_t>self.memory + self.inline

    def restart(self) -> None:
        """Gives everything back and begins anew on the same inline memory."""
        cdef size_t max_bytes = self.arena.max_bytes
        arena_fini(&self.arena)
        arena_init(&self.arena, self.memory, self.inline, max_bytes)

    @property
    def chunks(self) -> list[int]:
        """Payload bytes of each further chunk, newest first."""
        cdef arena_chunk_t* chunk = self.arena.chunks
        sizes = []
        while chunk != NULL:
            sizes.append(chunk.size)
            chunk = chunk.next
        return sizes

    @property
    def bytes(self) -> int:
        """Bytes asked for so far."""
        return self.arena.bytes


cdef class Blocks:
    """Structs of ``size`` bytes; they are known by their address."""

    cdef blocks_t blocks
    cdef readonly set out

    def __cinit__(self, size_t size):
        self.out = set()
        blocks_init(&self.blocks, size)

    def __dealloc__(self):
        for address in list(self.out):
            self.give(address)
        blocks_fini(&self.blocks)

    def take(self) -> int:
        """The address of a struct, all of it overwritten."""
        cdef void* block = block_take(&self.blocks)
        if block == NULL:
            raise MemoryError
        memset(block, 0xA5, self.blocks.size)
        self.out.add(<uintptr_t>block)
        return <uintptr_t>block

    def give(self, uintptr_t address) -> None:
        """Gives a struct back."""
        self.out.remove(address)
        block_give(&self.blocks, <void*>address)

    def fini(self) -> None:
        """blocks_fini: frees what is spare."""
        blocks_fini(&self.blocks)

    @property
    def counts(self) -> tuple[int, int, int]:
        """Live, spare, made."""
        return self.blocks.live, self.blocks.spare, self.blocks.made

    @property
    def size(self) -> int:
        """Bytes of one struct."""
        return self.blocks.size


cdef class Buffers:
    """Read buffers of three classes and queues of slices of them, ``queue`` by number."""

    cdef buffers_t home
    cdef slices_t queues[4]

    def __cinit__(self, uint64_t max_bytes=1 << 30):
        cdef int i
        buffers_init(&self.home, max_bytes)
        for i in range(4):
            slices_init(&self.queues[i])

    def __dealloc__(self):
        cdef int i
        for i in range(4):
            slices_clear(&self.home, &self.queues[i])
        buffers_fini(&self.home)

    def take(self, int kind) -> int | None:
        """The address of a buffer of that class, with one reference; None when refused."""
        cdef buffer_t* b = buffer_take(&self.home, kind)
        if b == NULL:
            return None
        assert b.refs == 1 and b.used == 0 and buffer_space(b) == b.cap
        return <uintptr_t>b

    def cap(self, uintptr_t buffer) -> int:
        """Its payload bytes."""
        return (<buffer_t*>buffer).cap

    def ref(self, uintptr_t buffer) -> None:
        """A further reference."""
        buffer_ref(<buffer_t*>buffer)

    def unref(self, uintptr_t buffer) -> None:
        """Drops a reference."""
        buffer_unref(<buffer_t*>buffer)

    def refs(self, uintptr_t buffer) -> int:
        """References to a buffer that is in use."""
        return (<buffer_t*>buffer).refs

    def add(self, int queue, uintptr_t buffer, bytes data not None) -> None:
        """Writes bytes into a buffer and queues them."""
        cdef buffer_t* b = <buffer_t*>buffer
        cdef char* at = buffer_data(b) + b.used
        if <size_t>len(data) > buffer_space(b):
            raise ValueError("they do not fit")
        memcpy(at, <const char*>data, len(data))
        b.used += <uint32_t>len(data)
        if slices_add(&self.home, &self.queues[queue], b, at, <uint32_t>len(data)) != 0:
            raise MemoryError

    def move(self, int queue, int source) -> None:
        """slices_move."""
        slices_move(&self.queues[queue], &self.queues[source])

    def share(self, int queue, int source) -> None:
        """slices_share."""
        if slices_share(&self.home, &self.queues[queue], &self.queues[source]) != 0:
            raise MemoryError

    def skip(self, int queue, uint64_t size) -> None:
        """slices_skip."""
        slices_skip(&self.home, &self.queues[queue], size)

    def pieces(self, int queue) -> list[bytes]:
        """What lies in a queue."""
        cdef slice_t* s = self.queues[queue].first
        cdef slice_t* last = NULL
        out = []
        while s != NULL:
            out.append(s.ptr[:s.len])
            last = s
            s = s.next
        assert self.queues[queue].last == last
        assert self.queues[queue].bytes == sum(len(piece) for piece in out)
        return out

    @property
    def live(self) -> tuple[int, int, int]:
        """Buffers out, their payload bytes, slices out."""
        return self.home.live, self.home.live_bytes, self.home.slices.live

    def spare(self, int kind) -> int:
        """Buffers of a class that wait for reuse."""
        return self.home.spare[kind]
