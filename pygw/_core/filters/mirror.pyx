# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: the filter `mirror`: which requests of a route are copied, and when they are whole.
# Thread and GIL: one worker's loop, no GIL (build_mirrors.pyx builds it).
# Never does: change a byte, or wait.
# Read next: mirror.pxd for the contract.

from pygw._core.mirror cimport (
    mirror_begin, mirror_conf_t, mirror_drop, mirror_keep, mirror_send, mirror_t)
from pygw._core.stats cimport ST_MIRROR_CUT
from pygw._core.types.exchange cimport (
    exchange_t, filter_t, filter_ops_t, verdict_t, VERDICT_NEXT, XF_FORWARDED)
from pygw._core.types.memory cimport slices_t
from pygw._core.types.message cimport FRAMING_NONE

cdef filter_ops_t ops
cdef char over                # what a slot points at when nothing is left to do


cdef inline mirror_t* begin(exchange_t* x, const filter_t* f) noexcept nogil:
    return mirror_begin(x, <const mirror_conf_t*>f.conf)


cdef verdict_t mirror_body(exchange_t* x, const filter_t* f, slices_t* body,
                           bint last) noexcept nogil:
    cdef mirror_t* m = <mirror_t*>x.slots[f.slot]
    if <char*>m == &over:
        return VERDICT_NEXT
    if m == NULL:
        m = begin(x, f)
    if m != NULL and not mirror_keep(m, body):
        m = NULL
    if m != NULL and last:
        mirror_send(m, x)
        m = NULL
    x.slots[f.slot] = m if m != NULL else <void*>&over
    return VERDICT_NEXT


# What is still being collected will not be whole. A request without a body whose attempt never got
# a connection was not seen in the body's phase.
cdef void mirror_log(exchange_t* x, const filter_t* f) noexcept nogil:
    cdef mirror_t* m
    if x.slots == NULL or <char*>x.slots[f.slot] == &over:
        return
    m = <mirror_t*>x.slots[f.slot]
    if m != NULL:
        mirror_drop(m, ST_MIRROR_CUT)
    elif (x.request_side.head_passed and x.request.half.framing == FRAMING_NONE
          and x.flags & XF_FORWARDED):
        m = begin(x, f)
        if m != NULL:
            mirror_send(m, x)


ops.name = b"mirror"
ops.request_body = mirror_body
ops.log = mirror_log
ops.log_ends_early = True


cdef const filter_ops_t* mirror_ops() noexcept nogil:
    return &ops
