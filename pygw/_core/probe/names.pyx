# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Owns: a Python door to the resolver, with a look-up that a test scripts, for tests.
# Thread and GIL: Python's thread; callbacks touch C memory only.
# Never does: serve traffic; the gateway does not import it.
# Read next: ../resolver.pxd.
"""A door for tests: the resolver with a scripted look-up, or with libuv's."""

from libc.stdint cimport uint16_t, uint32_t
from libc.string cimport memcpy, memset, strlen
from pygw._core.address cimport address_from_socket, address_parse
from pygw._core.clock cimport clock_close, clock_init, loop_clock_t
from pygw._core.libs.sockets cimport (
    AF_INET, AF_INET6, addrinfo, sockaddr, sockaddr_in, sockaddr_in6, sockaddr_storage,
)
from pygw._core.libs.uv cimport loop_ptr
from pygw._core.resolver cimport (
    name_t, resolver_answer, resolver_close, resolver_init, resolver_t, resolver_unwatch,
    resolver_watch, watch_t,
)
from pygw._core.timer cimport wheel_advance, wheel_init, wheel_next_ms, wheel_t
from pygw._core.types.address cimport address_t
from pygw._core.view cimport span

cdef enum:
    WATCHES = 64

# What a watch does when it is told of a change, besides counting.
WATCH_DEEDS = {"nothing": 0, "unwatch": 1, "rewatch": 2}

cdef struct probed_watch_t:
    probed_resolver_t* home   # borrow(Resolver, for ever)
    watch_t* watch            # borrow(resolver, until unwatch); NULL: not watching
    uint32_t changes
    uint32_t deed
    uint32_t target
    char host[254]
    uint16_t port

cdef struct probed_resolver_t:
    resolver_t resolver
    wheel_t wheel
    loop_clock_t clock
    bint closed
    bint refuses              # the fake look-up can not start
    uint32_t asks             # fake look-ups started
    uint32_t cancels
    name_t* asked[64]         # borrow(resolver, until answered): WATCHES, in order
    uint32_t asked_count
    probed_watch_t watches[64]        # WATCHES


cdef int fake_lookup(name_t* name) noexcept nogil:
    cdef probed_resolver_t* home = <probed_resolver_t*>name.resolver
    if home.refuses or home.asked_count == WATCHES:
        return -1
    home.asks += 1
    home.asked[home.asked_count] = name
    home.asked_count += 1
    return 0


cdef void fake_cancel(name_t* name) noexcept nogil:
    (<probed_resolver_t*>name.resolver).cancels += 1


cdef void probed_on_change(watch_t* watch) noexcept nogil:
    cdef probed_watch_t* p = <probed_watch_t*>watch.arg
    cdef probed_watch_t* target = &p.home.watches[p.target]
    p.changes += 1
    if p.deed and target.watch != NULL:
        resolver_unwatch(&p.home.resolver, target.watch)
        target.watch = NULL
        if p.deed == 2:
            resolver_watch(&p.home.resolver, span(target.host, strlen(target.host)), target.port,
                           probed_on_change, target, &target.watch)


cdef void resolver_on_closed(void* arg) noexcept nogil:
    (<probed_resolver_t*>arg).closed = True


