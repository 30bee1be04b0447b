"""What the supervisor remembers of one worker's place, and who may start when.

Owns: a place's number and first start; the rule that none starts during a reload.
Runs in: the supervisor.
Never does: start or end a process.
Read next: `supervisor`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from .process import WorkerProcess


class Starts:
    """Workers may start at the same time, but none while a reload is under way."""

    def __init__(self) -> None:
        self._changed = asyncio.Condition()
        self._running = 0
        self._alone = False

    @contextlib.asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """A start."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._alone)
            self._running += 1
        try:
            yield
        finally:
            async with self._changed:
                self._running -= 1
                self._changed.notify_all()

    @contextlib.asynccontextmanager
    async def none(self) -> AsyncIterator[None]:
        """A reload; at most one at a time."""
        async with self._changed:
            self._alone = True
            await self._changed.wait_for(lambda: self._running == 0)
        try:
            yield
        finally:
            async with self._changed:
                self._alone = False
                self._changed.notify_all()


class Keeper:
    """What keeps one worker alive: its number, and whether it is to be let go.

    `vital`: when its first start fails, so does the whole. `page` is its place in the shared
    memory: its number, unless one that leaves has that yet.
    """

    def __init__(self, index: int, vital: bool) -> None:
        self.index = self.page = index
        self.vital = vital
        self.first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.leaving = asyncio.Event()
        self.worker: WorkerProcess | None = None
        self.task: asyncio.Task[None] | None = None
