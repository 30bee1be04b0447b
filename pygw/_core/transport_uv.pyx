# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, nonecheck=False
# Owns: tcp and unix sockets on uvloop's libuv as transports.
# Thread and GIL: one worker's loop; no GIL.
# Never does: set a handle's `data` (uvloop takes it for its own).
# Read next: transport_uv.pxd for the contract.
#
# A handle lies behind its owner's struct; the word before it points back at the transport. A
# request's memory begins with the uv request; its last word points at the transport.

from libc.errno cimport errno, EINTR
from libc.string cimport memcpy, strlen
from posix.unistd cimport close
from pygw._core.limits cimport SEND_COPY_MAX
from pygw._core.check cimport BUG_ON, likely, unlikely
from pygw._core.types.transport cimport *
from pygw._core.libs.sockets cimport recv, send, MSG_DONTWAIT, MSG_NOSIGNAL, MSG_PEEK
from pygw._core.libs.uv cimport *
from pygw._core.libs.sockets cimport shutdown, SHUT_RD
from pygw._core.block cimport block_take, block_give
from pygw._core.transport cimport (
    transport_init, transport_arrived, transport_wrote, transport_closed, transports_flush)


cdef size_t transport_handle_bytes() noexcept nogil:
    cdef size_t size = UV_TCP_SIZE if UV_TCP_SIZE > UV_PIPE_SIZE else UV_PIPE_SIZE
    return size + 2 * sizeof(void*)


cdef inline transport_t* from_handle(void* handle) noexcept nogil:
    return (<transport_t**>(<char*>handle - sizeof(void*)))[0]


cdef inline void* request_take(transport_t* t) noexcept nogil:
    cdef void* request = block_take(&t.home.requests)
    if likely(request != NULL):
        (<transport_t**>(<char*>request + t.home.requests.size - sizeof(void*)))[0] = t
    return request


# The size of a request block is the same for all; a callback only has the request.
cdef size_t request_bytes = 0


cdef inline transport_t* from_request(void* request) noexcept nogil:
    return (<transport_t**>(<char*>request + request_bytes - sizeof(void*)))[0]


# --- callbacks of libuv ---------------------------------------------------------------------------


cdef void on_alloc(uv_handle_t* handle, size_t suggested, uv_buf_t* buf) noexcept nogil:
    cdef transport_t* t = from_handle(handle)
    t.on.space(t, buf)


cdef void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buf) noexcept nogil:
    cdef transport_t* t = from_handle(stream)
    if size == 0:
        return                          # nothing there after all
    if size < 0 and size != UV_ENOBUFS:
        t.flags &= ~<uint32_t>TF_READING
    transport_arrived(t, size)


cdef void on_write(uv_write_t* request, int status) noexcept nogil:
    cdef transport_t* t = from_request(request)
    t.request = NULL
    block_give(&t.home.requests, request)
    transport_wrote(t, status)


cdef void on_connect(uv_connect_t* request, int status) noexcept nogil:
    cdef transport_t* t = from_request(request)
    cdef transports_t* home = t.home
    block_give(&home.requests, request)
    if t.flags & TF_CLOSING:
        return
    if status == 0:
        uv.fileno(t.handle, &t.fd)
        if not t.flags & TF_UNIX:
            uv.tcp_nodelay(<uv_tcp_t*>t.handle, 1)
    t.on.connect(t, status)
    transports_flush(home)


cdef void on_shutdown(uv_shutdown_t* request, int status) noexcept nogil:
    block_give(&from_request(request).home.requests, request)


cdef void on_close(uv_handle_t* handle) noexcept nogil:
    transport_closed(from_handle(handle))


# --- what a transport can do ----------------------------------------------------------------------


# WHY not uv.try_write for a few bytes: writev(2) of three pieces took 3.71 us where one copy and
# send(2) took 3.44 (to a TCP peer on loopback): pieces and the file layer cost more than a copy.
cdef int uv_try_write(transport_t* t, const uv_buf_t* bufs, uint32_t count) noexcept nogil:
    cdef char[2048] bytes                    # SEND_COPY_MAX
    cdef size_t size = 0
    cdef ssize_t taken
    cdef uint32_t i
    for i in range(count):
        if size + bufs[i].len > SEND_COPY_MAX:
            return uv.try_write(<uv_stream_t*>t.handle, bufs, count)
        memcpy(bytes + size, bufs[i].base, bufs[i].len)       # COPY: cheaper than pieces
        size += bufs[i].len
    taken = send(t.fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL)
    while taken < 0 and errno == EINTR:
        taken = send(t.fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL)
    return <int>taken if taken >= 0 else -errno


cdef int uv_write(transport_t* t, const uv_buf_t* bufs, uint32_t count) noexcept nogil:
    cdef int error
    t.request = request_take(t)
    if t.request == NULL:
        return UV_ENOMEM
    error = uv.write(<uv_write_t*>t.request, <uv_stream_t*>t.handle, bufs, count, on_write)
    if unlikely(error != 0):
        block_give(&t.home.requests, t.request)
        t.request = NULL
    return error


cdef int uv_read_start(transport_t* t) noexcept nogil:
    return uv.read_start(<uv_stream_t*>t.handle, on_alloc, on_read)


