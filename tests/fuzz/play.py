"""One case on a worker in memory: its events, then its end, then two ordinary requests.

Owns: playing a case. A worker plays many cases and is back to nothing after each.
Never does: judge what left (`judge` does). Read next: `judge`.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from pygw._core.memory_worker import fail_allocations

from tests.fuzz.case import Case, Event
from tests.fuzz.judge import SHADOW, judge
from tests.peers.wire import WireError
from tests.unit.memory import GET, Client, Gate, Json, Origin, Peer, ok, plan_of, upstream
from tests.unit.plans import target

CASES_A_WORKER = 200
MINUTE = 60_000
WAIT_MS = 2000
PHASES = ("request", "request_body", "attempt", "response", "response_body")
TIMES = {"client_head_ms": WAIT_MS, "client_body_ms": WAIT_MS, "keepalive_ms": 1000,
         "slow_reader_ms": WAIT_MS}  # fmt: skip


def _filter(name: str, phase: str, **more: Any) -> Json:
    return {"filter": f"test_{name}", "phase": phase} | more


PLANS: dict[str, tuple[list[Json], str]] = {
    "bare": ([], "abort"),
    "edits": ([_filter("upper", "request_body"),
               _filter("emit", "request_body", prefix="<", suffix=">"),
               _filter("emit", "response_body", prefix="<", suffix=">")], "abort"),
    "waits": ([_filter("wait", phase, ms=50, when="each", take=True) for phase in PHASES], "abort"),
    "holds": ([_filter("hold", "request_body"), _filter("hold", "response_body")], "answer"),
    "mirror": ([], "abort"),
    "copies": ([_filter("wait", "request_body", ms=50, when="each", take=True),
                _filter("emit", "request_body", prefix="<", suffix=">")], "answer"),
    "answer": ([{"filter": "respond", "status": 200, "headers": [], "body": "own"}], "answer"),
}  # fmt: skip
MIRRORS: dict[str, Json] = {
    "mirror": {"share": 10000, "max_bytes": 65536, "timeout_ms": WAIT_MS},
    "copies": {"share": 5000, "max_bytes": 100, "timeout_ms": WAIT_MS},
}


def _plan(name: str) -> Json:
    filters, half_close = PLANS[name]
    times = {"connect_ms": WAIT_MS, "response_ms": WAIT_MS, "between_bytes_ms": WAIT_MS}
    pool = {"idle": 4, "connections": 4, "queue": 8, "queue_timeout_ms": WAIT_MS,
            "idle_timeout_ms": 1000}  # fmt: skip
    one = upstream(targets=2, timeouts=times, pool=pool)
    plan = plan_of(*filters, one=one, timeouts=TIMES, half_close=half_close)
    if name in MIRRORS:
        shadow = upstream(name="shadow", targets=[target(SHADOW)], timeouts=times, pool=pool)
        plan["upstreams"].append(shadow)
        plan["routes"][0]["mirrors"] = [{"to": "shadow"} | MIRRORS[name]]
    return plan


class Stage:
    """The peers of one case."""

    def __init__(self, gate: Gate, case: Case) -> None:
        self.gate = gate
        self.case = case
        self.clients: dict[int, Client] = {}
        self.first = len(gate.origins)
        self.answered: dict[int, int] = {}
        gate.clients.clear()

    @property
    def origins(self) -> list[Origin]:
        """Those of this case, oldest first."""
        return self.gate.origins[self.first :]

    def peer(self, event: Event) -> Peer | None:
        """Whom an event is about; a client that is not there yet comes, an origin does not."""
        if event.side == "client":
            if event.who not in self.clients:
                with suppress(MemoryError):  # a shortage: this one is not taken
                    self.clients[event.who] = self.gate.client()
            return self.clients.get(event.who)
        origins = self.origins
        return origins[-1 - event.who] if event.who < len(origins) else None

    def happen(self, event: Event) -> None:
        """One event."""
        if event.kind == "time":
            self.gate.advance(event.number)
        elif event.kind == "shortage":
            fail_allocations(event.number)
        elif event.kind == "connects":
            {"accept": self.gate.accept, "hold": self.gate.hold, "refuse": self.gate.refuse}[
                event.word
            ]()
        elif event.kind == "accept":
            for origin in self.origins:
                origin.accept()
        elif event.kind == "answer":
            self.answer()
        elif (peer := self.peer(event)) is not None and not peer.left:
            self.act(peer, event)

    def act(self, peer: Peer, event: Event) -> None:
        """What a peer does."""
        if event.kind == "send":
            if isinstance(peer, Origin):
                if b" 101 " in peer.sent[-20:] + event.data and peer.tunnel_at is None:
                    peer.tunnel_at = len(peer.received)
                self.answered[id(peer)] = self.answered.get(id(peer), 0) + 1
            size = event.number if len(event.data) < 2000 * event.number else 0
            peer.send(event.data, size)
        elif event.kind == "finish":
            peer.finish()
        elif event.kind == "reset":
            peer.reset()
        elif event.kind == "window":
            peer.window(None if event.number < 0 else event.number)
        elif event.kind == "take":
            peer.take(event.number)

    def answer(self) -> None:
        """Each origin answers what it has got whole and not answered."""
        for number, origin in enumerate(self.origins):
            try:
                whole = sum(one.complete for one in origin.requests())
            except WireError:
                continue  # `judge` says so
            while self.answered.get(id(origin), 0) < whole and not origin.left:
                self.answered[id(origin)] = self.answered.get(id(origin), 0) + 1
                origin.send(ok(b"answer %d" % number))

    def end(self) -> None:
        """Everybody goes; the worker must be back to nothing."""
        fail_allocations(-1)
        for peer in (*self.clients.values(), *self.origins):
            if not peer.closed:
                peer.window(None)
                peer.reset()
        self.gate.accept()
        self.gate.advance(10_000)
        left = {name: count for name, count in self.gate.worker.live().items() if count}
        assert not left, f"not given back: {left}"


class Player:
    """Plays cases, each on the worker of its plan."""

    def __init__(self) -> None:
        self._gates: dict[str, tuple[Gate, int]] = {}

    def gate(self, plan: str) -> Gate:
        """A worker with that plan, a new one after some cases."""
        gate, cases = self._gates.get(plan, (None, CASES_A_WORKER))
        if gate is None or cases >= CASES_A_WORKER:
            if gate is not None:
                gate.worker.close()
            gate, cases = Gate(_plan(plan)), 0
        self._gates[plan] = (gate, cases + 1)
        return gate

    def play(self, case: Case) -> None:
        """Raises AssertionError for whatever must not be."""
        stage = Stage(self.gate(case.plan), case)
        for event in case.events:
            stage.happen(event)
        stage.end()
        judge(stage.case.plan, list(stage.clients.values()), stage.origins)
        self.canary(stage.gate)

    def canary(self, gate: Gate) -> None:
        """Two ordinary requests on a new connection get their own answers."""
        first = len(gate.origins)
        client = gate.client()
        for number, word in enumerate((b"one", b"two")):
            client.send(GET)
            for _ in range(8):  # filters may wait
                for origin in gate.origins[first:]:
                    if origin.owed:
                        origin.send(ok(word))
                if any(answer.complete for answer in client.answers()[number:]):
                    break
                gate.advance(60)
        bodies = [answer.body for answer in client.answers()]
        if bodies != self.wanted(gate):
            raise WireError(f"the canary got {bodies}", "RFC 9112 9", 0, client.received)
        client.reset()
        gate.advance(2000)

    def wanted(self, gate: Gate) -> list[bytes]:
        """What the canary should get from that worker."""
        plan = next(name for name, (one, _) in self._gates.items() if one is gate)
        return {"answer": [b"own", b"own"], "edits": [b"<one>", b"<two>"]}.get(
            plan, [b"one", b"two"]
        )

    def close(self) -> None:
        """Closes all workers; each must have given everything back."""
        for gate, _ in self._gates.values():
            gate.worker.close()
        self._gates.clear()
