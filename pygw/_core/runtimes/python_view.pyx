# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: what a Python hook sees of an exchange: request and response.
# Thread and GIL: holds the GIL, on the loop's thread.
# Never does: read an exchange after the run that a view was made for; edit but by the host table.
# Read next: python_view.pxd, then python.pyx, which makes and ends views.
"""Views of one exchange for Python hooks. ``pygw.hooks`` is the door for authors."""

from pygw._core.runtimes.python_copies import RequestCopy, ResponseCopy

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.object cimport PyObject
from libc.stdint cimport uint32_t
from pygw._core.address cimport address_text
from pygw._core.check cimport likely, unlikely
from pygw._core.hook_mask cimport mask_allows
from pygw._core.hooks cimport hook_enter, hook_leave
from pygw._core.runtimes.python_fetch cimport fetch_begin
from pygw._core.runtimes.python_fields cimport Headers, Vars, headers_view, vars_view
from pygw._core.runtimes.python_scope cimport *
from pygw._core.runtimes.python_scope import Refused
from pygw._core.types.exchange cimport (
    exchange_t, route_t, PHASE_REQUEST_BODY, PHASE_RESPONSE_BODY)
from pygw._core.types.header cimport span_t
from pygw._core.types.hook cimport *

cdef extern from "Python.h":
    Py_ssize_t Py_REFCNT(PyObject* any)

cdef Request spare                    # views that no run has: most runs need no new ones
cdef tuple PHASE_NAMES = ("request", "request_body", "attempt", "response", "response_body", "log")
cdef dict LEVELS = {"debug": LOG_DEBUG, "info": LOG_INFO, "warning": LOG_WARNING,
                    "error": LOG_ERROR}


# --- request and response -------------------------------------------------------------------------


# Whether the hook's `reads` names it; what it does not name is empty.
cdef inline bint may_read(Scope of, uint32_t field) except -1:
    return mask_allows(call_of(of).hook.reads, field)


cdef int line_edit(Scope of, int what, object value, object name) except -1:
    cdef edit_t e
    cdef object _held = view_text(value, LATIN_1, &e.value)
    e.what = what
    return edit_or_raise(of, &e, name)


# The body at hand in the phase of a side; raises Refused where there is none to see.
cdef bytes body_at_hand(Scope of, int phase):
    cdef hook_call_t* call = call_of(of)
    if call.phase != phase:
        raise Refused("the body is seen in the phase"
                      f" {'request_body' if phase == PHASE_REQUEST_BODY else 'response_body'}")
    if not may_read(of, FIELD_BODY if phase == PHASE_REQUEST_BODY else FIELD_RESPONSE_BODY):
        return b""
    return PyBytes_FromStringAndSize(call.body.ptr, call.body.len)


cdef int body_put(Scope of, int phase, object body) except -1:
    cdef edit_t e
    cdef object _held
    if call_of(of).phase != phase:
        raise Refused("a body is set in its own phase")
    if isinstance(body, str):
        body = str.encode(body)
    elif not isinstance(body, bytes):
        body = bytes(memoryview(body))
    _held = view_text(body, LATIN_1, &e.value)
    e.what = EDIT_BODY
    return edit_or_raise(of, &e, "body")


