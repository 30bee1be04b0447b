# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: the filter `ip`: who may come, by the client's address.
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: look at the peer: who the client is behind trusted proxies is decided before.
# Read next: ip.pxd for the contract.

from libc.stdint cimport uint32_t
from pygw._core.address cimport address_in
from pygw._core.check cimport likely
from pygw._core.fault cimport E_CORE_DENIED
from pygw._core.filters.ranges cimport ranges_build
from pygw._core.part cimport Part, plan_alloc
from pygw._core.reply cimport reply_fault
from pygw._core.types.address cimport cidr_t
from pygw._core.types.exchange cimport (
    exchange_t, filter_t, filter_ops_t, verdict_t, VERDICT_NEXT, VERDICT_REPLY, VERDICT_ABORT)
from pygw._core.types.memory cimport arena_t

cdef struct conf_t:
    cidr_t* allow             # plan
    cidr_t* deny              # plan
    uint32_t allow_count
    uint32_t deny_count

cdef filter_ops_t ops


cdef int ip_build(Part part, arena_t* arena, filter_t* out) except -1:
    cdef conf_t* conf = <conf_t*>plan_alloc(arena, sizeof(conf_t))
    conf.allow = ranges_build(part, "allow", arena, &conf.allow_count)
    conf.deny = ranges_build(part, "deny", arena, &conf.deny_count)
    out.ops = &ops
    out.conf = conf
    return 0


cdef verdict_t ip_request(exchange_t* x, const filter_t* f) noexcept nogil:
    cdef const conf_t* conf = <conf_t*>f.conf
    cdef bint admitted = conf.allow_count == 0 or address_in(conf.allow, conf.allow_count,
                                                             &x.client)
    if likely(admitted and not address_in(conf.deny, conf.deny_count, &x.client)):
        return VERDICT_NEXT
    return VERDICT_REPLY if reply_fault(x, E_CORE_DENIED) == 0 else VERDICT_ABORT


ops.name = b"ip"
ops.request = ip_request
