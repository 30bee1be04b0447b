# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: the filter `maintenance`: 503 for everybody but a few.
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: look at the peer: who the client is behind trusted proxies is decided before.
# Read next: maintenance.pxd for the contract.

from libc.stdint cimport uint32_t
from pygw._core.cidr_set cimport cidr_set_has
from pygw._core.check cimport unlikely
from pygw._core.fault cimport E_CORE_MAINTENANCE
from pygw._core.filters.ranges cimport ranges_build
from pygw._core.headers cimport header_name_of, header_value_valid, headers_set
from pygw._core.part cimport Part, plan_alloc, plan_fail, plan_keep
from pygw._core.reply cimport reply_fault, reply_set
from pygw._core.types.address cimport cidr_set_t
from pygw._core.types.exchange cimport (
    exchange_t, filter_t, filter_ops_t, verdict_t, VERDICT_NEXT, VERDICT_REPLY, VERDICT_ABORT)
from pygw._core.types.header cimport span_t, H_RETRY_AFTER
from pygw._core.types.memory cimport arena_t
from pygw._core.view cimport decimal_write, span

cdef enum:
    BODY_BYTES_MAX = 16777216
    YEAR_S = 31536000

cdef struct conf_t:
    cidr_set_t allow
    uint32_t retry_after_s
    bint has_body
    span_t body               # plan
    span_t content_type       # plan

cdef filter_ops_t ops


cdef int maintenance_build(Part part, arena_t* arena, filter_t* out) except -1:
    cdef conf_t* conf = <conf_t*>plan_alloc(arena, sizeof(conf_t))
    ranges_build(part, "allow", arena, &conf.allow)
    conf.retry_after_s = <uint32_t>part.number("retry_after_s", 0, YEAR_S)
    plan_keep(arena, part.text("content_type", 1024), &conf.content_type)
    if conf.content_type.len == 0 or not header_value_valid(conf.content_type):
        plan_fail(part.at("content_type"), "not a field value")
    conf.has_body = part.has("body")
    if conf.has_body:
        plan_keep(arena, part.text("body", BODY_BYTES_MAX), &conf.body)
    out.ops = &ops
    out.conf = conf
    return 0


cdef int maintenance_reply(exchange_t* x, const conf_t* conf) noexcept nogil:
    cdef char[20] digits
    cdef int error
    if conf.has_body:
        x.error = E_CORE_MAINTENANCE
        error = reply_set(x, 503, conf.content_type, conf.body)
    else:
        error = reply_fault(x, E_CORE_MAINTENANCE)
    if error != 0:
        return error
    return headers_set(&x.response.half.headers, &x.arena, header_name_of(H_RETRY_AFTER),
                       span(digits, decimal_write(digits, conf.retry_after_s)))


cdef verdict_t maintenance_request(exchange_t* x, const filter_t* f) noexcept nogil:
    cdef const conf_t* conf = <conf_t*>f.conf
    if cidr_set_has(&conf.allow, &x.client):
        return VERDICT_NEXT
    if unlikely(maintenance_reply(x, conf) != 0):
        return VERDICT_ABORT          # x.error says maintenance; there is no memory to say more
    return VERDICT_REPLY


ops.name = b"maintenance"
ops.request = maintenance_request
