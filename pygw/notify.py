"""What the service manager is told of the gateway's state: sd_notify(3).

Owns: the datagrams to `$NOTIFY_SOCKET`, and how often a watchdog wants one.
Runs in: the supervisor.
Never does: wait, or fail; without a service manager it does nothing.
Read next: `supervisor`.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Mapping


class Manager:
    """The service manager of an environment; `there` tells whether it wants to hear."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        path = environment.get("NOTIFY_SOCKET", "")
        self._sock: socket.socket | None = None
        if path.startswith(("/", "@")):
            self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._sock.setblocking(False)
            # An abstract address begins with a zero byte, and is written with an @.
            self._address = path if path[0] == "/" else "\0" + path[1:]
        self.watchdog_s = _watchdog_s(environment) if self._sock else None
        """A sign of life is due within this time; None: nobody waits for one."""

    @property
    def there(self) -> bool:
        """Whether anybody listens."""
        return self._sock is not None

    def ready(self, status: str) -> None:
        """Everything serves, at first or again after `reloading`."""
        self._tell("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """A reload begins; `ready` ends it, whatever came of it."""
        now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._tell("RELOADING=1", f"MONOTONIC_USEC={now_us}", "STATUS=reloading")

    def stopping(self, status: str) -> None:
        """The end has begun."""
        self._tell("STOPPING=1", f"STATUS={status}")

    def alive(self) -> None:
        """The sign that the watchdog waits for."""
        self._tell("WATCHDOG=1")

    def close(self) -> None:
        """Say no more."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def _tell(self, *lines: str) -> None:
        if self._sock is not None:
            with contextlib.suppress(OSError):
                self._sock.sendto("\n".join(lines).encode(), self._address)


def _watchdog_s(environment: Mapping[str, str]) -> float | None:
    """WATCHDOG_USEC, unless it is meant for another process (sd_watchdog_enabled(3))."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    try:
        return int(environment.get("WATCHDOG_USEC", "")) / 1e6 or None
    except ValueError:
        return None
