# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: names of targets and the addresses they stand for, looked up again and again.
# Thread and GIL: one worker's loop; no GIL; getaddrinfo runs on libuv's threads.
# Never does: block the loop, or forget the last good addresses because a look-up failed.
# Read next: resolver.pxd for the contract.

from libc.stddef cimport size_t
from libc.stdint cimport uint16_t, uint32_t
from libc.string cimport memcpy, memcmp, memset
from pygw._core.check cimport BUG_ON, unlikely
from pygw._core.block cimport blocks_init, blocks_fini, block_take, block_give
from pygw._core.fault cimport E_CORE_MEMORY, E_UP_NAME
from pygw._core.limits cimport ADDRESSES_MAX, HOST_NAME_MAX, RESOLVE_MS, RESOLVE_RETRY_MS
from pygw._core.libs.sockets cimport (
    addrinfo, sockaddr_in, sockaddr_in6, sockaddr_storage, AF_INET, AF_INET6, AF_UNSPEC,
    SOCK_STREAM, AI_ADDRCONFIG, htons, inet_pton)
from pygw._core.libs.uv cimport (
    uv, uv_getaddrinfo_t, uv_loop_t, uv_req_t, UV_GETADDRINFO_SIZE, UV_EAI_CANCELED, UV_ECANCELED,
)
from pygw._core.timer cimport wheel_t, timer_arm, timer_detach, timer_init
from pygw._core.types.header cimport span_t
from pygw._core.types.timer cimport timer_t
from pygw._core.view cimport span, span_equal_nocase


cdef inline name_t* name_of_timer(timer_t* t) noexcept nogil:
    return <name_t*>(<char*>t - <size_t>&(<name_t*>NULL).timer)


# libuv's opaque request lies right behind the name.
cdef inline uv_getaddrinfo_t* request_of(name_t* name) noexcept nogil:
    return <uv_getaddrinfo_t*>(name + 1)


cdef void resolver_init(resolver_t* r, uv_loop_t* loop, wheel_t* wheel) noexcept nogil:
    r.loop = loop
    r.wheel = wheel
    r.names = NULL
    blocks_init(&r.name_blocks, sizeof(name_t) + UV_GETADDRINFO_SIZE)
    blocks_init(&r.watch_blocks, sizeof(watch_t))
    r.lookup = lookup_start
    r.lookup_cancel = lookup_stop
    r.closed = NULL
    r.closed_arg = NULL


# --- libuv's look-up ------------------------------------------------------------------------------


cdef void lookup_on_answer(uv_getaddrinfo_t* request, int status, addrinfo* found) noexcept nogil:
    resolver_answer(<name_t*>request - 1, status, found)
    uv.freeaddrinfo(found)


cdef int lookup_start(name_t* name) noexcept nogil:
    cdef addrinfo hints
    memset(&hints, 0, sizeof(hints))
    hints.ai_family = AF_UNSPEC
    hints.ai_socktype = SOCK_STREAM
    hints.ai_flags = AI_ADDRCONFIG
    return uv.getaddrinfo(name.resolver.loop, request_of(name), lookup_on_answer, name.host, NULL,
                          &hints)


cdef void lookup_stop(name_t* name) noexcept nogil:
    uv.cancel(<uv_req_t*>request_of(name))


# --- names ----------------------------------------------------------------------------------------


# Fills in an address literal; False: the host is a name.
cdef bint name_from_literal(name_t* name) noexcept nogil:
    cdef sockaddr_in* v4 = <sockaddr_in*>&name.addresses[0]
    cdef sockaddr_in6* v6 = <sockaddr_in6*>&name.addresses[0]
    memset(&name.addresses[0], 0, sizeof(sockaddr_storage))
    if inet_pton(AF_INET, name.host, &v4.sin_addr) == 1:
        v4.sin_family = AF_INET
        v4.sin_port = htons(name.port)
        return True
    if inet_pton(AF_INET6, name.host, &v6.sin6_addr) == 1:
        v6.sin6_family = AF_INET6
        v6.sin6_port = htons(name.port)
        return True
    return False


