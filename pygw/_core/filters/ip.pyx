# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: the filter `ip`: who may come, by the client's address.
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: look at the peer: who the client is behind trusted proxies is decided before.
# Read next: ip.pxd for the contract.

from pygw._core.cidr_set cimport cidr_set_has
from pygw._core.check cimport likely
from pygw._core.fault cimport E_CORE_DENIED
from pygw._core.filters.ranges cimport ranges_build
from pygw._core.part cimport Part, plan_alloc
from pygw._core.reply cimport reply_fault
from pygw._core.types.address cimport cidr_set_t
from pygw._core.types.exchange cimport (
    exchange_t, filter_t, filter_ops_t, verdict_t, VERDICT_NEXT, VERDICT_REPLY, VERDICT_ABORT)
from pygw._core.types.memory cimport arena_t

cdef struct conf_t:
    cidr_set_t allow
    cidr_set_t deny
    bint closed               # nobody is admitted but who is in `allow`, even if it is empty

cdef filter_ops_t ops


cdef int ip_build(Part part, arena_t* arena, filter_t* out) except -1:
    cdef conf_t* conf = <conf_t*>plan_alloc(arena, sizeof(conf_t))
    ranges_build(part, "allow", arena, &conf.allow)
    ranges_build(part, "deny", arena, &conf.deny)
    conf.closed = conf.allow.count != 0 or (part.has("closed") and part.flag("closed"))
    out.ops = &ops
    out.conf = conf
    return 0


cdef verdict_t ip_request(exchange_t* x, const filter_t* f) noexcept nogil:
    cdef const conf_t* conf = <conf_t*>f.conf
    cdef bint admitted = not conf.closed or cidr_set_has(&conf.allow, &x.client)
    if likely(admitted and not cidr_set_has(&conf.deny, &x.client)):
        return VERDICT_NEXT
    return VERDICT_REPLY if reply_fault(x, E_CORE_DENIED) == 0 else VERDICT_ABORT


ops.name = b"ip"
ops.request = ip_request
