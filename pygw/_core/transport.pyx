# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, nonecheck=False
# Owns: gathered output, its queue, reading on and off, closing: what all kinds of transport share.
# Thread and GIL: one worker's loop; no GIL.
# Never does: know HTTP, or call libuv (transport_uv does).
# Read next: transport.pxd for the contract, transport_uv.pyx.

from libc.string cimport memcpy, memset
from pygw._core.check cimport likely, unlikely
from pygw._core.limits cimport GATHER_MAX, WRITE_STEP
from pygw._core.types.memory cimport slice_t, BUFFER_SMALL
from pygw._core.types.transport cimport *
from pygw._core.libs.uv cimport (
    uv_buf_t, UV_EAGAIN, UV_WRITE_SIZE, UV_CONNECT_SIZE, UV_SHUTDOWN_SIZE)
from pygw._core.block cimport blocks_init, blocks_fini
from pygw._core.buffer cimport (
    buffer_take, buffer_ref, buffer_unref, buffer_data, slices_add, slices_clear, slices_skip)


cdef void transports_init(transports_t* home, uv_loop_t* loop, buffers_t* buffers) noexcept nogil:
    cdef size_t size = UV_WRITE_SIZE
    memset(home, 0, sizeof(transports_t))
    home.loop = loop
    home.buffers = buffers
    if UV_CONNECT_SIZE > size:
        size = UV_CONNECT_SIZE
    if UV_SHUTDOWN_SIZE > size:
        size = UV_SHUTDOWN_SIZE
    blocks_init(&home.requests, size + sizeof(void*) * 2)


cdef void transports_fini(transports_t* home) noexcept nogil:
    blocks_fini(&home.requests)


cdef void transports_flush(transports_t* home) noexcept nogil:
    if home.gather.to != NULL:
        transport_flush(home.gather.to)


cdef void transport_init(transport_t* t, transports_t* home, const transport_ops_t* ops,
                         const transport_on_t* on) noexcept nogil:
    memset(t, 0, sizeof(transport_t))
    t.home = home
    t.ops = ops
    t.on = on
    home.live += 1


# --- reading --------------------------------------------------------------------------------------


cdef void transport_read_start(transport_t* t) noexcept nogil:
    if t.flags & (TF_READING | TF_CLOSING):
        return
    if likely(t.ops.read_start(t) == 0):
        t.flags |= TF_READING


cdef void transport_read_stop(transport_t* t) noexcept nogil:
    if not t.flags & TF_READING or t.flags & TF_CLOSING:
        return
    t.flags &= ~<uint32_t>TF_READING
    t.ops.read_stop(t)


cdef bint transport_unread(transport_t* t) noexcept nogil:
    return not t.flags & TF_CLOSING and t.ops.unread(t)


cdef void transport_arrived(transport_t* t, ssize_t size) noexcept nogil:
    cdef transports_t* home = t.home
    if size > 0:
        t.bytes_in += size
    t.on.read(t, size)
    transports_flush(home)


# --- output ---------------------------------------------------------------------------------------


# Room for one more piece to t in the gather.
cdef inline gather_t* gather_for(transport_t* t) noexcept nogil:
    cdef gather_t* g = &t.home.gather
    if g.to != t or g.count == GATHER_MAX:
        if g.to != NULL:
            transport_flush(g.to)
        g.to = t
    return g


cdef void transport_put(transport_t* t, const char* ptr, size_t size,
                        buffer_t* buffer) noexcept nogil:
    cdef gather_t* g
    if size == 0 or t.flags & (TF_CLOSING | TF_BROKEN):
        return
    g = gather_for(t)
    g.bufs[g.count].base = <char*>ptr
    g.bufs[g.count].len = size
    g.refs[g.count] = buffer
    if buffer != NULL:
        buffer_ref(buffer)
    g.count += 1
    g.bytes += size


cdef void transport_put_scratch(transport_t* t, const char* ptr, uint32_t size) noexcept nogil:
    cdef gather_t* g = gather_for(t)
    if g.scratch_used + size > sizeof(g.scratch):
        transport_flush(t)
        g = gather_for(t)
    memcpy(g.scratch + g.scratch_used, ptr, size)      # COPY: framing of our own, a few bytes
    g.scratch_used += size
    transport_put(t, g.scratch + g.scratch_used - size, size, NULL)


cdef void transport_put_slices(transport_t* t, slices_t* slices) noexcept nogil:
    cdef slice_t* s = slices.first
    while s != NULL:
        transport_put(t, s.ptr, s.len, s.buffer)
        s = s.next
    slices_clear(t.home.buffers, slices)


cdef uint64_t transport_queued(transport_t* t) noexcept nogil:
    cdef gather_t* g = &t.home.gather
    if unlikely(t.flags & TF_BROKEN):
        return 1                             # what was lost never arrives: nobody takes it for sent
    return t.pending.bytes + (g.bytes if g.to == t else 0)


cdef void gather_clear(gather_t* g) noexcept nogil:
    cdef uint32_t i
    for i in range(g.count):
        if g.refs[i] != NULL:
            buffer_unref(g.refs[i])
    g.count = 0
    g.bytes = 0
    g.scratch_used = 0
    g.to = NULL


