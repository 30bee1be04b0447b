# Owns: copies of requests on their way to a second upstream.
# Thread and GIL: one worker's loop; no GIL; no I/O of its own.
# Never does: touch the exchange it copies: its answer, its time, its retries, its end.
# Read next: filters/mirror.pxd, detached.pxd.
#
#   mirror_begin > mirror_keep* > mirror_send (then it is on its own) | mirror_drop
# A copy is a detached exchange (detached.pxd): the head as it left, with further references to the
# bytes it lies in; of the body further references to the slices that passed. It has one attempt,
# and its answer is dropped as it comes. What memory copies may keep from others is bounded, and so
# is their number; beyond that, requests are not copied.

from libc.stddef cimport size_t
from libc.stdint cimport uint32_t, uint64_t
from pygw._core.detached cimport detached_t
from pygw._core.notice cimport notice_fn
from pygw._core.types.header cimport span_t
from pygw._core.types.memory cimport blocks_t, buffer_t, slices_t
from pygw._core.types.exchange cimport exchange_t, host_t
from pygw._core.types.upstream cimport upstream_t

# A route's mirror in its plan.
cdef struct mirror_conf_t:
    span_t route              # plan: its name
    upstream_t* to            # plan
    uint64_t max_bytes        # of a body; longer ones are not copied
    uint32_t share            # of SHARES requests
    uint32_t timeout_ms       # of the whole

# Invariant: `detached` is set until it ends or is cancelled, and both end this as well.
cdef struct mirror_t:
    mirrors_t* home           # borrow(worker, for ever)
    const mirror_conf_t* conf # plan: that of the detached exchange
    detached_t* detached      # own until mirror_send, then borrow(detacheds, until its `end`)
    const buffer_t* last      # borrow(detached, only to be compared): where its body ends
    uint64_t held             # bytes of memory that it keeps from others
    upstream_t upstream       # conf.to without a further attempt

cdef struct mirrors_t:
    host_t* host              # borrow(worker, for ever)
    blocks_t blocks
    uint64_t held             # by all of them
    uint64_t turn             # of shares
    uint64_t told_ms          # when the last line was written
    uint32_t untold           # failures since then
    notice_fn write           # static; NULL: nobody reads lines
    void* write_arg           # borrow(worker, for ever)

cdef void mirrors_init(mirrors_t* home, host_t* host) noexcept nogil
cdef void mirrors_fini(mirrors_t* home) noexcept nogil

# Whether this request is one that is copied. NULL: it is not, and why is counted.
cdef mirror_t* mirror_begin(const exchange_t* x, const mirror_conf_t* conf) noexcept nogil
# More of its body, of which `body` keeps its own references. False: it was dropped.
cdef bint mirror_keep(mirror_t* m, const slices_t* body) noexcept nogil
# The request is whole and x.request is its head: the copy leaves with the next turn of the loop.
cdef void mirror_send(mirror_t* m, const exchange_t* x) noexcept nogil
# Whether an exchange without a client is a copy; else a hook made it.
cdef bint mirror_owns(const exchange_t* x) noexcept nogil
# It is not sent; `counter` says why.
cdef void mirror_drop(mirror_t* m, int counter) noexcept nogil
