# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, nonecheck=False
# Owns: a worker's data plane as one struct: every home, wired together; what exchanges may ask.
# Thread and GIL: one worker's loop; no GIL.
# Never does: talk to Python (worker.pyx does).
# Read next: host.pxd for the contract, worker.pyx.

from libc.string cimport memcpy
from posix.time cimport clock_gettime, timespec
from pygw._core.check cimport BUG_ON, unlikely
from pygw._core.limits cimport BUFFERS_BYTES_MAX, HEARTBEAT_MS, HOOK_ERROR_MAX
from pygw._core.types.address cimport address_t
from pygw._core.types.upstream cimport standing_t, target_t, upstream_t
from pygw._core.types.exchange cimport exchange_t
from pygw._core.access_log cimport access_log_close, access_log_init, access_log_line
from pygw._core.bills cimport bills_expire, bills_init, bills_tie, bills_untie
from pygw._core.buffer cimport buffers_init, buffers_fini
from pygw._core.build cimport plan_bytes, plan_free
from pygw._core.clock cimport clock_close, clock_init
from pygw._core.deflater cimport deflaters_init, deflaters_fini
from pygw._core.detached cimport detacheds_fini, detacheds_init, detacheds_stop
from pygw._core.down cimport down_t, down_of_stream, downs_init, downs_fini, DOWN_TUNNEL
from pygw._core.downstream cimport downs_drain, downs_stop, down_exchange_done
from pygw._core.exchange cimport exchange_pump_response, exchange_tunnel_ended
from pygw._core.fault cimport E_CORE_MEMORY, E_CORE_STOPPED
from pygw._core.hook_cache cimport hook_cache_fini, hook_cache_forget, hook_cache_init
from pygw._core.hooks cimport hooks_fini, hooks_init, hooks_load, hooks_release
from pygw._core.ids cimport ids_init, ids_random
from pygw._core.listener cimport (
    listeners_init, listeners_fini, listeners_close, listeners_resume)
from pygw._core.malformed cimport malformed_init, malformed_is, malformed_note
from pygw._core.mirror cimport mirrors_fini, mirrors_init
from pygw._core.steps cimport steps_fini, steps_init
from pygw._core.pins cimport pins_move
from pygw._core.pool cimport (
    pool_t, pools_init, pools_fini, pools_stop, pool_bound, pool_get, pool_unref,
    pool_attempt_start, pool_attempt_end)
from pygw._core.relay cimport relay_t, relays_init, relays_fini, relay_start, relay_stop
from pygw._core.resolver cimport resolver_close, resolver_init
from pygw._core.runtimes.hook_host cimport hook_host
from pygw._core.standing cimport (
    standing_get, standing_unref, standings_init, standings_fini)
from pygw._core.stats cimport (
    stat_set, ST_CONNECTIONS, ST_HEARTBEAT_MS, ST_TUNNELS, ST_UPSTREAM_IDLE, ST_UPSTREAM_OPEN)
from pygw._core.timer cimport (
    timer_init, timer_arm, timer_disarm, timer_detach, timer_soon, wheel_init, wheel_now)
from pygw._core.transport cimport transports_flush, transports_init, transports_fini
from pygw._core.transport_uv cimport transport_connect
from pygw._core.upstream cimport up_t, up_close, UP_TUNNEL

cdef extern from "<time.h>" nogil:
    int CLOCK_REALTIME_COARSE
    int CLOCK_MONOTONIC


cdef inline worker_t* worker_of(exchange_t* x) noexcept nogil:
    return <worker_t*>x.host.worker


# --- host_t ---------------------------------------------------------------------------------------


cdef void on_attempt_start(exchange_t* x) noexcept nogil:
    pool_attempt_start(&worker_of(x).pools, x)


cdef void on_attempt_end(exchange_t* x, bint reusable) noexcept nogil:
    pool_attempt_end(&worker_of(x).pools, x, reusable)


