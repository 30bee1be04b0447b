# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Owns: whole exchanges without sockets: the real exchange between two streams that a test scripts.
# Thread and GIL: holds the GIL; the C callbacks take none.
# Never does: load in a gateway; frame bytes: heads and bodies are recorded as they are given.
# Read next: filters.pyx for plans, test_filters.pyx for filters that wait.
"""An exchange between a scripted client and a scripted service, on a clock that tests move."""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy, memset
from pygw._core.address cimport address_parse
from pygw._core.arena cimport arena_bytes
from pygw._core.bills cimport bills_init, bills_t, bills_tie, bills_untie
from pygw._core.buffer cimport (
    buffer_data, buffer_take, buffer_unref, buffers_fini, buffers_init, slices_add, slices_clear,
    slices_init)
from pygw._core.exchange cimport (
    exchange_abort, exchange_attempt_ready, exchange_begin, exchange_on_down, exchange_refuse)
from pygw._core.exchange_memory cimport exchange_fini, exchange_init, exchange_response_reset
from pygw._core.fault cimport fault_get
from pygw._core.headers cimport headers_add
from pygw._core.ids cimport ids_init, ids_t
from pygw._core.probe.filters cimport Plan
from pygw._core.libs.llhttp cimport (
    HTTP_DELETE, HTTP_GET, HTTP_HEAD, HTTP_OPTIONS, HTTP_PATCH, HTTP_POST, HTTP_PUT)
from pygw._core.timer cimport (
    timer_arm, timer_detach, timer_disarm, wheel_advance, wheel_init, wheel_next_ms, wheel_t)
from pygw._core.types.address cimport address_t, ADDRESS_UNIX
from pygw._core.types.exchange cimport *
from pygw._core.types.header cimport span_t, header_t, headers_t, HF_HOP, HF_REMOVED
from pygw._core.types.memory cimport buffer_t, buffers_t, slice_t, slices_t, BUFFER_LARGE
from pygw._core.types.message cimport (
    half_t, request_t, FORM_ASTERISK, FORM_ORIGIN, FRAMING_CHUNKED, FRAMING_CLOSE,
    FRAMING_LENGTH, FRAMING_NONE, HALF_BODY, HALF_DONE, MF_BODY_EDITED, MF_KEEP_ALIVE)
from pygw._core.types.stream cimport stream_ops_t, stream_t
from pygw._core.types.timer cimport timer_t
from pygw._core.view cimport decimal_write, span

cdef enum:
    RECORD_BYTES = 4194304    # what one side may be sent in a test

METHODS = {b"DELETE": HTTP_DELETE, b"GET": HTTP_GET, b"HEAD": HTTP_HEAD, b"POST": HTTP_POST,
           b"PUT": HTTP_PUT, b"OPTIONS": HTTP_OPTIONS, b"PATCH": HTTP_PATCH}
FRAMINGS = {"none": FRAMING_NONE, "length": FRAMING_LENGTH, "chunked": FRAMING_CHUNKED,
            "close": FRAMING_CLOSE}

# A scripted stream: what was sent into it, and what became of it.
cdef struct link_t:
    stream_t stream           # first, so that a call recovers the link
    core_t* core              # borrow(Loopback, for ever)
    char* record              # borrow(Loopback, for ever): its bytearray
    uint64_t head_bytes       # of the record: the last head
    uint64_t used             # of the record: heads and body
    uint32_t heads
    uint32_t ends
    uint32_t resets
    uint32_t flushes
    int reset_error
    bint edited               # the half it was sent had MF_BODY_EDITED

# What the exchange borrows and what it leaves behind.
cdef struct core_t:
    host_t host
    wheel_t wheel
    buffers_t buffers
    bills_t bills
    ids_t ids
    uint64_t counters[64]
    link_t down
    link_t up
    address_t peer
    uint32_t attempts
    uint32_t attempts_ended
    uint32_t logs
    uint32_t logged           # the status at that moment
    bint done
    int error                 # of the exchange, when it was logged
    uint32_t flags
    uint32_t status
    exchange_t x


cdef void put(link_t* link, const char* text, size_t size) noexcept nogil:
    if link.used + size <= RECORD_BYTES:
        memcpy(link.record + link.used, text, size)
        link.used += size


cdef void put_head(link_t* link, span_t first, span_t second, headers_t* hs) noexcept nogil:
    cdef header_t* h
    cdef int i
    link.used = 0
    put(link, first.ptr, first.len)
    put(link, b" ", 1)
    put(link, second.ptr, second.len)
    for i in range(hs.count):
        h = &hs.items[i]
        if h.flags & (HF_REMOVED | HF_HOP):
            continue
        put(link, b"\n", 1)
        put(link, h.name.ptr, h.name.len)
        put(link, b": ", 2)
        put(link, h.value.ptr, h.value.len)
    link.head_bytes = link.used
    link.heads += 1


