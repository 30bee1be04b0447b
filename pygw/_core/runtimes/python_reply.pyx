# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Owns: what a Python hook may answer, besides nothing.
# Thread and GIL: holds the GIL.
# Never does: check bytes: the host table does.
# Read next: python_reply.pxd for the contract.
"""Answers of Python hooks: ``Reply`` and ``ABORT``."""

cimport cython
from pygw._core.runtimes.python_scope cimport view_refuse, view_text, LATIN_1, UTF_8
from pygw._core.types.header cimport span_t
from pygw._core.types.hook cimport hook_call_t


cdef str TEXT = "text/plain; charset=utf-8"
cdef str BYTES = "application/octet-stream"


@cython.final
@cython.freelist(16)
cdef class Reply:
    """An answer of the hook's own: ``return Reply(401, "missing key\\n")``.

    ``status`` is 200 to 599. A ``body`` of str leaves as UTF-8 and as text/plain unless
    ``content_type`` says otherwise. ``headers`` is a mapping, or pairs when a name comes twice.
    Raises TypeError for values of other types; what the wire forbids fails the run (HOOK_WRONG).
    """

    def __init__(self, uint32_t status, body=b"", headers=(), content_type=None):
        self.status = status
        if isinstance(body, str):
            self.body = str.encode(body)
            self.content_type = TEXT if content_type is None else content_type
        else:
            self.body = body if type(body) is bytes else bytes(memoryview(body))
            self.content_type = BYTES if content_type is None and self.body else content_type or ""
        if not isinstance(self.content_type, str):
            raise TypeError("content_type must be str")
        self.headers = tuple(headers.items() if hasattr(headers, "items") else headers)
        for _name, _value in self.headers:
            if not isinstance(_name, str) or not isinstance(_value, str):
                raise TypeError("headers must be names and values, each a str")

    def __repr__(self) -> str:
        return f"Reply({self.status}, {len(self.body)} bytes)"


@cython.final
cdef class Abort:
    """The type of ``ABORT``: the connection is cut, nothing is answered."""

    def __repr__(self) -> str:
        return "ABORT"


ABORT = Abort()


cdef int reply_tell(hook_call_t* call, Reply reply) except -1:
    cdef span_t kind, body, name, value
    cdef object _kind_held = view_text(reply.content_type, LATIN_1, &kind)
    cdef object _body_held = view_text(reply.body, UTF_8, &body)
    cdef object _name_held, _value_held
    cdef int answer = call.hooks.api.reply(call.hooks, reply.status, kind.ptr, kind.len,
                                           body.ptr, body.len)
    if answer < 0:
        view_refuse(answer, f"a reply with status {reply.status}")
    for one in reply.headers:
        _name_held = view_text(one[0], LATIN_1, &name)
        _value_held = view_text(one[1], LATIN_1, &value)
        answer = call.hooks.api.reply_header(call.hooks, name.ptr, name.len, value.ptr, value.len)
        if answer < 0:
            view_refuse(answer, f"field {one[0]} of a reply")
    return 0
