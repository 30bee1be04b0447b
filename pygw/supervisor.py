"""The supervisor: opens what must outlive a worker, keeps N workers alive, ends them in order.

Owns: listening sockets, the shared memory, the access log's descriptor, and the worker processes'
lives. Back-off, drain and the exit code are decided here.
Runs in: the main process, on plain asyncio.
Never does: touch traffic; if it dies, the workers see their control channel end, drain and exit.
Read next: `process` for one worker seen from here, `worker` for the other end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from .access_log import LogFile
from .config import Config
from .control import Message
from .listeners import ListenError, OpenListener, close_listeners, open_listeners
from .plan import build_plan, new_pseudonym, serialise_plan
from .process import Start, StartFailed, WorkerProcess

log = logging.getLogger("pygw.supervisor")

WORKER_COMMAND = (sys.executable, "-P", "-m", "pygw.worker")
"""How a worker is started; -P keeps the current directory's files out of its imports."""


@dataclass(frozen=True)
class Options:
    """What tests shorten or replace; times in seconds.

    A worker that ends by itself is started again after `backoff_first_s`, doubled each time up to
    `backoff_max_s`, until one has lived for `backoff_reset_s`.
    """

    worker_command: Sequence[str] = WORKER_COMMAND
    shared_bytes_per_worker: int | None = None
    backoff_first_s: float = 0.1
    backoff_max_s: float = 30.0
    backoff_reset_s: float = 60.0
    ready_timeout_s: float = 30.0
    kill_grace_s: float = 3.0