cdef int link_head(stream_t* s, half_t* half) noexcept nogil:
    cdef link_t* link = <link_t*>s
    cdef exchange_t* x = &link.core.x
    cdef char digits[20]
    link.edited = half.flags & MF_BODY_EDITED != 0
    if link == &link.core.up:
        put_head(link, x.request.method_name, x.request.target, &half.headers)
        return 0
    link.core.status = x.response.status
    put_head(link, span(digits, decimal_write(digits, x.response.status)), x.response.reason,
             &half.headers)
    return 0


cdef int link_body(stream_t* s, slices_t* slices) noexcept nogil:
    cdef link_t* link = <link_t*>s
    cdef slice_t* piece = slices.first
    while piece != NULL:
        put(link, piece.ptr, piece.len)
        piece = piece.next
    slices_clear(&link.core.buffers, slices)
    return 0


cdef int link_end(stream_t* s, headers_t* trailers) noexcept nogil:
    (<link_t*>s).ends += 1
    return 0


cdef void link_flush(stream_t* s) noexcept nogil:
    (<link_t*>s).flushes += 1


cdef void link_pause(stream_t* s) noexcept nogil:
    s.paused = True


cdef void link_resume(stream_t* s) noexcept nogil:
    s.paused = False


cdef void link_reset(stream_t* s, int error) noexcept nogil:
    (<link_t*>s).resets += 1
    (<link_t*>s).reset_error = error


cdef stream_ops_t link_ops
link_ops.head = link_head
link_ops.body = link_body
link_ops.end = link_end
link_ops.flush = link_flush
link_ops.pause = link_pause
link_ops.resume = link_resume
link_ops.reset = link_reset


# --- host -----------------------------------------------------------------------------------------


cdef inline core_t* core_of(host_t* h) noexcept nogil:
    return <core_t*>h.worker


cdef void host_attempt_start(exchange_t* x) noexcept nogil:
    cdef core_t* core = core_of(x.host)
    core.attempts += 1
    exchange_attempt_ready(x, &core.up.stream)


cdef void host_attempt_end(exchange_t* x, bint reusable) noexcept nogil:
    core_of(x.host).attempts_ended += 1


cdef void host_tunnel_start(exchange_t* x) noexcept nogil:
    pass


# Everything of x is gone after this: its memory is spoilt so that nobody looks at it.
cdef void host_exchange_done(exchange_t* x) noexcept nogil:
    cdef core_t* core = core_of(x.host)
    core.done = True
    core.error = x.error
    core.flags = x.flags
    x.plan.refs -= 1
    exchange_fini(x)
    memset(x, 0xEE, sizeof(exchange_t))


cdef void host_timer_arm(host_t* h, timer_t* t, uint32_t ms) noexcept nogil:
    timer_arm(&core_of(h).wheel, t, ms)


cdef void host_timer_disarm(host_t* h, timer_t* t) noexcept nogil:
    timer_disarm(t)


cdef void host_timer_detach(host_t* h, timer_t* t) noexcept nogil:
    timer_detach(&core_of(h).wheel, t)


cdef uint64_t host_now_ns(host_t* h) noexcept nogil:
    return core_of(h).wheel.now_ms * 1000000


cdef uint64_t host_unix_ms(host_t* h) noexcept nogil:
    return core_of(h).wheel.now_ms


cdef void host_log(exchange_t* x) noexcept nogil:
    core_of(x.host).logs += 1
    core_of(x.host).logged = x.response.status


cdef void core_init(core_t* core) noexcept nogil:
    cdef host_t* h = &core.host
    memset(core, 0, sizeof(core_t))
    wheel_init(&core.wheel, 1000)
    buffers_init(&core.buffers, 64 << 20)
    ids_init(&core.ids)
    h.attempt_start = host_attempt_start
    h.attempt_end = host_attempt_end
    h.tunnel_start = host_tunnel_start
    h.exchange_done = host_exchange_done
    h.timer_arm = host_timer_arm
    h.timer_disarm = host_timer_disarm
    h.timer_detach = host_timer_detach
    h.now_ns = host_now_ns
    h.unix_ms = host_unix_ms
    h.log = host_log
    h.worker = core
    h.ids = &core.ids
    h.buffers = &core.buffers
    h.counters = core.counters
    core.down.core = core
    core.down.stream.ops = &link_ops
    core.down.stream.version = 11
    core.up.core = core
    core.up.stream.ops = &link_ops
    core.up.stream.version = 11


