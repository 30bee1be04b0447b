# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: the access log of a worker: lines formatted in C, written in batches by libuv's threads.
# Thread and GIL: one worker's loop; no GIL; the write itself runs on the thread pool.
# Never does: block the loop, or print.
# Read next: access_log.pxd for the contract.

from libc.stddef cimport size_t
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memchr
from posix.unistd cimport close
from pygw._core.check cimport BUG_ON, likely, unlikely
from pygw._core.block cimport blocks_init, blocks_fini, block_take, block_give
from pygw._core.fault cimport E_CORE_MEMORY
from pygw._core.limits cimport LOG_BUFFER, LOG_LINE_MAX, LOG_FLUSH_MS
from pygw._core.libs.uv cimport (
    uv, uv_buf_t, uv_fs_t, uv_loop_t, UV_FS_SIZE, UV_EAGAIN, UV_EINTR, UV_EIO,
)
from pygw._core.log_line cimport log_line_combined, log_line_json
from pygw._core.stats cimport stat_add, ST_LOG_DROPPED, ST_LOG_LINES
from pygw._core.timer cimport wheel_t, timer_arm, timer_detach, timer_init
from pygw._core.types.exchange cimport exchange_t
from pygw._core.types.timer cimport timer_t

# What is allocated: our word in front of libuv's opaque request. 16 bytes keep it aligned.
cdef struct log_request_t:
    access_log_t* log         # borrow(worker, until closed)
    void* unused              # static: NULL, keeps what follows aligned


cdef inline access_log_t* log_of_timer(timer_t* t) noexcept nogil:
    return <access_log_t*>(<char*>t - <size_t>&(<access_log_t*>NULL).timer)


cdef inline log_buffer_t* filling(access_log_t* log) noexcept nogil:
    return &log.buffers[log.filling]


# The buffer that is on its way to the file, or empty.
cdef inline log_buffer_t* leaving(access_log_t* log) noexcept nogil:
    return &log.buffers[1 - log.filling]


cdef int access_log_init(access_log_t* log, uv_loop_t* loop, wheel_t* wheel, int fd,
                         uint64_t* counters) noexcept nogil:
    cdef log_request_t* memory
    blocks_init(&log.requests, sizeof(log_request_t) + UV_FS_SIZE)
    memory = <log_request_t*>block_take(&log.requests)
    if unlikely(memory == NULL):
        return E_CORE_MEMORY
    memory.log = log
    log.request = <uv_fs_t*>(memory + 1)
    log.loop = loop
    log.wheel = wheel
    log.counters = counters
    log.fd = fd
    log.next_fd = -1
    log.filling = 0
    log.writing = False
    log.blocked = False
    log.wanted = False
    log.tries = 0
    log.write = log_write
    log.closed = NULL
    log.closed_arg = NULL
    log.clock.second = 0
    log.buffers[0].used = log.buffers[0].written = 0
    log.buffers[1].used = log.buffers[1].written = 0
    timer_init(&log.timer, log_on_timer)
    return 0


# --- writing --------------------------------------------------------------------------------------


cdef uint32_t lines_in(const char* at, const char* end) noexcept nogil:
    cdef uint32_t count = 0
    cdef const char* found
    while at < end:
        found = <const char*>memchr(at, c'\n', end - at)
        if found == NULL:
            break
        count += 1
        at = found + 1
    return count


# Gives up what the file has not taken.
cdef void leaving_drop(access_log_t* log) noexcept nogil:
    cdef log_buffer_t* b = leaving(log)
    stat_add(log.counters, ST_LOG_DROPPED, lines_in(b.bytes + b.written, b.bytes + b.used))
    b.used = b.written = 0


cdef int log_write(access_log_t* log, const uv_buf_t* piece) noexcept nogil:
    return uv.fs_write(log.loop, log.request, log.fd, piece, 1, -1, log_on_write)


# Sends on its way what is left of the leaving buffer.
cdef void write_start(access_log_t* log) noexcept nogil:
    cdef log_buffer_t* b = leaving(log)
    cdef uv_buf_t piece
    BUG_ON(log.writing or b.written >= b.used)
    piece.base = b.bytes + b.written
    piece.len = b.used - b.written
    if unlikely(log.write(log, &piece) < 0):
        leaving_drop(log)
        return
    log.writing = True


