# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, nonecheck=False
# Owns: letting old plans go while exchanges that began with them still run.
# Thread and GIL: one worker's loop; no GIL.
# Never does: move an exchange of which more is left than bytes to pass on and a line to log.
# Read next: pins.pxd for the contract.

from libc.stdint cimport uint32_t
from libc.string cimport memcmp, memcpy
from pygw._core.check cimport unlikely
from pygw._core.limits cimport PINS_STEP
from pygw._core.types.exchange cimport (
    chain_t, exchange_t, plan_t, route_t, PHASES, PHASE_REQUEST_BODY, PHASE_RESPONSE_BODY,
    XF_ENDING, XF_REPLIED, XF_RESPONSE_STARTED)
from pygw._core.types.header cimport header_t, span_t, HF_EDITED
from pygw._core.types.memory cimport arena_t, buffer_t, slice_t, slices_t
from pygw._core.types.upstream cimport target_t, timeouts_t, upstream_t
from pygw._core.arena cimport arena_bytes
from pygw._core.buffer cimport buffer_data
from pygw._core.down cimport (
    down_t, downs_t, DOWN_BUSY, DOWN_DRAIN, DOWN_HEAD, DOWN_TUNNEL)
from pygw._core.outlet cimport outlet_is_static
from pygw._core.transport cimport transports_flush
from pygw._core.upstream cimport up_t


# --- the same thing in another plan ---------------------------------------------------------------


cdef inline bint same(span_t a, span_t b) noexcept nogil:
    return a.len == b.len and memcmp(a.ptr, b.ptr, a.len) == 0


# Looked for from where it stood before: most plans differ little from the one before them.
cdef route_t* route_in(plan_t* plan, plan_t* old, route_t* route) noexcept nogil:
    cdef uint32_t start = <uint32_t>(route - old.routes)
    cdef uint32_t i
    for i in range(plan.route_count):
        if same(plan.routes[(start + i) % plan.route_count].name, route.name):
            return &plan.routes[(start + i) % plan.route_count]
    return NULL


cdef target_t* target_in(upstream_t* upstream, target_t* target) noexcept nogil:
    cdef uint32_t i
    for i in range(upstream.target_count):
        if same(upstream.targets[i].url, target.url):
            return &upstream.targets[i]
    return NULL


# Which upstream an exchange's target belongs to: the route's, or one that its attempts moved to.
cdef upstream_t* upstream_of(plan_t* plan, target_t* target) noexcept nogil:
    cdef upstream_t* u
    cdef uint32_t i
    for i in range(plan.upstream_count):
        u = &plan.upstreams[i]
        if u.targets <= target < u.targets + u.target_count:
            return u
    return NULL


cdef upstream_t* upstream_in(plan_t* plan, upstream_t* upstream) noexcept nogil:
    cdef uint32_t i
    for i in range(plan.upstream_count):
        if same(plan.upstreams[i].name, upstream.name):
            return &plan.upstreams[i]
    return NULL


cdef const timeouts_t* timeouts_to(const route_t* route, const upstream_t* upstream) noexcept nogil:
    cdef uint32_t i
    for i in range(route.split_count):
        if route.splits[i].upstream == upstream:
            return &route.splits[i].timeouts
    return &route.timeouts


# --- may it move? ---------------------------------------------------------------------------------


# Nothing that waits in this queue lies in the plan, or anywhere but in buffers.
cdef bint is_in_buffers(const slices_t* slices) noexcept nogil:
    cdef slice_t* s = slices.first
    while s != NULL:
        if s.buffer == NULL and not outlet_is_static(s.ptr):
            return False
        s = s.next
    return True


cdef inline bint chain_is_over(const chain_t* chain, bint request_over) noexcept nogil:
    return (chain.counts[<int>PHASE_RESPONSE_BODY] == 0 and chain.log_holds == 0
            and (request_over or chain.counts[<int>PHASE_REQUEST_BODY] == 0))


cdef up_t* up_of(exchange_t* x) noexcept nogil:
    if x.attempt.stream == NULL:
        return NULL
    return <up_t*>(<char*>x.attempt.stream - <size_t>&(<up_t*>NULL).stream)


