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
import gc
import logging
import os
import signal
import socket
import sys
from asyncio.tasks import _unregister_task
from collections.abc import Callable
from importlib import import_module
from typing import Protocol, TypeVar

import uvloop

from .background import Aside, step_forward
from .control import Channel, ChannelError, Message
from .log import set_up_log
from .process import OURS

IDLE_S = 0.5
"""How long a connection at rest may bring one more request when nobody says otherwise."""

GRACE_S = 2.0
"""Time to close everything after the drain's end; then the process is ended by force."""

LEAVE_S = 40.0
"""A worker that was told to leave, not by the supervisor, waits for it so long; then it goes."""

_STDERR = 2

log = logging.getLogger("pygw.worker")
_T = TypeVar("_T")


class DataPlane(Protocol):
    """What this module asks of the data plane; `pygw._core.worker.Worker` is the one."""

    def compile(self, plan_json: bytes) -> object:
        """A plan that nobody serves by yet, on any thread; ValueError when it is bad."""

    def prepare(self, made: object) -> None:
        """Do all that can fail before it is served; RuntimeError when it cannot be served now."""

    def commit(self) -> None:
        """Serve by what was prepared from now on."""

    def drop(self) -> None:
        """Forget what was prepared, if anything."""

    def listen(self, fd: int, listener: str, key: int) -> None:
        """Accept from a copy of `fd` as the plan's listener of this name."""

    def unlisten(self, key: int) -> None:
        """Accept no more from the socket with this key."""

    def reopen_log(self, fd: int) -> None:
        """Write the access log to a copy of `fd` from now on."""

    async def drain(self, timeout_s: float, idle_s: float, last: bool) -> bool:
        """Stop accepting, let what runs end, close everything; False if some had to be cut.

        A connection at rest waits `idle_s` for one more request. `last`: nobody accepts from its
        sockets after it.
        """

    async def stop(self) -> None:
        """Close everything now; nothing happens when everything is closed already."""


Factory = Callable[[asyncio.AbstractEventLoop, int, int, int], DataPlane]
"""Makes a data plane from loop, worker index, shared memory fd and access log fd (-1: none)."""


def main(factory: Factory | None = None) -> None:
    """The whole process: `sys.argv[1]` is the control channel's descriptor. Never returns."""
    # Ctrl-C reaches the whole process group; only the supervisor decides what it means. It blocked
    # these signals for us while we started.
    for number in OURS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, OURS)
    faulthandler.register(signal.SIGUSR2, _STDERR)
    set_up_log()
    step_forward()
    code = 1
    try:
        control = socket.socket(fileno=int(sys.argv[1]))
        service = _Service(Channel(control), factory or _core_worker)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            code = _run_to_its_end(runner.get_loop(), service)
    except BaseException:
        log.exception("worker failed")
    sys.exit(code)


def _run_to_its_end(loop: asyncio.AbstractEventLoop, service: _Service) -> int:
    """What the service comes to. The loop goes on when hook code stops it: a task or a callback
    that a hook began may raise SystemExit, which asyncio lets out of the loop, or call `stop`."""
    task = _unseen(loop.create_task(service.run()))
    while not task.done():
        try:
            loop.run_until_complete(task)
        except (SystemExit, KeyboardInterrupt, RuntimeError) as error:
            if not task.done():
                log.error("code of a hook stopped the loop, which goes on: %r", error)
    return task.result()


def _unseen(task: asyncio.Task[_T]) -> asyncio.Task[_T]:
    """The task, left out of `asyncio.all_tasks`: what a hook cancels there is not the worker."""
    _unregister_task(task)
    return task


