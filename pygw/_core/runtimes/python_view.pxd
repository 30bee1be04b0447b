# Owns: what a Python hook sees of an exchange: request and response.
# Thread and GIL: holds the GIL, on the loop's thread.
# Never does: read an exchange after the run that a view was made for; edit but by the host table.
# Read next: python_scope.pxd, python_view.pyx, python.pyx.

from pygw._core.runtimes.python_fields cimport Headers
from pygw._core.runtimes.python_scope cimport Scope
from pygw._core.types.hook cimport hook_call_t

cdef class Request(Scope):
    cdef Headers fields               # made when asked for, as `answer`; both lead back here:
    cdef Response answer              # view_end cuts the circle

cdef class Response:
    cdef Request of
    cdef Headers fields

# The views of a run. `view_end` makes those that the hook kept raise Gone from then on.
cdef Request view_begin(hook_call_t* call)
cdef Response view_response(Request of)
cdef inline void view_end(Request of) noexcept:
    of.call = NULL
    of.fields = None
    of.answer = None

# view_end by the only one who still knows `of`, but for what a hook kept: if it kept nothing, the
# views serve the next run.
cdef void view_last(Request of) noexcept
