# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Owns: Python doors to timer, clock, ids and address, for tests and benches.
# Thread and GIL: Python's thread; callbacks from the loop touch C memory only.
# Never does: serve traffic; the gateway does not import it.
# Read next: nouns of the same names.
"""Doors for tests and benches: wheel and clock, ids, addresses."""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy, memset
from cpython.bytes cimport PyBytes_FromStringAndSize
from pygw._core.address cimport (
    address_from_socket, address_parse, cidr_matches, cidr_parse,
)
from pygw._core.clock cimport clock_close, clock_init, loop_clock_t
from pygw._core.ids cimport (
    IDS_POOL, TRACEPARENT_LENGTH, UUID_LENGTH, ids_init, ids_random, ids_t,
    ids_traceparent,
    ids_uuid7,
)
from pygw._core.libs.sockets cimport sockaddr, sockaddr_storage
from pygw._core.libs.uv cimport loop_ptr, uv
from pygw._core.timer cimport (
    timer_arm, timer_detach, timer_disarm, timer_init, timer_soon, wheel_advance, wheel_init,
    wheel_next_ms, wheel_t,
)
from pygw._core.types.address cimport address_t, cidr_t
from pygw._core.types.timer cimport timer_t
from pygw._core.view cimport span


# --- timer and clock ------------------------------------------------------------------------------

cdef enum:
    TIMERS = 4096
    FIRES = 65536

# What a timer does when it fires, besides being noted.
cdef enum deed:
    DO_NOTHING = 0
    DO_ARM = 1
    DO_DISARM = 2
    DO_DETACH = 3
    DO_FREE = 4               # as an owner would: detach, then overwrite the memory
    DO_SOON = 5

DEEDS = {"nothing": DO_NOTHING, "arm": DO_ARM, "disarm": DO_DISARM, "detach": DO_DETACH,
         "free": DO_FREE, "soon": DO_SOON}

cdef struct probed_timer_t:
    timer_t timer
    probed_wheel_t* home      # borrow(Wheel, for ever)
    uint32_t number
    uint32_t deed
    uint32_t target           # the timer it is done to
    uint32_t ms               # for DO_ARM

cdef struct probed_wheel_t:
    wheel_t wheel
    loop_clock_t clock
    bint closed
    uint32_t fires
    uint32_t fired[65536]     # FIRES: numbers in order
    uint64_t fired_ms[65536]  # FIRES: the wheel's time then
    uint32_t soonered         # calls of wheel.sooner
    probed_timer_t timers[4096]       # TIMERS


cdef void probed_on_fire(timer_t* t) noexcept nogil:
    cdef probed_timer_t* p = <probed_timer_t*>t
    cdef probed_wheel_t* home = p.home
    cdef timer_t* target = &home.timers[p.target].timer
    if home.fires < FIRES:
        home.fired[home.fires] = p.number
        home.fired_ms[home.fires] = home.wheel.now_ms
    home.fires += 1
    if p.deed == DO_ARM:
        timer_arm(&home.wheel, target, p.ms)
    elif p.deed == DO_SOON:
        timer_soon(&home.wheel, target)
    elif p.deed == DO_DISARM:
        timer_disarm(target)
    elif p.deed == DO_DETACH:
        timer_detach(&home.wheel, target)
    elif p.deed == DO_FREE:
        timer_detach(&home.wheel, target)
        memset(&home.timers[p.target], 0x5A, sizeof(probed_timer_t))


cdef void probed_on_sooner(wheel_t* w) noexcept nogil:
    (<probed_wheel_t*>w).soonered += 1


cdef void probed_on_closed(void* arg) noexcept nogil:
    (<probed_wheel_t*>arg).closed = True


