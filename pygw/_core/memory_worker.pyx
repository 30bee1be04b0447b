# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Owns: a whole worker without a loop, sockets or a clock: a test plays all clients and services.
# Thread and GIL: holds the GIL; the C callbacks take none.
# Never does: serve a gateway; tell the worker anything but in `turn` and `advance`.
# Read next: transport_memory.pxd for what lies between the ends.
"""A worker in memory: ``MemoryWorker``. What it does later, it does in ``turn``.

One turn is what libuv does between two waits: connects end, writes go on, each transport reads
once, then what was closed is told so. Order is always the same: that in which ends were made.
"""

import errno
import os
from collections import deque

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_FromStringAndSize
from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset
from pygw._core.access_log cimport access_log_flush, access_log_t, access_log_wrote
from pygw._core.address cimport address_from_socket, address_parse
from pygw._core.bill_read cimport bills_of
from pygw._core.bills cimport bills_open
from pygw._core.build cimport plan_build, plan_free
from pygw._core.down cimport down_t
from pygw._core.downstream cimport down_make, down_start, down_transport_on
from pygw._core.host cimport *
from pygw._core.libs.sockets cimport (
    addrinfo, inet_pton, ntohs, sockaddr, sockaddr_in, sockaddr_in6, AF_INET)
from pygw._core.libs.uv cimport uv_buf_t, UV_EAI_NONAME, UV_EOF
from pygw._core.limits cimport PLANS_MAX
from pygw._core.resolver cimport name_t, resolver_answer
from pygw._core.runtimes.lua_state cimport lua_t
from pygw._core.shortage cimport shortage_count, shortage_set
from pygw._core.stats cimport ST_CONNECTIONS, stat_get
from pygw._core.stats import stats_names
from pygw._core.timer cimport wheel_advance, wheel_next_ms
from pygw._core.transport cimport transports_flush
from pygw._core.transport_memory cimport *
from pygw._core.types.address cimport address_t, ADDRESS_UNIX
from pygw._core.types.exchange cimport plan_t
from pygw._core.types.hook cimport hooks_t, RUNTIME_LUA
from pygw._core.types.memory cimport buffers_t
from pygw._core.types.transport cimport TF_READING
from pygw._core.view cimport span

cdef enum:
    OUTPUT_BYTES = 65536      # what one direction's wire holds
    SPARE_ENDS = 64           # connects that one turn may start
    TURNS_MAX = 100000        # a worker that is not at rest after so many turns spins


cdef int log_write(access_log_t* log, const uv_buf_t* piece) noexcept nogil:
    cdef worker_t* w = <worker_t*>(<char*>log - <size_t>&(<worker_t*>NULL).log)
    (<memory_worker_t*>w).log_piece = piece[0]
    return 0


cdef int lookup(name_t* name) noexcept nogil:
    cdef worker_t* w = <worker_t*>(<char*>name.resolver - <size_t>&(<worker_t*>NULL).resolver)
    cdef memory_worker_t* m = <memory_worker_t*>w
    if m.asked_count == LOOKUPS:
        return -1
    m.asked[m.asked_count] = name
    m.asked_count += 1
    return 0


# It goes on, and is answered when everything is closed.
cdef void lookup_cancel(name_t* name) noexcept nogil:
    pass


def fail_allocations(int64_t good, uint64_t bad=1) -> None:
    """The next ``good`` allocations of the core succeed, then ``bad`` fail; ``good`` -1: none does.

    Counts anew. A release build counts nothing and fails nothing.
    """
    shortage_set(good, bad)


def allocations() -> int:
    """Allocations since ``fail_allocations``."""
    return shortage_count()


def must(right, said) -> None:
    if not right:
        raise AssertionError(said)