# Goes on with next_fd. A line that the old file has in part ends there: the rest would be a broken
# line in the new one.
cdef void file_switch(access_log_t* log) noexcept nogil:
    cdef log_buffer_t* b = leaving(log)
    if log.fd >= 0:
        close(log.fd)
    log.fd = log.next_fd
    log.next_fd = -1
    if b.written and b.bytes[b.written - 1] != c'\n':
        while b.bytes[b.written] != c'\n':
            b.written += 1
        b.written += 1
        stat_add(log.counters, ST_LOG_DROPPED, 1)


# The file took `result` bytes of the leaving buffer, or failed with a negative errno.
cdef void leaving_settle(access_log_t* log, int result) noexcept nogil:
    cdef log_buffer_t* b = leaving(log)
    if likely(result > 0):
        b.written += result
        log.tries = 0
    elif result == UV_EAGAIN and (log.closed == NULL or log.tries < LOG_CLOSE_TRIES):
        log.tries += 1
        log.blocked = True
        timer_arm(log.wheel, &log.timer, LOG_FLUSH_MS)
    elif result != UV_EINTR:
        leaving_drop(log)


cdef void log_on_write(uv_fs_t* request) noexcept nogil:
    cdef int result = -uv.fs_get_system_error(request)
    uv.fs_req_cleanup(request)
    access_log_wrote((<log_request_t*>request - 1).log, result)


cdef void access_log_wrote(access_log_t* log, int result) noexcept nogil:
    log.writing = False
    leaving_settle(log, result if result != 0 else UV_EIO)
    if unlikely(log.next_fd >= 0):
        file_switch(log)
    log_go_on(log)


# What comes after a write, or after a wait.
cdef void log_go_on(access_log_t* log) noexcept nogil:
    cdef log_buffer_t* b = leaving(log)
    if log.writing or log.blocked:
        return
    if b.written < b.used:
        write_start(log)
        if log.writing:
            return
    b.used = b.written = 0
    if log.wanted or log.closed != NULL:
        access_log_flush(log)
    if log.closed != NULL and not log.writing:
        log_finish(log)


cdef void log_on_timer(timer_t* t) noexcept nogil:
    cdef access_log_t* log = log_of_timer(t)
    log.blocked = False
    log.wanted = True
    log_go_on(log)


cdef void access_log_flush(access_log_t* log) noexcept nogil:
    log.wanted = filling(log).used != 0
    if not log.wanted or log.writing or log.blocked:
        return
    log.wanted = False
    log.filling = 1 - log.filling
    write_start(log)


# --- the door -------------------------------------------------------------------------------------


# Where a line may be written; NULL when both buffers are full or nobody listens.
cdef inline char* line_room(access_log_t* log) noexcept nogil:
    if unlikely(log.fd < 0 or log.closed != NULL):
        return NULL
    if unlikely(filling(log).used > LOG_BUFFER - LOG_LINE_MAX):
        access_log_flush(log)
        if filling(log).used > LOG_BUFFER - LOG_LINE_MAX:
            return NULL
    return filling(log).bytes + filling(log).used


cdef void access_log_line(access_log_t* log, exchange_t* x, int format,
                          uint64_t unix_ms) noexcept nogil:
    cdef char* room
    cdef uint32_t size
    if format == LOG_OFF:
        return
    stat_add(log.counters, ST_LOG_LINES, 1)
    room = line_room(log)
    if unlikely(room == NULL):
        stat_add(log.counters, ST_LOG_DROPPED, 1)
        return
    if format == LOG_JSON:
        size = log_line_json(room, &log.clock, x, unix_ms)
    else:
        size = log_line_combined(room, &log.clock, x, unix_ms)
    if filling(log).used == 0 and not log.blocked:
        timer_arm(log.wheel, &log.timer, LOG_FLUSH_MS)
    filling(log).used += size


cdef void access_log_reopen(access_log_t* log, int fd) noexcept nogil:
    BUG_ON(log.closed != NULL)
    if log.next_fd >= 0:
        close(log.next_fd)
    log.next_fd = fd
    if not log.writing:
        file_switch(log)


cdef void access_log_close(access_log_t* log, log_closed_fn closed, void* arg) noexcept nogil:
    BUG_ON(log.closed != NULL)
    log.closed = closed
    log.closed_arg = arg
    log_go_on(log)


cdef void log_finish(access_log_t* log) noexcept nogil:
    timer_detach(log.wheel, &log.timer)
    if log.fd >= 0:
        close(log.fd)
        log.fd = -1
    block_give(&log.requests, <log_request_t*>log.request - 1)
    blocks_fini(&log.requests)
    log.request = NULL
    log.closed(log.closed_arg)
