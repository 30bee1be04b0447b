# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, nonecheck=False
# Owns: listening sockets: accepting, and stopping below the bound on connections.
# Thread and GIL: one worker's loop; no GIL.
# Never does: open a socket; it adopts what the supervisor opened.
# Read next: listener.pxd for the contract.
#
# At the bound a client is announced and not taken: libuv then stops polling the socket, and later
# clients wait in the kernel's queue. It is taken when a connection goes.

from libc.string cimport memset
from posix.unistd cimport close
from pygw._core.check cimport likely, unlikely
from pygw._core.libs.uv cimport *
from pygw._core.block cimport blocks_init, blocks_fini, block_take, block_give
from pygw._core.downstream cimport down_accept
from pygw._core.stats cimport stat_add, ST_ACCEPT_PAUSED
from pygw._core.transport cimport transports_flush

cdef enum:
    BACKLOG = 4096            # the kernel caps it at net.core.somaxconn


cdef inline size_t listener_bytes() noexcept nogil:
    return (sizeof(listener_t) + sizeof(void*) + 15) & ~<size_t>15


cdef inline listener_t* from_handle(void* handle) noexcept nogil:
    return <listener_t*>(<char*>handle - listener_bytes())


cdef void listeners_init(listeners_t* home, uv_loop_t* loop, downs_t* downs) noexcept nogil:
    cdef size_t size = UV_TCP_SIZE if UV_TCP_SIZE > UV_PIPE_SIZE else UV_PIPE_SIZE
    memset(home, 0, sizeof(listeners_t))
    home.loop = loop
    home.downs = downs
    blocks_init(&home.blocks, listener_bytes() + size)


cdef void listeners_fini(listeners_t* home) noexcept nogil:
    blocks_fini(&home.blocks)


cdef void on_closed(uv_handle_t* handle) noexcept nogil:
    cdef listener_t* l = from_handle(handle)
    cdef listeners_t* home = l.home
    cdef listener_t** link = &home.first
    while link[0] != l:
        link = &link[0].next
    link[0] = l.next
    block_give(&home.blocks, l)
    if home.closed != NULL:
        home.closed(home)


cdef void on_connection(uv_stream_t* server, int status) noexcept nogil:
    cdef listener_t* l = from_handle(server)
    if unlikely(status < 0 or l.closing):
        return                              # the client was gone again, or libuv shed it at EMFILE
    listener_take(l)
    transports_flush(l.home.downs.transports)


cdef void listener_take(listener_t* l) noexcept nogil:
    cdef downs_t* downs = l.home.downs
    if unlikely(downs.count >= downs.plan[0].limits.max_connections):
        if not l.waiting:
            stat_add(downs.host.counters, ST_ACCEPT_PAUSED, 1)
        l.waiting = True
        return
    l.waiting = not down_accept(downs, <uv_stream_t*>l.handle, l.is_unix, l.index)


cdef void listeners_resume(listeners_t* home) noexcept nogil:
    cdef listener_t* l = home.first
    while l != NULL:
        if l.waiting and not l.closing:
            listener_take(l)
        l = l.next


cdef int listener_open(listeners_t* home, int fd, bint is_unix, uint16_t index) noexcept nogil:
    cdef listener_t* l = <listener_t*>block_take(&home.blocks)
    cdef int error
    if l == NULL:
        close(fd)
        return UV_ENOMEM
    memset(l, 0, sizeof(listener_t))
    l.home = home
    l.index = index
    l.is_unix = is_unix
    l.handle = <char*>l + listener_bytes()
    if is_unix:
        uv.pipe_init(home.loop, <uv_pipe_t*>l.handle, 0)
        error = uv.pipe_open(<uv_pipe_t*>l.handle, fd)
    else:
        uv.tcp_init(home.loop, <uv_tcp_t*>l.handle)
        error = uv.tcp_open(<uv_tcp_t*>l.handle, fd)
    l.next = home.first
    home.first = l
    if error != 0:
        close(fd)
    else:
        error = uv.listen(<uv_stream_t*>l.handle, BACKLOG, on_connection)
    if error != 0:
        l.closing = True
        uv.close(<uv_handle_t*>l.handle, on_closed)
    return error


cdef void listeners_close(listeners_t* home) noexcept nogil:
    cdef listener_t* l = home.first
    while l != NULL:
        if not l.closing:
            l.closing = True
            uv.close(<uv_handle_t*>l.handle, on_closed)
        l = l.next