cdef class End:
    """A test's end of one connection: a client of the worker, or a service it connected to."""

    def __cinit__(self) -> None:
        self.wire = PyByteArray_FromStringAndSize(NULL, OUTPUT_BYTES)
        self.end.output = PyByteArray_AS_STRING(self.wire)
        self.end.output_room = OUTPUT_BYTES
        self.end.owner = <void*>self
        self.sending, self.taken, self.automatic, self.verdict = deque(), bytearray(), True, 0

    def __repr__(self) -> str:
        kind = "client" if self.end.from_client else f"service {self.address}"
        return f"<{kind}: {len(self.taken)} bytes received, {self.ended}>"

    @property
    def address(self) -> str:
        """Where the gateway connected to: ``192.0.2.1:80``, ``unix:/path``; of a client: ``""``."""
        cdef sockaddr* to = <sockaddr*>&self.end.address
        cdef uint16_t port
        cdef address_t a
        if self.end.from_client:
            return ""
        if self.end.is_unix:
            return "unix:" + (<bytes>self.end.path).decode()
        address_from_socket(&a, to)
        port = ((<sockaddr_in*>to).sin_port if to.sa_family == AF_INET
                else (<sockaddr_in6*>to).sin6_port)
        return f"{a.text[:a.text_len].decode()}:{ntohs(port)}"

    def send(self, data: bytes, size: int = 0, cuts=()) -> "End":
        """Puts bytes on their way: as one read, in reads of ``size``, or cut at ``cuts``."""
        places = sorted({0, len(data), *cuts, *(range(0, len(data), size) if size else ())})
        for i in range(len(places) - 1):
            self.sending.append(bytes(data[places[i]:places[i + 1]]))
        self.end.unread += len(data)
        return self

    def finish(self) -> "End":
        """FIN, behind what was sent."""
        self.finished = True
        return self

    def reset(self) -> "End":
        """RST: what is still on its way is lost, in both directions."""
        self.was_reset = True
        self.finished = True
        self.sending.clear()
        self.end.unread = self.at = 0
        self.end.failure = -errno.ECONNRESET
        return self

    def accept(self) -> "End":
        """Lets a connect that hangs succeed."""
        self.verdict = 0
        return self

    def refuse(self, reason: str = "ECONNREFUSED") -> "End":
        """Lets a connect that hangs fail with that errno."""
        self.verdict = -<int>getattr(errno, reason)
        return self

    def window(self, size) -> "End":
        """At most ``size`` bytes leave the gateway before ``take``; None: no bound (the start)."""
        self.automatic = size is None
        self.end.output_room = OUTPUT_BYTES if size is None else min(size, <int>OUTPUT_BYTES)
        return self

    def take(self, uint32_t size) -> bytes:
        """Takes at most ``size`` bytes off the wire, so that as many can follow."""
        cdef bytearray out = bytearray(min(size, self.end.output_used))
        memory_take(&self.end, out, <uint32_t>len(out))
        self.taken += out
        return bytes(out)

    def received(self) -> bytes:
        """All bytes that left the gateway for this end."""
        return bytes(self.taken) + self.end.output[:self.end.output_used]

    def forget(self) -> None:
        """Keeps no more of what was received: for runs that have no end."""
        self.taken.clear()

    @property
    def queued(self) -> int:
        """Sent bytes that the gateway has not read."""
        return self.end.unread

    @property
    def number(self) -> int:
        """What tells its connection from others that are open; 0 when the gateway let go of it."""
        return <size_t>self.end.transport

    @property
    def ended(self) -> str:
        """What the gateway did with its sending side: ``open``, ``fin`` or ``reset``."""
        return ("open", "fin", "reset")[self.end.left]

    @property
    def closed(self) -> bool:
        """Whether the gateway has let go of the connection."""
        return self.end.transport == NULL

    @property
    def reading(self) -> bool:
        """Whether the gateway reads."""
        return self.end.state == END_OPEN and self.end.transport.flags & TF_READING != 0

    cdef bint turn_connect(self):
        return self.verdict is not None and memory_connected(&self.end, self.verdict)

    cdef bint turn_write(self):
        cdef bint moved = self.automatic and self.end.output_used != 0
        if moved:
            self.take(OUTPUT_BYTES)
        return memory_wrote(&self.end) or moved

    cdef bint turn_read(self):
        cdef bytes piece
        cdef uint32_t size
        cdef int status
        if self.end.deaf:
            return memory_ended(&self.end, UV_EOF)
        if self.sending:
            piece = self.sending[0]
            size = memory_arrived(&self.end, <const char*>piece + self.at,
                                  <uint32_t>(len(piece) - self.at))
            self.at += size
            if self.at == len(piece):
                self.sending.popleft()
                self.at = 0
            return size != 0
        if not self.finished or not self.reading:
            return False
        status = UV_EOF
        if self.end.failure == -<int>errno.ECONNRESET:
            status = self.end.failure
            self.end.failure = -<int>errno.EPIPE
        return memory_ended(&self.end, status)


