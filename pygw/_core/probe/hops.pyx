# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Owns: Python doors to forwarding, log_line and access_log, for tests and benches.
# Thread and GIL: Python's thread; callbacks from the loop touch C memory only.
# Never does: serve traffic; the gateway does not import it.
# Read next: nouns.pyx.
"""Doors for tests and benches: one exchange made by hand, its forwarding fields, its log lines."""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy
from pygw._core.access_log cimport (
    LOG_COMBINED, LOG_JSON, LOG_OFF, access_log_close, access_log_flush, access_log_init,
    access_log_line, access_log_reopen, access_log_t,
)
from pygw._core.address cimport address_parse, cidr_parse
from pygw._core.arena cimport arena_fini, arena_init
from pygw._core.clock cimport clock_close, clock_init, loop_clock_t
from pygw._core.forwarding cimport forwarding_begin, forwarding_request, forwarding_response
from pygw._core.headers cimport header_id_of, headers_append, headers_init
from pygw._core.ids cimport ids_init, ids_t
from pygw._core.libs.uv cimport loop_ptr, uv
from pygw._core.limits cimport ARENA_INLINE, ARENA_MAX, HEADERS_INLINE, LOG_LINE_MAX
from pygw._core.log_line cimport log_clock_t, log_line_combined, log_line_json
from pygw._core.stats cimport ST_COUNT, ST_LOG_DROPPED, ST_LOG_LINES, stat_get
from pygw._core.timer cimport wheel_t
from pygw._core.types.address cimport ADDRESS_UNIX, address_t, cidr_t
from pygw._core.types.exchange cimport XF_REFUSED, exchange_t, host_t, plan_t, route_t
from pygw._core.types.header cimport (
    H_VIA, HF_EDITED, HF_REMOVED, HF_SENSITIVE, header_t, headers_t, span_t,
)
from pygw._core.types.message cimport MF_HAS_VIA
from pygw._core.types.upstream cimport target_t
from pygw._core.view cimport span

cdef enum:
    TRUSTED = 16

FORMATS = {"off": LOG_OFF, "combined": LOG_COMBINED, "json": LOG_JSON}

cdef struct probed_host_t:
    host_t host               # first: what x.host points at
    uint64_t now_ns


cdef uint64_t probed_now_ns(host_t* h) noexcept nogil:
    return (<probed_host_t*>h).now_ns


