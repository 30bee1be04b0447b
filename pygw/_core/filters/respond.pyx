# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: the filter `respond`: a fixed answer.
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: copy the body: it leaves from the plan.
# Read next: respond.pxd for the contract.

from libc.stdint cimport uint32_t
from pygw._core.check cimport unlikely
from pygw._core.filters.fields cimport fields_t, fields_build, fields_append, FIELDS_REPLY
from pygw._core.part cimport Part, plan_alloc, plan_fail, plan_keep
from pygw._core.reply cimport reply_set
from pygw._core.types.exchange cimport (
    exchange_t, filter_t, filter_ops_t, verdict_t, VERDICT_REPLY, VERDICT_ABORT)
from pygw._core.types.header cimport span_t
from pygw._core.types.memory cimport arena_t
from pygw._core.view cimport span

cdef enum:
    BODY_BYTES_MAX = 16777216

cdef struct conf_t:
    uint32_t status
    span_t body               # plan
    fields_t fields

cdef filter_ops_t ops


cdef int respond_build(Part part, arena_t* arena, filter_t* out) except -1:
    cdef conf_t* conf = <conf_t*>plan_alloc(arena, sizeof(conf_t))
    cdef list fields = part.items("headers")
    conf.status = part.number("status", 200, 599)
    plan_keep(arena, part.text("body", BODY_BYTES_MAX), &conf.body)
    if conf.body.len and conf.status in (204, 205, 304):
        plan_fail(part.at("body"), f"a response with status {conf.status} has no body")
    fields_build(fields, part.at("headers"), FIELDS_REPLY, arena, len(fields), &conf.fields)
    out.ops = &ops
    out.conf = conf
    return 0


cdef verdict_t respond_request(exchange_t* x, const filter_t* f) noexcept nogil:
    cdef const conf_t* conf = <conf_t*>f.conf
    cdef int error = reply_set(x, conf.status, span(b"", 0), conf.body)
    if error == 0:
        error = fields_append(&conf.fields, &x.response.half.headers, &x.arena)
    if unlikely(error != 0):
        x.error = error
        return VERDICT_ABORT
    return VERDICT_REPLY


ops.name = b"respond"
ops.request = respond_request
