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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .control import FDS_MAX, Channel, ChannelError, Message

OURS = frozenset({signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGTTIN, signal.SIGTTOU})
"""Signals that only the supervisor acts on, and a worker ignores."""

LAST_WORDS_S = 1.0
"""How long the channel of a worker that has ended is read to its end."""

_STDERR = 2
_GONE = "gone"


class StartFailed(Exception):
    """A worker ended, or gave up, before it served; the text is for the user."""


class Gone(Exception):
    """A worker ended before it answered; `wait` says how."""


@dataclass(frozen=True)
class Start:
    """What a worker is told first. Descriptors are inherited under the same numbers; -1 is none.

    `sockets` are the listening ones, which go by their numbers here for the worker's whole life,
    with the names of their listeners. `page` is its place in the shared memory, which no other
    living worker has: one that leaves keeps its own beside that of the same index that follows.
    """

    index: int
    page: int
    plan_fd: int
    drain_s: float
    sockets: Mapping[int, str]
    shared_fd: int
    access_log_fd: int

    @property
    def fds(self) -> list[int]:
        """Every descriptor the worker must inherit."""
        all_fds = [*self.sockets, self.plan_fd, self.shared_fd, self.access_log_fd]
        return [fd for fd in all_fds if fd >= 0]

    @property
    def message(self) -> Message:
        """The first control message."""
        return {
            "type": "start",
            "index": self.page,
            "plan_fd": self.plan_fd,
            "drain_s": self.drain_s,
            "sockets": [{"key": fd, "listener": name} for fd, name in self.sockets.items()],
            "shared_fd": self.shared_fd,
            "access_log_fd": self.access_log_fd,
        }


class WorkerProcess:
    """A started worker. Whoever spawned it must `wait` for it, so that none is left behind.

    `sockets` are those it accepts from, `is_serving` whether it does. `leaving` is set when it was
    told to end, not by us: it goes on until we tell it to drain. `hung`: it is ended because it
    gave no sign of life.
    """

    def __init__(self, start: Start, process: Process, channel: Channel) -> None:
        self.index, self.page = start.index, start.page
        self.leaving = asyncio.Event()
        self.sockets = set(start.sockets)
        self.is_serving = False
        self.hung = False
        self._start = start
        self._process = process
        self._channel = channel
        self._asking = asyncio.Lock()
        self._answers: asyncio.Queue[Message] = asyncio.Queue()
        self._hearing: asyncio.Task[None] | None = None

    @classmethod
    async def spawn(cls, command: Sequence[str], start: Start) -> WorkerProcess:
        """Start `command` with the channel's descriptor as last argument."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        channel = Channel(ours)
        try:
            with theirs, _without_signals():
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
        return f"worker {self.index} (pid {self._process.pid})"

    async def tell(self, message: Message, fds: Sequence[int] = ()) -> None:
        """Send a control message; a worker that is gone is not an error, `wait` will tell."""
        with contextlib.suppress(OSError):
            await self._channel.send(message, fds)

    async def tell_sockets(self, kind: str, sockets: Mapping[int, str]) -> None:
        """Send listening sockets, by descriptor, with their listeners' names."""
        rows = list(sockets.items())
        for at in range(0, len(rows), FDS_MAX):
            some = rows[at : at + FDS_MAX]
            named = [{"key": fd, "listener": name} for fd, name in some]
            await self.tell({"type": kind, "sockets": named}, [fd for fd, _ in some])

    async def ask(self, message: Message, fds: Sequence[int], answers: Sequence[str]) -> Message:
        """Send a control message and wait for the answer: of one of these types, same number.

        Gone if the worker ends first. Bound it in time.
        """
        async with self._asking:
            try:
                await self._channel.send(message, fds)
            except OSError as error:
                raise Gone(f"{self.name} is out of reach: {error}") from None
            while (answer := await self._answers.get()).get("type") != _GONE:
                same = answer.get("number") == message["number"]
                if same and answer.get("type") in answers:
                    return answer
            self._answers.put_nowait(answer)  # for whoever asks next
            raise Gone(f"{self.name} {answer['why']}")

    async def _hear(self) -> None:
        """Sort what the worker says by itself from its answers."""
        why = "ended"
        try:
            while (received := await self._channel.receive()) is not None:
                if received[0].get("type") == "leaving":
                    self.leaving.set()
                else:
                    self._answers.put_nowait(received[0])
        except (OSError, ChannelError) as error:
            why = f"is out of reach: {error}"
        self._answers.put_nowait({"type": _GONE, "why": why})

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
        self.is_serving = True
        self._hearing = asyncio.create_task(self._hear())

    async def wait(self) -> str:
        """Wait for the end; the sentence says how it ended."""
        code = await self._process.wait()
        self.is_serving = False
        if self._hearing is not None:
            # What it said at last comes first, then the end. A child of its own may hold its end.
            await asyncio.wait({self._hearing}, timeout=LAST_WORDS_S)
            self._hearing.cancel()
            self._answers.put_nowait({"type": _GONE, "why": "ended"})
        # Whoever waits for an answer hears of the end first.
        async with self._asking:
            self._channel.close()
        if code >= 0:
            return f"{self.name} ended with code {code}"
        try:
            what = signal.Signals(-code).name
        except ValueError:
            what = f"signal {-code}"
        return f"{self.name} was killed by {what}"

    def dump(self) -> None:
        """Let it write where its Python code is, even if it never comes to its loop again."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGUSR2)

    def kill(self) -> bool:
        """End it at once; False if it had ended already. Whoever waits for it sees it end."""
        self.is_serving = False
        if self._process.returncode is not None:
            return False
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        return True


@contextlib.contextmanager
def _without_signals() -> Iterator[None]:
    """Hold back what is meant for us, so that a child starts with it blocked.

    Ctrl-C and a closed terminal reach the whole group. The child is made before the first await
    inside, so that spawns which overlap do no harm.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, OURS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, OURS)


def _environment() -> dict[str, str]:
    """Ours, so that the worker imports this very pygw even from a tree that is not installed."""
    environment = dict(os.environ)
    for ours in ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"):  # nothing that a hook may use
        environment.pop(ours, None)
    home = str(Path(__file__).resolve().parent.parent)
    if home not in (*site.getsitepackages(), site.getusersitepackages()):
        paths = [home, *filter(None, [environment.get("PYTHONPATH")])]
        environment["PYTHONPATH"] = os.pathsep.join(paths)
    return environment
