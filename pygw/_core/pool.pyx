# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, nonecheck=False
# Owns: the connections to one target: idle ones, the bound on open ones, who waits for one.
# Thread and GIL: one worker's loop; no GIL.
# Never does: forget a target's state because a plan was replaced: pools outlive plans.
# Read next: pool.pxd for the contract, upstream.pyx.

from libc.string cimport memcpy, memset, memcmp, strlen
from libc.stdint cimport UINT32_MAX
from pygw._core.check cimport BUG_ON, likely, unlikely
from pygw._core.types.timer cimport timer_t
from pygw._core.types.exchange cimport *
from pygw._core.types.upstream cimport TARGET_TCP
from pygw._core.libs.sockets cimport sockaddr
from pygw._core.block cimport blocks_init, blocks_fini, block_take, block_give
from pygw._core.exchange cimport exchange_attempt_ready, exchange_attempt_failed
from pygw._core.fault cimport (
    E_CORE_QUEUE_FULL, E_CORE_QUEUE_TIMEOUT, E_CORE_STOPPED, E_CORE_MEMORY, E_UP_NAME)
from pygw._core.resolver cimport (
    resolver_watch, resolver_unwatch, name_address, NAME_KNOWN, NAME_FAILED)
from pygw._core.stats cimport stat_add, stat_get, stat_set, ST_QUEUED, ST_UPSTREAM_IDLE
from pygw._core.timer cimport timer_init, timer_arm, timer_detach, wheel_now
from pygw._core.transport cimport transports_flush
from pygw._core.upstream cimport (
    up_on_t, ups_init, ups_fini, up_connect, up_begin, up_reusable, up_rest, up_close)


cdef void pools_init(pools_t* home, host_t* host, transports_t* transports, wheel_t* wheel,
                     resolver_t* resolver) noexcept nogil:
    memset(home, 0, sizeof(pools_t))
    home.host = host
    home.wheel = wheel
    home.resolver = resolver
    blocks_init(&home.blocks, sizeof(pool_t))
    ups_init(&home.ups, host, transports, wheel, &up_on)


cdef void pools_fini(pools_t* home) noexcept nogil:
    BUG_ON(home.first != NULL)
    ups_fini(&home.ups)
    blocks_fini(&home.blocks)


cdef void pools_stop(pools_t* home) noexcept nogil:
    cdef pool_t* pool = home.first
    cdef up_t* up
    home.stopping = True
    while pool != NULL:
        while pool.idle != NULL:
            up_close(pool.idle)
        while pool.opening != NULL:
            up = pool.opening
            opening_remove(pool, up)
            up_close(up)
        pool = pool.next


# --- a pool's life --------------------------------------------------------------------------------


cdef bint pool_is(pool_t* pool, target_t* target) noexcept nogil:
    return (pool.family == target.family and pool.port == target.port
            and strlen(pool.host) == target.host.len
            and memcmp(pool.host, target.host.ptr, target.host.len) == 0)


# FNV-1a over what pool_is compares.
cdef uint32_t bucket_of(const char* host, size_t size, uint16_t port) noexcept nogil:
    cdef uint32_t hash = 2166136261U ^ port
    cdef size_t i
    for i in range(size):
        hash = (hash ^ <uint8_t>host[i]) * 16777619U
    return (hash ^ (hash >> 16)) % POOL_BUCKETS


cdef pool_t* pool_get(pools_t* home, target_t* target) noexcept nogil:
    cdef pool_t* pool = home.buckets[bucket_of(target.host.ptr, target.host.len, target.port)]
    while pool != NULL and not pool_is(pool, target):
        pool = pool.near
    if pool == NULL:
        pool = pool_make(home, target)
        if pool == NULL:
            return NULL
    pool.refs += 1
    return pool


cdef void pool_bound(pool_t* pool, const pool_limits_t* limits, uint32_t connect_ms) noexcept nogil:
    pool.limits = limits[0]
    pool.connect_ms = connect_ms


cdef pool_t* pool_make(pools_t* home, target_t* target) noexcept nogil:
    cdef pool_t* pool
    cdef pool_t** bucket
    if target.host.len >= sizeof(pool.host):
        return NULL
    pool = <pool_t*>block_take(&home.blocks)
    if pool == NULL:
        return NULL
    memset(pool, 0, sizeof(pool_t))
    pool.home = home
    pool.family = target.family
    pool.port = target.port
    pool.queue_end = &pool.queue
    memcpy(pool.host, target.host.ptr, target.host.len)   # COPY: pools outlive plans
    if pool.family == TARGET_TCP and resolver_watch(home.resolver, target.host, target.port,
                                                    on_addresses, pool, &pool.watch) != 0:
        block_give(&home.blocks, pool)
        return NULL
    pool.next = home.first
    home.first = pool
    bucket = &home.buckets[bucket_of(pool.host, target.host.len, pool.port)]
    pool.near = bucket[0]
    bucket[0] = pool
    return pool


cdef void pool_unref(pool_t* pool) noexcept nogil:
    pool.refs -= 1
    if pool.refs == 0:
        while pool.idle != NULL:
            up_close(pool.idle)
    pool_sweep(pool)


