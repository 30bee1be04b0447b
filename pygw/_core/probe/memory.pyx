# cython: language_level=3
# Owns: memory whose end borders on a page that must not be touched.
# Thread and GIL: a Python object of its thread; GIL.
# Never does: serve traffic.
# Read next: memory.pxd for the contract.
"""Memory with a guard page behind it."""

from libc.string cimport memcpy, memset
from posix.mman cimport (
    MAP_ANONYMOUS, MAP_FAILED, MAP_PRIVATE, PROT_NONE, PROT_READ, PROT_WRITE, mmap, mprotect,
    munmap)
from posix.unistd cimport _SC_PAGESIZE, sysconf


cdef class Guarded:
    """Room for at least `size` bytes before a page that may not be touched."""

    def __cinit__(self, size_t size):
        cdef void* memory
        self.page = <size_t>sysconf(_SC_PAGESIZE)
        self.size = (size // self.page + 1) * self.page
        memory = mmap(NULL, self.size + self.page, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        if memory == MAP_FAILED:
            raise MemoryError("no memory for a guarded mapping")
        self.start = <char*>memory
        if mprotect(self.start + self.size, self.page, PROT_NONE) != 0:
            raise OSError("the guard page can not be protected")

    def __dealloc__(self):
        if self.start != NULL:
            munmap(self.start, self.size + self.page)

    cdef void forget(self) noexcept:
        memset(self.start + self.size - self.used, 0xEE, self.used)
        self.used = 0

    cdef char* place(self, const char* ptr, size_t size) except NULL:
        if size > self.size:
            raise ValueError(f"{size} bytes do not fit into {self.size}")
        self.forget()
        self.used = size
        memcpy(self.start + self.size - size, ptr, size)
        return self.start + self.size - size
