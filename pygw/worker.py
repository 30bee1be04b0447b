"""A worker process: one event loop, one data plane, and obedience to the supervisor.

Owns: the process's life: start by the first control message, serve, drain, exit. It is started as
`python -m pygw.worker FD`, where FD is its end of the control channel.
Runs in: the worker's main thread under uvloop; traffic is handled by the data plane without it.
Never does: read configuration, open sockets, or outlive the supervisor by more than a drain.
Read next: `pygw/_core/worker.pyx`, the data plane's door.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Protocol

import uvloop

from .control import Channel, ChannelError, Message
from .log import set_up_log

GRACE_S = 2.0
"""Time to close everything after the drain's end; then the process is ended by force."""

_STDERR = 2

log = logging.getLogger("pygw.worker")


class DataPlane(Protocol):
    """What this module asks of the data plane; `pygw._core.worker.Worker` is the one."""

    def publish(self, plan_json: bytes) -> None:
        """Compile a plan and serve by it from now on; ValueError when the plan is bad."""

    def listen(self, fd: int, listener: str) -> None:
        """Accept from a copy of `fd` as the plan's listener of this name."""

    def reopen_log(self, fd: int) -> None:
        """Write the access log to a copy of `fd` from now on."""

    async def drain(self, timeout_s: float) -> bool:
        """Stop accepting, let what runs end, close everything; False if some had to be cut."""

    async def stop(self) -> None:
        """Close everything now; nothing happens when everything is closed already."""


Factory = Callable[[asyncio.AbstractEventLoop, int, int, int], DataPlane]
"""Makes a data plane from loop, worker index, shared memory fd and access log fd (-1: none)."""


def main(factory: Factory | None = None) -> None:
    """The whole process: `sys.argv[1]` is the control channel's descriptor. Never returns."""
    # Ctrl-C reaches the whole process group; only the supervisor decides what it means. It blocked
    # the signal for us while we started.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    set_up_log()
    code = 1
    try:
        control = socket.socket(fileno=int(sys.argv[1]))
        code = uvloop.run(_Service(Channel(control), factory or _core_worker).run())
    except BaseException:
        log.exception("worker failed")
    sys.exit(code)


class _Service:
    """The worker's life, from the first message to the last handle closed."""

    def __init__(self, channel: Channel, factory: Factory) -> None:
        self.channel = channel
        self.factory = factory
        self.worker: DataPlane | None = None
        self.leaving = asyncio.Event()
        self.stopping = asyncio.Event()
        self.drain_s = 0.0

    async def run(self) -> int:
        """The exit code: 0 after a drain or stop, 1 when the start failed."""
        try:
            first = await self.channel.receive()
            if first is None:
                return 0
            worker = await self._start(first[0])
            if worker is None:
                return 1
            await self._serve(worker)
            return 0
        finally:
            _limit_life(GRACE_S)
            if self.worker is not None:
                await self.worker.stop()
            self.channel.close()

    async def _start(self, message: Message) -> DataPlane | None:
        """The serving data plane; None when it cannot start, which the supervisor is told."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.leaving.set)
        self.drain_s = float(message["drain_s"])
        fds = message["shared_fd"], message["access_log_fd"]
        try:
            self.worker = worker = self.factory(loop, message["index"], *fds)
            worker.publish(message["plan"].encode())
            for listener in message["listeners"]:
                worker.listen(listener["fd"], listener["name"])
                os.close(listener["fd"])
        except Exception as error:
            why = str(error)
            if not isinstance(error, (ValueError, ImportError, OSError)):
                log.exception("worker cannot start")
                why = f"{type(error).__name__}: {error}"
            await self.channel.send({"type": "failed", "error": why})
            return None
        await self.channel.send({"type": "ready"})
        return worker

    async def _serve(self, worker: DataPlane) -> None:
        obeying = asyncio.create_task(self._obey(worker))
        await self.leaving.wait()
        _limit_life(self.drain_s + GRACE_S)
        draining = asyncio.create_task(worker.drain(self.drain_s))
        stopping = asyncio.create_task(self.stopping.wait())
        await asyncio.wait({draining, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if draining.done() and not draining.result():
            log.warning("drain timed out after %g s; what still ran was cut", self.drain_s)
        for task in (draining, stopping, obeying):
            task.cancel()
        await asyncio.gather(draining, stopping, obeying, return_exceptions=True)

    async def _obey(self, worker: DataPlane) -> None:
        """Follow control messages; when the supervisor is gone, leave as if told to."""
        try:
            while (received := await self.channel.receive()) is not None:
                message, fds = received
                kind = message.get("type")
                if kind == "drain":
                    self.drain_s = float(message["timeout_s"])
                    self.leaving.set()
                elif kind == "stop":
                    self.stopping.set()
                    self.leaving.set()
                elif kind == "reopen" and fds:
                    worker.reopen_log(fds[0])
                for fd in fds:
                    os.close(fd)
        except (ChannelError, OSError) as error:
            log.error("control channel failed: %s", error)
        finally:
            self.leaving.set()


def _core_worker(
    loop: asyncio.AbstractEventLoop, index: int, shared_fd: int, access_log_fd: int
) -> DataPlane:
    core = import_module("pygw._core.worker")
    worker: DataPlane = core.Worker(loop, index, shared_fd, access_log_fd)
    return worker


def _limit_life(deadline_s: float) -> None:
    """End the process by force after `deadline_s`, even if the loop hangs with the GIL held."""
    faulthandler.dump_traceback_later(max(deadline_s, 0.1), exit=True, file=_STDERR)


if __name__ == "__main__":
    main()
