# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: a line for people on standard error, from the data path.
# Thread and GIL: any; no GIL.
# Never does: wait: what standard error does not take at once is lost.
# Read next: notice.pxd for the contract.

from libc.stdio cimport snprintf
from libc.time cimport localtime_r, time, time_t, tm
from posix.unistd cimport write

cdef extern from "<poll.h>" nogil:
    short POLLOUT
    struct pollfd:
        int fd
        short events
        short revents
    int poll(pollfd* fds, unsigned long count, int timeout_ms)

cdef enum:
    STDERR = 2


cdef void notice_write(void* arg, const char* line, size_t size) noexcept nogil:
    cdef pollfd ready
    ready.fd = STDERR
    ready.events = POLLOUT
    ready.revents = 0
    if poll(&ready, 1, 0) == 1 and ready.revents & POLLOUT:
        write(STDERR, line, size)


cdef size_t notice_time(char* out) noexcept nogil:
    cdef time_t now = time(NULL)
    cdef tm parts
    localtime_r(&now, &parts)
    snprintf(out, 10, b"%02d:%02d:%02d ", parts.tm_hour, parts.tm_min, parts.tm_sec)
    return 9
