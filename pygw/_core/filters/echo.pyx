# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: the filter `echo`: answers with the request as text; the quickstart's service.
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: show what is secret (masked as ***), keep the request's body, or answer as a type that
#   a browser would run.
# Read next: echo.pxd for the contract.

from libc.string cimport memcpy
from pygw._core.arena cimport arena_bytes
from pygw._core.check cimport BUG_ON, unlikely
from pygw._core.fault cimport E_CORE_MEMORY
from pygw._core.filters.fields cimport fields_t, fields_build, fields_append, FIELDS_REPLY
from pygw._core.part cimport Part, plan_alloc
from pygw._core.reply cimport reply_set
from pygw._core.types.exchange cimport (
    exchange_t, filter_t, filter_ops_t, verdict_t, VERDICT_REPLY, VERDICT_ABORT)
from pygw._core.types.header cimport span_t, header_t, headers_t, HF_REMOVED, HF_SENSITIVE
from pygw._core.types.memory cimport arena_t
from pygw._core.types.message cimport request_t
from pygw._core.view cimport span

cdef struct conf_t:
    fields_t fields

cdef filter_ops_t ops


cdef int echo_build(Part part, arena_t* arena, filter_t* out) except -1:
    cdef conf_t* conf = <conf_t*>plan_alloc(arena, sizeof(conf_t))
    cdef list fields = [["X-Content-Type-Options", "nosniff"], ["Cache-Control", "no-store"]]
    fields_build(fields, "", FIELDS_REPLY, arena, len(fields), &conf.fields)
    out.ops = &ops
    out.conf = conf
    return 0


cdef inline span_t shown(const header_t* h) noexcept nogil:
    return span(b"***", 3) if h.flags & HF_SENSITIVE else h.value


cdef inline char* put(char* at, span_t text) noexcept nogil:
    memcpy(at, text.ptr, text.len)     # COPY: the answer is a text of its own
    return at + text.len


cdef size_t echo_size(request_t* request) noexcept nogil:
    cdef headers_t* hs = &request.half.headers
    cdef size_t size = <size_t>request.method_name.len + request.target.len + 11
    cdef int i
    for i in range(hs.count):
        if not hs.items[i].flags & HF_REMOVED:
            size += <size_t>hs.items[i].name.len + shown(&hs.items[i]).len + 3
    return size


cdef char* echo_write(request_t* request, char* at) noexcept nogil:
    cdef headers_t* hs = &request.half.headers
    cdef int i
    at = put(at, request.method_name)
    at = put(at, span(b" ", 1))
    at = put(at, request.target)
    at = put(at, span(b" HTTP/1.0\n" if request.half.version == 10 else b" HTTP/1.1\n", 10))
    for i in range(hs.count):
        if hs.items[i].flags & HF_REMOVED:
            continue
        at = put(at, hs.items[i].name)
        at = put(at, span(b": ", 2))
        at = put(at, shown(&hs.items[i]))
        at = put(at, span(b"\n", 1))
    return at


cdef verdict_t echo_request(exchange_t* x, const filter_t* f) noexcept nogil:
    cdef const conf_t* conf = <conf_t*>f.conf
    cdef size_t size = echo_size(&x.request)
    cdef char* text = arena_bytes(&x.arena, size)
    cdef int error = E_CORE_MEMORY
    cdef char* end
    if text != NULL:
        end = echo_write(&x.request, text)
        BUG_ON(end != text + size)
        error = reply_set(x, 200, span(b"text/plain; charset=utf-8", 25), span(text, size))
    if error == 0:
        error = fields_append(&conf.fields, &x.response.half.headers, &x.arena)
    if unlikely(error != 0):
        x.error = error
        return VERDICT_ABORT
    return VERDICT_REPLY


ops.name = b"echo"
ops.request = echo_request