cdef class Exchange:
    """An exchange, its plan and its host, with the fields a test gives it."""
    cdef exchange_t x
    cdef plan_t plan
    cdef probed_host_t host
    cdef route_t route
    cdef target_t target
    cdef address_t peer
    cdef cidr_t trusted[16]
    cdef ids_t ids
    cdef list kept            # bytes that spans point into

    def __init__(self, fields: list[tuple[bytes, bytes]] | None = None, *,
                 peer: bytes = b"192.0.2.7", trusted: list[bytes] | None = None,
                 via: bytes = b"pygw-1", forwarded: bool = False,
                 version: int = 11, authority: bytes = b"example.com", arena: int = ARENA_MAX):
        cdef uint32_t i
        trusted = trusted or []
        self.kept = []
        if ids_init(&self.ids) != 0:
            raise OSError("no randomness")
        self.x.plan = &self.plan
        self.x.host = &self.host.host
        self.host.host.now_ns = probed_now_ns
        self.x.peer = &self.peer
        if peer == b"unix:":
            self.peer.family = ADDRESS_UNIX
            memcpy(self.peer.text, b"unix:", 5)
            self.peer.text_len = 5
        elif not address_parse(&self.peer, self.keep(peer)):
            raise ValueError(peer)
        for i in range(len(trusted)):
            if i >= TRUSTED or not cidr_parse(&self.trusted[i], self.keep(trusted[i])):
                raise ValueError(trusted[i])
        self.plan.trusted.ranges = self.trusted
        self.plan.trusted.count = len(trusted)
        self.plan.via = self.keep(via)
        self.plan.forwarded = forwarded
        arena_init(&self.x.arena, self.x.inline_memory, ARENA_INLINE, arena)
        self.x.request.half.arena = &self.x.arena
        self.x.response.half.arena = &self.x.arena
        self.x.request.half.version = version
        self.x.request.authority = self.keep(authority)
        headers_init(&self.x.request.half.headers, self.x.request_headers, HEADERS_INLINE)
        headers_init(&self.x.response.half.headers, self.x.response_headers, HEADERS_INLINE)
        self.set_fields(fields or [])

    def __dealloc__(self):
        arena_fini(&self.x.arena)

    cdef span_t keep(self, bytes text):
        cdef const char* ptr = text
        self.kept.append(text)
        return span(ptr, len(text))

    # The fields as one run of raw lines, as a parser would leave them.
    cdef object fill(self, headers_t* hs, list fields):
        cdef const char* at
        cdef header_t* h
        cdef span_t raw = self.keep(b"".join(n + b": " + v + b"\r\n" for n, v in fields))
        at = raw.ptr
        for name, value in fields:
            h = headers_append(hs, &self.x.arena)
            if h == NULL:
                raise MemoryError
            h.name = span(at, len(name))
            h.value = span(at + len(name) + 2, len(value))
            h.raw_len = len(name) + len(value) + 4
            h.id = header_id_of(h.name)
            h.flags = 0
            at += h.raw_len
            if h.id == H_VIA:
                self.x.request.half.flags |= MF_HAS_VIA

    def set_fields(self, fields: list[tuple[bytes, bytes]]) -> None:
        """Append request fields."""
        self.fill(&self.x.request.half.headers, fields)

    def set_response_fields(self, fields: list[tuple[bytes, bytes]]) -> None:
        """Append response fields, of an answer with status 200."""
        self.x.response.status = 200
        self.fill(&self.x.response.half.headers, fields)

    def flag(self, index: int, *, edited: bool = False, sensitive: bool = False) -> None:
        """Flag a request field."""
        self.x.request.half.headers.items[index].flags |= \
            (HF_EDITED if edited else 0) | (HF_SENSITIVE if sensitive else 0)

    def begin(self, unix_ms: int = 1_700_000_000_000) -> int:
        """forwarding_begin."""
        return forwarding_begin(&self.x, &self.ids, unix_ms)

    def request(self) -> int:
        """forwarding_request."""
        return forwarding_request(&self.x, &self.ids)

    def response(self) -> int:
        """forwarding_response."""
        return forwarding_response(&self.x)

    @property
    def client(self) -> str:
        """The client's address."""
        return self.x.client.text[:self.x.client.text_len].decode("ascii")

    @property
    def request_id(self) -> bytes:
        """The request id."""
        return self.x.request_id.ptr[:self.x.request_id.len]

    cdef object listed(self, headers_t* hs):
        out = []
        for i in range(hs.count):
            if not hs.items[i].flags & HF_REMOVED:
                out.append((hs.items[i].name.ptr[:hs.items[i].name.len],
                            hs.items[i].value.ptr[:hs.items[i].value.len]))
        return out

    def fields(self) -> list[tuple[bytes, bytes]]:
        """Request fields that are not removed."""
        return self.listed(&self.x.request.half.headers)

    def response_fields(self) -> list[tuple[bytes, bytes]]:
        """Response fields that are not removed."""
        return self.listed(&self.x.response.half.headers)

    def added(self) -> bytes:
        """The raw bytes of all lines added to the request. ValueError unless they are one run."""
        cdef headers_t* hs = &self.x.request.half.headers
        cdef const char* start = NULL
        cdef const char* at = NULL
        for i in range(hs.count):
            if hs.items[i].flags & HF_EDITED and not hs.items[i].flags & HF_REMOVED:
                if at != NULL and hs.items[i].name.ptr != at:
                    raise ValueError("the lines are not contiguous")
                start = hs.items[i].name.ptr if start == NULL else start
                at = hs.items[i].name.ptr + hs.items[i].raw_len
        return b"" if start == NULL else start[:at - start]

    def served(self, *, method: bytes = b"GET", target: bytes = b"/", status: int = 200,
               sent: int = 0, error: int = 0, route: bytes = b"", upstream: bytes = b"",
               attempts: int = 0, duration_ns: int = 0, upstream_ns: int = 0,
               refused: bool = False) -> None:
        """Fill in what the log phase finds."""
        self.x.client = self.peer
        self.x.request.method_name = self.keep(method)
        self.x.request.target = self.keep(target)
        self.x.response.status = status
        self.x.body_bytes = sent
        self.x.error = error
        self.x.flags = XF_REFUSED if refused else 0
        self.x.started_ns = 1_000_000_000
        self.host.now_ns = self.x.started_ns + <uint64_t>duration_ns
        if route:
            self.route.name = self.keep(route)
            self.x.route = &self.route
        self.x.attempts = attempts
        if upstream:
            self.target.url = self.keep(upstream)
            self.x.attempt.target = &self.target
            self.x.attempt.started_ns = self.x.started_ns
            self.x.attempt.head_ns = self.x.started_ns + <uint64_t>upstream_ns \
                if upstream_ns else 0

    def set_request_id(self, id: bytes) -> None:
        """Set the request id."""
        self.x.request_id = self.keep(id)

    def line(self, format: str, unix_ms: int) -> bytes:
        """One log line."""
        cdef char out[LOG_LINE_MAX + 1]
        cdef log_clock_t clock
        cdef uint32_t size
        clock.second = 0
        out[LOG_LINE_MAX] = 0x5A
        if format == "json":
            size = log_line_json(out, &clock, &self.x, unix_ms)
        else:
            size = log_line_combined(out, &clock, &self.x, unix_ms)
        if size > LOG_LINE_MAX or out[LOG_LINE_MAX] != 0x5A:
            raise AssertionError(f"a line of {size} bytes")
        return out[:size]

    def bench_line(self, format: str, count: int) -> float:
        """Nanoseconds of one log line."""
        cdef char out[LOG_LINE_MAX]
        cdef log_clock_t clock
        cdef uint64_t start
        cdef uint32_t i, n = count
        cdef bint json = format == "json"
        clock.second = 0
        start = uv.hrtime()
        for i in range(n):
            if json:
                log_line_json(out, &clock, &self.x, 1_700_000_000_000 + (i >> 16))
            else:
                log_line_combined(out, &clock, &self.x, 1_700_000_000_000 + (i >> 16))
        return (uv.hrtime() - start) / <double>n

    def bench_request(self, count: int) -> tuple[float, float]:
        """Nanoseconds of forwarding_begin and of forwarding_request."""
        cdef headers_t* hs = &self.x.request.half.headers
        cdef uint32_t fields = hs.count
        cdef uint64_t start, begun = 0, edited = 0
        cdef uint32_t _i, _k, n = count // 100
        for _i in range(n):
            start = uv.hrtime()
            for _k in range(100):
                arena_init(&self.x.arena, self.x.inline_memory, ARENA_INLINE, ARENA_MAX)
                forwarding_begin(&self.x, &self.ids, 1_700_000_000_000)
            begun += uv.hrtime() - start
            start = uv.hrtime()
            for _k in range(100):
                arena_init(&self.x.arena, self.x.inline_memory + 64, ARENA_INLINE - 64, ARENA_MAX)
                hs.count = fields
                forwarding_request(&self.x, &self.ids)
            edited += uv.hrtime() - start
        return begun / <double>(n * 100), edited / <double>(n * 100)