cdef class MemoryWorker:
    """``policy`` decides each connect: a function of its ``End`` that answers ``"accept"``,
    ``"hold"`` or an errno's name; None accepts. ``connections`` are all that were opened."""

    def __cinit__(self) -> None:
        self.spare, self.ends, self.connections, self.log_bytes = [], [], [], bytearray()
        self.w = &self.m.worker
        if host_init(self.w, NULL, self.m.counters, os.open(os.devnull, os.O_WRONLY)) != 0:
            raise MemoryError
        self.w.transports.connect, self.w.transports.net = transport_memory_connect, &self.m.net
        self.w.host.now_ns, self.w.host.unix_ms = now_ns, unix_ms
        self.w.log.write, self.w.malformed.write = log_write, NULL
        self.w.mirrors.write, self.w.mirrors.write_arg = keep_line, &self.m
        self.w.resolver.lookup, self.w.resolver.lookup_cancel = lookup, lookup_cancel
        bills_open(&self.w.bills, &self.w.host, &self.m.bill, MEMORY_ROWS)
        self.fill()

    def __dealloc__(self) -> None:
        if host_closed(self.w):
            host_fini(self.w)

    # Ends for the connects of one turn.
    cdef int fill(self) except -1:
        cdef End end
        while len(self.spare) < SPARE_ENDS:
            end = End()
            end.worker, end.end.net, end.end.next = self, &self.m.net, self.m.net.spare
            self.m.net.spare = &end.end
            self.spare.append(end)
        return 0

    # The end that was taken off the net's spare ones.
    cdef End adopt(self, memory_end_t* e):
        cdef End end = <End>e.owner
        self.spare.remove(end)
        self.ends.append(end)
        return end

    # Takes what the gateway opened since the last look.
    cdef int look(self) except -1:
        cdef memory_end_t* e = self.m.net.opened
        cdef list fresh = []
        cdef End end
        self.m.net.opened = NULL
        while e != NULL:
            fresh.append(<End>e.owner)
            e = e.next
        for end in reversed(fresh):
            self.adopt(&end.end)
            self.connections.append(end)
            answer = "accept" if self.policy is None else self.policy(end)
            if answer == "hold":
                end.verdict = None
            elif answer != "accept":
                end.refuse(answer)
        return len(fresh)

    def prepare(self, bytes plan_json not None) -> None:
        """As ``Worker.compile`` and ``Worker.prepare``; ``commit`` must follow."""
        if self.w.plans >= PLANS_MAX:
            raise RuntimeError(f"{self.w.plans} plans are still in use by running exchanges")
        cdef char why[1024]   # HOOK_ERROR_MAX
        self.prepared = plan_build(plan_json)
        self.built(self.prepared)
        if host_prepare(self.w, self.prepared, why) != 0:
            plan_free(self.prepared)
            raise RuntimeError(why.decode(errors="replace")) if why[0] else MemoryError

    cdef int built(self, plan_t* plan) except -1:
        return 0

    def commit(self, bint wanted=True) -> None:
        """As ``Worker.commit``, or, when it is not wanted, ``Worker.drop``."""
        (host_commit if wanted else host_drop)(self.w, self.prepared)

    def publish(self, bytes plan_json not None) -> None:
        """As ``Worker.publish``."""
        self.prepare(plan_json)
        self.commit()

    def connect(self, int listener=0, str peer="192.0.2.1:1234") -> End:
        """A client of the listener with that index in the plan; ``peer`` may be ``unix:``.

        Raises MemoryError when the worker has no memory for it.
        """
        cdef memory_end_t* e
        cdef down_t* d = down_make(&self.w.downs, <uint16_t>listener)
        cdef bytes text = peer.encode()
        if d == NULL:
            raise MemoryError
        memset(&d.peer, 0, sizeof(d.peer))
        d.peer.family = ADDRESS_UNIX
        if peer != "unix:" and not address_parse(&d.peer, span(text, <uint32_t>len(text))):
            raise ValueError(f"{peer!r} is no address")
        self.fill()
        e = self.m.net.spare
        self.m.net.spare = e.next
        e.is_unix = peer == "unix:"
        transport_memory_accept(&d.transport, &self.w.transports, down_transport_on(), e)
        down_start(d)
        return self.adopt(e)

    def turn(self) -> bool:
        """One round of everything that was put off; False when there was nothing."""
        cdef bint moved
        cdef End end
        self.m.net.turn += 1
        self.fill()
        moved = self.look() != 0
        for end in self.ends[:]:
            moved |= end.turn_connect()
            moved |= end.turn_write()
            moved |= end.turn_read()
        moved |= memory_closed(&self.m.net)
        if self.w.wheel.soon != NULL:
            self.expire(0)
            moved = True
        moved |= self.turn_log()
        moved |= self.look() != 0
        self.ends = [end for end in self.ends if (<End>end).end.state != END_GONE
                     or (<End>end).end.output_used]
        return moved

    cdef bint turn_log(self):
        cdef uv_buf_t piece = self.m.log_piece
        if piece.base == NULL:
            return False
        self.m.log_piece.base = NULL
        self.log_bytes += piece.base[:piece.len]
        access_log_wrote(&self.w.log, <int>piece.len)
        return True

    def settle(self) -> None:
        """Turns until nothing happens any more. Raises AssertionError for a worker that spins."""
        must(any(not self.turn() and not self.turn() for _ in range(TURNS_MAX)), "it spins")

    def expire(self, uint64_t ms) -> None:
        """Lets time pass before anything else that was put off is looked at."""
        wheel_advance(&self.w.wheel, self.w.wheel.now_ms + ms)
        transports_flush(&self.w.transports)

    def advance(self, uint64_t ms) -> None:
        """Lets time pass, from one due timer to the next, and settles after each."""
        cdef uint64_t end_ms = self.w.wheel.now_ms + ms
        cdef int64_t wait_ms
        self.settle()
        wait_ms = wheel_next_ms(&self.w.wheel)
        while wait_ms >= 0 and self.w.wheel.now_ms + wait_ms <= end_ms:
            self.expire(wait_ms)
            self.settle()
            wait_ms = wheel_next_ms(&self.w.wheel)
        self.expire(end_ms - self.w.wheel.now_ms)
        self.settle()

    @property
    def now_ms(self) -> int:
        """The worker's clock."""
        return self.w.wheel.now_ms

    @property
    def lines(self) -> list[bytes]:
        """The access log so far."""
        access_log_flush(&self.w.log)
        self.turn_log()
        return bytes(self.log_bytes).splitlines()

    @property
    def told(self) -> list[str]:
        """The lines about mirrors that standard error would have got."""
        return self.m.told[:self.m.told_used].decode().splitlines()

    def fail_connects(self, str reason=None) -> None:
        """Connects fail at once with that errno from now on; None: no more."""
        self.m.net.connect_error = 0 if reason is None else -<int>getattr(errno, reason)

    @property
    def names(self) -> list[str]:
        """The names that are being looked up."""
        return [self.m.asked[i].host.decode() for i in range(self.m.asked_count)]

    def answer(self, *texts: str) -> None:
        """Ends the oldest look-up with these IPv4 addresses, or, without one, with a failure."""
        cdef name_t* name = self.m.asked[0]
        cdef addrinfo[16] infos
        cdef sockaddr_in[16] found
        cdef int i
        must(self.m.asked_count and len(texts) <= LOOKUPS, "no look-up, or too many addresses")
        memset(infos, 0, sizeof(infos))
        memset(found, 0, sizeof(found))
        for i, text in enumerate(texts):
            found[i].sin_family = infos[i].ai_family = AF_INET
            must(inet_pton(AF_INET, text.encode(), &found[i].sin_addr) == 1, text)
            infos[i].ai_addr = <sockaddr*>&found[i]
            infos[i].ai_addrlen = sizeof(sockaddr_in)
            infos[i].ai_next = &infos[i + 1] if i + 1 < len(texts) else NULL
        self.m.asked_count -= 1
        for i in range(<int>self.m.asked_count):
            self.m.asked[i] = self.m.asked[i + 1]
        resolver_answer(name, 0 if texts else <int>UV_EAI_NONAME, infos if texts else NULL)
        transports_flush(&self.w.transports)

    def hoard(self, left) -> int:
        """Only ``left`` bytes of buffers can be taken from now on; None: all. How many can not."""
        cdef buffers_t* home = &self.w.buffers
        home.live_bytes -= self.hoarded
        self.hoarded = 0 if left is None else home.max_bytes - home.live_bytes - <uint64_t>left
        home.live_bytes += self.hoarded
        return self.hoarded

    def live(self) -> dict[str, int]:
        """What is not given back, by kind; all 0 when nothing runs and nothing is connected."""
        cdef worker_t* w = self.w
        return {"exchanges": w.downs.exchanges.live, "running": w.downs.running,
            "buffers": w.buffers.live, "buffer_bytes": w.buffers.live_bytes,
            "slices": w.buffers.slices.live, "requests": w.transports.requests.live,
            "deflaters": w.deflaters.running, "hook_calls": w.hooks.calls.live,
            "fetches": w.hooks.fetch_count, "detached": w.detacheds.blocks.live,
            "kept": w.hooks.cache.count, "kept_bytes": w.hooks.cache.bytes,
            "mirrors": w.mirrors.blocks.live, "tunnels": w.relays.blocks.live, "downs":
            w.downs.blocks.live, "ups": w.pools.ups.blocks.live, "transports": w.transports.live}

    def stats(self) -> dict[str, int]:
        """The counters by name, ``live_*`` of ``live``, pools and plans."""
        out = {name: stat_get(self.m.counters, i) for i, name in enumerate(stats_names())}
        out |= {f"live_{name}": count for name, count in self.live().items()}
        return out | {"live_pools": self.w.pools.blocks.live, "live_plans": self.w.plans,
                      "spins": self.m.net.spins}

    def lua_bytes(self) -> int:
        """What the worker's Lua has taken."""
        cdef lua_t* vm = <lua_t*>(<hooks_t*>self.w.host.hooks).states[<int>RUNTIME_LUA]
        return vm.used if vm != NULL else 0

    def bills(self) -> dict[str, object]:
        """What filters cost, as ``bill_read.bills_read`` tells it."""
        return bills_of(self.w.bills.head)

    def exact(self, bint on=True, uint64_t ms=1 << 40) -> None:
        """Every exchange is timed for so long, as a reader of the shared block would have it."""
        self.w.bills.head.exact_until_ns = (self.now_ms + ms) * 1000000 if on else 0

    def drain(self, idle_ms: int = 0) -> None:
        """Each client's connection ends with its next answer, or without one after so long."""
        host_drain(self.w, idle_ms, True)
        transports_flush(&self.w.transports)

    def stop(self) -> None:
        """Everything ends, in later turns."""
        host_stop(self.w)
        transports_flush(&self.w.transports)

    def close(self) -> None:
        """Ends all that is left and checks that everything made was given back."""
        if host_closed(self.w):
            return
        self.stop()
        self.settle()
        must(host_open(self.w) == 0, self.stats())
        host_close(self.w)
        while self.m.asked_count:
            self.answer()
        self.settle()
        must(not any(self.live().values()), f"not given back: {self.live()}")
        must(host_closed(self.w) and self.w.plans == self.w.pools.blocks.live == 0, self.stats())
        must(wheel_next_ms(&self.w.wheel) < 0, "a timer still hangs")
        must(stat_get(self.m.counters, ST_CONNECTIONS) == 0, "the gauge is not at 0")