cdef name_t* name_find(resolver_t* r, span_t host, uint16_t port) noexcept nogil:
    cdef name_t* name = r.names
    while name != NULL:
        if name.port == port and span_equal_nocase(span(name.host, name.host_len), host):
            return name
        name = name.next
    return NULL


cdef name_t* name_new(resolver_t* r, span_t host, uint16_t port) noexcept nogil:
    cdef name_t* name = <name_t*>block_take(&r.name_blocks)
    if unlikely(name == NULL):
        return NULL
    name.resolver = r
    name.watches = NULL
    name.cursor = NULL
    name.port = port
    name.asking = False
    name.notifying = False
    memcpy(name.host, host.ptr, host.len)     # COPY: names outlive the plans that name them
    name.host[host.len] = 0
    name.host_len = <uint16_t>host.len
    timer_init(&name.timer, name_on_timer)
    name.literal = name_from_literal(name)
    name.count = 1 if name.literal else 0
    name.state = NAME_KNOWN if name.literal else NAME_ASKING
    name.next = r.names
    r.names = name
    return name


# Frees a name that nobody watches, unless a look-up still writes to its memory.
cdef void name_release(name_t* name) noexcept nogil:
    cdef resolver_t* r = name.resolver
    cdef name_t** link = &r.names
    BUG_ON(name.watches != NULL)
    if name.asking or name.notifying:
        return
    timer_detach(r.wheel, &name.timer)
    while link[0] != name:
        link = &link[0].next
    link[0] = name.next
    block_give(&r.name_blocks, name)
    if r.closed != NULL and r.names == NULL:
        resolver_finish(r)


# False: the look-up could not start; it is tried again later.
cdef bint name_ask(name_t* name) noexcept nogil:
    cdef resolver_t* r = name.resolver
    BUG_ON(name.asking or name.literal)
    name.asking = True
    if unlikely(r.lookup(name) < 0):
        name.asking = False
        timer_arm(r.wheel, &name.timer, RESOLVE_RETRY_MS)
        return False
    return True


# Calls every watch that is there now. Callbacks may add and take away any watch of this name.
cdef void name_notify(name_t* name) noexcept nogil:
    cdef watch_t* watch
    name.notifying = True
    name.cursor = name.watches
    while name.cursor != NULL:
        watch = name.cursor
        name.cursor = watch.next
        watch.on_change(watch)
    name.notifying = False
    if name.watches == NULL:
        name_release(name)


cdef void name_failed(name_t* name) noexcept nogil:
    if name.state != NAME_KNOWN:
        name.state = NAME_FAILED
        name_notify(name)


cdef void name_on_timer(timer_t* t) noexcept nogil:
    cdef name_t* name = name_of_timer(t)
    if not name_ask(name):
        name_failed(name)


# --- answers --------------------------------------------------------------------------------------


cdef bint set_has(const sockaddr_storage* found, uint32_t count,
                  const sockaddr_storage* address) noexcept nogil:
    cdef uint32_t i
    for i in range(count):
        if memcmp(&found[i], address, sizeof(sockaddr_storage)) == 0:
            return True
    return False


# The addresses of an answer, each once, with the port; returns how many.
cdef uint32_t set_fill(sockaddr_storage* found, const addrinfo* list, uint16_t port) noexcept nogil:
    cdef uint32_t count = 0
    cdef sockaddr_storage* slot
    while list != NULL and count < ADDRESSES_MAX:
        slot = &found[count]
        memset(slot, 0, sizeof(sockaddr_storage))
        if list.ai_family == AF_INET and list.ai_addrlen == sizeof(sockaddr_in):
            memcpy(slot, list.ai_addr, sizeof(sockaddr_in))   # COPY: the answer is libuv's
            (<sockaddr_in*>slot).sin_port = htons(port)
        elif list.ai_family == AF_INET6 and list.ai_addrlen == sizeof(sockaddr_in6):
            memcpy(slot, list.ai_addr, sizeof(sockaddr_in6))  # COPY: as above
            (<sockaddr_in6*>slot).sin6_port = htons(port)
        if slot.ss_family != AF_UNSPEC and not set_has(found, count, slot):
            count += 1
        list = list.ai_next
    return count


