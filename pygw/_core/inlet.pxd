# Owns: the read side of a connection: the buffer bytes arrive in, and how far they are read.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: hold a buffer for a connection at rest.
# Read next: outlet.pxd.

from libc.stdint cimport uint32_t
from pygw._core.libs.uv cimport uv_buf_t
from pygw._core.types.memory cimport buffer_t, buffers_t

# Invariant: head <= pos <= buffer.used. Bytes before pos are read; those from `head` on must stay
# contiguous while a head is being read.
cdef struct inlet_t:
    buffer_t* buffer          # own (one counted reference); NULL at rest
    uint32_t pos              # first byte not yet read
    uint32_t head             # where the head being read began

cdef void inlet_init(inlet_t* in_) noexcept nogil
# Room for bytes of a body or of a first head, in a buffer of at least class `kind` if a new one is
# taken. len 0: unread bytes fill the buffer, or memory ran out.
cdef void inlet_space(inlet_t* in_, buffers_t* home, int kind, uv_buf_t* space) noexcept nogil
# Room behind the head being read: it moves to a larger buffer when it reaches this one's end. True
# when it moved. len 0: no larger buffer exists.
cdef bint inlet_head_space(inlet_t* in_, buffers_t* home, uv_buf_t* space) noexcept nogil
# Unread bytes.
cdef const char* inlet_data(inlet_t* in_) noexcept nogil
cdef uint32_t inlet_unread(inlet_t* in_) noexcept nogil
# `size` bytes came to where a space call said.
cdef void inlet_filled(inlet_t* in_, uint32_t size) noexcept nogil
# Lets the buffer go if all of it is read.
cdef void inlet_rest(inlet_t* in_) noexcept nogil
# Lets the buffer go, unread bytes and all.
cdef void inlet_fini(inlet_t* in_) noexcept nogil