# --- access log -----------------------------------------------------------------------------------

cdef struct probed_log_t:
    access_log_t log
    wheel_t wheel
    loop_clock_t clock
    uint64_t counters[64]
    bint closed
    bint clock_closed


cdef void log_on_closed(void* arg) noexcept nogil:
    (<probed_log_t*>arg).closed = True


cdef void clock_on_closed(void* arg) noexcept nogil:
    (<probed_log_t*>arg).clock_closed = True


cdef class Log:
    """An access log on a uvloop loop. It takes ``fd`` over."""
    cdef probed_log_t p

    def __init__(self, loop: object, fd: int):
        if ST_COUNT > 64:
            raise AssertionError("more counters than the probe has room for")
        if clock_init(&self.p.clock, &self.p.wheel, loop_ptr(loop)) != 0:
            raise MemoryError
        if access_log_init(&self.p.log, loop_ptr(loop), &self.p.wheel, fd, self.p.counters) != 0:
            raise MemoryError

    def line(self, exchange: Exchange, format: str = "combined", count: int = 1,
             unix_ms: int = 1_700_000_000_000) -> None:
        """Log the exchange ``count`` times."""
        cdef Exchange x = exchange
        cdef int number = FORMATS[format]
        for _ in range(count):
            access_log_line(&self.p.log, &x.x, number, unix_ms)

    def flush(self) -> None:
        """access_log_flush."""
        access_log_flush(&self.p.log)

    def reopen(self, fd: int) -> None:
        """access_log_reopen."""
        access_log_reopen(&self.p.log, fd)

    def close(self) -> None:
        """access_log_close; ``closed`` becomes true."""
        access_log_close(&self.p.log, log_on_closed, &self.p)

    def close_clock(self) -> None:
        """Close the loop's clock, last."""
        clock_close(&self.p.clock, clock_on_closed, &self.p)

    @property
    def closed(self) -> bool:
        """Whether close is through."""
        return bool(self.p.closed)

    @property
    def clock_closed(self) -> bool:
        """Whether close_clock is through."""
        return bool(self.p.clock_closed)

    @property
    def lines(self) -> int:
        """Lines taken."""
        return stat_get(self.p.counters, ST_LOG_LINES)

    @property
    def dropped(self) -> int:
        """Lines that did not reach the file."""
        return stat_get(self.p.counters, ST_LOG_DROPPED)

    @property
    def blocked(self) -> bool:
        """Whether it waits for a file that would block."""
        return bool(self.p.log.blocked)
