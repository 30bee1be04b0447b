# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Owns: requests through a plan's whole data plane with nothing behind it: no loop, no socket.
# Thread and GIL: holds the GIL; the C callbacks take none. One DryRun at a time on one thread.
# Never does: match, filter or choose by rules of its own; send anything; load in a worker that
#   serves.
# Read next: chain_trace.pxd, transport_memory.pxd.
"""What the data plane would do with a request: ``DryRun``.

A worker is set up as it would serve, but its connections end in memory. A service accepts every
connection and answers every request with the same bytes; names are found at once.
"""

import os
from typing import NamedTuple

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_FromStringAndSize
from libc.stdint cimport uint16_t, uint32_t, uint64_t
from libc.string cimport memset
from pygw._core.access_log cimport access_log_t, access_log_wrote
from pygw._core.address cimport address_parse
from pygw._core.build cimport plan_build, plan_free
from pygw._core.chain_trace cimport (
    trace_clear, trace_init, trace_plan, trace_step_t, trace_t)
from pygw._core.down cimport down_t
from pygw._core.downstream cimport down_make, down_start, down_transport_on
from pygw._core.fault cimport fault_get
from pygw._core.host cimport *
from pygw._core.libs.sockets cimport addrinfo, sockaddr, sockaddr_in, AF_INET
from pygw._core.libs.uv cimport uv_buf_t, UV_EOF
from pygw._core.limits cimport DRY_ATTEMPTS_MAX, DRY_BYTES_MAX, DRY_TURNS_MAX
from pygw._core.mirror cimport mirror_owns
from pygw._core.resolver cimport name_t, resolver_answer
from pygw._core.timer cimport wheel_advance
from pygw._core.transport cimport transports_flush
from pygw._core.transport_memory cimport *
from pygw._core.types.address cimport ADDRESS_UNIX
from pygw._core.types.exchange cimport (
    exchange_t, plan_t, target_t, PHASE_ATTEMPT, PHASE_REQUEST, VERDICT_ABORT, VERDICT_NEXT,
    VERDICT_REPLY, XF_DETACHED)
from pygw._core.types.header cimport span_t
from pygw._core.upstream cimport up_t
from pygw._core.view cimport span

cdef enum:
    SPARE_ENDS = 8            # connects that one turn may start
    DELAY_MS = 60000          # the longest delay of an answer

PHASE_NAMES = {PHASE_REQUEST: "request", PHASE_ATTEMPT: "attempt"}
VERDICTS = {VERDICT_NEXT: "next", VERDICT_REPLY: "reply", VERDICT_ABORT: "abort"}
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n"
"""What a service answers unless it is told otherwise."""


class Step(NamedTuple):
    """A filter's part: its place in the route's middleware and two pictures of a head.

    `phase` is `request`, `attempt` or `response`; `verdict` is `next`, `reply`, `abort` or `wait`.
    A picture is a start line (`METHOD path?query`, or a status), then `name: value` by line.
    """

    place: int
    phase: str
    verdict: str
    before: bytes
    after: bytes


class Ran(NamedTuple):
    """What became of a request. `cause` is `-` when nothing went wrong.

    `targets` are the attempts in order, each with its upstream's name and the target's URL; `sent`
    are the bytes that services got, `answer` those that the client got. `aside` names the upstreams
    that copies of the request went to, once a time; what hooks fetch is not in it. `lost` counts
    filters' calls that there was no room to record.
    """

    status: int
    cause: str
    route: str | None
    params: dict
    client: str
    targets: list
    aside: list
    sent: list
    answer: bytes
    steps: list
    lost: int


# A worker whose exchanges are looked at.
cdef struct dry_t:
    worker_t worker           # first, so that callbacks recover it
    memory_net_t net
    trace_t trace
    uint64_t counters[512]    # STATS_BYTES
    void (*attempt_start)(exchange_t* x) noexcept nogil    # the worker's own
    name_t* asked             # borrow(resolver, until answered): one at a time
    target_t* tried[16]       # plan: DRY_ATTEMPTS_MAX
    span_t tried_upstream[16] # plan: DRY_ATTEMPTS_MAX
    uint32_t tried_count
    span_t aside[16]          # plan: DRY_ATTEMPTS_MAX
    uint32_t aside_count
    bint done                 # the exchange ended; what follows is what it ended with
    uint32_t status
    int error
    span_t route              # plan
    uint32_t param_count
    char record[32768]        # DRY_BYTES_MAX: client, then params, by lines
    uint32_t record_used


