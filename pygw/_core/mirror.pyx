# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: copies of requests on their way to a second upstream.
# Thread and GIL: one worker's loop; no GIL; no I/O of its own.
# Never does: touch the exchange it copies.
# Read next: mirror.pxd for the contract.

from libc.stdio cimport snprintf
from libc.string cimport memcpy, memset
from pygw._core.arena cimport arena_bytes
from pygw._core.block cimport block_give, block_take, blocks_fini, blocks_init
from pygw._core.buffer cimport buffer_data, buffer_ref, slices_clear, slices_init, slices_share
from pygw._core.check cimport BUG_ON, unlikely
from pygw._core.detached cimport (
    detached_body, detached_body_end, detached_cancel, detached_make, detached_on_t,
    detached_start)
from pygw._core.fault cimport fault_get
from pygw._core.headers cimport headers_append, headers_init
from pygw._core.limits cimport (
    HEADERS_INLINE, MIRROR_BYTES_MAX, MIRROR_LOG_MS, MIRRORS_MAX)
from pygw._core.notice cimport notice_time, notice_write, NOTICE_BYTES
from pygw._core.stats cimport (
    stat_add, ST_MIRROR_FAULTS, ST_MIRROR_NO_ROOM, ST_MIRROR_TOO_LARGE, ST_MIRRORED)
from pygw._core.types.exchange cimport XF_FORWARDED
from pygw._core.types.header cimport (
    header_t, headers_t, HF_HOP, HF_REMOVED, H_EXPECT)
from pygw._core.types.memory cimport arena_t, slice_t
from pygw._core.types.message cimport (
    request_t, FRAMING_LENGTH, MF_BODY_EDITED, MF_EXPECT_CONTINUE, MF_UPGRADE)
from pygw._core.types.upstream cimport SHARES


cdef void mirrors_init(mirrors_t* home, host_t* host) noexcept nogil:
    memset(home, 0, sizeof(mirrors_t))
    home.host = host
    home.write = notice_write
    blocks_init(&home.blocks, sizeof(mirror_t))


cdef void mirrors_fini(mirrors_t* home) noexcept nogil:
    BUG_ON(home.held != 0)
    blocks_fini(&home.blocks)


# --- failures -------------------------------------------------------------------------------------


# One line at once, then one for all that fail within MIRROR_LOG_MS.
cdef void tell(mirrors_t* home, const mirror_conf_t* conf, const char* why) noexcept nogil:
    cdef uint64_t now_ms = home.host.unix_ms(home.host)
    cdef char line[256]       # NOTICE_BYTES
    cdef size_t at
    cdef int size
    home.untold += 1
    if home.write == NULL or (home.told_ms and now_ms - home.told_ms < MIRROR_LOG_MS):
        return
    at = notice_time(line)
    size = snprintf(line + at, NOTICE_BYTES - at,
                    b"warning mirror: %u requests did not reach their second upstream, the last of"
                    b" route %.*s to %.*s: %s\n", home.untold, <int>conf.route.len,
                    conf.route.ptr, <int>conf.to.name.len, conf.to.name.ptr, why)
    home.told_ms = now_ms
    home.untold = 0
    if 0 < size < <int>(NOTICE_BYTES - at):
        home.write(home.write_arg, line, at + size)


cdef void no_room(mirrors_t* home, const mirror_conf_t* conf) noexcept nogil:
    stat_add(home.host.counters, ST_MIRROR_NO_ROOM, 1)
    tell(home, conf, b"too many are on their way")


# --- collecting -----------------------------------------------------------------------------------


# Multiples of the golden ratio fill the unit interval evenly: see split.pyx.
cdef bint is_chosen(mirrors_t* home, const mirror_conf_t* conf) noexcept nogil:
    if conf.share == SHARES:
        return True
    home.turn += <uint64_t>0x9E3779B97F4A7C15
    return ((home.turn >> 32) * SHARES) >> 32 < conf.share