cdef class Wheel:
    """A wheel with 4096 timers, driven by hand from ``now_ms`` on, or by a uvloop loop."""
    cdef probed_wheel_t p

    def __init__(self, now_ms: int = 0, loop: object = None):
        cdef uint32_t i
        if loop is None:
            wheel_init(&self.p.wheel, now_ms)
            self.p.wheel.sooner = probed_on_sooner
        elif clock_init(&self.p.clock, &self.p.wheel, loop_ptr(loop)) != 0:
            raise MemoryError
        for i in range(TIMERS):
            timer_init(&self.p.timers[i].timer, probed_on_fire)
            self.p.timers[i].home = &self.p
            self.p.timers[i].number = i

    cdef timer_t* timer(self, uint32_t number) except NULL:
        if number >= TIMERS:
            raise IndexError(number)
        return &self.p.timers[number].timer

    def arm(self, number: int, ms: int) -> None:
        """Arm timer ``number``."""
        timer_arm(&self.p.wheel, self.timer(number), ms)

    def soon(self, number: int) -> None:
        """Fire with the next turn."""
        timer_soon(&self.p.wheel, self.timer(number))

    def disarm(self, number: int) -> None:
        """Disarm it, lazily."""
        timer_disarm(self.timer(number))

    def detach(self, number: int) -> None:
        """Take it off the wheel."""
        timer_detach(&self.p.wheel, self.timer(number))

    def on_fire(self, number: int, deed: str, target: int, ms: int = 0) -> None:
        """What the timer does to timer ``target`` when it fires."""
        cdef probed_timer_t* p = <probed_timer_t*>self.timer(number)
        p.deed = DEEDS[deed]
        p.target = target
        p.ms = ms

    def armed(self, number: int) -> bool:
        """Whether it will fire."""
        return self.timer(number).deadline_ms != 0

    def hangs(self, number: int) -> bool:
        """Whether it hangs in a slot, armed or not."""
        return self.timer(number).link != NULL

    def slot_ms(self, number: int) -> int:
        """When the wheel will look at it."""
        return self.timer(number).slot_ms

    def advance(self, now_ms: int) -> list[int]:
        """Advance; the numbers that fired, in order."""
        cdef uint32_t before = self.p.fires
        cdef uint32_t count = wheel_advance(&self.p.wheel, now_ms)
        if count != self.p.fires - before:
            raise AssertionError("wheel_advance miscounted")
        return self.fired()[before:]

    def let_pass(self, now_ms: int) -> None:
        """Let the clock move while nobody advances the wheel."""
        self.p.wheel.now_ms = now_ms

    def fired(self) -> list[int]:
        """All numbers that fired, in order."""
        return [self.p.fired[i] for i in range(min(self.p.fires, FIRES))]

    def fired_ms(self) -> list[int]:
        """The wheel's time at each of them."""
        return [self.p.fired_ms[i] for i in range(min(self.p.fires, FIRES))]

    def next_ms(self) -> int:
        """wheel_next_ms."""
        return wheel_next_ms(&self.p.wheel)

    def promise(self, wake_ms: int) -> None:
        """Promise to advance at ``wake_ms``."""
        self.p.wheel.wake_ms = wake_ms

    @property
    def soonered(self) -> int:
        """How often the wheel asked to be advanced sooner than promised."""
        return self.p.soonered

    def close(self) -> None:
        """Close the clock; ``closed`` becomes true from the loop."""
        clock_close(&self.p.clock, probed_on_closed, &self.p)

    @property
    def closed(self) -> bool:
        """Whether the clock's handle is gone."""
        return bool(self.p.closed)

    @property
    def clock_blocks(self) -> int:
        """Handles not given back."""
        return self.p.clock.handles.live


# --- ids ------------------------------------------------------------------------------------------


