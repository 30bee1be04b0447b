"""The world around a worker in memory: its services, its names, its clock.

Owns: what happens between two steps of a test until there is nothing left to happen.
Runs in: tests of hooks.
Never does: know what a test wants to see.
Read next: `origin`, `turns`, `pygw/_core/watched_worker.pyx`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from pygw._core.watched_worker import End, WatchedWorker

from .messages import Seen
from .origin import Link, Origin
from .runs import Book
from .turns import Turns

STEPS_MAX = 100_000
"""Steps of the clock after which something that does not come about is given up."""

WAIT_S = 0.001
"""How long Python that waits is left alone at a time."""


class Stage:
    """A worker, and everything that is outside of it."""

    def __init__(self, origin_of: Callable[[str], Origin], timeout_s: float) -> None:
        self.turns = Turns()
        self.book = Book()
        self.seen: list[Seen] = []
        self.timeout_s = timeout_s
        self._origin_of = origin_of
        self._links: list[Link] = []
        self._known = 0
        self._names: dict[str, str] = {}
        self.worker = WatchedWorker()
        self.worker.policy = lambda end: origin_of(self._name(end)).policy

    def publish(self, plan: bytes) -> None:
        """Serves by this plan from now on; ValueError says why it cannot."""
        self.turns.do(lambda: self.worker.publish(plan))

    def connect(self, listener: int, peer: str) -> End:
        """A client."""
        end = self.turns.do(lambda: self.worker.connect(listener, peer))
        self.look()
        self.book.forget(end.number)
        return end

    def send(self, end: End, pieces: Iterable[bytes]) -> None:
        """Bytes that the gateway reads piece by piece."""

        def send() -> None:
            for piece in pieces:
                if not end.closed:
                    end.send(piece)
                    self._settle()

        self.turns.do(send)

    def settle(self) -> None:
        """Everything that can happen without time passing happens; services listen meanwhile."""
        self.turns.do(self._settle)

    def until(self, holds: Callable[[], bool]) -> bool:
        """Lets time pass until it holds; False when nothing is left that could bring it about.

        TimeoutError when a hook's Python does not come to an end in `timeout_s`.
        """
        end = time.monotonic() + self.timeout_s
        for _ in range(STEPS_MAX):
            self.settle()
            if holds():
                return True
            if self.book.waits("python"):
                self._wait(end)
                continue
            step = self._next_ms()
            if step is None:
                return False
            self._advance(step)
        raise TimeoutError(f"no answer in {STEPS_MAX} steps of the gateway's clock")

    def advance(self, ms: int) -> None:
        """Time passes; services answer when they said."""
        while ms > 0:
            self.settle()
            step = self._next_ms() if self.worker.running else None
            step = ms if step is None else min(max(step, 1), ms)
            self._advance(step)
            ms -= step
        self.settle()

    def leave(self, end: End) -> None:
        """The client ends its connection."""

        def leave() -> None:
            if not end.closed:
                end.finish()
            self._settle()

        self.turns.do(leave)

    def look(self) -> None:
        """Takes down what happened."""
        self.book.take(self.worker.events())
        ends = self.worker.connections
        for end in ends[self._known :]:
            name = self._name(end)
            self._links.append(Link(end, self._origin_of(name), name))
        self._known = len(ends)
        self._links = [link for link in self._links if not link.end.closed]

    def close(self) -> None:
        """Ends everything; AssertionError when the worker did not give back all that it took."""
        try:
            self.turns.do(self.worker.close)
        finally:
            self.turns.close()

    # --- steps, on the loop -----------------------------------------------------------------------

    def _settle(self) -> None:
        moved = True
        while moved:
            self.worker.settle()
            self.look()
            moved = self._names_answered()
            for link in self._links:
                moved = self._serve(link) or moved

    def _serve(self, link: Link) -> bool:
        if link.origin.policy != "accept" and link.idle:
            link.end.finish()  # else the next request would go over it
            link.over = True
            return True
        seen = link.listen(self.worker.now_ms)
        if seen is not None:
            self.seen.append(seen)
        return link.speak(self.worker.now_ms) or seen is not None

    def _next_ms(self) -> int | None:
        """Milliseconds until something is due."""
        now = self.worker.now_ms
        due = [link.due_ms - now for link in self._links if link.due_ms is not None]
        if self.worker.due_ms is not None:
            due.append(self.worker.due_ms)
        soonest = min(due, default=float("inf"))
        return None if soonest == float("inf") else max(0, round(soonest))

    def _advance(self, ms: int) -> None:
        self.turns.do(lambda: self.worker.advance(ms))

    def _wait(self, end: float) -> None:
        """Python waits in real time, and so the gateway's clock goes with it."""
        began = time.monotonic()
        if began > end:
            raise TimeoutError(
                f"a hook still waits after {self.timeout_s:g} s; timeout_s of the gateway says more"
            )
        self.turns.wait(WAIT_S)
        self._advance(max(1, round((time.monotonic() - began) * 1000)))

    # --- names ------------------------------------------------------------------------------------

    def _names_answered(self) -> bool:
        names = self.worker.names
        for name in names:
            address = f"198.18.{len(self._names) >> 8}.{len(self._names) & 255}"
            self._names[address] = name
            self.worker.answer(address)
        return bool(names)

    def _name(self, end: End) -> str:
        """Where a connection leads, as the configuration names it."""
        host, colon, port = end.address.rpartition(":")
        return self._names.get(host, host) + colon + port