# Takes so much more from what all copies may keep. False: there is not so much.
cdef bint hold(mirror_t* m, uint64_t size) noexcept nogil:
    if size > MIRROR_BYTES_MAX - m.home.held:
        return False
    m.held += size
    m.home.held += size
    return True


cdef mirror_t* mirror_begin(const exchange_t* x, const mirror_conf_t* conf) noexcept nogil:
    cdef mirrors_t* home = <mirrors_t*>x.host.mirrors
    cdef mirror_t* m
    if home == NULL or x.request.half.flags & MF_UPGRADE or not is_chosen(home, conf):
        return NULL
    if (x.request.half.framing == FRAMING_LENGTH and x.request.half.length > conf.max_bytes
            and not x.request.half.flags & MF_BODY_EDITED):
        stat_add(home.host.counters, ST_MIRROR_TOO_LARGE, 1)
        return NULL
    m = <mirror_t*>block_take(&home.blocks) if home.blocks.live < MIRRORS_MAX else NULL
    if unlikely(m == NULL):
        no_room(home, conf)
        return NULL
    memset(m, 0, sizeof(mirror_t))
    m.home = home
    m.conf = conf
    m.upstream = conf.to[0]
    m.upstream.retry.attempts = 0
    memset(&m.upstream.retry.statuses, 0, sizeof(m.upstream.retry.statuses))
    m.detached = detached_make(x, &m.upstream)
    if unlikely(m.detached == NULL or not hold(m, head_bytes(x))):
        no_room(home, conf)
        mirror_end(m)
        return NULL
    return m


cdef inline uint64_t head_bytes(const exchange_t* x) noexcept nogil:
    return sizeof(mirror_t) + sizeof(detached_t) + (
        x.request.half.head.cap if x.request.half.head != NULL else 0)


# Gives everything back but what has left.
cdef void mirror_end(mirror_t* m) noexcept nogil:
    cdef mirrors_t* home = m.home
    if m.detached != NULL:
        detached_cancel(m.detached)
    home.held -= m.held
    block_give(&home.blocks, m)


cdef void mirror_drop(mirror_t* m, int counter) noexcept nogil:
    stat_add(m.home.host.counters, counter, 1)
    mirror_end(m)


# A buffer is kept from others as a whole, however small the slice.
cdef uint64_t body_bytes(mirror_t* m, const slices_t* body) noexcept nogil:
    cdef const slice_t* s = body.first
    cdef uint64_t bytes = 0
    while s != NULL:
        bytes += sizeof(slice_t)
        if s.buffer != m.last and s.buffer != NULL:
            bytes += s.buffer.cap
            m.last = s.buffer
        s = s.next
    return bytes


cdef bint mirror_keep(mirror_t* m, const slices_t* body) noexcept nogil:
    cdef mirrors_t* home = m.home
    cdef slices_t copy
    if body.first == NULL:
        return True
    if body.bytes > m.conf.max_bytes - m.detached.x.request_side.arrived.bytes:
        mirror_drop(m, ST_MIRROR_TOO_LARGE)
        return False
    slices_init(&copy)
    if not hold(m, body_bytes(m, body)) or slices_share(home.host.buffers, &copy, body) != 0:
        slices_clear(home.host.buffers, &copy)
        no_room(home, m.conf)
        mirror_end(m)
        return False
    detached_body(m.detached, &copy)
    return True


# --- the head -------------------------------------------------------------------------------------


# What does not lie in the head's own buffer, of which the copy has a reference, may go with the
# exchange. 0, or -1 when there is no memory.
cdef int bytes_keep(arena_t* arena, const buffer_t* head, const char** ptr,
                    uint32_t size) noexcept nogil:
    cdef char* copy
    if size == 0 or (head != NULL and buffer_data(<buffer_t*>head) <= ptr[0]
                     < buffer_data(<buffer_t*>head) + head.cap):
        return 0
    copy = arena_bytes(arena, size)
    if unlikely(copy == NULL):
        return -1
    memcpy(copy, ptr[0], size)                       # COPY: it may lie in the exchange's arena
    ptr[0] = copy
    return 0


