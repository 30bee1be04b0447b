"""Which worker gives no sign of life any more.

Owns: when each worker's sign in the shared memory was last seen to change.
Runs in: the supervisor, which looks several times within the time a worker has.
Never does: end one; nor count time in which the supervisor itself did not run.
Read next: `supervisor`; `ST_HEARTBEAT_MS` in `pygw/_core/stats.pxd` is the sign.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from .process import WorkerProcess

LOOKS = 8
"""How often a worker is looked at within the time it has."""

_SIGN_BYTES = 8


@dataclass
class _Sign:
    worker: WorkerProcess
    value: bytes
    silent_s: float = 0.0


class Heartbeats:
    """What was seen of all workers; `share_bytes` of the shared memory belong to each, in order.

    A sign is compared with the one before and has no meaning besides, so that whatever clock a
    worker reads is good.
    """

    def __init__(self, shared_fd: int, share_bytes: int) -> None:
        self._shared_fd = shared_fd
        self._share_bytes = share_bytes
        self._signs: dict[int, _Sign] = {}
        self._looked_s: float | None = None

    def silent(
        self, workers: Iterable[WorkerProcess], now_s: float, most_s: float
    ) -> list[WorkerProcess]:
        """Those without a sign for longer than `most_s`; 0: nobody. Ask `LOOKS` times as often."""
        passed_s = 0.0 if self._looked_s is None else now_s - self._looked_s
        self._looked_s = now_s
        # Stopped and let go on, or on a machine that slept: so was everybody.
        passed_s = min(passed_s, 2 * most_s / LOOKS)
        if not most_s:
            self._signs.clear()
            return []
        seen: dict[int, _Sign] = {}
        for worker in workers:
            value = os.pread(self._shared_fd, _SIGN_BYTES, worker.page * self._share_bytes)
            sign = self._signs.get(worker.page)
            if sign is None or sign.worker is not worker or sign.value != value:
                sign = _Sign(worker, value)
            else:
                sign.silent_s += passed_s
            seen[worker.page] = sign
        self._signs = seen
        return [sign.worker for sign in seen.values() if sign.silent_s > most_s]
