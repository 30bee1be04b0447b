"""Who accepts from which listening socket.

Owns: the rule that every socket has a worker: its own while that one serves, else another that
looks after it until its own is back. Clients wait in sockets, and know of no worker's death.
Runs in: the supervisor, one call at a time.
Never does: open or close a socket.
Read next: `generation` for whose a socket is, `worker` for the other end.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence

from .generation import Generation
from .process import WorkerProcess

TELL_TIMEOUT_S = 5.0
"""A worker that reads nothing for so long is ended: it is started again."""

log = logging.getLogger("pygw.sharing")


def shares(
    generation: Generation, serving: Collection[int], starting: Collection[int]
) -> dict[int, dict[int, str]]:
    """What each serving worker is to accept from, by index: descriptors with listeners' names.

    What belongs to a worker that is not there is dealt to those that are; but for one of those that
    start for the first time nobody waits yet.
    """
    dealt = {index: generation.sockets_of(index) for index in serving}
    living = sorted(dealt)
    for owner in range(generation.config.workers):
        if not living or owner in dealt or owner in starting:
            continue
        for n, (fd, name) in enumerate(generation.sockets_of(owner).items()):
            # One that all share is there already.
            dealt[living[(owner + n) % len(living)]].setdefault(fd, name)
    return dealt


async def share_sockets(
    generation: Generation, workers: Sequence[WorkerProcess], starting: Collection[int]
) -> None:
    """Tell the workers that serve: first who takes, then who lets go."""
    there = {worker.index: worker for worker in workers if worker.is_serving}
    dealt = shares(generation, there.keys(), starting)
    await asyncio.gather(*(_adopt(there[index], dealt[index]) for index in dealt))
    await asyncio.gather(*(_let_go(there[index], dealt[index]) for index in dealt))


async def _adopt(worker: WorkerProcess, wanted: dict[int, str]) -> None:
    fresh = {fd: name for fd, name in wanted.items() if fd not in worker.sockets}
    try:
        async with asyncio.timeout(TELL_TIMEOUT_S):
            await worker.tell_sockets("adopt", fresh)
        worker.sockets |= set(fresh)
    except TimeoutError:
        log.warning("%s reads nothing", worker.name)
        worker.kill()


async def _let_go(worker: WorkerProcess, wanted: dict[int, str]) -> None:
    close = worker.sockets - set(wanted)
    if not close or not worker.is_serving:
        return
    try:
        async with asyncio.timeout(TELL_TIMEOUT_S):
            await worker.tell({"type": "close", "keys": sorted(close)})
        worker.sockets -= close
    except TimeoutError:
        log.warning("%s reads nothing", worker.name)
        worker.kill()