cdef inline int span_keep(arena_t* arena, const buffer_t* head, span_t* s) noexcept nogil:
    return bytes_keep(arena, head, &s.ptr, s.len)


# A line stays a line, so that neighbours go on leaving as one run.
cdef int field_keep(arena_t* arena, const buffer_t* head, header_t* h) noexcept nogil:
    cdef const char* line = h.name.ptr
    if h.raw_len == 0 or h.value.ptr < line or h.value.ptr + h.value.len > line + h.raw_len:
        return span_keep(arena, head, &h.name) | span_keep(arena, head, &h.value)
    if bytes_keep(arena, head, &h.name.ptr, h.raw_len) != 0:
        return -1
    h.value.ptr = h.name.ptr + (h.value.ptr - line)
    return 0


cdef int fields_keep(arena_t* arena, const buffer_t* head, headers_t* out,
                     const headers_t* of) noexcept nogil:
    cdef const header_t* h
    cdef header_t* copy
    cdef uint32_t i
    for i in range(of.count):
        h = &of.items[i]
        if h.flags & (HF_HOP | HF_REMOVED) or h.id == H_EXPECT:
            continue
        copy = headers_append(out, arena)
        if unlikely(copy == NULL):
            return -1
        copy[0] = h[0]
        if unlikely(field_keep(arena, head, copy) != 0):
            return -1
    return 0


cdef int head_keep(exchange_t* copy, const exchange_t* x) noexcept nogil:
    cdef request_t* q = &copy.request
    cdef arena_t* arena = &copy.arena
    cdef buffer_t* head = x.request.half.head
    q[0] = x.request
    q.half.arena = arena
    q.half.sent = 0
    q.half.flags &= ~<uint32_t>MF_EXPECT_CONTINUE
    if head != NULL:
        buffer_ref(head)
    headers_init(&q.half.headers, copy.request_headers, HEADERS_INLINE)
    headers_init(&q.half.trailers, NULL, 0)
    return (fields_keep(arena, head, &q.half.headers, &x.request.half.headers)
            | fields_keep(arena, head, &q.half.trailers, &x.request.half.trailers)
            | span_keep(arena, head, &q.half.line) | span_keep(arena, head, &q.method_name)
            | span_keep(arena, head, &q.target) | span_keep(arena, head, &q.scheme)
            | span_keep(arena, head, &q.authority) | span_keep(arena, head, &q.path)
            | span_keep(arena, head, &q.query))


# --- sending --------------------------------------------------------------------------------------


cdef void mirror_send(mirror_t* m, const exchange_t* x) noexcept nogil:
    cdef detached_t* d = m.detached
    if unlikely(head_keep(&d.x, x) != 0):
        no_room(m.home, m.conf)
        mirror_end(m)
        return
    stat_add(m.home.host.counters, ST_MIRRORED, 1)
    d.x.flags |= XF_FORWARDED                        # its fields say already by whom it comes
    detached_body_end(d)
    detached_start(d, &on, m, m.conf.timeout_ms)


cdef void on_end(detached_t* d, int error) noexcept nogil:
    cdef mirror_t* m = <mirror_t*>d.owner
    m.detached = NULL                                # it is about to go by itself
    if unlikely(error != 0):
        stat_add(m.home.host.counters, ST_MIRROR_FAULTS, 1)
        tell(m.home, m.conf, fault_get(error).label)
    mirror_end(m)


cdef detached_on_t on
on.head = NULL
on.body = NULL
on.end = on_end


cdef bint mirror_owns(const exchange_t* x) noexcept nogil:
    return (<detached_t*>(<char*>x - <size_t>&(<detached_t*>NULL).x)).on == &on
