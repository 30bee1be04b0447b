# Owns: the life of the views of one run, and the way of their edits to the host table.
# Thread and GIL: holds the GIL, on the loop's thread only: others are refused.
# Never does: read an exchange after its run, or edit it but by the host table.
# Read next: python_fields.pxd, python_view.pxd.

from libc.stdint cimport uint32_t
from pygw._core.check cimport likely, unlikely
from pygw._core.types.header cimport span_t
from pygw._core.types.hook cimport hook_call_t

cdef extern from "Python.h":
    bint PyUnicode_IS_COMPACT_ASCII(object text)
    void* PyUnicode_DATA(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)

# All views of a run look through one of these; NULL ends them, and they raise Gone from then on.
cdef class Scope:
    cdef hook_call_t* call            # borrow(filters/hook.pyx, until the run is over)

cdef enum edit:
    EDIT_HEADER_SET = 0
    EDIT_HEADER_ADD = 1
    EDIT_HEADER_DEL = 2
    EDIT_METHOD = 3
    EDIT_PATH = 4
    EDIT_QUERY = 5
    EDIT_BODY = 6
    EDIT_VAR = 7
    EDIT_LOG = 8

# What an edit is about; spans borrow from objects that its caller holds.
cdef struct edit_t:
    int what                          # enum edit
    int side                          # hook_side
    uint32_t number                   # a status or a level
    span_t name
    span_t value

cdef enum coding:
    LATIN_1 = 0                       # fields and start lines: each byte is a character
    UTF_8 = 1                         # bodies, variables, lines of the log

# Takes the GIL, to be given back with PyEval_SaveThread, if this is the loop's thread and does not
# hold it; else False.
cdef bint loop_resumes() noexcept nogil
# The call, which may be looked at now. Raises Gone, and Refused on another thread: the loop goes on
# with the exchange, without the GIL, while that one looks.
cdef hook_call_t* call_of(Scope scope) except NULL
# A count or 0, or a negative host_error.
cdef int edit_do(Scope scope, const edit_t* e) except? -100
# The same; raises what view_refuse does.
cdef int edit_or_raise(Scope scope, const edit_t* e, object what) except -1
# What a host_error of an edit of `what` is to an author: raises Gone or Refused.
cdef int view_refuse(int error, object what) except -1

# The bytes of a str or of bytes in `out`; answers what holds them, which the caller keeps until
# they are used. Raises TypeError, and Refused for text that the coding has no bytes for.
cdef inline object view_text(object text, int coding, span_t* out):
    if likely(type(text) is str and PyUnicode_IS_COMPACT_ASCII(text)
              and PyUnicode_GET_LENGTH(text) <= 0x7FFFFFFF):
        out.ptr = <const char*>PyUnicode_DATA(text)
        out.len = <uint32_t>PyUnicode_GET_LENGTH(text)
        return text
    return other_text(text, coding, out)

cdef object other_text(object text, int coding, span_t* out)
# A field's value as the key was given: str (latin-1, which gives each byte back) or bytes.
cdef object text_like(object key, span_t value)
cdef str text(span_t value)