# --- doors ----------------------------------------------------------------------------------------


cdef class Link:
    """What one side was sent."""

    cdef link_t* link         # borrow(Loopback, by `owner`)
    cdef Loopback owner

    @property
    def head(self) -> list[bytes]:
        """The lines of the last head: the start line's two words, then "Name: value"."""
        return self.link.record[:self.link.head_bytes].split(b"\n")

    @property
    def body(self) -> bytes:
        """All body after the last head."""
        return self.link.record[self.link.head_bytes:self.link.used]

    def __getattr__(self, str name) -> int:
        """``heads``, ``ends``, ``resets``: how many times each was sent."""
        counts = {"heads": self.link.heads, "ends": self.link.ends, "resets": self.link.resets}
        if name in counts:
            return counts[name]
        raise AttributeError(name)

    @property
    def paused(self) -> bool:
        """Whether its delivery is stopped."""
        return self.link.stream.paused != 0

    @property
    def edited(self) -> bool:
        """Whether the last head's body is one that a filter may change."""
        return self.link.edited

    def fields(self, bytes name not None) -> list[bytes]:
        """The values of all fields of that name in the last head."""
        lines = [line.partition(b": ") for line in self.head[1:]]
        return [value for key, _, value in lines if key.lower() == name.lower()]


cdef Link link_of(link_t* inner, Loopback owner):
    cdef Link link = Link()
    link.link, link.owner = inner, owner
    return link