# Order does not count: name servers rotate it.
cdef bint set_changed(const name_t* name, const sockaddr_storage* found,
                      uint32_t count) noexcept nogil:
    cdef uint32_t i
    if count != name.count:
        return True
    for i in range(count):
        if not set_has(name.addresses, name.count, &found[i]):
            return True
    return False


cdef void name_found(name_t* name, const sockaddr_storage* found, uint32_t count) noexcept nogil:
    timer_arm(name.resolver.wheel, &name.timer, RESOLVE_MS)
    if not set_changed(name, found, count):
        return
    memcpy(name.addresses, found, count * sizeof(sockaddr_storage))   # COPY: replaces the set
    name.count = count
    name.state = NAME_KNOWN
    name_notify(name)


cdef void resolver_answer(name_t* name, int status, const addrinfo* found) noexcept nogil:
    cdef sockaddr_storage fresh[16]       # ADDRESSES_MAX
    cdef uint32_t count
    BUG_ON(not name.asking)
    name.asking = False
    if name.watches == NULL:
        name_release(name)
        return
    if status == UV_EAI_CANCELED or status == UV_ECANCELED:
        name_ask(name)                    # nobody watched it when it was cancelled: now one does
        return
    count = set_fill(fresh, found, name.port) if status == 0 else 0
    if count:
        name_found(name, fresh, count)
        return
    timer_arm(name.resolver.wheel, &name.timer, RESOLVE_RETRY_MS)
    name_failed(name)


# --- the door -------------------------------------------------------------------------------------


cdef int resolver_watch(resolver_t* r, span_t host, uint16_t port, watch_fn on_change, void* arg,
                        watch_t** out) noexcept nogil:
    cdef name_t* name
    cdef watch_t* watch
    BUG_ON(r.closed != NULL)
    if host.len == 0 or host.len > HOST_NAME_MAX:
        return E_UP_NAME
    name = name_find(r, host, port)
    watch = <watch_t*>block_take(&r.watch_blocks)
    if watch != NULL and name == NULL:
        name = name_new(r, host, port)
        if name == NULL:
            block_give(&r.watch_blocks, watch)
        elif not name.literal:
            name_ask(name)
    if unlikely(watch == NULL or name == NULL):
        return E_CORE_MEMORY
    watch.name = name
    watch.on_change = on_change
    watch.arg = arg
    watch.next = name.watches
    name.watches = watch
    out[0] = watch
    return 0


cdef void resolver_unwatch(resolver_t* r, watch_t* watch) noexcept nogil:
    cdef name_t* name = watch.name
    cdef watch_t** link = &name.watches
    while link[0] != watch:
        link = &link[0].next
    link[0] = watch.next
    if name.cursor == watch:
        name.cursor = watch.next
    block_give(&r.watch_blocks, watch)
    if name.watches != NULL:
        return
    if name.asking:
        r.lookup_cancel(name)
    name_release(name)


cdef void resolver_finish(resolver_t* r) noexcept nogil:
    blocks_fini(&r.name_blocks)
    blocks_fini(&r.watch_blocks)
    r.closed(r.closed_arg)


cdef void resolver_close(resolver_t* r, resolver_closed_fn closed, void* arg) noexcept nogil:
    cdef name_t* name = r.names
    BUG_ON(r.closed != NULL)
    while name != NULL:
        BUG_ON(name.watches != NULL)
        name = name.next
    r.closed = closed
    r.closed_arg = arg
    if r.names == NULL:
        resolver_finish(r)