cdef void transport_flush(transport_t* t) noexcept nogil:
    cdef gather_t* g = &t.home.gather
    cdef ssize_t taken = 0
    if g.to != t:
        return
    if t.flags & (TF_CLOSING | TF_BROKEN) or g.count == 0:
        gather_clear(g)
        return
    if t.pending.first == NULL:
        taken = t.ops.try_write(t, g.bufs, g.count)
        if taken == UV_EAGAIN:
            taken = 0
        if unlikely(taken < 0):
            gather_clear(g)
            transport_break(t)
            return
        t.bytes_out += taken
    if likely(<uint64_t>taken == g.bytes):
        gather_clear(g)
        return
    if unlikely(gather_keep(t, <size_t>taken) != 0):
        gather_clear(g)
        transport_break(t)
        return
    gather_clear(g)
    transport_submit(t)


# Writes what the kernel takes of the queue now; False when a write failed.
cdef bint transport_push(transport_t* t) noexcept nogil:
    cdef uv_buf_t[64] bufs
    cdef uint32_t count
    cdef ssize_t taken
    cdef uint64_t offered
    while t.pending.first != NULL:
        offered = queue_bufs(t, bufs, &count, <uint64_t>-1)
        taken = t.ops.try_write(t, bufs, count)
        if taken == UV_EAGAIN:
            return True
        if unlikely(taken < 0):
            transport_break(t)
            return False
        t.bytes_out += taken
        slices_skip(t.home.buffers, &t.pending, taken)
        if <uint64_t>taken < offered:
            return True
    return True


# The front of the queue, at most `most` bytes and GATHER_MAX pieces; returns its bytes.
cdef uint64_t queue_bufs(transport_t* t, uv_buf_t* bufs, uint32_t* count,
                         uint64_t most) noexcept nogil:
    cdef slice_t* s = t.pending.first
    cdef uint64_t bytes = 0
    count[0] = 0
    while s != NULL and count[0] < GATHER_MAX and bytes < most:
        bufs[count[0]].base = <char*>s.ptr
        bufs[count[0]].len = s.len if s.len <= most - bytes else most - bytes
        bytes += bufs[count[0]].len
        count[0] += 1
        s = s.next
    return bytes


# What the kernel did not take becomes the queue's tail.
cdef int gather_keep(transport_t* t, size_t taken) noexcept nogil:
    cdef gather_t* g = &t.home.gather
    cdef buffer_t* copy
    cdef char* at
    cdef uint32_t i
    cdef int error = 0
    for i in range(g.count):
        if taken >= g.bufs[i].len:
            taken -= g.bufs[i].len
            continue
        if g.scratch <= g.bufs[i].base < g.scratch + sizeof(g.scratch):
            copy = buffer_take(t.home.buffers, BUFFER_SMALL)
            if copy == NULL:
                return -1
            at = buffer_data(copy)
            # COPY: the scratch is needed again before these bytes are out
            memcpy(at, g.bufs[i].base + taken, g.bufs[i].len - taken)
            error = slices_add(t.home.buffers, &t.pending, copy, at,
                               <uint32_t>(g.bufs[i].len - taken))
            buffer_unref(copy)
        else:
            error = slices_add(t.home.buffers, &t.pending, g.refs[i], g.bufs[i].base + taken,
                               <uint32_t>(g.bufs[i].len - taken))
        taken = 0
        if unlikely(error != 0):
            return error
    return 0


# Gives the front of the queue to the kind's own write: a step at a time, so that a slow reader's
# progress is seen.
cdef void transport_submit(transport_t* t) noexcept nogil:
    cdef uv_buf_t[64] bufs
    cdef uint32_t count
    if t.flags & TF_WRITING or t.pending.first == NULL:
        return
    t.inflight = queue_bufs(t, bufs, &count, WRITE_STEP)
    t.flags |= TF_WRITING
    if unlikely(t.ops.write(t, bufs, count) != 0):
        t.flags &= ~<uint32_t>TF_WRITING
        transport_break(t)


cdef void transport_wrote(transport_t* t, int status) noexcept nogil:
    cdef transports_t* home = t.home
    t.flags &= ~<uint32_t>TF_WRITING
    if t.flags & TF_CLOSING:
        return
    if unlikely(status < 0):
        transport_break(t)
        return
    t.bytes_out += t.inflight
    slices_skip(home.buffers, &t.pending, t.inflight)
    t.inflight = 0
    if transport_push(t):
        transport_submit(t)
    if t.pending.first == NULL and t.flags & TF_FINISH:
        transport_finish(t)
    if t.on.drain != NULL:
        t.on.drain(t)
    transports_flush(home)


# A write failed: the kernel's, or ours for want of memory. Its owner is in the middle of something:
# it hears of it from the read side, which ends now.
cdef void transport_break(transport_t* t) noexcept nogil:
    t.flags |= TF_BROKEN
    if not t.flags & TF_WRITING:
        slices_clear(t.home.buffers, &t.pending)
        t.inflight = 0
    t.ops.deafen(t)
    transport_read_start(t)


# --- the end --------------------------------------------------------------------------------------


cdef void transport_finish(transport_t* t) noexcept nogil:
    if t.flags & (TF_CLOSING | TF_FINISHED | TF_BROKEN):
        return
    transport_flush(t)
    if t.pending.first != NULL or t.flags & TF_BROKEN:
        t.flags |= TF_FINISH
        return
    t.flags |= TF_FINISHED
    t.ops.finish(t)


cdef void transport_close(transport_t* t, bint reset) noexcept nogil:
    if t.flags & TF_CLOSING:
        return
    if t.home.gather.to == t:
        gather_clear(&t.home.gather)
    t.flags |= TF_CLOSING
    t.ops.close(t, reset)


cdef void transport_closed(transport_t* t) noexcept nogil:
    cdef transports_t* home = t.home
    slices_clear(home.buffers, &t.pending)
    home.live -= 1
    t.on.closed(t)
    transports_flush(home)
