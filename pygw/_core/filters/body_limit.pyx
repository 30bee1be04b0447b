# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: the filter `body_limit`: how many bytes of request body a route takes.
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: buffer; bytes up to the limit go on as they come.
# Read next: body_limit.pxd for the contract.

from libc.stdint cimport uint64_t
from pygw._core.check cimport unlikely
from pygw._core.fault cimport E_DOWN_BODY_LENGTH
from pygw._core.part cimport Part, plan_alloc
from pygw._core.reply cimport reply_fault
from pygw._core.types.exchange cimport (
    exchange_t, filter_t, filter_ops_t, verdict_t, VERDICT_NEXT, VERDICT_REPLY, VERDICT_ABORT)
from pygw._core.types.memory cimport arena_t, slices_t
from pygw._core.types.message cimport FRAMING_LENGTH

cdef struct conf_t:
    uint64_t max_bytes

cdef filter_ops_t ops


cdef int body_limit_build(Part part, arena_t* arena, filter_t* out) except -1:
    cdef conf_t* conf = <conf_t*>plan_alloc(arena, sizeof(conf_t))
    conf.max_bytes = part.number("max_bytes", 0, 0x7FFFFFFFFFFFFFFFU)
    out.ops = &ops
    out.conf = conf
    return 0


cdef verdict_t body_limit_request(exchange_t* x, const filter_t* f) noexcept nogil:
    if unlikely(x.request.half.framing == FRAMING_LENGTH
                and x.request.half.length > (<conf_t*>f.conf).max_bytes):
        return VERDICT_REPLY if reply_fault(x, E_DOWN_BODY_LENGTH) == 0 else VERDICT_ABORT
    return VERDICT_NEXT


# The filter's slot holds the count itself: bytes that have passed here.
cdef verdict_t body_limit_body(exchange_t* x, const filter_t* f, slices_t* body,
                               bint last) noexcept nogil:
    cdef uint64_t passed = <uint64_t>x.slots[f.slot]
    # Written so that no sum can wrap: passed never exceeds the limit.
    if unlikely(body.bytes > (<conf_t*>f.conf).max_bytes - passed):
        x.error = E_DOWN_BODY_LENGTH
        return VERDICT_ABORT
    x.slots[f.slot] = <void*>(passed + body.bytes)
    return VERDICT_NEXT


ops.name = b"body_limit"
ops.request = body_limit_request
ops.request_body = body_limit_body
