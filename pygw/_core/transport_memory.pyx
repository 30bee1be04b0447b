# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, nonecheck=False
# Owns: transports without sockets: what a connection sends lands in its end, for a test to take.
# Thread and GIL: one worker's loop; no GIL.
# Never does: tell an owner anything from within one of its calls.
# Read next: transport_memory.pxd for the contract.

from libc.string cimport memcpy, memmove, strncpy
from pygw._core.check cimport BUG_ON
from pygw._core.libs.sockets cimport sockaddr, sockaddr_in, sockaddr_in6, AF_INET
from pygw._core.libs.uv cimport (
    uv_buf_t, UV_EAGAIN, UV_ECANCELED, UV_EMFILE, UV_ENOBUFS, UV_ENOMEM, UV_EPIPE)
from pygw._core.block cimport block_give, block_take
from pygw._core.limits cimport GATHER_MAX
from pygw._core.types.transport cimport *
from pygw._core.transport cimport (
    transport_init, transport_arrived, transport_wrote, transport_closed, transports_flush)


cdef inline memory_end_t* end_of(transport_t* t) noexcept nogil:
    return <memory_end_t*>t.peer


# --- what a transport can do ----------------------------------------------------------------------


# What the next write answers; a reset is told once by its own name, then as a broken pipe.
cdef int failure_of(memory_end_t* e) noexcept nogil:
    cdef int failure = e.failure
    if failure != 0:
        e.failure = UV_EPIPE
    return failure


# Puts into the output what there is room for, from `skip` bytes on.
cdef uint32_t output_add(memory_end_t* e, const uv_buf_t* bufs, uint32_t count) noexcept nogil:
    cdef uint32_t i, size
    cdef uint32_t taken = 0
    for i in range(count):
        size = e.output_room - e.output_used if e.output_room > e.output_used else 0
        if size > bufs[i].len:
            size = <uint32_t>bufs[i].len
        memcpy(e.output + e.output_used, bufs[i].base, size)   # COPY: this is the wire
        e.output_used += size
        taken += size
        if size < bufs[i].len:
            break
    return taken


cdef int memory_try_write(transport_t* t, const uv_buf_t* bufs, uint32_t count) noexcept nogil:
    cdef memory_end_t* e = end_of(t)
    cdef int failure = failure_of(e)
    cdef uint32_t taken
    BUG_ON(e.state != END_OPEN or e.left != LEFT_OPEN or e.write_count)
    if failure != 0:
        return failure
    taken = output_add(e, bufs, count)
    return <int>taken if taken else <int>UV_EAGAIN


cdef int memory_write(transport_t* t, const uv_buf_t* bufs, uint32_t count) noexcept nogil:
    cdef memory_end_t* e = end_of(t)
    BUG_ON(e.state != END_OPEN or e.left != LEFT_OPEN or e.write_count or count > GATHER_MAX)
    memcpy(e.write, bufs, count * sizeof(uv_buf_t))            # COPY: libuv keeps the list too
    t.request = block_take(&t.home.requests)                   # libuv's request needs memory too
    if t.request == NULL:
        return UV_ENOMEM
    e.write_count = count
    e.since = e.net.turn
    return 0


cdef int memory_read_start(transport_t* t) noexcept nogil:
    BUG_ON(end_of(t).state != END_OPEN)
    return 0


cdef void memory_read_stop(transport_t* t) noexcept nogil:
    pass


cdef bint memory_unread(transport_t* t) noexcept nogil:
    return end_of(t).unread != 0


cdef void memory_deafen(transport_t* t) noexcept nogil:
    end_of(t).deaf = True


cdef void memory_finish(transport_t* t) noexcept nogil:
    BUG_ON(end_of(t).state != END_OPEN)
    end_of(t).left = LEFT_FIN


cdef void request_give(transport_t* t) noexcept nogil:
    if t.request != NULL:
        block_give(&t.home.requests, t.request)
        t.request = NULL


cdef void closing_add(transport_t* t, memory_net_t* net) noexcept nogil:
    t.request = net.closing
    net.closing = t


cdef void memory_close(transport_t* t, bint reset) noexcept nogil:
    cdef memory_end_t* e = end_of(t)
    if e.left == LEFT_OPEN:
        e.left = LEFT_FIN
    if (reset and not t.flags & (TF_UNIX | TF_FINISHED)) or e.unread:
        e.left = LEFT_RESET
    request_give(t)
    closing_add(t, e.net)


cdef transport_ops_t ops
ops.try_write = memory_try_write
ops.write = memory_write
ops.read_start = memory_read_start
ops.read_stop = memory_read_stop
ops.unread = memory_unread
ops.deafen = memory_deafen
ops.finish = memory_finish
ops.close = memory_close


# --- opening --------------------------------------------------------------------------------------


