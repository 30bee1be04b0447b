# Owns: a line for people on standard error, from the data path.
# Thread and GIL: any; no GIL.
# Never does: wait: what standard error does not take at once is lost.
# Read next: malformed.pxd, hooks.pxd, mirror.pxd, which bound how many they write.

from libc.stddef cimport size_t

cdef enum:
    NOTICE_BYTES = 256        # below PIPE_BUF: a pipe that is ready takes it whole, at once

# Where lines go instead of standard error, in tests.
ctypedef void (*notice_fn)(void* arg, const char* line, size_t size) noexcept nogil

# Writes a line, its "\n" included, to standard error.
cdef void notice_write(void* arg, const char* line, size_t size) noexcept nogil
# "HH:MM:SS " into `out`, at least 10 bytes; returns 9.
cdef size_t notice_time(char* out) noexcept nogil
