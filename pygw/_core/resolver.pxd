# Owns: names of targets and the addresses they stand for, looked up again and again.
# Thread and GIL: one worker's loop; no GIL; getaddrinfo runs on libuv's threads.
# Never does: block the loop, or forget the last good addresses because a look-up failed.
# Read next: pool.pxd.
#
# A name (host and port) is looked up while somebody watches it: at once, RESOLVE_MS after a
# success, RESOLVE_RETRY_MS after a failure. An address literal needs no look-up. Names outlive
# plans: a reload that watches before it unwatches loses nothing.

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from pygw._core.libs.sockets cimport sockaddr, sockaddr_storage, addrinfo
from pygw._core.libs.uv cimport uv_loop_t
from pygw._core.types.header cimport span_t
from pygw._core.types.memory cimport blocks_t
from pygw._core.types.timer cimport timer_t
from pygw._core.timer cimport wheel_t

ctypedef void (*watch_fn)(watch_t* watch) noexcept nogil
ctypedef void (*resolver_closed_fn)(void* arg) noexcept nogil
# Starts the look-up of name.host; resolver_answer must follow, from the loop, once. A negative
# result: it could not start.
ctypedef int (*lookup_fn)(name_t* name) noexcept nogil
# Asks for an early end of it: resolver_answer still follows, from the loop.
ctypedef void (*lookup_cancel_fn)(name_t* name) noexcept nogil

cdef enum name_state:
    NAME_ASKING = 0           # no look-up has ended yet
    NAME_KNOWN = 1            # has addresses, perhaps older than the last look-up
    NAME_FAILED = 2           # never had one: answer E_UP_NAME

# Invariant: count > 0 exactly when NAME_KNOWN. Addresses carry the port; a set, in getaddrinfo's
# order; the array changes only right before on_change.
cdef struct name_t:
    name_t* next              # own: the resolver's list
    resolver_t* resolver      # borrow(resolver, until it is closed)
    watch_t* watches          # own
    watch_t* cursor           # borrow(watches, until told): the next one to be told of a change
    timer_t timer             # the next look-up
    uint16_t port
    uint8_t state             # name_state
    bint literal              # an address: never looked up
    bint asking               # a look-up is on its way: the memory must stay
    bint notifying            # watches are being told: the memory must stay
    uint32_t count            # of addresses
    sockaddr_storage addresses[16]    # ADDRESSES_MAX
    uint16_t host_len
    char host[254]            # the longest name and a NUL

# One pool's interest in a name.
cdef struct watch_t:
    watch_t* next             # own: the name's list
    name_t* name              # borrow(resolver, until resolver_unwatch)
    watch_fn on_change        # static
    void* arg                 # borrow(who watches, until resolver_unwatch)

cdef struct resolver_t:
    uv_loop_t* loop           # borrow(loop, until closed)
    wheel_t* wheel            # borrow(worker, until closed)
    name_t* names             # own
    blocks_t name_blocks
    blocks_t watch_blocks
    lookup_fn lookup          # static: libuv's getaddrinfo, or a test's
    lookup_cancel_fn lookup_cancel    # static
    resolver_closed_fn closed # static; NULL while open
    void* closed_arg          # borrow(who closes, until closed)

cdef void resolver_init(resolver_t* r, uv_loop_t* loop, wheel_t* wheel) noexcept nogil
# Begins to watch: *out has a name whose state may be known already. on_change is called, never from
# within this call, when the addresses changed, and for each failed look-up of a name that has none.
# It may watch and unwatch, itself included. 0, E_CORE_MEMORY, or E_UP_NAME for a host that is empty
# or too long.
cdef int resolver_watch(resolver_t* r, span_t host, uint16_t port, watch_fn on_change, void* arg,
                        watch_t** out) noexcept nogil
cdef void resolver_unwatch(resolver_t* r, watch_t* watch) noexcept nogil
# The end of a look-up: status 0 and a list that stays the caller's, or a negative uv_errno.
cdef void resolver_answer(name_t* name, int status, const addrinfo* found) noexcept nogil
# All watches must be gone. Cancels look-ups; `closed` is called when the last has ended, perhaps
# before this returns. One that has started cannot be cancelled and takes what the system's resolver
# takes: have a deadline. Legal once.
cdef void resolver_close(resolver_t* r, resolver_closed_fn closed, void* arg) noexcept nogil

cdef inline const sockaddr* name_address(const name_t* name, uint32_t index) noexcept nogil:
    return <const sockaddr*>&name.addresses[index]