cdef void transport_memory_accept(transport_t* t, transports_t* home, const transport_on_t* on,
                                  memory_end_t* e) noexcept nogil:
    transport_init(t, home, &ops, on)
    t.peer = e
    if e.is_unix:
        t.flags |= TF_UNIX
    e.transport = t
    e.state = END_OPEN
    e.from_client = True


cdef int transport_memory_connect(transport_t* t, transports_t* home, const transport_on_t* on,
                                  void* memory, const sockaddr* address,
                                  const char* path) noexcept nogil:
    cdef memory_net_t* net = <memory_net_t*>home.net
    cdef memory_end_t* e = net.spare
    cdef int error = net.connect_error if e != NULL else <int>UV_EMFILE
    transport_init(t, home, &ops, on)
    if error != 0:
        t.flags |= TF_CLOSING
        closing_add(t, net)
        return error
    net.spare = e.next
    e.next = net.opened
    net.opened = e
    t.peer = e
    e.transport = t
    e.state = END_CONNECTING
    e.since = net.turn
    if address == NULL:
        e.is_unix = True
        t.flags |= TF_UNIX
        strncpy(e.path, path, sizeof(e.path) - 1)
    else:
        memcpy(&e.address, address,                            # COPY: a socket keeps it too
               sizeof(sockaddr_in) if address.sa_family == AF_INET else sizeof(sockaddr_in6))
    return 0


# --- what the net tells ---------------------------------------------------------------------------


cdef inline bint listens(memory_end_t* e, memory_state state) noexcept nogil:
    return e.state == state and not e.transport.flags & TF_CLOSING


cdef bint memory_connected(memory_end_t* e, int status) noexcept nogil:
    cdef transport_t* t = e.transport
    cdef transports_t* home
    if not listens(e, END_CONNECTING) or e.since == e.net.turn:
        return False
    home = t.home
    e.state = END_OPEN
    t.on.connect(t, status)
    transports_flush(home)
    return True


cdef void wrote(memory_end_t* e, int status) noexcept nogil:
    e.write_count = 0
    request_give(e.transport)
    transport_wrote(e.transport, status)


cdef bint memory_wrote(memory_end_t* e) noexcept nogil:
    cdef uint32_t taken
    cdef uint32_t i = 0
    cdef int status
    if not listens(e, END_OPEN) or not e.write_count or e.since == e.net.turn:
        return False
    status = failure_of(e)
    if status == 0:
        taken = output_add(e, e.write, e.write_count)
        while i < e.write_count and taken >= e.write[i].len:
            taken -= <uint32_t>e.write[i].len
            i += 1
        if i < e.write_count:
            e.write[i].base += taken
            e.write[i].len -= taken
            memmove(e.write, e.write + i,                      # COPY: the list moves up
                    (e.write_count - i) * sizeof(uv_buf_t))
            e.write_count -= i
            return False
    wrote(e, status)
    return True


cdef uint32_t memory_arrived(memory_end_t* e, const char* ptr, uint32_t size) noexcept nogil:
    cdef transport_t* t = e.transport
    cdef uv_buf_t space
    if not listens(e, END_OPEN) or not t.flags & TF_READING or size == 0:
        return 0
    space.base = NULL
    space.len = 0
    t.on.space(t, &space)
    BUG_ON(not t.flags & TF_READING or t.flags & TF_CLOSING)   # libuv would call a NULL now
    if space.len == 0:
        e.net.spins += e.starved
        e.starved = True
        transport_arrived(t, UV_ENOBUFS)
        return 0
    e.starved = False
    if size > space.len:
        size = <uint32_t>space.len
    memcpy(space.base, ptr, size)                              # COPY: this is the wire
    e.unread -= size
    transport_arrived(t, size)
    return size


cdef bint memory_ended(memory_end_t* e, int status) noexcept nogil:
    if not listens(e, END_OPEN) or not e.transport.flags & TF_READING:
        return False
    e.transport.flags &= ~<uint32_t>TF_READING
    transport_arrived(e.transport, status)
    return True


cdef bint memory_closed(memory_net_t* net) noexcept nogil:
    cdef transport_t* t = net.closing
    cdef transport_t* next_closing
    cdef memory_end_t* e
    cdef bint told = t != NULL
    net.closing = NULL
    while t != NULL:
        next_closing = <transport_t*>t.request
        t.request = NULL
        e = end_of(t)
        if e != NULL:
            if e.write_count:
                wrote(e, UV_ECANCELED)
            e.state = END_GONE
            e.transport = NULL
        transport_closed(t)
        t = next_closing
    return told


cdef uint32_t memory_take(memory_end_t* e, char* to, uint32_t size) noexcept nogil:
    if size > e.output_used:
        size = e.output_used
    memcpy(to, e.output, size)                                 # COPY: the test keeps them
    memmove(e.output, e.output + size, e.output_used - size)   # COPY: what is left moves up
    e.output_used -= size
    return size
