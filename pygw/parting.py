"""Workers that were told to leave, not by us, and drain while others serve in their places.

Owns: how such a worker is noticed, which of them are still there, and the pages of the shared
memory that they keep: one that follows needs a page of its own meanwhile.
Runs in: the supervisor.
Never does: start or end a worker.
Read next: `supervisor`.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Iterable

from .keeper import Keeper
from .process import WorkerProcess

log = logging.getLogger("pygw.supervisor")


async def end_of(worker: WorkerProcess, draining: asyncio.Event) -> str:
    """How it ended; empty if it was told to leave, unless all `draining` do."""
    ended = asyncio.create_task(worker.wait())
    told = asyncio.create_task(worker.leaving.wait())
    try:
        await asyncio.wait({ended, told}, return_when=asyncio.FIRST_COMPLETED)
        return await ended if ended.done() or draining.is_set() else ""
    finally:
        told.cancel()
        ended.cancel()
        await asyncio.gather(told, ended, return_exceptions=True)


class Partings:
    """Those that leave and have not ended."""

    def __init__(self) -> None:
        self._workers: dict[asyncio.Task[None], WorkerProcess] = {}

    def add(self, worker: WorkerProcess) -> None:
        """One more, until it ends."""
        task = asyncio.create_task(self._wait(worker))
        self._workers[task] = worker
        task.add_done_callback(self._workers.pop)

    async def _wait(self, worker: WorkerProcess) -> None:
        log.info("%s", await worker.wait())

    @property
    def workers(self) -> list[WorkerProcess]:
        """The processes."""
        return list(self._workers.values())

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """What ends when they end."""
        return list(self._workers)

    def free_page(self, keeper: Keeper, keepers: Iterable[Keeper], workers: int) -> int:
        """The page of a worker that is about to start: its number's, or one behind all numbers."""
        taken = {one.page for one in self.workers}
        taken |= {one.page for one in keepers if one is not keeper}
        places = itertools.chain([keeper.index], itertools.count(workers))
        keeper.page = next(page for page in places if page not in taken)
        return keeper.page