class _Service:
    """The worker's life, from the first message to the last handle closed."""

    def __init__(self, channel: Channel, factory: Factory) -> None:
        self.channel = channel
        self.factory = factory
        self.worker: DataPlane | None = None
        self.aside = Aside()
        self.sockets: list[tuple[int, str, int]] = []  # key, listener, fd: for the next commit
        self.leaving = asyncio.Event()
        self.stopping = asyncio.Event()
        self.drain_s = 0.0
        self.idle_s = IDLE_S
        self.last = False  # nobody accepts from our sockets after us
        self.serving = False
        self.asking: asyncio.Task[None] | None = None  # to be let go

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
        loop.add_signal_handler(signal.SIGTERM, self._on_term)
        self.drain_s = float(message["drain_s"])
        fds = message["shared_fd"], message["access_log_fd"]
        try:
            self.worker = worker = self.factory(loop, message["index"], *fds)
            # What is here now stays: no collection that a later plan sets off need look at it. The
            # plan's hooks are not here yet: their code goes when a reload brings other code.
            gc.collect()
            gc.freeze()
            worker.prepare(worker.compile(_read_text(message["plan_fd"])))
            worker.commit()
            for sock in message["sockets"]:
                worker.listen(sock["key"], sock["listener"], sock["key"])
                os.close(sock["key"])
        except Exception as error:
            why = str(error)
            if not isinstance(error, (ValueError, ImportError, OSError)):
                log.exception("worker cannot start")
                why = f"{type(error).__name__}: {error}"
            await self.channel.send({"type": "failed", "error": why})
            return None
        await self.channel.send({"type": "ready"})
        self.serving = True
        return worker

    def _on_term(self) -> None:
        """Somebody wants this one worker to go. Clients are on their way to its sockets, so it
        stays until the supervisor has another in its place; told twice, it goes at once."""
        if not self.serving or self.asking is not None:
            self.leaving.set()
        else:
            self.asking = asyncio.create_task(self._ask_to_leave())

    async def _ask_to_leave(self) -> None:
        try:
            async with asyncio.timeout(LEAVE_S):
                await self.channel.send({"type": "leaving"})
                await self.leaving.wait()
        except (TimeoutError, OSError):
            self.leaving.set()

    async def _serve(self, worker: DataPlane) -> None:
        obeying = _unseen(asyncio.create_task(self._obey(worker)))
        await self.leaving.wait()
        if self.asking is not None:
            self.asking.cancel()
        _limit_life(self.drain_s + GRACE_S)
        drain = worker.drain(self.drain_s, self.idle_s, self.last)
        draining = _unseen(asyncio.create_task(drain))
        stopping = _unseen(asyncio.create_task(self.stopping.wait()))
        await asyncio.wait({draining, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if draining.done() and not draining.result():
            log.warning("drain timed out after %g s; what still ran was cut", self.drain_s)
        for task in (draining, stopping, obeying):
            task.cancel()
        await asyncio.gather(draining, stopping, obeying, return_exceptions=True)

    async def _obey(self, worker: DataPlane) -> None:
        """Follow control messages; when the supervisor is gone, leave as if told to."""
        changes: asyncio.Queue[tuple[Message, list[int]]] = asyncio.Queue()
        changing = _unseen(asyncio.create_task(self._change(worker, changes)))
        changing.add_done_callback(lambda _: self.leaving.set())
        try:
            while (received := await self.channel.receive()) is not None:
                message = received[0]
                kind = message.get("type")
                if kind == "drain":
                    self.drain_s = float(message["timeout_s"])
                    self.idle_s = float(message["idle_s"])
                    self.last = bool(message["last"])
                    self.leaving.set()
                elif kind == "stop":
                    self.stopping.set()
                    self.leaving.set()
                elif kind == "adopt":
                    self._adopt(worker, *received)
                elif kind == "close":
                    for key in message["keys"]:
                        worker.unlisten(key)
                else:
                    changes.put_nowait(received)
            self.last = True
        except (ChannelError, OSError) as error:
            log.error("control channel failed: %s", error)
        finally:
            self.leaving.set()
            changing.cancel()

    def _adopt(self, worker: DataPlane, message: Message, fds: list[int]) -> None:
        """Accept from sockets whose worker is gone, at once: even while a plan compiles."""
        for sock, fd in zip(message["sockets"], fds, strict=True):
            try:
                if not self.leaving.is_set():
                    worker.listen(fd, sock["listener"], sock["key"])
            except (OSError, LookupError) as error:
                log.error("cannot look after a socket whose worker is gone: %s", error)
            finally:
                os.close(fd)

    async def _change(
        self, worker: DataPlane, changes: asyncio.Queue[tuple[Message, list[int]]]
    ) -> None:
        """Follow, one after the other, the messages that change what is served."""
        while True:
            message, fds = await changes.get()
            try:
                answer = await self._follow(worker, message, fds)
            except Exception:
                log.exception("worker cannot do what it was told, and leaves")
                if "number" in message:
                    await self.channel.send({"type": "failed", "number": message["number"]})
                raise
            finally:
                for fd in fds:
                    os.close(fd)
            if answer:
                await self.channel.send({**answer, "number": message["number"]})

    async def _follow(self, worker: DataPlane, message: Message, fds: list[int]) -> Message | None:
        kind = message.get("type")
        if kind == "reopen" and fds:
            worker.reopen_log(fds[0])
        elif kind == "prepare":
            return await self._prepare(worker, fds[0])
        elif kind == "sockets":
            for sock, fd in zip(message["sockets"], fds, strict=True):
                self.sockets.append((sock["key"], sock["listener"], os.dup(fd)))
        elif kind == "drop":
            worker.drop()
        elif kind == "commit":
            worker.commit()
            if fds:
                worker.reopen_log(fds[0])
            for key in message["close"]:
                worker.unlisten(key)
            while self.sockets:
                key, listener, fd = self.sockets.pop()
                if not self.leaving.is_set():
                    worker.listen(fd, listener, key)
                os.close(fd)
            self.drain_s = float(message["drain_s"])
            return {"type": "committed"}
        return None

    async def _prepare(self, worker: DataPlane, plan_fd: int) -> Message:
        try:
            # Not on this thread: the callbacks of traffic need no GIL, but they need their thread.
            made = await self.aside.run(lambda: _compile(worker, plan_fd))
            worker.prepare(made)
        except Exception as error:
            why = str(error)
            if not isinstance(error, (ValueError, RuntimeError, OSError)):
                log.exception("worker cannot prepare")
                why = f"{type(error).__name__}: {error}"
            return {"type": "refused", "error": why}
        return {"type": "prepared"}


def _compile(worker: DataPlane, plan_fd: int) -> object:
    """The plan, without collections meanwhile: they would walk its growing text again and again."""
    gc.disable()
    try:
        return worker.compile(_read_text(plan_fd))
    finally:
        gc.enable()


def _read_text(fd: int) -> bytes:
    """All of a file in memory that other processes read at the same time."""
    size, text = os.fstat(fd).st_size, bytearray()
    while len(text) < size and (piece := os.pread(fd, size - len(text), len(text))):
        text += piece
    return bytes(text)


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
