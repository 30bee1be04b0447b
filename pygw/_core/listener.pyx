# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, nonecheck=False
# Owns: listening sockets: accepting, and stopping below the bound on connections.
# Thread and GIL: one worker's loop; no GIL.
# Never does: open a socket; it adopts what the supervisor opened.
# Read next: listener.pxd for the contract.
#
# At the bound a client is announced and not taken: libuv then stops polling the socket, and later
# clients wait in the kernel's queue. It is taken when a connection goes.

from libc.errno cimport errno, EAGAIN
from libc.stdint cimport uint32_t
from libc.string cimport memset
from posix.unistd cimport close
from pygw._core.check cimport unlikely
from pygw._core.libs.sockets cimport accept4, SOCK_CLOEXEC, SOCK_NONBLOCK
from pygw._core.libs.uv cimport *
from pygw._core.block cimport blocks_init, blocks_fini, block_take, block_give
from pygw._core.downstream cimport down_accept, down_adopt
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
    cdef listener_t* listener = from_handle(handle)
    cdef listeners_t* home = listener.home
    cdef listener_t** link = &home.first
    while link[0] != listener:
        link = &link[0].next
    link[0] = listener.next
    block_give(&home.blocks, listener)


cdef void on_connection(uv_stream_t* server, int status) noexcept nogil:
    cdef listener_t* listener = from_handle(server)
    if unlikely(status < 0 or listener.closing):
        return                              # the client was gone again, or libuv shed it at EMFILE
    listener_take(listener)
    transports_flush(listener.home.downs.transports)


cdef void listener_take(listener_t* listener) noexcept nogil:
    cdef downs_t* downs = listener.home.downs
    if unlikely(downs.count >= downs.plan[0].limits.max_connections):
        if not listener.waiting:
            stat_add(downs.host.counters, ST_ACCEPT_PAUSED, 1)
        listener.waiting = True
        return
    listener.waiting = not down_accept(downs, <uv_stream_t*>listener.handle, listener.is_unix,
                                       listener.index)


cdef void listeners_resume(listeners_t* home) noexcept nogil:
    cdef listener_t* listener = home.first
    while listener != NULL:
        if listener.waiting and not listener.closing:
            listener_take(listener)
        listener = listener.next


cdef int listener_open(listeners_t* home, int fd, bint is_unix, uint16_t index,
                       uint32_t key) noexcept nogil:
    cdef listener_t* listener = <listener_t*>block_take(&home.blocks)
    cdef int error
    if listener == NULL:
        close(fd)
        return UV_ENOMEM
    memset(listener, 0, sizeof(listener_t))
    listener.home = home
    listener.index = index
    listener.key = key
    listener.is_unix = is_unix
    listener.handle = <char*>listener + listener_bytes()
    if is_unix:
        uv.pipe_init(home.loop, <uv_pipe_t*>listener.handle, 0)
        error = uv.pipe_open(<uv_pipe_t*>listener.handle, fd)
    else:
        uv.tcp_init(home.loop, <uv_tcp_t*>listener.handle)
        error = uv.tcp_open(<uv_tcp_t*>listener.handle, fd)
    listener.next = home.first
    home.first = listener
    if error != 0:
        close(fd)
    else:
        error = uv.listen(<uv_stream_t*>listener.handle, BACKLOG, on_connection)
    if error != 0:
        listener.closing = True
        uv.close(<uv_handle_t*>listener.handle, on_closed)
    return error


cdef void listener_close(listeners_t* home, uint32_t key) noexcept nogil:
    cdef listener_t* listener = home.first
    while listener != NULL and (listener.key != key or listener.closing):
        listener = listener.next
    if listener != NULL:
        listener_end(listener)


cdef void listener_end(listener_t* listener) noexcept nogil:
    if listener.waiting:
        down_accept(listener.home.downs, <uv_stream_t*>listener.handle, listener.is_unix,
                    listener.index)
    listener.closing = True
    uv.close(<uv_handle_t*>listener.handle, on_closed)


# Takes who is in the kernel's queue, which goes with its last socket and would reset them all.
cdef void listener_empty(listener_t* listener) noexcept nogil:
    cdef downs_t* downs = listener.home.downs
    cdef int fd = -1
    cdef int client
    if uv.fileno(<uv_handle_t*>listener.handle, &fd) != 0:
        return
    for _ in range(BACKLOG):
        if downs.count >= downs.plan[0].limits.max_connections:
            return
        client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)
        if client >= 0:
            if not down_adopt(downs, client, listener.is_unix, listener.index):
                return
        elif errno == EAGAIN:
            return


cdef void listeners_close(listeners_t* home, bint last) noexcept nogil:
    cdef listener_t* listener = home.first
    while listener != NULL:
        if not listener.closing:
            if last:
                listener_empty(listener)
            listener_end(listener)
        listener = listener.next
