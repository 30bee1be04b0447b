"""The loop under a worker in memory, on which Python hooks run and wait.

Owns: one event loop, made when the gateway is, and stepping through it.
Runs in: tests of hooks, also below a loop of the test's own.
Never does: know what a step is.
Read next: `gateway`.
"""

from __future__ import annotations

import asyncio
from asyncio import events
from collections.abc import Callable
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")


class Turns:
    """A loop on which steps are callbacks, as those of libuv are in a worker."""

    def __init__(self) -> None:
        self.loop = uvloop.new_event_loop()

    def do(self, step: Callable[[], T]) -> T:
        """What the step answers or raises, done on the loop."""
        done: list[T] = []
        failed: list[BaseException] = []

        def callback() -> None:
            try:
                done.append(step())
            except BaseException as error:
                failed.append(error)
            self.loop.stop()

        self.loop.call_soon(callback)
        self._run()
        if failed:
            raise failed[0]
        return done[0]

    def wait(self, seconds: float) -> None:
        """Lets the loop run so long."""
        self.loop.call_later(seconds, self.loop.stop)
        self._run()

    def close(self) -> None:
        """Ends what hooks left running, then the loop."""
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        if left:
            self.loop.call_later(1, self.loop.stop)
            gathered: Any = asyncio.gather(*left, return_exceptions=True)
            gathered.add_done_callback(lambda _: self.loop.stop())
            self._run()
        self.do(lambda: None)  # whoever waits for a task's end hears of it: threads of anyio do
        self.loop.close()

    def _run(self) -> None:
        # A test may itself be a coroutine: its loop stands aside meanwhile.
        outer = events._get_running_loop()
        events._set_running_loop(None)
        try:
            self.loop.run_forever()
        finally:
            events._set_running_loop(outer)