# Gives the pool back once nothing needs it.
cdef void pool_sweep(pool_t* pool) noexcept nogil:
    cdef pool_t** link = &pool.home.first
    if pool.refs or pool.open or pool.queued:
        return
    while link[0] != pool:
        link = &link[0].next
    link[0] = pool.next
    link = &pool.home.buckets[bucket_of(pool.host, strlen(pool.host), pool.port)]
    while link[0] != pool:
        link = &link[0].near
    link[0] = pool.near
    if pool.watch != NULL:
        resolver_unwatch(pool.home.resolver, pool.watch)
    block_give(&pool.home.blocks, pool)


# --- the queue ------------------------------------------------------------------------------------


cdef void queue_push(pool_t* pool, attempt_t* a, uint32_t ms) noexcept nogil:
    a.flags |= AF_QUEUED
    a.next = NULL
    a.link = pool.queue_end
    pool.queue_end[0] = a
    pool.queue_end = &a.next
    pool.queued += 1
    stat_add(pool.home.host.counters, ST_QUEUED, 1)
    timer_init(&a.timer, on_queue_timer)
    timer_arm(pool.home.wheel, &a.timer, ms)


cdef void queue_remove(pool_t* pool, attempt_t* a) noexcept nogil:
    a.flags &= ~<uint32_t>AF_QUEUED
    a.link[0] = a.next
    if a.next != NULL:
        a.next.link = a.link
    else:
        pool.queue_end = a.link
    pool.queued -= 1
    timer_detach(pool.home.wheel, &a.timer)


cdef void on_queue_timer(timer_t* t) noexcept nogil:
    cdef attempt_t* a = <attempt_t*>(<char*>t - <size_t>&(<attempt_t*>NULL).timer)
    cdef pool_t* pool = <pool_t*>a.target.pool
    cdef pools_t* home = pool.home
    queue_remove(pool, a)
    if pool.watch != NULL and pool.watch.name.state != NAME_KNOWN:
        exchange_attempt_failed(a.exchange, E_UP_NAME)
    else:
        exchange_attempt_failed(a.exchange, E_CORE_QUEUE_TIMEOUT)
    transports_flush(home.ups.transports)


cdef void queue_fail(pool_t* pool, int error) noexcept nogil:
    cdef uint32_t count = pool.queued         # who is queued anew by its failing waits again
    cdef attempt_t* a
    pool.refs += 1                            # failing may end the last user
    while count and pool.queue != NULL:
        count -= 1
        a = pool.queue
        queue_remove(pool, a)
        exchange_attempt_failed(a.exchange, error)
    pool.refs -= 1


# Opens connections for those who wait, as far as the bound allows.
cdef void queue_serve(pool_t* pool) noexcept nogil:
    cdef int error = 0
    while pool.queued > pool.connecting and pool.open < pool.limits.connections:
        if not pool_connect(pool, &error):
            if error:
                queue_fail(pool, error)
            return


# --- connections ----------------------------------------------------------------------------------


cdef void list_push(up_t** first, up_t* up) noexcept nogil:
    up.next = first[0]
    up.link = first
    if up.next != NULL:
        up.next.link = &up.next
    first[0] = up


cdef void list_remove(up_t* up) noexcept nogil:
    up.link[0] = up.next
    if up.next != NULL:
        up.next.link = up.link
    up.next = NULL
    up.link = NULL


cdef void opening_remove(pool_t* pool, up_t* up) noexcept nogil:
    list_remove(up)
    pool.connecting -= 1


# A connection is opened for whoever stands first: its route says how long that may take.
cdef uint32_t pool_connect_ms(pool_t* pool) noexcept nogil:
    if pool.queue == NULL:
        return pool.connect_ms
    return pool.queue.exchange.timeouts.connect_ms


# Starts one more connection. False: none was started; *error 0 means the name is still looked up.
cdef bint pool_connect(pool_t* pool, int* error) noexcept nogil:
    cdef const sockaddr* address = NULL
    cdef up_t* up
    error[0] = 0
    if unlikely(pool.home.stopping):
        error[0] = E_CORE_STOPPED
        return False
    if pool.watch != NULL:
        if pool.watch.name.state != NAME_KNOWN:
            if pool.watch.name.state == NAME_FAILED:
                error[0] = E_UP_NAME
            return False
        address = name_address(pool.watch.name, pool.next_address % pool.watch.name.count)
        pool.next_address += 1
    pool.open += 1
    pool.home.open += 1
    up = up_connect(&pool.home.ups, pool, address, pool.host, pool_connect_ms(pool), error)
    if unlikely(up == NULL):
        if error[0] == E_CORE_MEMORY:         # else on_closed takes it off `open`
            pool.open -= 1
            pool.home.open -= 1
        return False
    pool.connecting += 1
    list_push(&pool.opening, up)
    return True


cdef uint32_t pool_addresses(pool_t* pool) noexcept nogil:
    if pool.watch == NULL or pool.watch.name.count == 0:
        return 1
    return pool.watch.name.count


