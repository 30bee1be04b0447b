"""Python hooks for tests: source in a file, its entry in a plan, a loop for what waits.

Owns: the folder of what tests write, and the loop that their worker in memory lives on.
Runs in: tests.
Never does: run a hook by itself.
Read next: `test_python_hooks`.
"""

from __future__ import annotations

import asyncio
import itertools
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests import scratch
from tests.unit.memory import GET, OK, Client, Gate, serving

Json = dict[str, Any]
FOLDER = scratch.folder("pygw-python-")
_numbers = itertools.count(1)


def written(source: str, name: str | None = None) -> Path:
    """A file of hook code."""
    file = FOLDER / (name or f"code{next(_numbers)}.py")
    file.write_text("from pygw.hooks import *\n" + textwrap.dedent(source))
    return file


def entry(hook: str, **changes: Any) -> Json:
    """A Python hook in a plan."""
    place = hook.rpartition(":")[0]
    return {
        "filter": "hook",
        "runtime": "python",
        "name": "h1",
        "file": hook,
        "code": Path(place).read_text() if place.endswith(".py") else "",
        "config": None,
        "phases": None,
        "deadline_ms": None,
        "on_error": None,
        "body": None,
        "body_max": 1 << 20,
    } | changes


def python(source: str, attr: str = "h", **changes: Any) -> Json:
    """A hook of this source, in a plan."""
    return entry(f"{written(source)}:{attr}", **changes)


def exchange(gate: Gate, request: bytes = GET, answer: bytes = OK) -> Client:
    """One request, answered by its origin if it comes there."""
    client = gate.client(request)
    if gate.origins and not gate.origins[-1].closed:
        gate.origins[-1].send(answer)
    return client


class Turns:
    """A loop on which a test's steps are callbacks, as libuv's are in a worker."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()

    def do(self, step: Callable[[], Any]) -> Any:
        """What the step answers or raises."""
        done: list[Any] = []

        def callback() -> None:
            try:
                done.append((step(), None))
            except BaseException as error:
                done.append((None, error))
            self.loop.stop()

        self.loop.call_soon(callback)
        self.loop.run_forever()
        answer, error = done[0]
        if error is not None:
            raise error
        return answer

    def until(self, holds: Callable[[], Any], gate: Gate, timeout_s: float = 5.0) -> None:
        """Turns until it holds, the worker settled after each."""
        end = self.loop.time() + timeout_s
        while not self.do(lambda: (gate.worker.settle(), holds())[1]):
            assert self.loop.time() < end, "it does not come about"
            self.loop.call_later(0.001, self.loop.stop)
            self.loop.run_forever()


@contextmanager
def waiting(*filters: Json, **changes: Any) -> Iterator[tuple[Turns, Gate]]:
    """As `serving`, on a loop."""
    turns = Turns()
    try:
        with serving(*filters, **changes) as gate:
            yield turns, gate
            for _ in range(3):
                turns.do(gate.worker.settle)
    finally:
        turns.loop.close()
