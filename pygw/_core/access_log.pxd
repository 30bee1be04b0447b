# Owns: the access log of a worker: lines formatted in C, written in batches by libuv's threads.
# Thread and GIL: one worker's loop; no GIL; the write itself runs on the thread pool.
# Never does: block the loop, print, or log a field that is marked sensitive.
# Read next: log_line.pxd for the formats.
#
# Two buffers: one is filled while the other is on its way. When both are full, lines are dropped.
# ST_LOG_LINES counts lines taken, ST_LOG_DROPPED those that did not reach the file (no room, or the
# write failed); requests go on in any case.

from libc.stdint cimport uint32_t, uint64_t
from pygw._core.libs.uv cimport uv_buf_t, uv_loop_t, uv_fs_t
from pygw._core.types.memory cimport blocks_t
from pygw._core.types.timer cimport timer_t
from pygw._core.types.exchange cimport exchange_t
from pygw._core.timer cimport wheel_t
from pygw._core.log_line cimport log_clock_t

cdef enum log_format:
    LOG_OFF = 0
    LOG_COMBINED = 1
    LOG_JSON = 2

cdef enum:
    LOG_CLOSE_TRIES = 10      # a file that would block is tried so often before a close gives up

ctypedef void (*log_closed_fn)(void* arg) noexcept nogil
# Starts the write of `piece`; access_log_wrote must follow, from the loop, once. A negative errno:
# it could not start.
ctypedef int (*log_write_fn)(access_log_t* log, const uv_buf_t* piece) noexcept nogil

cdef struct log_buffer_t:
    uint32_t used             # bytes of whole lines
    uint32_t written          # of these, bytes that the file has taken
    char bytes[262144]        # LOG_BUFFER

# Half a megabyte, of which only what is used becomes resident.
cdef struct access_log_t:
    uv_loop_t* loop           # borrow(loop, until closed)
    wheel_t* wheel            # borrow(worker, until closed)
    uint64_t* counters        # borrow(worker, for ever): stats.pxd
    int fd                    # own; -1: none, every line is dropped
    int next_fd               # own: waits for the write in flight; -1: none
    uint32_t filling          # the buffer that takes lines; the other is on its way or empty
    bint writing              # a write is in flight
    bint blocked              # the file would block: tried again by the timer
    bint wanted               # a flush was asked for while a write was in flight
    uint32_t tries            # of a close, while blocked
    timer_t timer             # the first line's wait, or the wait of a blocked file
    uv_fs_t* request          # own: one write at a time
    blocks_t requests         # where its memory comes from
    log_clock_t clock         # the time as text, by second
    log_write_fn write        # static: libuv's thread pool, or a test's
    log_closed_fn closed      # static; NULL while open
    void* closed_arg          # borrow(who closes, until closed)
    log_buffer_t buffers[2]

# Takes `fd` over (it is closed by reopen and close; -1: none). 0 or E_CORE_MEMORY.
cdef int access_log_init(access_log_t* log, uv_loop_t* loop, wheel_t* wheel, int fd,
                         uint64_t* counters) noexcept nogil
# One line for x, whose log phase this is. LOG_OFF does nothing.
cdef void access_log_line(access_log_t* log, exchange_t* x, int format,
                          uint64_t unix_ms) noexcept nogil
# Sends what is buffered on its way now.
cdef void access_log_flush(access_log_t* log) noexcept nogil
# The write is over: bytes taken, or a negative errno.
cdef void access_log_wrote(access_log_t* log, int result) noexcept nogil
# Goes on with another file, fd >= 0, taken over; a write in flight ends on the old one, which is
# closed.
cdef void access_log_reopen(access_log_t* log, int fd) noexcept nogil
# Writes what is buffered, closes the file, then calls `closed`, perhaps before this returns. Lines
# that come later are dropped. A pipe that nobody reads can hold the thread, and with it this, for
# ever: have a deadline. Legal once.
cdef void access_log_close(access_log_t* log, log_closed_fn closed, void* arg) noexcept nogil
