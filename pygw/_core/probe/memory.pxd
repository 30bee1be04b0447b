# Owns: memory whose end borders on a page that must not be touched.
# Thread and GIL: a Python object of its thread; GIL.
# Never does: serve traffic.
# Read next: memory.pyx, http1.pyx.

# Bytes placed in it end exactly before a guard page: reading or writing one byte beyond ends the
# process. What was placed before is overwritten first, so that stale pointers read rubbish.
cdef class Guarded:
    cdef char* start          # own: the mapping
    cdef size_t size          # usable bytes, the guard page excluded
    cdef size_t page
    cdef size_t used          # bytes placed last

    cdef char* place(self, const char* ptr, size_t size) except NULL
    cdef void forget(self) noexcept
