# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Owns: loops over single parts of the data plane, for the micro benchmarks.
# Thread and GIL: any thread; the loops run without the GIL.
# Never does: serve traffic, or measure: who calls it does.
# Read next: http1_time.pyx for reading and writing heads.
"""Each function does one thing ``rounds`` times and returns nothing."""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset
from pygw._core.arena cimport arena_alloc, arena_fini, arena_init
from pygw._core.block cimport block_give, block_take, blocks_fini, blocks_init
from pygw._core.buffer cimport (
    buffer_data, buffer_take, buffer_unref, buffers_fini, buffers_init, slices_add, slices_clear,
    slices_init, slices_skip)
from pygw._core.chain cimport chain_head, chain_log
from pygw._core.ids cimport UUID_LENGTH, ids_init, ids_t, ids_uuid7
from pygw._core.libs.llhttp cimport HTTP_GET
from pygw._core.limits cimport ARENA_INLINE, ARENA_MAX, FILTERS_MAX, LARGE_BUFFER
from pygw._core.probe.filters cimport Plan
from pygw._core.router cimport asked_t, router_ask, router_match
from pygw._core.timer cimport timer_arm, timer_detach, timer_disarm, timer_init, wheel_init, wheel_t
from pygw._core.types.address cimport address_t
from pygw._core.types.bill cimport bill_row_t
from pygw._core.types.exchange cimport (
    PHASE_ATTEMPT, PHASE_REQUEST, PHASE_RESPONSE, VERDICT_NEXT, exchange_t, filter_ops_t, filter_t,
    plan_t, route_t, verdict_t)
from pygw._core.types.memory cimport (
    BUFFER_LARGE, BUFFER_SMALL, arena_t, blocks_t, buffer_t, buffers_t, slices_t)
from pygw._core.types.message cimport request_t
from pygw._core.types.timer cimport timer_t
from pygw._core.view cimport span


# --- memory ---------------------------------------------------------------------------------------


def arena(size: int, count: int, rounds: int) -> None:
    """An arena as an exchange has it: begun, asked ``count`` times for ``size`` bytes, ended."""
    cdef arena_t a
    cdef char[ARENA_INLINE] memory
    cdef size_t bytes = size
    cdef uint32_t _k, times = count
    cdef uint64_t _, n = rounds
    cdef bint good = True
    with nogil:
        for _ in range(n):
            arena_init(&a, memory, ARENA_INLINE, ARENA_MAX)
            for _k in range(times):
                good &= arena_alloc(&a, bytes) != NULL
            arena_fini(&a)
    if not good:
        raise MemoryError


def block(rounds: int) -> None:
    """A struct of an exchange's size, taken from its freelist and given back."""
    cdef blocks_t home
    cdef void* taken
    cdef uint64_t _, n = rounds
    blocks_init(&home, sizeof(exchange_t))
    with nogil:
        for _ in range(n):
            taken = block_take(&home)
            if taken == NULL:
                break
            block_give(&home, taken)
    blocks_fini(&home)


