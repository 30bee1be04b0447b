# Owns: the fields of a head and the variables of an exchange, as Python sees them.
# Thread and GIL: holds the GIL, on the loop's thread.
# Never does: build a dict of a head, or edit it but by the host table.
# Read next: python_scope.pxd, python_view.pxd.

from pygw._core.runtimes.python_scope cimport Scope
from pygw._core.types.header cimport header_t, headers_t

cdef class Headers:
    cdef Scope of
    cdef int side                     # hook_side

    cdef headers_t* fields(self) except NULL
    cdef Py_ssize_t find(self, object name, Py_ssize_t after) except -2
    cdef bint shows(self, header_t* h) noexcept
    cdef object value(self, object name, Py_ssize_t place)
    cdef int edit(self, int what, object name, object value) except -1

cdef class Vars:
    cdef Scope of

    cdef object find(self, object name, object default)

cdef Headers headers_view(Scope of, int side)
cdef Vars vars_view(Scope of)