cdef inline dry_t* dry_of(host_t* h) noexcept nogil:
    return <dry_t*>h.worker


cdef void on_attempt(exchange_t* x) noexcept nogil:
    cdef dry_t* d = dry_of(x.host)
    if x.flags & XF_DETACHED:
        if d.aside_count < DRY_ATTEMPTS_MAX and mirror_owns(x):
            d.aside[d.aside_count] = x.upstream.name
            d.aside_count += 1
    elif d.tried_count < DRY_ATTEMPTS_MAX:
        d.tried[d.tried_count] = x.attempt.target
        d.tried_upstream[d.tried_count] = x.upstream.name
        d.tried_count += 1
    d.attempt_start(x)


cdef void record(dry_t* d, const char* text, uint32_t size) noexcept nogil:
    cdef uint32_t i
    for i in range(size):
        if d.record_used == DRY_BYTES_MAX:
            return
        d.record[d.record_used] = text[i]
        d.record_used += 1


cdef void record_line(dry_t* d, span_t text) noexcept nogil:
    record(d, text.ptr, text.len)
    record(d, b"\n", 1)


# In place of a line in the access log: params and client are gone afterwards.
cdef void on_end(exchange_t* x) noexcept nogil:
    cdef dry_t* d = dry_of(x.host)
    cdef uint32_t i
    if d.done:
        return
    d.done = True
    d.status = x.response.status
    d.error = x.error
    record_line(d, span(x.client.text, x.client.text_len))
    if x.route == NULL:
        return
    d.route = x.route.name
    for i in range(x.route.param_count):
        record_line(d, x.route.param_names[i])
        record_line(d, x.params[i])
        d.param_count += 1


cdef int no_log(access_log_t* log, const uv_buf_t* piece) noexcept nogil:
    access_log_wrote(log, <int>piece.len)
    return 0


cdef int lookup(name_t* name) noexcept nogil:
    cdef worker_t* w = <worker_t*>(<char*>name.resolver - <size_t>&(<worker_t*>NULL).resolver)
    if (<dry_t*>w).asked != NULL:
        return -1
    (<dry_t*>w).asked = name
    return 0


cdef void lookup_cancel(name_t* name) noexcept nogil:
    pass


cdef bytes taken(span_t s):
    return s.ptr[:s.len]


cdef str text_of(span_t s):
    return taken(s).decode("utf-8", "backslashreplace")


# --- ends -----------------------------------------------------------------------------------------


cdef class End:
    """The far end of one connection: the client, or a service."""

    cdef memory_end_t end
    cdef DryRun owner         # keeps this until the transport is gone
    cdef bytearray wire       # what end.output points at
    cdef bytes sending
    cdef Py_ssize_t at
    cdef bytearray received
    cdef bint finished
    cdef bint answered
    cdef bint aside           # what it got is no client's request, but one that a hook made

    def __cinit__(self) -> None:
        self.wire = PyByteArray_FromStringAndSize(NULL, DRY_BYTES_MAX)
        self.end.output = PyByteArray_AS_STRING(self.wire)
        self.end.output_room = DRY_BYTES_MAX
        self.end.owner = <void*>self
        self.sending, self.received = b"", bytearray()

    cdef int send(self, bytes data) except -1:
        self.sending, self.at = self.sending[self.at:] + data, 0
        self.end.unread += <uint32_t>len(data)
        return 0

    cdef bint turn(self) except -1:
        cdef bint moved = memory_connected(&self.end, 0)
        cdef uint32_t size
        if self.end.output_used:
            piece = bytearray(self.end.output_used)
            memory_take(&self.end, PyByteArray_AS_STRING(piece), self.end.output_used)
            self.received += piece
            moved = True
        moved |= memory_wrote(&self.end)
        if self.end.deaf:
            return memory_ended(&self.end, UV_EOF) or moved
        if self.at < len(self.sending):
            size = memory_arrived(&self.end, <const char*>self.sending + self.at,
                                  <uint32_t>(len(self.sending) - self.at))
            self.at += size
            return moved or size != 0
        if self.finished:
            moved |= memory_ended(&self.end, UV_EOF)
        return moved