cdef class Loopback:
    """One exchange at a time through a plan. Bytes are given as a reader would give them."""

    cdef core_t core
    cdef Plan plan
    cdef bytearray down_record, up_record
    cdef bint running

    def __cinit__(self, Plan plan not None) -> None:
        core_init(&self.core)
        self.plan = plan
        bills_init(&self.core.bills, &self.core.host)
        bills_tie(&self.core.bills, plan.plan)
        self.down_record, self.up_record = bytearray(RECORD_BYTES), bytearray(RECORD_BYTES)
        self.core.down.record = self.down_record
        self.core.up.record = self.up_record

    def __dealloc__(self) -> None:
        if self.plan is not None:
            bills_untie(&self.core.bills, self.plan.plan)
        buffers_fini(&self.core.buffers)

    @property
    def down(self) -> Link:
        """The client's side."""
        return link_of(&self.core.down, self)

    @property
    def up(self) -> Link:
        """The service's side."""
        return link_of(&self.core.up, self)

    @property
    def done(self) -> bool:
        """Whether the exchange is over."""
        return bool(self.core.done)

    @property
    def cause(self) -> str:
        """After the end: the label of the exchange's error, "-" when there was none."""
        return fault_get(self.core.error).label.decode() if self.core.error else "-"

    @property
    def status(self) -> int:
        """The status of the last head that left, 0 when none did."""
        return self.core.status

    @property
    def logs(self) -> tuple[int, int]:
        """How many access log lines were asked for, and the status of the last."""
        return self.core.logs, self.core.logged

    @property
    def attempts(self) -> tuple[int, int]:
        """Begun and ended."""
        return self.core.attempts, self.core.attempts_ended

    @property
    def live(self) -> dict[str, int]:
        """What is not given back: buffers, slices, pins on the plan."""
        return {"buffers": self.core.buffers.live, "slices": self.core.buffers.slices.live,
                "pins": self.plan.plan.refs - 1, "timers": wheel_next_ms(&self.core.wheel) >= 0}

    @property
    def memory(self) -> tuple[bool, bool, bool]:
        """Whether request fields, answer fields, and all of the arena lie within the exchange."""
        cdef exchange_t* x = &self.core.x
        return (x.request.half.headers.items == x.request_headers,
                x.response.half.headers.items == x.response_headers, x.arena.chunks == NULL)

    def congest(self, uint64_t bytes, bint service=False) -> None:
        """So many bytes are not yet taken by the client (or the service); 0: all are."""
        cdef stream_t* s = &self.core.up.stream if service else &self.core.down.stream
        cdef bint fewer = bytes <= s.queued
        s.queued = bytes
        if fewer and s.on != NULL and not self.core.done:
            s.on.drain(s)

    def begin(self, bytes method=b"GET", bytes target=b"/", headers=(), str framing="none",
              uint64_t length=0, str client="192.0.2.1", int version=11) -> None:
        """A client's head is complete. ``client`` is an address, or ``unix:``."""
        cdef exchange_t* x = self.start()
        cdef request_t* request = &x.request
        cdef bytes address = client.encode()
        memset(&self.core.peer, 0, sizeof(address_t))
        self.core.peer.family = ADDRESS_UNIX
        if client != "unix:":
            assert address_parse(&self.core.peer, span(address, len(address)))
        request.half.state = HALF_BODY if framing != "none" else HALF_DONE
        request.half.version = version
        request.half.framing = FRAMINGS[framing]
        request.half.length = length
        request.method = METHODS[method]
        request.method_name = self.keep(method)
        request.target = self.keep(target)
        request.form = FORM_ASTERISK if target == b"*" else FORM_ORIGIN
        path, _, query = target.partition(b"?")
        request.path, request.query = self.keep(path), self.keep(query)
        request.scheme = span(b"http", 4)
        self.add(&request.half.headers, headers)
        exchange_begin(x)
        if framing == "none" and not self.core.done:
            self.core.down.stream.on.end(&self.core.down.stream)

    cdef span_t keep(self, bytes text) except *:
        cdef char* copy = arena_bytes(&self.core.x.arena, len(text))
        assert copy != NULL
        memcpy(copy, <const char*>text, len(text))
        return span(copy, len(text))

    cdef int add(self, headers_t* hs, headers) except -1:
        cdef bytes name, value
        for name, value in headers:
            assert headers_add(hs, &self.core.x.arena, span(name, len(name)),
                               span(value, len(value))) == 0
        return 0

    cdef int deliver(self, link_t* link, bytes data) except -1:
        cdef slices_t q
        cdef buffer_t* b = buffer_take(&self.core.buffers, BUFFER_LARGE)
        assert b != NULL and <size_t>len(data) <= b.cap
        memcpy(buffer_data(b), <const char*>data, len(data))
        b.used = <uint32_t>len(data)
        slices_init(&q)
        assert slices_add(&self.core.buffers, &q, b, buffer_data(b), b.used) == 0
        buffer_unref(b)
        if link.stream.on != NULL and not self.core.done:
            link.stream.on.body(&link.stream, &q)
        slices_clear(&self.core.buffers, &q)
        return 0

    def client_body(self, bytes data not None) -> None:
        """The client sends a piece of its body."""
        self.deliver(&self.core.down, data)

    def client_end(self) -> None:
        """The client's body is complete."""
        cdef stream_t* s = &self.core.down.stream
        if not self.core.done:
            self.core.x.request.half.state = HALF_DONE
            s.on.end(s)

    def client_fault(self, int error) -> None:
        """The client's stream fails with an E_DOWN_*."""
        if not self.core.done:
            self.core.down.stream.on.fault(&self.core.down.stream, error)

    def refuse(self, int error) -> None:
        """A head that cannot be read: begins and ends an exchange."""
        self.start()
        exchange_refuse(&self.core.x, error)

    # A fresh exchange between the two streams.
    cdef exchange_t* start(self):
        cdef exchange_t* x = &self.core.x
        assert not self.running or self.core.done
        self.running, self.core.done = True, False
        self.core.status = self.core.error = 0
        exchange_init(x, &self.core.host, self.plan.plan, &self.core.down.stream)
        x.peer = &self.core.peer
        x.listener = self.plan.plan.listeners
        self.core.down.stream.sink = x
        self.core.down.stream.on = exchange_on_down()
        return x

    def answer(self, uint32_t status=200, headers=(), str framing="none",
               uint64_t length=0) -> None:
        """The service's head is complete. Nothing happens when nobody listens any more."""
        cdef stream_t* s = &self.core.up.stream
        cdef exchange_t* x = &self.core.x
        if s.on == NULL:
            return
        exchange_response_reset(x)
        x.response.status = <uint16_t>status
        x.response.reason = span(b"Whatever", 8)
        x.response.half.state = HALF_BODY
        x.response.half.version = 11
        x.response.half.framing = FRAMINGS[framing]
        x.response.half.length = length
        x.response.half.flags = MF_KEEP_ALIVE
        self.add(&x.response.half.headers, headers)
        s.on.head(s)

    def answer_body(self, bytes data not None) -> None:
        """The service sends a piece of body."""
        self.deliver(&self.core.up, data)

    def answer_end(self) -> None:
        """The service's answer is complete."""
        cdef stream_t* s = &self.core.up.stream
        if s.on != NULL:
            s.on.end(s)

    def answer_fault(self, int error) -> None:
        """The service's stream fails with an E_UP_*."""
        if self.core.up.stream.on != NULL:
            self.core.up.stream.on.fault(&self.core.up.stream, error)

    def abort(self, int error) -> None:
        """The connection must end, as when the worker stops."""
        exchange_abort(&self.core.x, error)

    def tick(self, uint64_t ms) -> int:
        """Moves the clock; returns how many timers fired."""
        return wheel_advance(&self.core.wheel, self.core.wheel.now_ms + ms)
