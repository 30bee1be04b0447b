"""The access log's file, as the supervisor holds it.

Owns: the descriptor that every worker inherits.
Runs in: the supervisor.
Never does: write; the data plane does, in batches.
Read next: `supervisor`.
"""

from __future__ import annotations

import logging
import os

log = logging.getLogger("pygw.access_log")


class LogFile:
    """An open access log. `fd` keeps its number while the file behind it may change."""

    def __init__(self, path: str) -> None:
        """Open `path` for appending, or take standard output for `-`; OSError says why not."""
        self.path = path
        self.fd = os.dup(1) if path == "-" else _open(path)

    def reopen(self) -> bool:
        """Open the path again, after a rotation; False if there was nothing to do or it failed."""
        if self.path == "-":
            return False
        try:
            fd = _open(self.path)
        except OSError as error:
            log.error("access log not reopened, the old file stays: %s", error)
            return False
        os.dup2(fd, self.fd, inheritable=False)
        os.close(fd)
        return True

    def close(self) -> None:
        """Close our descriptor."""
        os.close(self.fd)


def _open(path: str) -> int:
    # Without O_NONBLOCK a FIFO that nobody reads would hang the start; regular files ignore it.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        return os.open(path, flags, 0o640)
    except OSError as error:
        raise OSError(error.errno, f"cannot open the access log: {error.strerror}", path) from None