# Whether the exchange that a service is to answer has no client.
cdef bint asks_aside(End end) noexcept:
    cdef up_t* up = <up_t*>end.end.transport
    return up != NULL and up.exchange != NULL and up.exchange.flags & XF_DETACHED != 0


# --- the worker -----------------------------------------------------------------------------------


cdef class DryRun:
    """A plan, given as the JSON text that a worker gets, served in memory.

    Raises PlanError for a plan that no worker would take. `close` ends it.
    """

    cdef dry_t d
    cdef worker_t* w
    cdef list spare           # what d.net.spare links
    cdef list ends            # all that are not over
    cdef list services        # that the request at hand led to

    def __cinit__(self, bytes plan_json not None) -> None:
        cdef plan_t* plan
        cdef char why[1024]   # HOOK_ERROR_MAX
        self.spare, self.ends, self.services = [], [], []
        self.w = &self.d.worker
        trace_init(&self.d.trace)
        if host_init(self.w, NULL, self.d.counters, os.open(os.devnull, os.O_WRONLY)) != 0:
            raise MemoryError
        self.w.transports.connect = transport_memory_connect
        self.w.transports.net = &self.d.net
        self.w.log.write = no_log
        self.w.resolver.lookup = lookup
        self.w.resolver.lookup_cancel = lookup_cancel
        self.d.attempt_start = self.w.host.attempt_start
        self.w.host.attempt_start = on_attempt
        self.w.host.log = on_end
        try:
            plan = plan_build(plan_json)
        except BaseException:
            self.close()
            raise
        why[0] = 0
        if trace_plan(&self.d.trace, plan) != 0 or host_prepare(self.w, plan, why) != 0:
            plan_free(plan)
            self.close()
            if why[0] != 0:
                raise RuntimeError(why.decode(errors="replace"))
            raise MemoryError
        host_commit(self.w, plan)
        self.fill()

    def __dealloc__(self) -> None:
        if self.w != NULL and host_closed(self.w):
            host_fini(self.w)
        trace_clear(&self.d.trace)

    cdef int fill(self) except -1:
        cdef End end
        while len(self.spare) < SPARE_ENDS:
            end = End()
            end.owner, end.end.net, end.end.next = self, &self.d.net, self.d.net.spare
            self.d.net.spare = &end.end
            self.spare.append(end)
        return 0

    cdef End adopt(self, memory_end_t* e):
        cdef End end = <End>e.owner
        self.spare.remove(end)
        self.ends.append(end)
        return end

    cdef bint look(self) except -1:
        cdef memory_end_t* e = self.d.net.opened
        cdef bint moved = e != NULL
        self.d.net.opened = NULL
        while e != NULL:
            self.services.append(self.adopt(e))
            e = e.next
        if self.d.asked != NULL:
            self.find_name()
            moved = True
        return moved

    # Any address will do: nothing is sent there.
    cdef int find_name(self) except -1:
        cdef name_t* name = self.d.asked
        cdef addrinfo info
        cdef sockaddr_in found
        memset(&info, 0, sizeof(info))
        memset(&found, 0, sizeof(found))
        found.sin_family = info.ai_family = AF_INET
        (<unsigned char*>&found.sin_addr)[0] = 127
        (<unsigned char*>&found.sin_addr)[3] = 1
        info.ai_addr = <sockaddr*>&found
        info.ai_addrlen = sizeof(sockaddr_in)
        self.d.asked = NULL
        resolver_answer(name, 0, &info)
        transports_flush(&self.w.transports)
        return 0

    cdef int settle(self) except -1:
        cdef End end
        cdef bint moved
        cdef int still = 0
        cdef int _i
        for _i in range(DRY_TURNS_MAX):
            self.d.net.turn += 1
            self.fill()
            moved = self.look()
            for end in self.ends[:]:
                moved |= end.turn()
            moved |= memory_closed(&self.d.net)
            if self.w.wheel.soon != NULL:
                wheel_advance(&self.w.wheel, self.w.wheel.now_ms)
                moved = True
            moved |= self.look()
            self.ends = [end for end in self.ends if (<End>end).end.state != END_GONE
                         or (<End>end).end.output_used]
            still = 0 if moved else still + 1
            if still == 2:
                return 0
        raise RuntimeError("the dry run does not come to an end")

    def ask(self, bytes request not None, str client="127.0.0.1:1234", int listener=0,
            bytes answer=ANSWER) -> Ran:
        """What becomes of the bytes of one request from `client` (an address, or `unix:`).

        `listener` is the place of a listener in the plan, `answer` what services say. A client
        whose request is not whole is one that leaves. ValueError for a client that is no address.
        """
        cdef End end
        cdef End peer = self.connect(listener, client)
        self.forget()
        peer.send(request)
        self.settle()
        for _ in range(DRY_ATTEMPTS_MAX):
            waiting = [end for end in self.services
                       if not (<End>end).answered and b"\r\n\r\n" in (<End>end).received]
            if not waiting:
                break
            for end in waiting:
                end.answered = True
                end.send(answer)
                end.finished = end.aside = asks_aside(end)
            self.settle()
        if not self.d.done:
            # A filter that holds its answer back for a time: the time is over.
            wheel_advance(&self.w.wheel, self.w.wheel.now_ms + DELAY_MS)
            transports_flush(&self.w.transports)
            self.settle()
        peer.finished = True
        self.settle()
        for end in self.services:
            end.finished = True
        self.settle()
        sent = [bytes((<End>end).received) for end in self.services
                if (<End>end).received and not (<End>end).aside]
        return self.told(sent, bytes(peer.received))

    cdef End connect(self, int listener, str client):
        cdef memory_end_t* e
        cdef down_t* down
        cdef bytes text = client.encode()
        if not 0 <= listener < <int>self.w.plan.listener_count:
            raise ValueError(f"there is no listener {listener}")
        down = down_make(&self.w.downs, <uint16_t>listener)
        if down == NULL:
            raise MemoryError
        memset(&down.peer, 0, sizeof(down.peer))
        down.peer.family = ADDRESS_UNIX
        e = self.d.net.spare
        self.d.net.spare = e.next
        e.is_unix = client == "unix:"
        good = e.is_unix or address_parse(&down.peer, span(text, <uint32_t>len(text)))
        transport_memory_accept(&down.transport, &self.w.transports, down_transport_on(), e)
        down_start(down)
        end = self.adopt(e)
        if not good:
            end.finished = True
            self.settle()
            raise ValueError(f"{client} is no address")
        return end

    cdef int forget(self) except -1:
        self.services = []
        trace_clear(&self.d.trace)
        self.d.tried_count = self.d.aside_count = self.d.record_used = 0
        self.d.param_count = self.d.status = 0
        self.d.done = False
        self.d.error = 0
        self.d.route = span(NULL, 0)
        return 0

    cdef object told(self, list sent, bytes answer):
        cdef trace_step_t* step = self.d.trace.first
        cdef list steps = []
        cdef uint32_t i
        while step != NULL:
            steps.append(Step(step.place, PHASE_NAMES.get(step.phase, "response"),
                              VERDICTS.get(step.verdict, "wait"), taken(step.before),
                              taken(step.after)))
            step = step.next
        lines = self.d.record[:self.d.record_used].decode("utf-8", "backslashreplace").split("\n")
        pairs = lines[1:1 + 2 * self.d.param_count]
        return Ran(
            self.d.status,
            fault_get(self.d.error).label.decode() if self.d.error else "-",
            text_of(self.d.route) if self.d.route.len else None,
            dict(zip(pairs[::2], pairs[1::2], strict=True)),
            lines[0],
            [(text_of(self.d.tried_upstream[i]), text_of(self.d.tried[i].url))
             for i in range(self.d.tried_count)],
            [text_of(self.d.aside[i]) for i in range(self.d.aside_count)],
            sent,
            answer,
            steps,
            self.d.trace.lost,
        )

    def close(self) -> None:
        """Ends everything; nothing can be asked afterwards."""
        if host_closed(self.w):
            return
        host_stop(self.w)
        transports_flush(&self.w.transports)
        self.settle()
        host_close(self.w)
        if self.d.asked != NULL:
            self.find_name()
        self.settle()
