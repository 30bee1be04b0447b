"""One worker process, as the supervisor sees it.

Owns: starting the process with its descriptors, its end of the control channel, and the sentence
that says how it ended.
Runs in: the supervisor.
Never does: decide when to start or end one.
Read next: `worker`, the other side.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import site
import socket
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .control import Channel, ChannelError, Message

_STDERR = 2


class StartFailed(Exception):
    """A worker ended, or gave up, before it served; the text is for the user."""


@dataclass(frozen=True)
class Start:
    """What a worker is told first. Descriptors are inherited under the same numbers; -1 is none."""

    index: int
    plan: str
    drain_s: float
    listeners: Sequence[tuple[str, int]]
    shared_fd: int
    access_log_fd: int

    @property
    def fds(self) -> list[int]:
        """Every descriptor the worker must inherit."""
        all_fds = [fd for _, fd in self.listeners] + [self.shared_fd, self.access_log_fd]
        return [fd for fd in all_fds if fd >= 0]

    @property
    def message(self) -> Message:
        """The first control message."""
        return {
            "type": "start",
            "index": self.index,
            "plan": self.plan,
            "drain_s": self.drain_s,
            "listeners": [{"name": name, "fd": fd} for name, fd in self.listeners],
            "shared_fd": self.shared_fd,
            "access_log_fd": self.access_log_fd,
        }


class WorkerProcess:
    """A started worker. Whoever spawned it must `wait` for it, so that none is left behind."""

    def __init__(self, start: Start, process: Process, channel: Channel) -> None:
        self._start = start
        self._process = process
        self._channel = channel

    @classmethod
    async def spawn(cls, command: Sequence[str], start: Start) -> WorkerProcess:
        """Start `command` with the channel's descriptor as last argument."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        channel = Channel(ours)
        try:
            with theirs, _without_interrupt():
                process = await asyncio.create_subprocess_exec(
                    *command,
                    str(theirs.fileno()),
                    stdin=DEVNULL,
                    stdout=_STDERR,
                    pass_fds=[theirs.fileno(), *start.fds],
                    env=_environment(),
                )
        except BaseException:
            channel.close()
            raise
        return cls(start, process, channel)

    @property
    def name(self) -> str:
        """`worker 0 (pid 4711)`."""
        return f"worker {self._start.index} (pid {self._process.pid})"

    async def tell(self, message: Message, fds: Sequence[int] = ()) -> None:
        """Send a control message; a worker that is gone is not an error, `wait` will tell."""
        with contextlib.suppress(OSError):
            await self._channel.send(message, fds)

    async def ready(self, timeout_s: float) -> None:
        """Tell the worker what to serve and wait until it does; StartFailed says why not."""
        try:
            async with asyncio.timeout(timeout_s):
                await self.tell(self._start.message)
                received = await self._channel.receive()
                if received is None:
                    raise StartFailed(f"{await self.wait()} before it served")
        except TimeoutError:
            raise StartFailed(f"{self.name} did not serve within {timeout_s:g} s") from None
        except ChannelError as error:
            raise StartFailed(f"{self.name}: {error}") from None
        message = received[0]
        if message.get("type") != "ready":
            raise StartFailed(f"{self.name} cannot start: {message.get('error')}")

    async def wait(self) -> str:
        """Wait for the end; the sentence says how it ended."""
        code = await self._process.wait()
        self._channel.close()
        if code >= 0:
            return f"{self.name} ended with code {code}"
        try:
            what = signal.Signals(-code).name
        except ValueError:
            what = f"signal {-code}"
        return f"{self.name} was killed by {what}"

    def kill(self) -> bool:
        """End it at once; False if it had ended already. Whoever waits for it sees it end."""
        if self._process.returncode is not None:
            return False
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        return True


@contextlib.contextmanager
def _without_interrupt() -> Iterator[None]:
    """Hold SIGINT back, so that a child starts with it blocked: Ctrl-C reaches the whole group.

    The child is made before the first await inside, so that spawns which overlap do no harm.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _environment() -> dict[str, str]:
    """Ours, so that the worker imports this very pygw even from a tree that is not installed."""
    environment = dict(os.environ)
    home = str(Path(__file__).resolve().parent.parent)
    if home not in (*site.getsitepackages(), site.getusersitepackages()):
        paths = [home, *filter(None, [environment.get("PYTHONPATH")])]
        environment["PYTHONPATH"] = os.pathsep.join(paths)
    return environment
