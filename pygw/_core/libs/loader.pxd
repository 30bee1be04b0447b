# Owns: the opening of a C library and the search for its functions.
# Thread and GIL: used while modules are imported, under the GIL.
# Never does: make a library's symbols global (RTLD_GLOBAL), or close a library again.
# Read next: wheel.py for where a library is found, uv.pyx and llhttp.pyx for what is proven of it.

# An open library. It stays open as long as the process: tables of its functions outlive this.
cdef class Library:
    cdef void* handle                 # static: of dlopen, never closed
    cdef readonly str name            # of the C library, for error texts
    cdef readonly str path            # the file it was found in
    cdef readonly str release         # the package and its release, or the override's name
    cdef readonly str remedy          # what the user does if something is missing

    # Puts the function `symbol` into `*slot`. LibraryError that names the symbol if it is missing.
    cdef int fill(self, void* slot, const char* symbol) except -1

    # Whether the library exports `symbol`.
    cdef bint has(self, const char* symbol) noexcept

# Opens the library of a wheel.Wheel. A wheel's own extension is loaded already and is only looked
# up (RTLD_NOLOAD), an override or the system's copy is loaded now. LibraryError if none can be had.
cdef Library library_open(object wheel)
# The file in which a function of a library lies; "" if the linker does not tell.
cdef str file_of(const void* symbol)