@cython.final
@cython.freelist(16)
@cython.no_gc
cdef class Request(Scope):
    """The request of one run of a hook. Text is str, bytes of it as latin-1.

    Good until the run is over, awaits included: later use raises Gone. ``copy()`` keeps it.
    """

    @property
    def method(self) -> str:
        """The method, as a token in capitals."""
        return text(call_of(self).x.request.method_name) if may_read(self, FIELD_METHOD) else ""

    @method.setter
    def method(self, value) -> None:
        line_edit(self, EDIT_METHOD, value, "method")

    @property
    def path(self) -> str:
        """The path as it came, percent-encoded."""
        return text(call_of(self).x.request.path) if may_read(self, FIELD_PATH) else ""

    @path.setter
    def path(self, value) -> None:
        line_edit(self, EDIT_PATH, value, "path")

    @property
    def query(self) -> str:
        """The query without its '?'."""
        return text(call_of(self).x.request.query) if may_read(self, FIELD_QUERY) else ""

    @query.setter
    def query(self, value) -> None:
        line_edit(self, EDIT_QUERY, value, "query")

    @property
    def scheme(self) -> str:
        """"http" or "https"."""
        return text(call_of(self).x.request.scheme) if may_read(self, FIELD_SCHEME) else ""

    @property
    def authority(self) -> str:
        """Host and port that the client asked for."""
        return text(call_of(self).x.request.authority) if may_read(self, FIELD_AUTHORITY) else ""

    @property
    def version(self) -> str:
        """Of HTTP: "1.0" or "1.1"."""
        cdef int version = call_of(self).x.request.half.version
        if not may_read(self, FIELD_VERSION):
            return ""
        return f"{version // 10}.{version % 10}"

    @property
    def client(self) -> str:
        """The client's address, as far as trusted proxies tell it."""
        return text(address_text(&call_of(self).x.client)) if may_read(self, FIELD_CLIENT) else ""

    @property
    def phase(self) -> str:
        """The phase of this run: "request", "request_body", ..."""
        return PHASE_NAMES[call_of(self).phase]

    @property
    def id(self) -> str:
        """The request's id, made if it has none."""
        cdef hook_call_t* call = call_of(self)
        cdef hook_call_t* before
        cdef const span_t* made
        before = hook_enter(call)
        made = call.hooks.api.request_id(call.hooks)
        hook_leave(call, before)
        if made == NULL:
            raise MemoryError
        return text(made[0])

    @property
    def route(self) -> str:
        """The name of the route that was found."""
        cdef route_t* route = call_of(self).x.route
        return "" if route == NULL else text(route.name)

    @property
    def params(self) -> dict:
        """What the path gave for the names in braces of the route's path."""
        cdef exchange_t* x = call_of(self).x
        cdef dict found = {}
        cdef int i
        if x.route != NULL and x.params != NULL and may_read(self, FIELD_PATH):
            for i in range(x.route.param_count):
                found[text(x.route.param_names[i])] = text(x.params[i])
        return found

    @property
    def headers(self) -> Headers:
        """The request's fields."""
        if unlikely(self.fields is None):
            if self.call == NULL:
                return headers_view(self, SIDE_REQUEST)       # no circle that nobody would cut
            self.fields = headers_view(self, SIDE_REQUEST)
        return self.fields

    @property
    def body(self) -> bytes:
        """In the phase request_body: the whole body, or with `body: stream` the piece at hand."""
        return body_at_hand(self, PHASE_REQUEST_BODY)

    @body.setter
    def body(self, value) -> None:
        body_put(self, PHASE_REQUEST_BODY, value)

    @property
    def last(self) -> bool:
        """In a body phase: nothing follows this piece."""
        return call_of(self).last

    @property
    def vars(self) -> Vars:
        """Variables that all hooks of this exchange share."""
        return vars_view(self)

    def log(self, message, str level="info") -> None:
        """A line on standard error with the hook's name: bounded in length and number."""
        cdef edit_t e
        cdef object _held = view_text(message, UTF_8, &e.value)
        if level not in LEVELS:
            raise ValueError(f"level must be one of {', '.join(LEVELS)}")
        e.what = EDIT_LOG
        e.number = LEVELS[level]
        edit_do(self, &e)

    def fetch(self, str upstream not None, path="/", *, method=None, headers=(), body=None,
              timeout=None):
        """A request of the hook's own to an upstream of its `fetch:`; await what it answers.

        ``method`` is GET, or POST with a ``body`` (str as UTF-8, or bytes; at most 1 MiB, as the
        answer's). ``headers`` is a mapping, or pairs when a name comes twice. ``timeout`` is
        seconds, 5 unless said. The answer is a Fetched with ``status``, ``headers``, ``body``,
        ``text`` and ``json()``; FetchError when there is none, Refused for what cannot be asked.
        """
        if method is None:
            method = "GET" if body is None else "POST"
        return fetch_begin(self, upstream, (method, path), headers, body, timeout)

    def copy(self):
        """What stays when the run is over: a RequestCopy."""
        return RequestCopy(self)

    def __repr__(self) -> str:
        return "<Request: gone>" if self.call == NULL else f"<Request: {self.method} {self.path}>"


@cython.final
@cython.freelist(16)
@cython.no_gc
cdef class Response:
    """The response, in the phases response, response_body and log: good as long as the request is.
    """

    @property
    def phase(self) -> str:
        """The phase of this run: "response", "response_body" or "log"."""
        return PHASE_NAMES[call_of(self.of).phase]

    @property
    def status(self) -> int:
        """The status; 0 in the log phase of an exchange that had no answer."""
        return call_of(self.of).x.response.status if may_read(self.of, FIELD_STATUS) else 0

    @status.setter
    def status(self, uint32_t value) -> None:
        cdef hook_call_t* call = call_of(self.of)
        cdef hook_call_t* before = hook_enter(call)
        cdef int answer = call.hooks.api.status_set(call.hooks, value)
        hook_leave(call, before)
        if answer < 0:
            view_refuse(answer, f"status {value}")

    @property
    def headers(self) -> Headers:
        """The response's fields."""
        if self.fields is None:
            self.fields = headers_view(self.of, SIDE_RESPONSE)
        return self.fields

    @property
    def body(self) -> bytes:
        """In the phase response_body: the whole body, or with `body: stream` the piece at hand."""
        return body_at_hand(self.of, PHASE_RESPONSE_BODY)

    @body.setter
    def body(self, value) -> None:
        body_put(self.of, PHASE_RESPONSE_BODY, value)

    @property
    def last(self) -> bool:
        """In a body phase: nothing follows this piece."""
        return call_of(self.of).last

    def copy(self):
        """What stays when the run is over: a ResponseCopy."""
        return ResponseCopy(self)

    def __repr__(self) -> str:
        gone = self.of is None or self.of.call == NULL
        return "<Response: gone>" if gone else f"<Response: {self.status}>"


cdef Request view_begin(hook_call_t* call):
    global spare
    cdef Request made = spare
    if made is None:
        made = Request.__new__(Request)
    else:
        spare = None
    made.call = call
    return made


cdef Response view_response(Request of):
    if of.answer is None:
        of.answer = Response.__new__(Response)
        of.answer.of = of
    return of.answer


# Whether nobody but `of` knows its parts, and nobody but those and the caller knows it.
cdef bint is_ours(Request of) noexcept:
    cdef Py_ssize_t known = 1
    if of.fields is not None:
        known += 1
        if Py_REFCNT(<PyObject*>of.fields) != 1:
            return False
    if of.answer is not None:
        known += 1
        if Py_REFCNT(<PyObject*>of.answer) != 1:
            return False
        if of.answer.fields is not None:
            known += 1
            if Py_REFCNT(<PyObject*>of.answer.fields) != 1:
                return False
    return Py_REFCNT(<PyObject*>of) == known


cdef void view_last(Request of) noexcept:
    global spare
    if likely(spare is None and is_ours(of)):
        of.call = NULL
        spare = of
    else:
        view_end(of)
