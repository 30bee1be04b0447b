"""Files that are looked at again and again, for `pygw run --watch`.

Owns: when a change of a file counts as one: when it is over.
Runs in: the supervisor.
Never does: read a file.
Read next: `supervisor`.

Looking twice a second instead of being told (inotify) needs no dependency, costs microseconds, and
sees what inotify does not: network file systems, and a file that is reached through links which are
turned, as Kubernetes does. An editor that writes another file and renames it is seen by inode.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

EVERY_S = 0.5
"""Time between two looks."""

SETTLED_S = 0.1
"""A file that looks the same after this time is not being written any more."""

Look = tuple[int, ...] | None
"""How a file looks from outside; None: there is none."""

Looks = dict[str, Look]


def look_at(path: str) -> Look:
    """Its place, size and times."""
    try:
        is_ = os.stat(path)
    except OSError:
        return None
    return is_.st_dev, is_.st_ino, is_.st_size, is_.st_mtime_ns, is_.st_ctime_ns


class Looker(set[str]):
    """Paths; a file is looked at when its path is added, which is just before it is read."""

    def __init__(self) -> None:
        self.looks: Looks = {}

    def add(self, path: str) -> None:
        """Look, unless it was looked at already."""
        if path not in self:
            self.looks[path] = look_at(path)
        super().add(path)


class Watch:
    """Says when a file is not as it was read; `read` says how each looked before that."""

    def __init__(self, read: Callable[[], Looks], every_s: float = EVERY_S) -> None:
        self._read = read
        self._every_s = every_s
        self._told: Looks = {}

    async def changed(self) -> None:
        """Returns when a file looks different, and once for each new look."""
        while True:
            await asyncio.sleep(self._every_s)
            now = self._look()
            while now not in (dict(self._read()), self._told):
                await asyncio.sleep(SETTLED_S)
                before, now = now, self._look()
                if before == now:
                    self._told = now
                    return

    def _look(self) -> Looks:
        return {path: look_at(path) for path in list(self._read())}