cdef void on_tunnel_start(exchange_t* x) noexcept nogil:
    cdef worker_t* w = worker_of(x)
    cdef down_t* d = down_of_stream(x.down)
    cdef up_t* up = <up_t*>(<char*>x.attempt.stream - <size_t>&(<up_t*>NULL).stream)
    timer_disarm(&d.timer)
    timer_disarm(&up.timer)
    d.state = DOWN_TUNNEL
    up.state = UP_TUNNEL
    if relay_start(&w.relays, x, &d.transport, &d.inlet, &up.transport, &up.inlet) == NULL:
        up_close(up)
        exchange_tunnel_ended(x, 0, 0, E_CORE_MEMORY)


cdef void on_relay_ended(relay_t* r, int error) noexcept nogil:
    exchange_tunnel_ended(r.exchange, r.down.bytes, r.up.bytes, error)


cdef void on_timer_arm(host_t* h, timer_t* t, uint32_t ms) noexcept nogil:
    timer_arm(&(<worker_t*>h.worker).wheel, t, ms)


cdef void on_timer_disarm(host_t* h, timer_t* t) noexcept nogil:
    timer_disarm(t)


cdef void on_timer_detach(host_t* h, timer_t* t) noexcept nogil:
    timer_detach(&(<worker_t*>h.worker).wheel, t)


cdef void on_timer_soon(host_t* h, timer_t* t) noexcept nogil:
    timer_soon(&(<worker_t*>h.worker).wheel, t)


cdef uint64_t on_now_ns(host_t* h) noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <uint64_t>now.tv_sec * 1000000000 + <uint64_t>now.tv_nsec


