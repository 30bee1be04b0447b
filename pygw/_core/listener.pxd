# Owns: listening sockets: accepting, and stopping below the bound on connections.
# Thread and GIL: one worker's loop; no GIL.
# Never does: open a socket; it adopts what the supervisor opened.
# Read next: worker.pxd.

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from pygw._core.libs.uv cimport uv_loop_t, uv_handle_t
from pygw._core.types.memory cimport blocks_t
from pygw._core.down cimport downs_t

cdef struct listener_t:
    listener_t* next          # own: list of all
    listeners_t* home         # borrow(worker, for ever)
    uint32_t key              # how whoever opened it names it
    uint16_t index            # of its conf in plans
    uint8_t is_unix
    uint8_t waiting           # a client was announced and not taken: the bound is reached
    uint8_t closing
    void* handle              # own: lies behind this struct

cdef struct listeners_t:
    uv_loop_t* loop           # borrow(loop, until it is closed)
    downs_t* downs            # borrow(worker, for ever)
    listener_t* first         # own
    blocks_t blocks

cdef void listeners_init(listeners_t* home, uv_loop_t* loop, downs_t* downs) noexcept nogil
cdef void listeners_fini(listeners_t* home) noexcept nogil
# Takes over a bound socket (tcp or unix) and listens. 0 or a negative errno; fd is gone either way.
cdef int listener_open(listeners_t* home, int fd, bint is_unix, uint16_t index,
                       uint32_t key) noexcept nogil
# Stops accepting at the socket with this key. A client that was announced at the bound is taken:
# libuv holds it already, and nobody else could.
cdef void listener_close(listeners_t* home, uint32_t key) noexcept nogil
# Stops accepting everywhere. Who waits in the kernel's queue is left to whoever else holds the
# socket, or with `last` is taken, up to the bound on connections: nobody else will come.
cdef void listeners_close(listeners_t* home, bint last) noexcept nogil
# A connection went: who waited at the bound is taken now.
cdef void listeners_resume(listeners_t* home) noexcept nogil
