"""From one generation to the next in all workers at once.

Owns: the two steps. Every worker prepares, then every worker commits; when one refuses, all drop.
Runs in: the supervisor, one reload at a time, while no worker starts.
Never does: decide what to serve.
Read next: `supervisor`; `worker` for the other end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .generation import Generation
from .process import Gone, WorkerProcess

log = logging.getLogger("pygw.reload")


class Refused(Exception):
    """A worker cannot serve by the new generation; the text is for the user."""


@dataclass(frozen=True)
class Change:
    """One reload: from `old` to `new`. `number` tells its answers from those of another."""

    number: int
    old: Generation
    new: Generation
    prepare_timeout_s: float = 30.0
    commit_timeout_s: float = 5.0

    async def prepare(self, workers: Sequence[WorkerProcess]) -> list[WorkerProcess]:
        """All those that are ready to commit; one that ends meanwhile is no reason to refuse.

        Refused: nobody has changed anything, and all forget it.
        """
        answers = await asyncio.gather(*(self._prepare(one) for one in workers))
        reasons = dict.fromkeys(answer for answer in answers if answer)
        if reasons:
            for worker in workers:
                await worker.tell({"type": "drop", "number": self.number})
            raise Refused("; ".join(reasons))
        if workers and "" not in answers:
            raise Refused("every worker ended while it prepared")
        return [one for one, answer in zip(workers, answers, strict=True) if answer == ""]

    async def commit(self, workers: Sequence[WorkerProcess]) -> None:
        """Let all serve by it. A worker that cannot is ended: it is started again, by the new."""
        await asyncio.gather(*(self._commit(one) for one in workers))

    async def _prepare(self, worker: WorkerProcess) -> str | None:
        """Empty when it has; why not; None when it is gone."""
        message = {"type": "prepare", "number": self.number}
        fds = [self.new.plan_fd]
        try:
            async with asyncio.timeout(self.prepare_timeout_s):
                answer = await worker.ask(message, fds, ("prepared", "refused"))
        except TimeoutError:
            return f"{worker.name} did not prepare within {self.prepare_timeout_s:g} s"
        except Gone as gone:
            log.warning("%s while it prepared", gone)
            return None
        return str(answer["error"]) if answer["type"] == "refused" else ""

    async def _commit(self, worker: WorkerProcess) -> None:
        keep = self.new.sockets_of(worker.index)
        fresh = {fd: name for fd, name in keep.items() if fd not in worker.sockets}
        # What another worker is yet to be started for stays until it serves: see `sharing`.
        close = worker.sockets - self.new.sockets
        message = {
            "type": "commit",
            "number": self.number,
            "drain_s": self.new.config.drain / 1000,
            "close": sorted(close),
        }
        try:
            async with asyncio.timeout(self.commit_timeout_s):
                await worker.tell_sockets("sockets", fresh)
                with self._log_fds() as fds:
                    await worker.ask(message, fds, ("committed", "failed"))
        except TimeoutError:
            log.warning("%s did not commit within %g s", worker.name, self.commit_timeout_s)
            worker.kill()
        except Gone as gone:
            log.warning("%s while it committed", gone)
        else:
            worker.sockets = worker.sockets - close | set(fresh)

    @contextlib.contextmanager
    def _log_fds(self) -> Iterator[list[int]]:
        """The access log's new descriptor, if there is a new one; without a log, nowhere."""
        if self.new.log_file is self.old.log_file:
            yield []
        elif self.new.log_file is not None:
            yield [self.new.log_file.fd]
        else:
            fd = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            try:
                yield [fd]
            finally:
                os.close(fd)