def body(pieces: int, rounds: int) -> None:
    """A buffer, ``pieces`` slices of it in a queue, and both given back."""
    cdef buffers_t home
    cdef buffer_t* buffer
    cdef slices_t queue
    cdef uint32_t i, count = pieces
    cdef uint64_t _, n = rounds
    buffers_init(&home, 16 * LARGE_BUFFER)
    slices_init(&queue)
    with nogil:
        for _ in range(n):
            buffer = buffer_take(&home, BUFFER_LARGE if count > 1 else BUFFER_SMALL)
            if buffer == NULL:
                break
            for i in range(count):
                slices_add(&home, &queue, buffer, buffer_data(buffer) + i, 1)
            buffer_unref(buffer)
            slices_skip(&home, &queue, queue.bytes // 2)
            slices_clear(&home, &queue)
    buffers_fini(&home)


# --- the chain ------------------------------------------------------------------------------------


cdef verdict_t pass_on(exchange_t* x, const filter_t* f) noexcept nogil:
    return VERDICT_NEXT


cdef void pass_log(exchange_t* x, const filter_t* f) noexcept nogil:
    pass


cdef filter_ops_t passing
passing.name = b"passing"
passing.request = pass_on
passing.attempt = pass_on
passing.response = pass_on
passing.log = pass_log


def chain(filters: int, rounds: int) -> None:
    """The head phases and the log phase of a chain of so many filters that do nothing."""
    cdef filter_t[FILTERS_MAX] items
    cdef (filter_t*)[FILTERS_MAX] listed
    cdef (bill_row_t*)[FILTERS_MAX] rows
    cdef bill_row_t row  # never due to be timed: that takes 2**32 runs
    cdef exchange_t x
    cdef plan_t plan
    cdef route_t route
    cdef uint32_t i, count = filters
    cdef uint64_t _, n = rounds
    cdef bint good = True
    if not 0 <= filters <= FILTERS_MAX:
        raise ValueError(f"a chain has at most {<int>FILTERS_MAX} filters")
    memset(&x, 0, sizeof(exchange_t))
    memset(&route, 0, sizeof(route_t))
    memset(&plan, 0, sizeof(plan_t))
    memset(&row, 0, sizeof(bill_row_t))
    x.route = &route
    x.plan = &plan
    route.chain.rows = rows
    route.chain.whole = &row
    for i in range(count):
        rows[i] = &row
        items[i].ops = &passing
        items[i].slot = i
        listed[i] = &items[i]
    for i in range(6):
        route.chain.by_phase[i] = listed
        route.chain.counts[i] = count
    with nogil:
        for _ in range(n):
            good &= chain_head(&x, PHASE_REQUEST, 0) == VERDICT_NEXT
            good &= chain_head(&x, PHASE_ATTEMPT, 0) == VERDICT_NEXT
            good &= chain_head(&x, PHASE_RESPONSE, 0) == VERDICT_NEXT
            chain_log(&x)
    if not good:
        raise AssertionError("a filter that does nothing did something")


# --- routes, time, ids ----------------------------------------------------------------------------


# A request as the router sees it; the bytes lie in one text.
cdef struct asking_t:
    uint32_t host
    uint32_t host_size
    uint32_t path
    uint32_t path_size


cdef class Requests:
    """GETs of (host, path) each, laid out once."""

    cdef bytes text
    cdef bytearray memory
    cdef uint32_t count

    def __init__(self, requests: list[tuple[bytes, bytes]]) -> None:
        cdef uint32_t at = 0, i
        self.count = len(requests)
        self.text = b"".join([host + path for host, path in requests])
        self.memory = bytearray(self.count * sizeof(asking_t))
        cdef asking_t* asking = <asking_t*><char*>self.memory
        for i, (host, path) in enumerate(requests):
            asking[i] = asking_t(at, len(host), at + len(host), len(path))
            at += len(host) + len(path)


def route(plan: Plan, requests: Requests, rounds: int) -> None:
    """The look-up of the routes of requests, in turn; LookupError when one has none."""
    cdef Plan made = plan
    cdef Requests given = requests
    cdef const char* base = given.text
    cdef asking_t* one = <asking_t*><char*>given.memory
    cdef asking_t* end = one + given.count
    cdef request_t request
    cdef address_t client
    cdef asked_t asked
    cdef route_t* found
    cdef uint64_t _, n = rounds
    cdef bint good = True
    memset(&request, 0, sizeof(request_t))
    memset(&client, 0, sizeof(address_t))
    request.method = HTTP_GET
    with nogil:
        for _ in range(n):
            request.authority = span(base + one.host, one.host_size)
            request.path = span(base + one.path, one.path_size)
            router_ask(&asked, made.plan, &request, &client, NULL)
            good &= router_match(&asked, &found) == 0
            one += 1
            if one == end:
                one -= given.count
    if not good:
        raise LookupError("a request without a route")


cdef void never(timer_t* t) noexcept nogil:
    pass


def timer(rounds: int) -> None:
    """A timer as a connection has it: armed, moved later, disarmed, on a wheel that stands."""
    cdef wheel_t wheel
    cdef timer_t one
    cdef uint64_t _, n = rounds
    wheel_init(&wheel, 0)
    timer_init(&one, never)
    with nogil:
        for _ in range(n):
            timer_arm(&wheel, &one, 10000)
            timer_arm(&wheel, &one, 30000)
            timer_disarm(&one)
        timer_detach(&wheel, &one)


def uuid(rounds: int) -> None:
    """A version 7 UUID as text, its randomness included."""
    cdef ids_t ids
    cdef char[UUID_LENGTH] out
    cdef uint64_t n = rounds, i
    if ids_init(&ids) != 0:
        raise OSError("the kernel gives no randomness")
    with nogil:
        for i in range(n):
            ids_uuid7(&ids, i, out)
    if out[<int>UUID_LENGTH - 1] == 0:
        raise AssertionError("no UUID was written")