class Supervisor:
    """One running gateway: `run` serves until a signal ends it and gives the exit code.

    `on_ready` is called once, with the open listeners, when every worker serves.
    """

    def __init__(
        self,
        config: Config,
        on_ready: Callable[[Sequence[OpenListener]], None] = lambda _: None,
        options: Options | None = None,
    ) -> None:
        self._config = config
        self._on_ready = on_ready
        self._options = options or Options()
        self._plan = serialise_plan(build_plan(config, 1, new_pseudonym())).decode()
        self._listeners: list[OpenListener] = []
        self._log_file: LogFile | None = None
        self._shared_fd = -1
        self._living: dict[int, WorkerProcess] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._draining = asyncio.Event()
        self._stopping = asyncio.Event()
        self._telling: set[asyncio.Task[None]] = set()
        self._failed = False
        self._killing = False

    async def run(self) -> int:
        """Serve. 0 after an ordered end, 1 when the start failed or a worker had to be killed."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_stop_signal)
        loop.add_signal_handler(signal.SIGUSR1, self._on_reopen_signal)
        try:
            self._open()
            await self._start_all()
            if not self._draining.is_set():
                self._on_ready(self._listeners)
            await self._draining.wait()
            return await self._end_all()
        except (ListenError, StartFailed, OSError, ImportError) as error:
            log.error("%s", error)
            return 1
        finally:
            await self._kill_all()
            self._close()

    def _open(self) -> None:
        workers = self._config.workers
        _raise_descriptor_limit()
        binds = [(one.name or f"l{n}", one.bind) for n, one in enumerate(self._config.listeners, 1)]
        self._listeners = open_listeners(binds, workers)
        if self._config.access_log is not None:
            self._log_file = LogFile(self._config.access_log.path)
        share = self._options.shared_bytes_per_worker
        if share is None:
            share = int(import_module("pygw._core.stats").SHARED_BYTES_PER_WORKER)
        self._shared_fd = os.memfd_create("pygw-shared", os.MFD_CLOEXEC)
        os.ftruncate(self._shared_fd, share * workers)

    def _close(self) -> None:
        close_listeners(self._listeners)
        if self._log_file is not None:
            self._log_file.close()
        if self._shared_fd >= 0:
            os.close(self._shared_fd)
            self._shared_fd = -1

    async def _start_all(self) -> None:
        """Start all: returns when all serve or a signal came, StartFailed if one cannot."""
        loop = asyncio.get_running_loop()
        firsts: list[asyncio.Future[None]] = [
            loop.create_future() for _ in range(self._config.workers)
        ]
        for index, first in enumerate(firsts):
            keeper = asyncio.create_task(self._keep(index, first))
            keeper.add_done_callback(self._on_keeper_done)
            self._keepers.append(keeper)
        signalled = asyncio.create_task(self._draining.wait())
        serving = asyncio.gather(*firsts)
        either: set[asyncio.Future[Any]] = {serving, signalled}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        signalled.cancel()
        if serving.done():
            serving.result()
        serving.cancel()

    async def _keep(self, index: int, first: asyncio.Future[None]) -> None:
        """Keep one worker alive until the end; only its first start may fail the whole."""
        loop = asyncio.get_running_loop()
        failures = 0
        while not self._draining.is_set():
            started_s = loop.time()
            try:
                worker = await self._start_worker(index)
                if not first.done():
                    first.set_result(None)
                why = await worker.wait()
            except (StartFailed, OSError) as error:
                why = str(error)
                if not first.done():
                    first.set_exception(StartFailed(why))
                    return
            self._living.pop(index, None)
            if self._draining.is_set():
                return
            lived_s = loop.time() - started_s
            failures = 1 if lived_s >= self._options.backoff_reset_s else failures + 1
            await self._back_off(why, failures)

    async def _back_off(self, why: str, failures: int) -> None:
        options = self._options
        delay_s = min(options.backoff_max_s, options.backoff_first_s * 2 ** min(failures - 1, 30))
        log.warning("%s; starting it again in %g s", why, delay_s)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._draining.wait(), delay_s)

    async def _start_worker(self, index: int) -> WorkerProcess:
        start = Start(
            index=index,
            plan=self._plan,
            drain_s=self._config.drain / 1000,
            listeners=[(one.name, one.socket_of(index).fileno()) for one in self._listeners],
            shared_fd=self._shared_fd,
            access_log_fd=-1 if self._log_file is None else self._log_file.fd,
        )
        worker = await WorkerProcess.spawn(self._options.worker_command, start)
        self._living[index] = worker
        if self._killing:
            worker.kill()
        try:
            await worker.ready(self._options.ready_timeout_s)
        except StartFailed:
            worker.kill()
            await worker.wait()
            raise
        return worker

    async def _end_all(self) -> int:
        """Drain, then stop, then kill; 0 if nothing had to be killed."""
        drain_s, grace_s = self._config.drain / 1000, self._options.kill_grace_s
        # Only our copies: a worker closes its own when it hears of the drain.
        close_listeners(self._listeners)
        self._tell_all({"type": "drain", "timeout_s": drain_s})
        stopping = asyncio.create_task(self._stopping.wait())
        ending = asyncio.gather(*self._keepers, return_exceptions=True)
        either: set[asyncio.Future[Any]] = {ending, stopping}
        await asyncio.wait(either, timeout=drain_s + grace_s, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if self._living:
            self._tell_all({"type": "stop"})
            await asyncio.wait(self._keepers, timeout=grace_s)
        killed = await self._kill_all()
        if killed:
            log.warning("%d worker%s killed", killed, "" if killed == 1 else "s")
        return 1 if killed or self._failed else 0

    async def _kill_all(self) -> int:
        """Leave no worker behind; the number of those that had to be killed."""
        self._killing = True
        self._draining.set()
        killed = sum([worker.kill() for worker in self._living.values()])
        await asyncio.gather(*self._keepers, return_exceptions=True)
        for task in self._telling:
            task.cancel()
        return killed

    def _tell_all(self, message: Message, fds: Sequence[int] = ()) -> None:
        """Tell every living worker, without waiting for one that does not read."""
        for worker in self._living.values():
            task = asyncio.create_task(worker.tell(message, fds))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    def _on_keeper_done(self, keeper: asyncio.Task[None]) -> None:
        """A keeper must not fail; if it does, the whole ends rather than run short of a worker."""
        if not keeper.cancelled() and (error := keeper.exception()) is not None:
            log.error("supervisor failed", exc_info=error)
            self._failed = True
            self._draining.set()

    def _on_stop_signal(self) -> None:
        if self._draining.is_set():
            self._stopping.set()
            return
        self._draining.set()
        log.info("draining, at most %g s; a second signal stops now", self._config.drain / 1000)

    def _on_reopen_signal(self) -> None:
        if self._log_file is not None and self._log_file.reopen():
            log.info("access log reopened")
            self._tell_all({"type": "reopen"}, [self._log_file.fd])


def _raise_descriptor_limit() -> None:
    """Take as many descriptors as we may: the usual soft limit of 1024 is for select(2)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