cdef bint is_only_bytes(down_t* d, exchange_t* x) noexcept nogil:
    cdef up_t* up = up_of(x)
    cdef int phase
    if (not x.flags & XF_RESPONSE_STARTED or x.flags & (XF_REPLIED | XF_ENDING)
            or x.route == NULL or x.attempt.target == NULL):
        return False
    for phase in range(PHASES):
        if x.waiting[phase]:
            return False
    return (chain_is_over(&x.route.chain, x.request_side.end_passed)
            and is_in_buffers(&x.request_side.passed) and is_in_buffers(&x.response_side.passed)
            and is_in_buffers(&d.transport.pending)
            and (up == NULL or is_in_buffers(&up.transport.pending)))


# --- the move -------------------------------------------------------------------------------------


# What a filter put in may lie in the plan. 0, or -1 when there is no memory.
cdef int span_keep(arena_t* arena, buffer_t* head, span_t* s) noexcept nogil:
    cdef char* copy
    if s.len == 0:
        return 0
    if head != NULL and buffer_data(head) <= s.ptr < buffer_data(head) + head.cap:
        return 0
    copy = arena_bytes(arena, s.len)
    if unlikely(copy == NULL):
        return -1
    memcpy(copy, s.ptr, s.len)               # COPY: the plan it may lie in goes
    s.ptr = copy
    return 0


# All that is still read of the request, by the log.
cdef int request_keep(exchange_t* x) noexcept nogil:
    cdef buffer_t* head = x.request.half.head
    cdef header_t* h
    cdef uint32_t i
    cdef int error = (span_keep(&x.arena, head, &x.request.path)
                      | span_keep(&x.arena, head, &x.request.query)
                      | span_keep(&x.arena, head, &x.request.authority)
                      | span_keep(&x.arena, head, &x.request.target)
                      | span_keep(&x.arena, head, &x.request.method_name))
    for i in range(x.request.half.headers.count):
        h = &x.request.half.headers.items[i]
        if h.flags & HF_EDITED:
            error |= span_keep(&x.arena, head, &h.name) | span_keep(&x.arena, head, &h.value)
            h.raw_len = 0
    x.response.half.headers.count = 0        # they have left
    return error


cdef void pin(down_t* d, exchange_t* x, plan_t* plan) noexcept nogil:
    cdef plan_t* old = x.plan
    x.plan = plan
    plan.refs += 1
    x.listener = &plan.listeners[d.listener if d.listener < plan.listener_count else 0]
    d.reader.limits = &plan.limits
    old.refs -= 1
    if old.refs == 0:
        d.home.plan_unpin(d.home, old)


# True: x is as if it had begun with the current plan.
cdef bint move_bytes(down_t* d, exchange_t* x, plan_t* plan) noexcept nogil:
    cdef route_t* route = route_in(plan, x.plan, x.route)
    cdef upstream_t* upstream = upstream_of(x.plan, x.attempt.target)
    cdef target_t* target = NULL
    cdef up_t* up = up_of(x)
    if upstream != NULL:
        upstream = upstream_in(plan, upstream)
    if upstream != NULL:
        target = target_in(upstream, x.attempt.target)
    if (route == NULL or target == NULL or target.pool != x.attempt.target.pool
            or not chain_is_over(&route.chain, x.request_side.end_passed)
            or request_keep(x) != 0):
        return False
    x.route = route
    x.slots = NULL                           # laid out by the other chain, which is over
    x.upstream = upstream
    x.timeouts = timeouts_to(route, upstream)
    x.attempt.target = target
    if up != NULL:
        up.reader.limits = &plan.limits
    return True


cdef void pin_move(down_t* d, exchange_t* x, plan_t* plan) noexcept nogil:
    if d.state == DOWN_HEAD or d.state == DOWN_DRAIN:
        pin(d, x, plan)
    elif d.state == DOWN_BUSY or d.state == DOWN_TUNNEL:
        if is_only_bytes(d, x) and move_bytes(d, x, plan):
            pin(d, x, plan)


cdef void pins_move(downs_t* home) noexcept nogil:
    cdef down_t* d = home.pins_at if home.pins_at != NULL else home.first
    cdef plan_t* plan = home.plan[0]
    cdef uint32_t left = PINS_STEP
    transports_flush(home.transports)
    while d != NULL and left:
        if d.exchange != NULL and d.exchange.plan != plan:
            pin_move(d, d.exchange, plan)
        d = d.next
        left -= 1
    home.pins_at = d
