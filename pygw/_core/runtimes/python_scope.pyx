# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: the life of the views of one run, and the way of their edits to the host table.
# Thread and GIL: holds the GIL, on the loop's thread only: others are refused.
# Never does: read an exchange after its run, or edit it but by the host table.
# Read next: python_scope.pxd for the contract.
"""What all views of a run have in common."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport (
    PyUnicode_AsEncodedString, PyUnicode_AsLatin1String, PyUnicode_DecodeLatin1)
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy
from pygw._core.check cimport likely, unlikely
from pygw._core.hooks cimport hook_enter, hook_leave
from pygw._core.runtimes.hook_host cimport host_error_text
from pygw._core.types.hook cimport *
from pygw._core.view cimport word_of

cdef extern from "Python.h":
    object PyUnicode_New(Py_ssize_t size, Py_UCS4 highest)

cdef extern from "Python.h" nogil:
    """
    #if PY_VERSION_HEX >= 0x030D0000
    #define PYGW_STATE_HERE() PyThreadState_GetUnchecked()
    #else
    #define PYGW_STATE_HERE() _PyThreadState_UncheckedGet()
    #endif
    """
    ctypedef struct PyThreadState:
        pass
    unsigned long PyThread_get_thread_ident()
    PyThreadState* PYGW_STATE_HERE()
    PyThreadState* PyThreadState_Get()
    void PyEval_RestoreThread(PyThreadState* state)

cdef unsigned long loop_thread = PyThread_get_thread_ident()
cdef PyThreadState* loop_state        # borrow(interpreter, while that thread is): its own; or NULL


class Gone(RuntimeError):
    """A view was used after the run of the hook that it was given to: keep a ``copy()``."""


class Refused(ValueError):
    """The gateway does not do that: bytes the wire forbids, a field of its own, too late, too
    much."""


def loop_thread_is(unsigned long ident) -> None:
    """The thread on which hooks run; views are used on no other."""
    global loop_thread, loop_state
    loop_thread = ident
    loop_state = PyThreadState_Get() if ident == PyThread_get_thread_ident() else NULL


cdef class Scope:
    """What a view looks through."""


# What PyGILState_Ensure does, without what it looks up: the state of this thread is known.
cdef bint loop_resumes() noexcept nogil:
    if unlikely(loop_state == NULL or PyThread_get_thread_ident() != loop_thread
                or PYGW_STATE_HERE() == loop_state):
        return False
    PyEval_RestoreThread(loop_state)
    return True


# --- the call behind a view -----------------------------------------------------------------------


cdef hook_call_t* call_of(Scope scope) except NULL:
    # None: a view that Python code made by hand, which is of no run.
    if unlikely(scope is None or scope.call == NULL):
        raise Gone("the run of the hook that this was given to is over; keep a copy()")
    if unlikely(PyThread_get_thread_ident() != loop_thread):
        raise Refused("a request is used on the loop's thread only; give a thread a copy()")
    return scope.call


cdef int edit_now(hook_call_t* call, const edit_t* e) noexcept:
    cdef const hook_host_t* api = call.hooks.api
    cdef void* k = call.hooks
    cdef const char* value = e.value.ptr
    if e.what == EDIT_HEADER_SET:
        return api.header_set(k, e.side, e.name.ptr, e.name.len, value, e.value.len)
    if e.what == EDIT_HEADER_ADD:
        return api.header_add(k, e.side, e.name.ptr, e.name.len, value, e.value.len)
    if e.what == EDIT_HEADER_DEL:
        return api.header_del(k, e.side, e.name.ptr, e.name.len)
    if e.what == EDIT_METHOD:
        return api.method_set(k, value, e.value.len)
    if e.what == EDIT_PATH:
        return api.path_set(k, value, e.value.len)
    if e.what == EDIT_QUERY:
        return api.query_set(k, value, e.value.len)
    if e.what == EDIT_BODY:
        return api.body_set(k, value, e.value.len)
    if e.what == EDIT_VAR:
        return api.var_set(k, e.name.ptr, e.name.len, value, e.value.len)
    return api.log(k, e.number, value, e.value.len)


# Host functions act on the call that runs: another may be it, or none, when a task that the hook
# started goes on.
cdef int edit_do(Scope scope, const edit_t* e) except? -100:
    cdef hook_call_t* call = call_of(scope)
    cdef hook_call_t* before
    cdef int answer
    if likely(call.hooks.running == call):
        return edit_now(call, e)
    before = hook_enter(call)
    answer = edit_now(call, e)
    hook_leave(call, before)
    return answer


cdef int view_refuse(int error, object what) except -1:
    if error == HOST_DEAD:
        raise Gone("the run of the hook that this was given to is over; keep a copy()")
    raise Refused(f"{what}: {host_error_text(error).decode()}")


cdef int edit_or_raise(Scope scope, const edit_t* e, object what) except -1:
    cdef int answer = edit_do(scope, e)
    if unlikely(answer < 0):
        view_refuse(answer, what)
    return answer


# --- text -----------------------------------------------------------------------------------------


cdef object other_text(object text, int coding, span_t* out):
    text = bytes_of(text, coding)
    out.ptr = PyBytes_AS_STRING(text)
    if unlikely(PyBytes_GET_SIZE(text) > 0x7FFFFFFF):
        raise Refused("a value of 2 GiB and more")
    out.len = <uint32_t>PyBytes_GET_SIZE(text)
    return text


cdef object bytes_of(object text, int coding):
    if isinstance(text, bytes):
        return text
    if not isinstance(text, str):
        raise TypeError(f"must be str or bytes, not {type(text).__name__}")
    if coding == UTF_8:               # not its own encode(), which may answer what it likes
        return PyUnicode_AsEncodedString(text, b"utf-8", b"surrogateescape")
    try:
        return PyUnicode_AsLatin1String(text)
    except UnicodeEncodeError:
        raise Refused("a field holds ASCII and bytes above it (RFC 9110 5.5): encode other"
                      " text yourself") from None


cdef object text_like(object key, span_t value):
    if type(key) is bytes:
        return PyBytes_FromStringAndSize(value.ptr, value.len)
    return text(value)


# Most is ASCII: then the bytes are looked at eight at a time and copied.
cdef str text(span_t value):
    cdef uint64_t bits = 0
    cdef uint32_t i = 0
    cdef object made
    if value.len < 4:
        return PyUnicode_DecodeLatin1(value.ptr, value.len, NULL)
    while value.len - i > 8:
        bits |= word_of(value.ptr + i, 8)
        i += 8
    bits |= word_of(value.ptr + i, value.len - i)
    if bits & 0x8080808080808080U:
        return PyUnicode_DecodeLatin1(value.ptr, value.len, NULL)
    made = PyUnicode_New(value.len, 127)
    memcpy(PyUnicode_DATA(made), value.ptr, value.len)        # COPY: the text is Python's
    return made