cdef void uv_read_stop(transport_t* t) noexcept nogil:
    uv.read_stop(<uv_stream_t*>t.handle)


cdef bint uv_unread(transport_t* t) noexcept nogil:
    cdef char byte
    return recv(t.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0


cdef void uv_deafen(transport_t* t) noexcept nogil:
    cdef int fd = -1
    if uv.fileno(t.handle, &fd) == 0:
        shutdown(fd, SHUT_RD)


cdef void uv_finish(transport_t* t) noexcept nogil:
    cdef void* request = request_take(t)
    if request == NULL:
        return
    if uv.shutdown(<uv_shutdown_t*>request, <uv_stream_t*>t.handle, on_shutdown) != 0:
        block_give(&t.home.requests, request)


cdef void uv_close(transport_t* t, bint reset) noexcept nogil:
    if reset and not t.flags & (TF_UNIX | TF_FINISHED):
        if uv.tcp_close_reset(<uv_tcp_t*>t.handle, on_close) == 0:
            return
    uv.close(t.handle, on_close)


cdef transport_ops_t ops
ops.try_write = uv_try_write
ops.write = uv_write
ops.read_start = uv_read_start
ops.read_stop = uv_read_stop
ops.unread = uv_unread
ops.deafen = uv_deafen
ops.finish = uv_finish
ops.close = uv_close


# --- opening --------------------------------------------------------------------------------------


cdef void place(transport_t* t, transports_t* home, const transport_on_t* on,
                void* memory) noexcept nogil:
    global request_bytes
    transport_init(t, home, &ops, on)
    request_bytes = home.requests.size
    t.handle = <uv_handle_t*>(<char*>memory + 2 * sizeof(void*))
    (<transport_t**>(<char*>t.handle - sizeof(void*)))[0] = t


# A handle without a descriptor is initialised by filling its struct: that can not fail.
cdef void place_tcp(transport_t* t) noexcept nogil:
    cdef int error = uv.tcp_init(t.home.loop, <uv_tcp_t*>t.handle)
    BUG_ON(error != 0)


cdef void place_pipe(transport_t* t) noexcept nogil:
    cdef int error
    t.flags |= TF_UNIX
    error = uv.pipe_init(t.home.loop, <uv_pipe_t*>t.handle, 0)
    BUG_ON(error != 0)


# Opening failed: the owner hears on.closed.
cdef int opened(transport_t* t, int error) noexcept nogil:
    if unlikely(error != 0):
        t.flags |= TF_CLOSING
        uv.close(t.handle, on_close)
    return error


cdef inline void accepted(transport_t* t) noexcept nogil:
    if not t.flags & TF_UNIX:
        uv.tcp_nodelay(<uv_tcp_t*>t.handle, 1)
    uv.fileno(t.handle, &t.fd)


cdef int transport_accept(transport_t* t, transports_t* home, const transport_on_t* on,
                          void* memory, uv_stream_t* server, bint is_unix) noexcept nogil:
    place(t, home, on, memory)
    if is_unix:
        place_pipe(t)
    else:
        place_tcp(t)
    if unlikely(opened(t, uv.accept(server, <uv_stream_t*>t.handle)) != 0):
        return UV_ECONNABORTED
    accepted(t)
    return 0


cdef int transport_adopt(transport_t* t, transports_t* home, const transport_on_t* on,
                         void* memory, int fd, bint is_unix) noexcept nogil:
    cdef int error
    place(t, home, on, memory)
    if is_unix:
        place_pipe(t)
        error = uv.pipe_open(<uv_pipe_t*>t.handle, fd)
    else:
        place_tcp(t)
        error = uv.tcp_open(<uv_tcp_t*>t.handle, fd)
    if unlikely(opened(t, error) != 0):
        close(fd)
        return error
    accepted(t)
    return 0


cdef int connect_tcp(transport_t* t, void* request, const sockaddr* address) noexcept nogil:
    place_tcp(t)
    if unlikely(request == NULL):
        return UV_ENOMEM
    return uv.tcp_connect(<uv_connect_t*>request, <uv_tcp_t*>t.handle, address, on_connect)


cdef int connect_unix(transport_t* t, void* request, const char* path) noexcept nogil:
    place_pipe(t)
    if unlikely(request == NULL):
        return UV_ENOMEM
    return uv.pipe_connect2(<uv_connect_t*>request, <uv_pipe_t*>t.handle, path, strlen(path),
                            UV_PIPE_NO_TRUNCATE, on_connect)


cdef int transport_connect(transport_t* t, transports_t* home, const transport_on_t* on,
                           void* memory, const sockaddr* address, const char* path) noexcept nogil:
    cdef void* request
    cdef int error
    place(t, home, on, memory)
    request = request_take(t)
    error = connect_unix(t, request, path) if address == NULL else connect_tcp(t, request, address)
    if unlikely(error != 0 and request != NULL):
        block_give(&home.requests, request)
    return opened(t, error)


cdef int transport_peer(transport_t* t, sockaddr* address, int size) noexcept nogil:
    return uv.tcp_getpeername(<uv_tcp_t*>t.handle, address, &size)
