"""Whole exchanges through a worker in memory: a `Gate`, its clients and its origins.

Owns: the short way to write such a test, and what every one of them checks at its end: all that
left is strict HTTP/1.1, each exchange has one log line, nothing that was made is kept.
Runs in: tests. Each action settles: the worker has done all it can before the next line.
Never does: interpret bytes (`tests.peers.wire` does) or judge them (`tests.peers.lint` does).
Read next: `test_exchange_answers`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from pygw._core.memory_worker import MemoryWorker

from pygw._core.probe import test_filters
from tests.peers.client import methods_of
from tests.peers.lint import lint_client_link, lint_origin_link
from tests.peers.wire import Cut, Message, read_request, read_response, source_of
from tests.unit import plans

Json = dict[str, Any]
MINUTE = 60_000
ENDINGS = {"open": "open", "fin": "fin", "reset": "rst"}

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def post(body: bytes, path: bytes = b"/", *fields: bytes) -> bytes:
    """A POST with a known length."""
    lines = [b"POST " + path + b" HTTP/1.1", b"Host: a", b"Content-Length: %d" % len(body), *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def ok(body: bytes, *fields: bytes) -> bytes:
    """A 200 with a known length."""
    lines = [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def chunked(*pieces: bytes, trailers: bytes = b"") -> bytes:
    """A chunked body."""
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return chunks + b"0\r\n" + trailers + b"\r\n"


def upstream(*, timeouts: Json | None = None, pool: Json | None = None, **changes: Any) -> Json:
    """An upstream whose timeouts play no part unless they are given."""
    one = plans.upstream(**changes)
    one["timeouts"] = {
        "connect_ms": 2000,
        "response_ms": MINUTE,
        "between_bytes_ms": MINUTE,
        "total_ms": None,
    } | (timeouts or {})
    one["pool"] |= pool or {}
    return one


class Peer:
    """One end of a connection; every call settles."""

    def __init__(self, gate: Gate, end: Any) -> None:
        self.gate = gate
        self.end = end
        self.sent = bytearray()
        self.left = False  # we ended it ourselves
        self.was_reset = False  # by RST
        self.cut_allowed = False  # its last message may miss its end
        self.tunnel_at: int | None = None  # from here on what is received is no HTTP

    def send(self, data: bytes, size: int = 0, cuts: Sequence[int] = ()) -> None:
        """Bytes that are read as one piece, in pieces of `size`, or cut at `cuts`."""
        self.sent += data
        self.end.send(data, size, cuts)
        self.gate.worker.settle()

    def finish(self) -> None:
        """FIN."""
        self.left = True
        self.end.finish()
        self.gate.worker.settle()

    def reset(self) -> None:
        """RST."""
        self.left = self.was_reset = True
        self.end.reset()
        self.gate.worker.settle()

    def window(self, size: int | None) -> None:
        """At most so many bytes leave the gateway from now on; None: no bound."""
        self.end.window(size)
        self.gate.worker.settle()

    def take(self, size: int) -> bytes:
        """Takes bytes off the wire, so that as many can follow."""
        data: bytes = self.end.take(size)
        self.gate.worker.settle()
        return data

    @property
    def received(self) -> bytes:
        """All bytes that left the gateway for this end."""
        data: bytes = self.end.received()
        return data

    @property
    def ended(self) -> str:
        """What the gateway did with its sending side: open, fin or reset."""
        how: str = self.end.ended
        return how

    @property
    def closed(self) -> bool:
        """Whether the gateway has let go of it."""
        gone: bool = self.end.closed
        return gone

    @property
    def queued(self) -> int:
        """Sent bytes that the gateway has not read."""
        bytes_: int = self.end.queued
        return bytes_

    def recording(self) -> SimpleNamespace:
        """This end as `lint` wants it."""
        return SimpleNamespace(
            received=self.received,
            sent=bytes(self.sent),
            ended=ENDINGS[self.ended],
            left=self.left,
            cut_allowed=self.cut_allowed,
            tunnel_at=self.tunnel_at,
            recording=True,
            methods=None,
            drain=lambda: None,
        )


class Client(Peer):
    """A client of the gateway."""

    def answers(self) -> list[Message]:
        """Every answer so far; the last may be incomplete (`complete` is False)."""
        source = source_of(self.received, ENDINGS[self.ended])  # type: ignore[arg-type]
        seen = []
        for method in methods_of(bytes(self.sent)):
            if source.idle():
                break
            try:
                seen.append(read_response(source, method))
            except Cut as cut:
                if cut.message is not None:
                    seen.append(cut.message)
                break
        return seen

    @property
    def answer(self) -> Message:
        """The only answer."""
        (one,) = self.answers()
        return one

    @property
    def statuses(self) -> list[int]:
        """The status of each answer."""
        return [one.status for one in self.answers()]


class Origin(Peer):
    """A service the gateway connected to."""

    @property
    def address(self) -> str:
        """Where the gateway connected to."""
        where: str = self.end.address
        return where

    def requests(self) -> list[Message]:
        """Every request so far; the last may be incomplete."""
        source = source_of(self.received[: self.tunnel_at], "fin")
        seen: list[Message] = []
        while not source.idle():
            try:
                seen.append(read_request(source))
            except Cut as cut:
                if cut.message is not None:
                    seen.append(cut.message)
                break
        return seen

    @property
    def request(self) -> Message:
        """The only request."""
        (one,) = self.requests()
        return one

    @property
    def owed(self) -> int:
        """Whole requests that have no answer yet, when every answer is a 2xx."""
        return sum(one.complete for one in self.requests()) - self.sent.count(b"HTTP/1.1 2")

    def accept(self) -> None:
        """Lets a held connect succeed."""
        self.end.accept()
        self.gate.worker.settle()

    def refuse(self, reason: str = "ECONNREFUSED") -> None:
        """Lets a held connect fail."""
        self.end.refuse(reason)
        self.gate.worker.settle()


class Gate:
    """A worker in memory with one plan."""

    def __init__(self, plan: Json) -> None:
        self.worker = MemoryWorker()
        self.clients: list[Client] = []
        self.done: list[Client] = []  # clients that were judged already
        self._origins: list[Origin] = []
        self.publish(plan)

    def publish(self, plan: Json) -> None:
        """Serves by this plan from now on."""
        self.worker.publish(json.dumps(plan).encode())

    def client(self, data: bytes = b"", listener: int = 0, peer: str = "192.0.2.1:1234") -> Client:
        """A connection from outside that sends `data`."""
        one = Client(self, self.worker.connect(listener, peer))
        self.clients.append(one)
        if data:
            one.send(data)
        return one

    @property
    def origins(self) -> list[Origin]:
        """Every connection the gateway opened, in order."""
        for end in self.worker.connections[len(self._origins) :]:
            self._origins.append(Origin(self, end))
        return self._origins

    @property
    def origin(self) -> Origin:
        """The only connection the gateway opened."""
        (one,) = self.origins
        return one

    def hold(self, *only: str) -> None:
        """Connects (to these addresses only) hang until the test says."""
        self.worker.policy = lambda end: "hold" if not only or end.address in only else "accept"

    def refuse(self, *only: str, reason: str = "ECONNREFUSED") -> None:
        """Connects (to these addresses only) fail, in a later turn."""
        self.worker.policy = lambda end: reason if not only or end.address in only else "accept"

    def accept(self) -> None:
        """Connects succeed again."""
        self.worker.policy = None

    def resolve(self, *addresses: str) -> None:
        """Ends the oldest look-up: with these addresses, or with a failure."""
        self.worker.answer(*addresses)
        self.worker.settle()

    def advance(self, ms: int) -> None:
        """Lets time pass."""
        self.worker.advance(ms)

    @property
    def causes(self) -> list[str]:
        """The cause of every exchange in the access log, in order."""
        return [json.loads(line)["cause"] for line in self.worker.lines]

    @property
    def stats(self) -> dict[str, int]:
        """Counters and live objects."""
        counted: dict[str, int] = self.worker.stats()
        return counted

    def judge(self) -> None:
        """The checks of every test, before and after everything is closed."""
        requests, lines = self.stats["requests"], len(self.worker.lines)
        assert requests - self.stats["live_running"] <= lines <= requests
        for peer in (*self.clients, *self.origins):
            peer.cut_allowed |= peer.ended == "open"  # what is open now may be cut by the close
        self.worker.close()
        assert len(self.worker.lines) == self.stats["requests"]
        for client in self.clients:
            lint_client_link(client.recording())  # type: ignore[arg-type]
        for origin in self.origins:
            lint_origin_link(origin.recording())  # type: ignore[arg-type]
        for name, count in test_filters.counts().items():
            assert count["live"] == count["stranded"] == count["wrong_cancels"] == 0, name
            assert count["waits"] == count["resumes"] + count["cancels"], name


def plan_of(
    *filters: Json,
    one: Json | None = None,
    timeouts: Json | None = None,
    limits: Json | None = None,
    half_close: str = "abort",
    **changes: Any,
) -> Json:
    """A plan with one route to one upstream through these filters."""
    plan = plans.plan(plans.route(middleware=list(filters)))
    plan["upstreams"] = [one if one is not None else upstream()]
    plan["access_log"] = {"format": "json"}
    plan["timeouts"] |= timeouts or {}
    plan["limits"] |= limits or {}
    plan["listeners"][0]["half_close"] = half_close
    return plan | changes


@contextmanager
def serving(*filters: Json, **changes: Any) -> Iterator[Gate]:
    """A gate with `plan_of` these; judged at the end, closed in any case."""
    test_filters.reset()
    gate = Gate(plan_of(*filters, **changes))
    try:
        yield gate
    except BaseException:
        gate.worker.stop()
        gate.worker.settle()
        raise
    gate.judge()
