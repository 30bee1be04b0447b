# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Owns: read buffers, their counted references, and queues of slices.
# Thread and GIL: one worker's loop; no GIL.
# Never does: move bytes that somebody points into.
# Read next: buffer.pxd for the contract.

from libc.stdlib cimport malloc, free
from libc.string cimport memset
from pygw._core.check cimport BUG_ON, PYGW_DEBUG, likely, unlikely
from pygw._core.limits cimport (
    SMALL_BUFFER, MEDIUM_BUFFER, LARGE_BUFFER, SPARE_BUFFERS, SPARE_LARGE_BUFFERS)
from pygw._core.types.memory cimport buffer_t, buffers_t, slice_t, slices_t, BUFFER_CLASSES
from pygw._core.block cimport blocks_init, blocks_fini, block_take, block_give
from pygw._core.fault cimport E_CORE_MEMORY
from pygw._core.shortage cimport shortage

cdef uint32_t[3] CAPS = [SMALL_BUFFER, MEDIUM_BUFFER, LARGE_BUFFER]
cdef uint32_t[3] SPARES = [SPARE_BUFFERS, SPARE_BUFFERS, SPARE_LARGE_BUFFERS]


cdef void buffers_init(buffers_t* home, uint64_t max_bytes) noexcept nogil:
    memset(home, 0, sizeof(buffers_t))
    home.max_bytes = max_bytes
    blocks_init(&home.slices, sizeof(slice_t))


cdef void buffers_fini(buffers_t* home) noexcept nogil:
    cdef buffer_t* b
    cdef buffer_t* next_buffer
    cdef int kind
    for kind in range(BUFFER_CLASSES):
        b = home.free[kind]
        while b != NULL:
            next_buffer = b.next
            free(b)
            b = next_buffer
        home.free[kind] = NULL
        home.spare[kind] = 0
    blocks_fini(&home.slices)


cdef buffer_t* buffer_take(buffers_t* home, int kind) noexcept nogil:
    cdef buffer_t* b = home.free[kind]
    if unlikely(home.live_bytes + CAPS[kind] > home.max_bytes):
        return NULL
    if likely(b != NULL):
        home.free[kind] = b.next
        home.spare[kind] -= 1
    else:
        if likely(not shortage()):
            b = <buffer_t*>malloc(sizeof(buffer_t) + CAPS[kind])
        if b == NULL:
            return NULL
        b.home = home
        b.cap = CAPS[kind]
        b.kind = kind
    b.next = NULL
    b.refs = 1
    b.used = 0
    home.live += 1
    home.live_bytes += b.cap
    home.made += 1
    return b


cdef buffer_t* buffer_take_sized(buffers_t* home, uint32_t size) noexcept nogil:
    cdef buffer_t* b = NULL
    if unlikely(home.live_bytes + size > home.max_bytes):
        return NULL
    if likely(not shortage()):
        b = <buffer_t*>malloc(sizeof(buffer_t) + size)
    if b == NULL:
        return NULL
    b.next = NULL
    b.home = home
    b.refs = 1
    b.cap = size
    b.used = 0
    b.kind = BUFFER_CLASSES
    home.live += 1
    home.live_bytes += size
    home.made += 1
    return b


cdef void buffer_ref(buffer_t* b) noexcept nogil:
    BUG_ON(b.refs == 0)
    b.refs += 1


cdef void buffer_unref(buffer_t* b) noexcept nogil:
    cdef buffers_t* home
    if b == NULL:
        return
    BUG_ON(b.refs == 0)
    b.refs -= 1
    if b.refs:
        return
    home = b.home
    home.live -= 1
    home.live_bytes -= b.cap
    if PYGW_DEBUG or b.kind == BUFFER_CLASSES or home.spare[b.kind] >= SPARES[b.kind]:
        free(b)
        return
    b.next = home.free[b.kind]
    home.free[b.kind] = b
    home.spare[b.kind] += 1


cdef int slices_add(buffers_t* home, slices_t* q, buffer_t* buffer,
                    const char* ptr, uint32_t size) noexcept nogil:
    cdef slice_t* s
    if size == 0:
        return 0
    s = <slice_t*>block_take(&home.slices)
    if s == NULL:
        return E_CORE_MEMORY
    if buffer != NULL:
        buffer_ref(buffer)
    s.next = NULL
    s.buffer = buffer
    s.ptr = ptr
    s.len = size
    if q.last != NULL:
        q.last.next = s
    else:
        q.first = s
    q.last = s
    q.bytes += size
    return 0


cdef void slices_move(slices_t* q, slices_t* source) noexcept nogil:
    if source.first == NULL:
        return
    if q.last != NULL:
        q.last.next = source.first
    else:
        q.first = source.first
    q.last = source.last
    q.bytes += source.bytes
    source.first = NULL
    source.last = NULL
    source.bytes = 0


cdef void slices_take(buffers_t* home, slices_t* q, slices_t* source,
                      uint64_t size) noexcept nogil:
    cdef slices_t one
    while size and source.first != NULL:
        one.first = one.last = source.first
        one.bytes = one.first.len
        if one.bytes > size and slices_add(home, q, one.first.buffer, one.first.ptr,
                                           <uint32_t>size) == 0:
            slices_skip(home, source, size)
            return
        source.first = one.first.next
        if source.first == NULL:
            source.last = NULL
        source.bytes -= one.bytes
        one.first.next = NULL
        size -= min(size, one.bytes)
        slices_move(q, &one)


cdef int slices_share(buffers_t* home, slices_t* q, const slices_t* source) noexcept nogil:
    cdef slice_t* s = source.first
    cdef int error
    while s != NULL:
        error = slices_add(home, q, s.buffer, s.ptr, s.len)
        if error:
            return error
        s = s.next
    return 0


cdef void slices_skip(buffers_t* home, slices_t* q, uint64_t size) noexcept nogil:
    cdef slice_t* s
    BUG_ON(size > q.bytes)
    q.bytes -= size
    while size:
        s = q.first
        if size < s.len:
            s.ptr += size
            s.len -= <uint32_t>size
            return
        size -= s.len
        q.first = s.next
        buffer_unref(s.buffer)
        block_give(&home.slices, s)
    if q.first == NULL:
        q.last = NULL


cdef void slices_clear(buffers_t* home, slices_t* q) noexcept nogil:
    slices_skip(home, q, q.bytes)