cdef class Ids:
    """A pool of randomness of its own."""
    cdef ids_t ids

    def __init__(self):
        if ids_init(&self.ids) != 0:
            raise OSError("no randomness")

    def random(self, size: int) -> bytes:
        """Some bytes."""
        return PyBytes_FromStringAndSize(<const char*>ids_random(&self.ids, size), size)

    def poison(self, byte: int) -> None:
        """Overwrite what is left of the pool."""
        memset(<char*>self.ids.pool + self.ids.at, byte, IDS_POOL - self.ids.at)

    @property
    def left(self) -> int:
        """Bytes left in the pool."""
        return IDS_POOL - self.ids.at

    def uuid7(self, unix_ms: int) -> str:
        """ids_uuid7."""
        cdef char out[UUID_LENGTH]
        ids_uuid7(&self.ids, unix_ms, out)
        return out[:UUID_LENGTH].decode("ascii")

    def traceparent(self, inbound: bytes, uuid: bytes | None = None) -> tuple[bool, str]:
        """ids_traceparent: whether it was continued, and what leaves."""
        cdef char out[TRACEPARENT_LENGTH]
        cdef const char* ptr = inbound
        cdef const char* known = NULL
        if uuid is not None:
            known = uuid
        continued = ids_traceparent(&self.ids, span(ptr, len(inbound)), known, out)
        return bool(continued), out[:TRACEPARENT_LENGTH].decode("ascii")


# --- address --------------------------------------------------------------------------------------


cdef object address_tuple(const address_t* a):
    return (a.family, a.text[:a.text_len].decode("ascii"), a.port, bytes(a.bytes[:16]))


def parse(text: bytes) -> tuple[int, str, int, bytes] | None:
    """address_parse: family, text, port, bytes; None when refused."""
    cdef address_t a
    cdef const char* ptr = text
    return address_tuple(&a) if address_parse(&a, span(ptr, len(text))) else None


def from_socket(raw: bytes) -> tuple[int, str, int, bytes]:
    """address_from_socket of a raw sockaddr."""
    cdef address_t a
    cdef sockaddr_storage storage
    cdef const char* ptr = raw
    memset(&storage, 0, sizeof(storage))
    memcpy(&storage, ptr, min(len(raw), sizeof(storage)))
    address_from_socket(&a, <const sockaddr*>&storage)
    return address_tuple(&a)


def cidr(text: bytes) -> tuple[int, int, bytes] | None:
    """cidr_parse: family, bits, bytes; None when refused."""
    cdef cidr_t c
    cdef const char* ptr = text
    if not cidr_parse(&c, span(ptr, len(text))):
        return None
    return c.family, c.bits, bytes(c.bytes[:16])


def matches(cidr_text: bytes, address_text: bytes) -> bool:
    """cidr_matches."""
    cdef cidr_t c
    cdef address_t a
    cdef const char* first = cidr_text
    cdef const char* second = address_text
    if not cidr_parse(&c, span(first, len(cidr_text))):
        raise ValueError(cidr_text)
    if not address_parse(&a, span(second, len(address_text))):
        raise ValueError(address_text)
    return bool(cidr_matches(&c, &a))


# --- benches --------------------------------------------------------------------------------------


def bench_arm(loop: object, count: int) -> float:
    """Nanoseconds of one lazy timer_arm on a loop's clock; ``loop`` must be uvloop's."""
    cdef wheel_t wheel
    cdef timer_t t
    cdef uint64_t start
    cdef uint32_t i, n = count
    wheel_init(&wheel, uv.now(loop_ptr(loop)))
    wheel.clock = <uint64_t (*)(const void*) noexcept nogil><void*>uv.now
    wheel.clock_source = loop_ptr(loop)
    timer_init(&t, probed_on_fire)
    timer_arm(&wheel, &t, 1000)
    start = uv.hrtime()
    for i in range(n):
        timer_arm(&wheel, &t, 30000 + (i & 15))
    return (uv.hrtime() - start) / <double>n


def bench_hang(count: int) -> float:
    """Nanoseconds of one timer_arm that moves the timer to another slot."""
    cdef wheel_t wheel
    cdef timer_t t
    cdef uint64_t start
    cdef uint32_t i, n = count
    wheel_init(&wheel, 0)
    timer_init(&t, probed_on_fire)
    start = uv.hrtime()
    for i in range(n):
        timer_arm(&wheel, &t, 90000 - (i % 1000) * 16)
    return (uv.hrtime() - start) / <double>n
