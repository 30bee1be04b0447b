# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: the filter `redirect`: sends the client elsewhere.
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: let anything of the request into Location.
# Read next: redirect.pxd for the contract.

from libc.stdint cimport uint32_t
from pygw._core.check cimport unlikely
from pygw._core.filters.fields cimport fields_t, fields_build, fields_append, FIELDS_REPLY
from pygw._core.part cimport Part, plan_alloc, plan_fail
from pygw._core.reply cimport reply_set
from pygw._core.types.exchange cimport (
    exchange_t, filter_t, filter_ops_t, verdict_t, VERDICT_REPLY, VERDICT_ABORT)
from pygw._core.types.memory cimport arena_t
from pygw._core.view cimport span

cdef enum:
    LOCATION_BYTES_MAX = 8192

cdef struct conf_t:
    uint32_t status
    fields_t fields           # Location alone

cdef filter_ops_t ops


cdef int redirect_build(Part part, arena_t* arena, filter_t* out) except -1:
    cdef conf_t* conf = <conf_t*>plan_alloc(arena, sizeof(conf_t))
    cdef bytes location = part.text("location", LOCATION_BYTES_MAX)
    conf.status = part.number("status", 301, 308)
    if conf.status not in (301, 302, 303, 307, 308):
        plan_fail(part.at("status"), "must be one of 301, 302, 303, 307, 308")
    # RFC 9110 10.2.2: a URI reference, which RFC 3986 writes in printable ASCII.
    if not location or not all(0x20 < byte < 0x7F for byte in location):
        plan_fail(part.at("location"), "must be a URL in printable ASCII without spaces")
    fields_build([["Location", location.decode()]], part.at("location"), FIELDS_REPLY, arena, 1,
                 &conf.fields)
    out.ops = &ops
    out.conf = conf
    return 0


cdef verdict_t redirect_request(exchange_t* x, const filter_t* f) noexcept nogil:
    cdef const conf_t* conf = <conf_t*>f.conf
    cdef int error = reply_set(x, conf.status, span(b"", 0), span(b"", 0))
    if error == 0:
        error = fields_append(&conf.fields, &x.response.half.headers, &x.arena)
    if unlikely(error != 0):
        x.error = error
        return VERDICT_ABORT
    return VERDICT_REPLY


ops.name = b"redirect"
ops.request = redirect_request