cdef void on_addresses(watch_t* watch) noexcept nogil:
    cdef pool_t* pool = <pool_t*>watch.arg
    cdef pools_t* home = pool.home
    if watch.name.state == NAME_FAILED:
        queue_fail(pool, E_UP_NAME)
    else:
        queue_serve(pool)
    transports_flush(home.ups.transports)


cdef void on_connect(up_t* up, int error) noexcept nogil:
    cdef pool_t* pool = <pool_t*>up.pool
    cdef attempt_t* a = pool.queue
    opening_remove(pool, up)
    if error == 0:
        pool.faults = 0
        pool_offer(pool, up)
        return
    pool.faults += 1
    if a == NULL:
        return
    if pool.faults < pool_addresses(pool):
        queue_serve(pool)                     # the next address of the name
        return
    pool.faults = 0
    queue_remove(pool, a)
    exchange_attempt_failed(a.exchange, error)


# A connection is free: the first who waits gets it, else it rests.
cdef void pool_offer(pool_t* pool, up_t* up) noexcept nogil:
    cdef attempt_t* a = pool.queue
    while a != NULL and up.served and a.flags & AF_FRESH:
        a = a.next
    if a != NULL:
        queue_remove(pool, a)
        if up.served:
            a.flags |= AF_REUSED
        up_begin(up, a.exchange)
        exchange_attempt_ready(a.exchange, &up.stream)
        return
    if (pool.refs == 0 or pool.home.stopping or pool.idle_count >= pool.limits.idle
            or pool_expired(pool, up)):
        up_close(up)
        return
    pool.idle_count += 1
    stat_add(pool.home.host.counters, ST_UPSTREAM_IDLE, 1)
    list_push(&pool.idle, up)
    up_rest(up, pool.limits.idle_timeout_ms)


cdef bint pool_expired(pool_t* pool, up_t* up) noexcept nogil:
    return (pool.limits.lifetime_ms != 0
            and wheel_now(pool.home.wheel) - up.born_ms >= pool.limits.lifetime_ms)


cdef void idle_remove(pool_t* pool, up_t* up) noexcept nogil:
    cdef uint64_t* counters = pool.home.host.counters
    list_remove(up)
    pool.idle_count -= 1
    stat_set(counters, ST_UPSTREAM_IDLE, stat_get(counters, ST_UPSTREAM_IDLE) - 1)


cdef void on_rest_over(up_t* up) noexcept nogil:
    idle_remove(<pool_t*>up.pool, up)


cdef void on_closed(up_t* up) noexcept nogil:
    cdef pool_t* pool = <pool_t*>up.pool
    pool.open -= 1
    pool.home.open -= 1
    queue_serve(pool)
    pool_sweep(pool)


# --- attempts -------------------------------------------------------------------------------------


cdef up_t* idle_take(pool_t* pool) noexcept nogil:
    cdef up_t* up = pool.idle
    while up != NULL and pool_expired(pool, up):
        up_close(up)
        up = pool.idle
    if up != NULL:
        idle_remove(pool, up)
    return up


cdef void pool_attempt_start(pools_t* home, exchange_t* x) noexcept nogil:
    cdef attempt_t* a = &x.attempt
    cdef pool_t* pool = <pool_t*>a.target.pool
    cdef up_t* up = NULL
    if not a.flags & AF_FRESH:
        up = idle_take(pool)
    if likely(up != NULL):
        a.flags |= AF_REUSED
        up_begin(up, x)
        exchange_attempt_ready(x, &up.stream)
        return
    if unlikely(home.stopping):
        exchange_attempt_failed(x, E_CORE_STOPPED)
        return
    if unlikely(pool.open >= pool.limits.connections
                and pool.queued >= pool.limits.queue + pool.connecting):
        exchange_attempt_failed(x, E_CORE_QUEUE_FULL)
        return
    queue_push(pool, a, pool_patience_ms(pool, x))
    queue_serve(pool)


# How long an attempt may stand in the queue: a connect on its way has a timeout of its own, which
# must end first.
cdef uint32_t pool_patience_ms(pool_t* pool, exchange_t* x) noexcept nogil:
    cdef uint64_t ms = pool.limits.queue_timeout_ms
    if pool.open < pool.limits.connections:
        ms += <uint64_t>x.timeouts.connect_ms * pool_addresses(pool)
    return <uint32_t>ms if ms < UINT32_MAX else UINT32_MAX


cdef void pool_attempt_end(pools_t* home, exchange_t* x, bint reusable) noexcept nogil:
    cdef attempt_t* a = &x.attempt
    cdef pool_t* pool = <pool_t*>a.target.pool
    cdef up_t* up
    if a.flags & AF_QUEUED:
        queue_remove(pool, a)
        return
    if a.stream == NULL:
        return
    up = <up_t*>(<char*>a.stream - <size_t>&(<up_t*>NULL).stream)
    if reusable and up_reusable(up):
        up.exchange = NULL
        up.stream.on = NULL
        up.stream.sink = NULL
        pool_offer(pool, up)
    else:
        up_close(up)


cdef up_on_t up_on
up_on.connect = on_connect
up_on.rest_over = on_rest_over
up_on.closed = on_closed
