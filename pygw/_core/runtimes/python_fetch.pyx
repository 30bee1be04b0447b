# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: requests that Python hooks make: what is asked, and the future that becomes its answer.
# Thread and GIL: holds the GIL, on the loop's thread; `done` takes it.
# Never does: go anywhere but to the upstreams that the hook's `fetch` names.
# Read next: python_fetch.pxd for the contract.
"""``await req.fetch(...)``: what it answers, and how it fails."""

import asyncio
import json

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport uint32_t
from pygw._core.limits cimport FETCH_MAX_MS
from pygw._core.runtimes.hook_fetch cimport *
from pygw._core.runtimes.python_copies import HeadersCopy
from pygw._core.runtimes.python_scope cimport *
from pygw._core.runtimes.python_scope import Refused
from pygw._core.types.header cimport header_t, span_t, HF_HOP, HF_REMOVED
from pygw._core.types.hook cimport hook_call_t, HOST_FULL, HOST_NONE, HOST_PHASE
from pygw._core.view cimport span


class FetchError(RuntimeError):
    """A request of a hook that has no answer. ``reason`` is "timeout", "unreachable", "closed",
    "bad answer", "too large", "limit", "memory" or "stopped"; ``cause`` says it as the access log
    does: "connection_refused"."""

    def __init__(self, reason: str, cause: str) -> None:
        super().__init__(reason, cause)
        self.reason = reason
        self.cause = cause

    def __str__(self) -> str:
        return f"{self.reason} ({self.cause})"


@cython.final
cdef class Fetched:
    """What a service answered to a request of a hook: plain data that stays."""

    cdef readonly int status
    cdef readonly object headers
    cdef readonly bytes body

    @property
    def text(self) -> str:
        """The body as UTF-8; what is none becomes U+FFFD."""
        return self.body.decode("utf-8", "replace")

    def json(self):
        """The body as JSON; ValueError for what is none."""
        return json.loads(self.body)

    def __repr__(self) -> str:
        return f"<Fetched {self.status}, {len(self.body)} bytes>"


# One request on its way: its fetch holds a reference.
@cython.final
cdef class Fetching:
    cdef fetch_t* f                   # own; NULL: it is over
    cdef object future

    def left(self, future):
        """Whoever awaited it does not any more."""
        cdef fetch_t* f = self.f
        if f != NULL and future.cancelled():
            self.f = NULL
            fetch_drop(f)
            Py_DECREF(self)


cdef Fetched fetched_of(const fetched_t* r):
    cdef Fetched made = Fetched.__new__(Fetched)
    cdef const header_t* h
    cdef list pairs = []
    cdef uint32_t i
    for i in range(r.field_count):
        h = &r.fields[i]
        if not h.flags & (HF_HOP | HF_REMOVED):
            pairs.append((text(h.name), text(h.value)))
    made.status = r.status
    made.headers = HeadersCopy(pairs)
    made.body = PyBytes_FromStringAndSize(r.body.ptr, r.body.len)
    return made


cdef int future_tell(object future, const fetched_t* r) except -1:
    if future.done():
        return 0
    if r.error == NULL:
        future.set_result(fetched_of(r))
    elif fetched_over(r):
        future.cancel("the run of the hook is over")
    else:
        future.set_exception(FetchError(r.error.decode(), r.cause.decode()))
    return 0


cdef void on_done(fetch_t* f) noexcept with gil:
    cdef Fetching one = <Fetching>f.owner
    one.f = NULL
    try:
        future_tell(one.future, &f.result)
    except BaseException as error:
        if not one.future.done():
            one.future.set_exception(error)
    fetch_drop(f)
    Py_DECREF(one)


cdef object fetch_begin(Scope of, str upstream, object line, object headers, object body,
                        object timeout):
    cdef hook_call_t* call = call_of(of)
    cdef Fetching one = Fetching.__new__(Fetching)
    cdef int error = 0
    cdef span_t name
    cdef object _held = view_text(upstream, UTF_8, &name)
    one.future = asyncio.get_running_loop().create_future()
    one.f = fetch_open(call, name, &error)
    if one.f == NULL:
        refuse_open(error, upstream)
    try:
        request_fill(one, line, headers)
        request_send(one, body, timeout)
    except BaseException:
        fetch_drop(one.f)
        one.f = NULL
        raise
    Py_INCREF(one)
    one.future.add_done_callback(one.left)
    return one.future


cdef int refuse_open(int error, str upstream) except -1:
    if error == HOST_FULL:
        raise FetchError("limit", "too_many_fetches")
    if error == HOST_NONE:
        raise Refused(f"fetch: {upstream!r} is not among the upstreams in this hook's fetch:")
    if error == HOST_PHASE:
        raise Refused("fetch: only an async def hook waits, and not in the log phase")
    view_refuse(error, "fetch")


cdef int request_fill(Fetching one, object line, object headers) except -1:
    cdef span_t name, value
    cdef object _name = view_text(line[0], LATIN_1, &name)
    cdef object _value = view_text(line[1], LATIN_1, &value)
    cdef int error = fetch_line(one.f, name, value)
    if error != 0:
        # Without the path: messages are logged, and what a query holds may be secret.
        view_refuse(error, "fetch: method or path")
    for pair in headers.items() if hasattr(headers, "items") else headers:
        _name = view_text(pair[0], LATIN_1, &name)
        _value = view_text(pair[1], LATIN_1, &value)
        error = fetch_field(one.f, name, value)
        if error != 0:
            view_refuse(error, f"fetch: header {pair[0]}")
    return 0


cdef int request_send(Fetching one, object body, object timeout) except -1:
    cdef span_t content = span(NULL, 0)
    cdef object _held = None
    cdef double ms = 0
    cdef int error
    if body is not None:
        _held = view_text(body, UTF_8, &content)
    if timeout is not None:
        ms = timeout * 1000.0
        if not 0 < ms <= FETCH_MAX_MS:
            raise Refused("fetch: timeout is seconds above 0, at most an hour")
    error = fetch_send(one.f, content, <uint32_t>ms if ms >= 1 or ms == 0 else 1, on_done,
                       <void*>one)
    if error != 0:
        view_refuse(error, "fetch: body")
    return 0