cdef uint64_t on_unix_ms(host_t* h) noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_REALTIME_COARSE, &now)
    return <uint64_t>now.tv_sec * 1000 + <uint64_t>(now.tv_nsec // 1000000)


cdef void on_log(exchange_t* x) noexcept nogil:
    access_log_line(&worker_of(x).log, x, x.plan.log_format, on_unix_ms(x.host))


cdef void on_flush(host_t* h) noexcept nogil:
    transports_flush(&(<worker_t*>h.worker).transports)


cdef void on_malformed(exchange_t* x, const address_t* client, int error) noexcept nogil:
    cdef worker_t* w = worker_of(x)
    if malformed_is(error):
        malformed_note(&w.malformed, client, error, &x.plan.limits, wheel_now(&w.wheel))


# --- homes that report ----------------------------------------------------------------------------


cdef void on_down_closed(downs_t* home) noexcept nogil:
    listeners_resume(&(<worker_t*>home.host.worker).listeners)


cdef void on_plan_unpin(downs_t* home, plan_t* plan) noexcept nogil:
    cdef worker_t* w = <worker_t*>home.host.worker
    hook_cache_forget(&w.hooks.cache, plan)
    hooks_release(&w.hooks, plan)
    bills_untie(&w.bills, plan)
    plan_untie(w, plan)
    w.plans -= 1
    w.plans_bytes -= plan_bytes(plan)
    plan_free(plan)


cdef void on_detached_unpin(host_t* h, plan_t* plan) noexcept nogil:
    on_plan_unpin(&(<worker_t*>h.worker).downs, plan)


cdef void on_heartbeat(timer_t* t) noexcept nogil:
    cdef worker_t* w = <worker_t*>(<char*>t - <size_t>&(<worker_t*>NULL).heartbeat)
    stat_set(w.counters, ST_HEARTBEAT_MS, wheel_now(&w.wheel))
    listeners_resume(&w.listeners)          # memory may be back
    bills_expire(&w.bills, w.host.now_ns(&w.host))
    if unlikely(w.plans > 1):
        pins_move(&w.downs)
    timer_arm(&w.wheel, t, HEARTBEAT_MS)


cdef void on_clock_closed(void* arg) noexcept nogil:
    (<worker_t*>arg).clock_open = False


# Time stands still only when nobody waits for it any more.
cdef void clock_close_last(worker_t* w) noexcept nogil:
    if w.clock_open and not (w.log_open or w.resolver_open):
        clock_close(&w.clock, on_clock_closed, w)


cdef void on_log_closed(void* arg) noexcept nogil:
    (<worker_t*>arg).log_open = False
    clock_close_last(<worker_t*>arg)


cdef void on_resolver_closed(void* arg) noexcept nogil:
    (<worker_t*>arg).resolver_open = False
    clock_close_last(<worker_t*>arg)


# --- life -----------------------------------------------------------------------------------------


cdef void host_fill(worker_t* w) noexcept nogil:
    cdef host_t* h = &w.host
    h.attempt_start = on_attempt_start
    h.attempt_end = on_attempt_end
    h.tunnel_start = on_tunnel_start
    h.exchange_done = down_exchange_done
    h.timer_arm = on_timer_arm
    h.timer_disarm = on_timer_disarm
    h.timer_detach = on_timer_detach
    h.timer_soon = on_timer_soon
    h.now_ns = on_now_ns
    h.unix_ms = on_unix_ms
    h.log = on_log
    h.flush = on_flush
    h.malformed = on_malformed
    h.worker = w
    h.ids = &w.ids
    h.buffers = &w.buffers
    h.deflaters = &w.deflaters
    h.steps = &w.steps
    h.hooks = &w.hooks
    h.detacheds = &w.detacheds
    h.mirrors = &w.mirrors
    h.counters = w.counters


cdef int host_init(worker_t* w, uv_loop_t* loop, uint64_t* counters, int log_fd) noexcept nogil:
    cdef int error = 0
    cdef uint64_t seed
    w.loop = loop
    w.counters = counters
    host_fill(w)
    bills_init(&w.bills, &w.host)
    buffers_init(&w.buffers, BUFFERS_BYTES_MAX)
    malformed_init(&w.malformed, counters)
    hooks_init(&w.hooks, &w.host, hook_host())
    hook_cache_init(&w.hooks.cache)
    detacheds_init(&w.detacheds, &w.host, on_detached_unpin)
    mirrors_init(&w.mirrors, &w.host)
    deflaters_init(&w.deflaters, &w.buffers)
    steps_init(&w.steps, &w.host, exchange_pump_response)
    transports_init(&w.transports, loop, &w.buffers)
    w.transports.connect = transport_connect
    wheel_init(&w.wheel, 0)
    error = ids_init(&w.ids)
    if error == 0 and loop != NULL:
        error = clock_init(&w.clock, &w.wheel, loop)
        w.clock_open = error == 0
    if error == 0:
        error = access_log_init(&w.log, loop, &w.wheel, log_fd, counters)
        w.log_open = error == 0
    if error != 0:
        return error
    resolver_init(&w.resolver, loop, &w.wheel)
    w.resolver_open = True
    pools_init(&w.pools, &w.host, &w.transports, &w.wheel, &w.resolver)
    downs_init(&w.downs, &w.host, &w.transports, &w.wheel, &w.plan)
    w.downs.closed = on_down_closed
    w.downs.plan_unpin = on_plan_unpin
    memcpy(&seed, ids_random(&w.ids, sizeof(seed)), sizeof(seed))   # COPY: of bytes into a number
    standings_init(&w.standings, seed)
    relays_init(&w.relays, &w.transports, &w.wheel, counters, on_relay_ended)
    listeners_init(&w.listeners, loop, &w.downs)
    # A worker that died left its gauges in the page that this one goes on with.
    stat_set(counters, ST_CONNECTIONS, 0)
    stat_set(counters, ST_UPSTREAM_IDLE, 0)
    stat_set(counters, ST_UPSTREAM_OPEN, 0)
    stat_set(counters, ST_TUNNELS, 0)
    timer_init(&w.heartbeat, on_heartbeat)
    on_heartbeat(&w.heartbeat)
    return 0


cdef void host_fini(worker_t* w) noexcept nogil:
    listeners_fini(&w.listeners)
    relays_fini(&w.relays)
    downs_fini(&w.downs)
    pools_fini(&w.pools)
    standings_fini(&w.standings)
    hook_cache_fini(&w.hooks.cache)
    hooks_fini(&w.hooks)
    mirrors_fini(&w.mirrors)
    detacheds_fini(&w.detacheds)
    transports_fini(&w.transports)
    deflaters_fini(&w.deflaters)
    buffers_fini(&w.buffers)


cdef void plan_untie(worker_t* w, plan_t* plan) noexcept nogil:
    cdef uint32_t i, k
    cdef target_t* target
    for i in range(plan.upstream_count):
        if plan.upstreams[i].tied:
            plan.upstreams[i].tied = False
            standing_unref(&w.standings, plan.upstreams[i].standing)
            plan.upstreams[i].standing = NULL
        for k in range(plan.upstreams[i].target_count):
            target = &plan.upstreams[i].targets[k]
            if target.pool != NULL:
                pool_unref(<pool_t*>target.pool)
                target.pool = NULL


cdef int host_prepare(worker_t* w, plan_t* plan, char* why) noexcept nogil:
    cdef int error = plan_tie(w, plan)
    why[0] = 0
    if error == 0:
        error = hooks_load(&w.hooks, plan, why, HOOK_ERROR_MAX)
    if error != 0:
        plan_untie(w, plan)
        return error
    bills_tie(&w.bills, plan)
    w.plans += 1
    w.plans_bytes += plan_bytes(plan)
    return 0


cdef int plan_tie(worker_t* w, plan_t* plan) noexcept nogil:
    cdef uint32_t i, k
    cdef upstream_t* u
    cdef standing_t* standing
    for i in range(plan.upstream_count):
        u = &plan.upstreams[i]
        standing = standing_get(&w.standings, u.name)
        if standing == NULL:
            return E_CORE_MEMORY
        u.standing = standing
        u.tied = True
        for k in range(u.target_count):
            u.targets[k].pool = pool_get(&w.pools, &u.targets[k])
            if u.targets[k].pool == NULL:
                return E_CORE_MEMORY
            u.targets[k].health = &(<pool_t*>u.targets[k].pool).health
    return 0


cdef void host_commit(worker_t* w, plan_t* plan) noexcept nogil:
    cdef uint32_t i, k
    cdef upstream_t* u
    cdef plan_t* old = w.plan
    for i in range(plan.upstream_count):
        u = &plan.upstreams[i]
        for k in range(u.target_count):
            pool_bound(<pool_t*>u.targets[k].pool, &u.limits, u.timeouts.connect_ms)
    w.plan = plan
    if old != NULL:
        old.refs -= 1
        if old.refs == 0:
            on_plan_unpin(&w.downs, old)


cdef void host_drop(worker_t* w, plan_t* plan) noexcept nogil:
    plan.refs = 0
    on_plan_unpin(&w.downs, plan)


cdef void host_drain(worker_t* w, uint32_t idle_ms, bint last) noexcept nogil:
    downs_drain(&w.downs, idle_ms)
    listeners_close(&w.listeners, last)


cdef uint64_t host_clients(worker_t* w) noexcept nogil:
    return w.downs.count


cdef void host_stop(worker_t* w) noexcept nogil:
    cdef down_t* d = w.downs.first
    listeners_close(&w.listeners, False)
    w.pools.stopping = True
    while d != NULL:
        if d.state == DOWN_TUNNEL:
            relay_stop(<relay_t*>d.transport.tunnel, E_CORE_STOPPED)
        d = d.next
    downs_stop(&w.downs)
    detacheds_stop(&w.detacheds)
    pools_stop(&w.pools)


cdef uint64_t host_open(worker_t* w) noexcept nogil:
    return w.downs.count + w.pools.open + (w.listeners.first != NULL)


cdef void host_close(worker_t* w) noexcept nogil:
    timer_detach(&w.wheel, &w.heartbeat)
    steps_fini(&w.steps)
    if w.plan != NULL:
        w.plan.refs -= 1
        BUG_ON(w.plan.refs != 0)
        on_plan_unpin(&w.downs, w.plan)
        w.plan = NULL
    if w.log_open:
        access_log_close(&w.log, on_log_closed, w)
    if w.resolver_open:
        resolver_close(&w.resolver, on_resolver_closed, w)


cdef bint host_closed(worker_t* w) noexcept nogil:
    return not (w.log_open or w.resolver_open or w.clock_open)