cdef class Resolver:
    """A resolver with a scripted look-up and a wheel driven by hand, or with libuv's on a loop."""
    cdef probed_resolver_t p
    cdef uint32_t watch_count

    def __init__(self, loop: object = None):
        cdef uint32_t i
        if loop is None:
            wheel_init(&self.p.wheel, 0)
            resolver_init(&self.p.resolver, NULL, &self.p.wheel)
            self.p.resolver.lookup = fake_lookup
            self.p.resolver.lookup_cancel = fake_cancel
        else:
            if clock_init(&self.p.clock, &self.p.wheel, loop_ptr(loop)) != 0:
                raise MemoryError
            resolver_init(&self.p.resolver, loop_ptr(loop), &self.p.wheel)
        for i in range(WATCHES):
            self.p.watches[i].home = &self.p

    def watch(self, host: bytes, port: int) -> int:
        """Watch; the watch's number. ValueError with the fault's number when refused."""
        cdef probed_watch_t* p = &self.p.watches[self.watch_count]
        cdef const char* ptr = host
        cdef int error
        if self.watch_count == WATCHES:
            raise IndexError
        memcpy(p.host, ptr, min(len(host), 253))
        p.port = port
        error = resolver_watch(&self.p.resolver, span(ptr, len(host)), port, probed_on_change, p,
                               &p.watch)
        if error:
            raise ValueError(error)
        self.watch_count += 1
        return self.watch_count - 1

    def unwatch(self, number: int) -> None:
        """Stop watching."""
        resolver_unwatch(&self.p.resolver, self.p.watches[number].watch)
        self.p.watches[number].watch = NULL

    def on_change(self, number: int, deed: str, target: int) -> None:
        """What watch ``number`` does to watch ``target`` when it is told of a change."""
        self.p.watches[number].deed = WATCH_DEEDS[deed]
        self.p.watches[number].target = target

    def changes(self, number: int) -> int:
        """How often it was told."""
        return self.p.watches[number].changes

    def state(self, number: int) -> str:
        """asking, known or failed."""
        return ("asking", "known", "failed")[self.p.watches[number].watch.name.state]

    def addresses(self, number: int) -> list[tuple[str, int]]:
        """Addresses and ports."""
        cdef name_t* name = self.p.watches[number].watch.name
        cdef address_t a
        out = []
        for i in range(name.count):
            address_from_socket(&a, <const sockaddr*>&name.addresses[i])
            out.append((a.text[:a.text_len].decode("ascii"), a.port))
        return out

    def asked(self) -> list[str]:
        """Hosts of the fake look-ups on their way."""
        return [self.p.asked[i].host.decode("ascii") for i in range(self.p.asked_count)]

    def answer(self, status: int, *texts: bytes) -> None:
        """End the oldest fake look-up."""
        cdef name_t* name = self.p.asked[0]
        cdef addrinfo infos[32]
        cdef sockaddr_storage storage[32]
        cdef address_t a
        cdef uint32_t i, count = len(texts)
        cdef const char* ptr
        if self.p.asked_count == 0 or count > 32:
            raise IndexError
        memset(infos, 0, sizeof(infos))
        memset(storage, 0, sizeof(storage))
        for i in range(count):
            text = texts[i]
            ptr = text
            if not address_parse(&a, span(ptr, len(text))):
                raise ValueError(text)
            info_fill(&infos[i], &storage[i], &a)
            infos[i].ai_next = &infos[i + 1] if i + 1 < count else NULL
        self.p.asked_count -= 1
        for i in range(self.p.asked_count):
            self.p.asked[i] = self.p.asked[i + 1]
        resolver_answer(name, status, infos if count else NULL)

    def advance(self, now_ms: int) -> None:
        """Advance the wheel."""
        wheel_advance(&self.p.wheel, now_ms)

    def next_ms(self) -> int:
        """wheel_next_ms."""
        return wheel_next_ms(&self.p.wheel)

    def refuse(self, refuses: bool) -> None:
        """Whether fake look-ups can not start."""
        self.p.refuses = refuses

    def close(self) -> None:
        """Close; ``closed`` becomes true."""
        resolver_close(&self.p.resolver, resolver_on_closed, &self.p)

    def close_clock(self) -> None:
        """Close the loop's clock, last."""
        self.p.closed = False
        clock_close(&self.p.clock, resolver_on_closed, &self.p)

    @property
    def closed(self) -> bool:
        """Whether the last close is through."""
        return bool(self.p.closed)

    @property
    def asks(self) -> int:
        """Fake look-ups started."""
        return self.p.asks

    @property
    def cancels(self) -> int:
        """Fake look-ups asked to end."""
        return self.p.cancels

    @property
    def live(self) -> tuple[int, int]:
        """Names and watches not given back."""
        return self.p.resolver.name_blocks.live, self.p.resolver.watch_blocks.live


cdef void info_fill(addrinfo* info, sockaddr_storage* storage, const address_t* a) noexcept nogil:
    info.ai_addr = <sockaddr*>storage
    if a.family == 4:
        (<sockaddr_in*>storage).sin_family = AF_INET
        memcpy(&(<sockaddr_in*>storage).sin_addr, a.bytes, 4)
        info.ai_family = AF_INET
        info.ai_addrlen = sizeof(sockaddr_in)
    else:
        (<sockaddr_in6*>storage).sin6_family = AF_INET6
        memcpy(&(<sockaddr_in6*>storage).sin6_addr, a.bytes, 16)
        info.ai_family = AF_INET6
        info.ai_addrlen = sizeof(sockaddr_in6)
