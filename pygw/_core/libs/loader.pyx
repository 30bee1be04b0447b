# cython: language_level=3
# Owns: the opening of a C library and the search for its functions.
# Thread and GIL: used while modules are imported, under the GIL.
# Never does: make a library's symbols global (RTLD_GLOBAL), or close a library again.
# Read next: wheel.py for where a library is found, uv.pyx and llhttp.pyx for what is proven of it.

import os

from posix.dlfcn cimport RTLD_NOW, dlerror, dlopen, dlsym

from pygw._core.libs.wheel import LibraryError, locate

cdef extern from "<dlfcn.h>" nogil:
    int RTLD_LOCAL
    int RTLD_NOLOAD
    ctypedef struct Dl_info:
        const char* dli_fname             # static: the linker's
    int dladdr(const void* symbol, Dl_info* found)


cdef class Library:

    cdef int fill(self, void* slot, const char* symbol) except -1:
        cdef void* found = dlsym(self.handle, symbol)
        if found == NULL:
            raise LibraryError(
                self.name,
                f"{self.path} ({self.release}) does not export {symbol.decode()}",
                self.remedy,
            )
        (<void**>slot)[0] = found
        return 0

    cdef bint has(self, const char* symbol) noexcept:
        return dlsym(self.handle, symbol) != NULL


cdef Library library_open(object wheel):
    location = locate(wheel)
    cdef bytes path = os.fsencode(location.path)
    cdef int flags = RTLD_NOW | RTLD_LOCAL
    cdef Library library = Library.__new__(Library)
    cdef const char* reason
    if location.shared:
        flags |= RTLD_NOLOAD
    library.name = wheel.library
    library.path = location.path
    library.release = location.release
    library.remedy = wheel.remedy
    if not location.shared and location.path != wheel.soname:
        library.remedy = f"unset {wheel.override} to use the copy in {wheel.package}"
    library.handle = dlopen(path, flags)
    if library.handle == NULL:
        reason = dlerror()
        why = os.fsdecode(reason) if reason != NULL else "it is not the copy that Python loaded"
        raise LibraryError(library.name, f"{library.path} cannot be opened ({why})", library.remedy)
    return library


cdef str file_of(const void* symbol):
    cdef Dl_info found
    if dladdr(symbol, &found) == 0 or found.dli_fname == NULL:
        return ""
    return os.fsdecode(found.dli_fname)
