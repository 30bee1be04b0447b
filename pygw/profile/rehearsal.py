"""A configuration's routes in this process, with nothing served: where the time of requests goes.

Owns: a worker in memory that real time passes for, one client for each request, and services that
answer at once.
Runs in: the process of the command.
Never does: open a socket; measure what is not the data plane's: services and clients are Python.
Read next: `asked`, `pygw/_core/profiled_worker.pyx`.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pygw._core.profiled_worker import ProfiledWorker
from pygw._core.watched_worker import End

from ..bill import Row, row_of, rows_since
from ..testing.messages import read_message
from ..testing.turns import Turns
from .asked import Asked

WARM_UP = 200
"""Requests of each kind before those that count: LuaJIT compiles what is hot."""

WARM_UP_S = 1.0
"""Longest time that they take together."""

TIMEOUT_S = 10.0
"""How long one request may take before it is given up."""

_PAUSE_S = 0.0002

_BODY = json.dumps(
    [
        {"id": n, "name": f"user {n}", "mail": f"user{n}@example.com", "active": n % 2 == 0}
        for n in range(16)
    ]
).encode()
ANSWER = (
    b"HTTP/1.1 200 OK\r\nDate: Wed, 21 Oct 2026 07:28:00 GMT\r\nServer: service\r\n"
    b"Content-Type: application/json\r\nCache-Control: private, max-age=0\r\n"
    b'ETag: "0a1b2c3d"\r\nVary: Accept-Encoding\r\nContent-Length: %d\r\n\r\n' % len(_BODY)
)
"""The head of every service's answer; a body of JSON follows, about 1.2 KiB."""


class RehearsalError(Exception):
    """A request came to no end; the text is for the user."""


@dataclass
class Told:
    """What requests of one kind came to."""

    asked: Asked
    statuses: Counter[int] = field(default_factory=Counter)


@dataclass
class _Service:
    end: End

    def serve(self) -> bool:
        """Answers what has come whole; whether something had."""
        data = self.end.received()
        found = read_message(data, 0) if data else None
        if found is None or not found.message.complete:
            return False
        self.end.forget()
        head = found.line.startswith("HEAD ")
        self.end.send(ANSWER if head else ANSWER + _BODY)
        return True


class Rehearsal:
    """A worker with a plan; ValueError is why it cannot serve by it. `close` ends it."""

    def __init__(self, plan: bytes) -> None:
        self.turns = Turns()
        self.worker = ProfiledWorker()
        self._services: list[_Service] = []
        self._known = 0
        self._clients: dict[str, End] = {}
        self._then_ms = time.monotonic_ns() // 1000000
        try:
            self.turns.do(lambda: self.worker.publish(plan))
        except BaseException:
            self.close()
            raise

    def run(self, requests: Sequence[Asked], seconds: float) -> tuple[list[Row], list[Told]]:
        """What filters cost, and what came of each request, over so many seconds."""
        told = [Told(one) for one in requests]
        self.worker.exact()
        self._round(told, WARM_UP, min(WARM_UP_S, seconds))
        for one in told:
            one.statuses.clear()
        before = self._rows()
        self._round(told, None, seconds)
        self._until(lambda: not self.worker.running, "some requests")
        return rows_since(self._rows(), before), told

    def close(self) -> None:
        """Gives everything back."""
        try:
            self.turns.do(self.worker.close)
        finally:
            self.turns.close()

    # --- requests ---------------------------------------------------------------------------------

    def _round(self, told: Sequence[Told], most: int | None, seconds: float) -> None:
        """One after the other, over and over: at least once each."""
        end = time.monotonic() + seconds
        rounds = 0
        while rounds == 0 or (time.monotonic() < end and rounds != most):
            for one in told:
                one.statuses[self._ask(one.asked)] += 1
            rounds += 1

    def _ask(self, asked: Asked) -> int:
        """The status of the answer; 0: the connection was cut."""
        status: int | None = None

        def send() -> End:
            client = self._client(asked)
            client.send(asked.wire)
            self._settle()
            return client

        client = self.turns.do(send)

        def answered() -> bool:
            nonlocal status
            status = self._status(client, asked)
            return status is not None

        self._until(answered, asked.told)
        return status or 0

    def _client(self, asked: Asked) -> End:
        client = self._clients.get(asked.request.client)
        if client is None or client.closed or client.ended != "open":
            client = self.worker.connect(0, asked.request.peer)
            self._clients[asked.request.client] = client
        return client

    def _status(self, client: End, asked: Asked) -> int | None:
        while True:
            data = client.received()
            over = client.closed or client.ended != "open"
            found = read_message(data, 0, method=asked.request.method, closed=over)
            if found is None or not (found.message.complete or over):
                return 0 if over else None
            status = int(found.line.split(" ")[1])
            client.forget()
            if status >= 200 or found.end >= len(data):
                return status if status >= 200 else None
            return self._last(data[found.end :], asked.request.method)

    def _last(self, data: bytes, method: str) -> int | None:
        """The status behind interim answers (RFC 9110 15.2) that came with it."""
        found = read_message(data, 0, method=method)
        while found is not None and found.line.split(" ")[1].startswith("1"):
            data = data[found.end :]
            found = read_message(data, 0, method=method)
        return int(found.line.split(" ")[1]) if found is not None else None

    # --- time and services ------------------------------------------------------------------------

    def _until(self, holds: Any, what: str) -> None:
        end = time.monotonic() + TIMEOUT_S
        while not holds():
            if time.monotonic() > end:
                raise RehearsalError(f"{what}: no answer within {TIMEOUT_S:g} s")
            self.turns.wait(_PAUSE_S)
            self.turns.do(self._pass)

    def _pass(self) -> None:
        now_ms = time.monotonic_ns() // 1000000
        self.worker.advance(now_ms - self._then_ms)
        self._then_ms = now_ms
        self._settle()

    def _settle(self) -> None:
        moved = True
        while moved:
            self.worker.settle()
            moved = False
            for _ in self.worker.names:
                self.worker.answer("198.18.0.1")
                moved = True
            ends = self.worker.connections
            if len(ends) > self._known:
                self._services += [_Service(end) for end in ends[self._known :]]
                self._known = len(ends)
            for service in self._services:
                moved = service.serve() or moved
        self._services = [one for one in self._services if not one.end.closed]

    def _rows(self) -> list[Row]:
        told: Mapping[str, Any] = self.worker.bills()
        return [row_of(row) for row in told["rows"]]
