# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, nonecheck=False
# Owns: the read side of a connection: the buffer bytes arrive in, and how far they are read.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: hold a buffer for a connection at rest.
# Read next: inlet.pxd for the contract.

from libc.string cimport memcpy
from pygw._core.check cimport BUG_ON, likely, unlikely
from pygw._core.types.memory cimport BUFFER_LARGE
from pygw._core.buffer cimport buffer_take, buffer_unref, buffer_data, buffer_space


cdef void inlet_init(inlet_t* in_) noexcept nogil:
    in_.buffer = NULL
    in_.pos = 0
    in_.head = 0


cdef void inlet_fini(inlet_t* in_) noexcept nogil:
    buffer_unref(in_.buffer)
    inlet_init(in_)


cdef void inlet_rest(inlet_t* in_) noexcept nogil:
    if in_.buffer != NULL and in_.pos == in_.buffer.used:
        inlet_fini(in_)


cdef const char* inlet_data(inlet_t* in_) noexcept nogil:
    return buffer_data(in_.buffer) + in_.pos


cdef uint32_t inlet_unread(inlet_t* in_) noexcept nogil:
    return 0 if in_.buffer == NULL else in_.buffer.used - in_.pos


cdef void inlet_filled(inlet_t* in_, uint32_t size) noexcept nogil:
    BUG_ON(in_.buffer == NULL or size > buffer_space(in_.buffer))
    in_.buffer.used += size


cdef inline void space_of(buffer_t* b, uv_buf_t* space) noexcept nogil:
    space.base = buffer_data(b) + b.used
    space.len = buffer_space(b)


cdef void inlet_space(inlet_t* in_, buffers_t* home, int kind, uv_buf_t* space) noexcept nogil:
    cdef buffer_t* b = in_.buffer
    space.base = NULL
    space.len = 0
    if b != NULL and in_.pos == b.used:
        if b.refs == 1 and b.kind >= kind:
            b.used = 0                       # nobody points into it: begin again
            in_.pos = 0
        elif buffer_space(b) < b.cap // 4 or b.kind < kind:
            inlet_fini(in_)                  # too little is left: a fresh one
            b = NULL
    if b == NULL:
        b = buffer_take(home, kind)
        if unlikely(b == NULL):
            return
        in_.buffer = b
        in_.pos = 0
    space_of(b, space)


cdef bint inlet_head_space(inlet_t* in_, buffers_t* home, uv_buf_t* space) noexcept nogil:
    cdef buffer_t* b = in_.buffer
    cdef buffer_t* larger
    cdef uint32_t size = b.used - in_.head
    if likely(buffer_space(b) > 0):
        space_of(b, space)
        return False
    space.base = NULL
    space.len = 0
    if b.kind == BUFFER_LARGE and in_.head == 0:
        return False
    # A head late in its buffer needs a fresh one, not necessarily a larger one.
    larger = buffer_take(home, b.kind if in_.head > b.cap // 2 or b.kind == BUFFER_LARGE
                         else b.kind + 1)
    if unlikely(larger == NULL):
        return False
    memcpy(buffer_data(larger), buffer_data(b) + in_.head, size)    # COPY: a head stays contiguous
    larger.used = size
    in_.pos -= in_.head
    in_.head = 0
    in_.buffer = larger
    buffer_unref(b)
    space_of(larger, space)
    return True
