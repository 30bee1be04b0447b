# Owns: what a Python hook may answer, besides nothing.
# Thread and GIL: holds the GIL.
# Never does: check bytes: the host table does.
# Read next: python_view.pxd.

from libc.stdint cimport uint32_t
from pygw._core.types.hook cimport hook_call_t

cdef class Reply:
    cdef readonly uint32_t status
    cdef readonly object body         # bytes
    cdef readonly object headers      # tuple of pairs
    cdef readonly object content_type # str

# Cuts the connection without an answer.
cdef class Abort:
    pass

# Tells the host what to reply; hooks.running is the call. Raises Refused with the reason.
cdef int reply_tell(hook_call_t* call, Reply reply) except -1
