"""The supervisor: opens what must outlive a worker, keeps N workers alive, ends them in order.

Owns: the generation that is served, the shared memory, and the worker processes' lives. Back-off,
drain, reload and the exit code are decided here.
Runs in: the main process, on plain asyncio.
Never does: touch traffic; if it dies, the workers see their control channel end, drain and exit.
Read next: `generation`, `reload`; `process` for one worker seen from here, `worker` for the other
end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import signal
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from importlib import import_module
from typing import Any

from .background import in_background
from .changes import tell_changes
from .config import Config, ConfigError
from .config.model import WORKERS_MAX
from .control import Message
from .generation import Generation, make_generation
from .heartbeat import LOOKS, Heartbeats
from .keeper import Keeper, Starts
from .listeners import ListenError, OpenListener
from .notify import Manager
from .options import IDLE_S, Options
from .parting import Partings, end_of
from .plan import new_pseudonym
from .process import Start, StartFailed, WorkerProcess
from .reload import Change, Refused
from .sharing import share_sockets

log = logging.getLogger("pygw.supervisor")

_NO_HEARTBEAT_S = 8.0
"""Without a heartbeat: a `LOOKS`th of it passes until we look whether there is one."""

_DUMP_S = 0.1
"""How long a worker that hangs has to say where, before it is ended."""


class Supervisor:
    """One running gateway: `run` serves until a signal ends it and gives the exit code.

    `on_ready` is called once, with the open listeners, when every worker serves. `load` reads the
    configuration again, for a reload; ConfigError says why it cannot. `tell` finds the place in the
    configuration that a worker's message is about.
    """

    def __init__(
        self,
        config: Config,
        on_ready: Callable[[Sequence[OpenListener]], None] = lambda _: None,
        options: Options | None = None,
        load: Callable[[], Config] | None = None,
        tell: Callable[[str], str] = str,
    ) -> None:
        self._config = config
        self._on_ready = on_ready
        self._options = options or Options()
        self._load = load
        self._placed = tell
        self._pseudonym = new_pseudonym()
        self._now: Generation | None = None
        self._shared_fd = -1
        self._share = 0
        self._keepers: list[Keeper] = []
        self._starts = Starts()
        self._sharing = asyncio.Lock()
        self._manager = Manager(os.environ)
        self._wanted = asyncio.Event()
        self._load_wanted = False
        self._more_wanted = 0
        self._reloads = 0
        self._draining = asyncio.Event()
        self._stopping = asyncio.Event()
        self._idle_s = IDLE_S["end"]
        self._telling: set[asyncio.Task[None]] = set()
        self._partings = Partings()
        self._failed = False
        self._killing = False

    async def run(self) -> int:
        """Serve. 0 after an ordered end, 1 when the start failed or a worker had to be killed."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_stop_signal, number)
        loop.add_signal_handler(signal.SIGUSR1, self._on_reopen_signal)
        loop.add_signal_handler(signal.SIGHUP, self.reload)
        loop.add_signal_handler(signal.SIGTTIN, self._on_count_signal, 1)
        loop.add_signal_handler(signal.SIGTTOU, self._on_count_signal, -1)
        besides: list[asyncio.Task[None]] = []
        try:
            self._open()
            await self._start_all()
            if not self._draining.is_set():
                self._on_ready(self._generation.listeners)
                self._manager.ready(self._status)
            besides = [
                asyncio.create_task(self._reload_when_told()),
                asyncio.create_task(self._watch()),
            ]
            for task in besides:
                task.add_done_callback(self._on_done)
            await self._draining.wait()
            await _cancel(besides)
            return await self._end_all()
        except (ListenError, StartFailed, OSError, ImportError) as error:
            log.error("%s", self._placed(str(error)))
            return 1
        finally:
            await _cancel(besides)
            await self._kill_all()
            self._close()
            self._manager.close()

    def reload(self) -> None:
        """Read the configuration again and serve by it, soon; what comes meanwhile is one more."""
        self._load_wanted = True
        self._wanted.set()

    @property
    def _status(self) -> str:
        now = self._generation
        count = now.config.workers
        return f"serving plan {now.number} with {count} worker{'' if count == 1 else 's'}"

    @property
    def _generation(self) -> Generation:
        assert self._now is not None, "nothing is open"
        return self._now

    def _open(self) -> None:
        _raise_descriptor_limit()
        self._now = make_generation(self._config, self._pseudonym, None)
        share = self._options.shared_bytes_per_worker
        if share is None:
            share = int(import_module("pygw._core.stats").SHARED_BYTES_PER_WORKER)
        self._share = share
        self._shared_fd = os.memfd_create("pygw-shared", os.MFD_CLOEXEC)
        self._make_room(self._config.workers)

    def _make_room(self, workers: int) -> None:
        """A page of counters for each worker; those of workers that are gone stay."""
        size = os.fstat(self._shared_fd).st_size
        os.ftruncate(self._shared_fd, max(size, self._share * workers))

    def _close(self) -> None:
        if self._now is not None:
            self._now.let_go(None)
            self._now = None
        if self._shared_fd >= 0:
            os.close(self._shared_fd)
            self._shared_fd = -1

    # --- workers ----------------------------------------------------------------------------------

    async def _start_all(self) -> None:
        """Start all: returns when all serve or a signal came, StartFailed if one cannot."""
        firsts = [self._start_keeper(n, True).first for n in range(self._config.workers)]
        signalled = asyncio.create_task(self._draining.wait())
        serving = asyncio.gather(*firsts)
        either: set[asyncio.Future[Any]] = {serving, signalled}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        signalled.cancel()
        if serving.done():
            serving.result()
        serving.cancel()

    def _start_keeper(self, index: int, vital: bool) -> Keeper:
        keeper = Keeper(index, vital)
        keeper.task = asyncio.create_task(self._keep(keeper))
        keeper.task.add_done_callback(self._on_done)
        self._keepers.append(keeper)
        return keeper

    async def _keep(self, keeper: Keeper) -> None:
        """Keep one worker alive until the end; a vital one's first start may fail the whole."""
        loop = asyncio.get_running_loop()
        failures = 0
        first = keeper.first
        while not keeper.leaving.is_set():
            started_s = loop.time()
            try:
                keeper.worker = await self._start_worker(keeper)
                if not first.done():
                    first.set_result(None)
                if keeper.leaving.is_set():
                    await keeper.worker.tell(self._drain_message)
                else:
                    self._soon(self._deal())
                while not (why := await end_of(keeper.worker, self._draining)):
                    await self._replace(keeper, keeper.worker)
            except (StartFailed, OSError) as error:
                why = str(error)
                if not first.done() and keeper.vital:
                    first.set_exception(StartFailed(why))
                    return
                if not first.done():
                    first.set_result(None)
            worker, keeper.worker = keeper.worker, None
            if keeper.leaving.is_set():
                return
            self._soon(self._deal())
            # One that hung could start, and its heartbeat has passed: nothing is won by waiting.
            well = worker is not None and worker.hung
            well |= loop.time() - started_s >= self._options.backoff_reset_s
            failures = 1 if well else failures + 1
            await self._back_off(keeper, why, failures)

    async def _replace(self, keeper: Keeper, old: WorkerProcess) -> None:
        """Another worker in its place, and only then it drains: no client waits meanwhile."""
        old.leaving.clear()
        if keeper.leaving.is_set() or not old.is_serving:
            return
        log.info("%s was told to leave; another takes its place", old.name)
        self._partings.add(old)
        try:
            keeper.worker = await self._start_worker(keeper)
            await self._deal()
        finally:
            await old.tell(self._drain_message)
        if keeper.leaving.is_set():
            await keeper.worker.tell(self._drain_message)

    async def _back_off(self, keeper: Keeper, why: str, failures: int) -> None:
        options = self._options
        delay_s = min(options.backoff_max_s, options.backoff_first_s * 2 ** min(failures - 1, 30))
        log.warning("%s; starting it again in %g s", why, delay_s)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(keeper.leaving.wait(), delay_s)

    async def _start_worker(self, keeper: Keeper) -> WorkerProcess:
        async with self._starts.one():
            now = self._generation
            page = self._partings.free_page(keeper, self._keepers, now.config.workers)
            self._make_room(page + 1)
            start = Start(
                index=keeper.index,
                page=page,
                plan_fd=now.plan_fd,
                drain_s=now.config.drain / 1000,
                sockets=now.sockets_of(keeper.index),
                shared_fd=self._shared_fd,
                access_log_fd=-1 if now.log_file is None else now.log_file.fd,
            )
            worker = await WorkerProcess.spawn(self._options.worker_command, start)
            keeper.worker = worker
            if self._killing:
                worker.kill()
            try:
                await worker.ready(self._options.ready_timeout_s)
            except StartFailed:
                worker.kill()
                await worker.wait()
                raise
            return worker

    @property
    def _living(self) -> list[WorkerProcess]:
        """Every worker that has not ended, as far as we know."""
        kept = [one.worker for one in self._keepers if one.worker is not None]
        return list(dict.fromkeys([*kept, *self._partings.workers]))

    @property
    def _serving(self) -> list[WorkerProcess]:
        """The workers that are there and shall stay."""
        keepers = [one for one in self._keepers if not one.leaving.is_set()]
        return [one.worker for one in keepers if one.worker is not None]

    async def _watch(self) -> None:
        """End whoever gives no sign of life, such as one that a hook keeps: it is started again."""
        loop = asyncio.get_running_loop()
        beats = Heartbeats(self._shared_fd, self._share)
        while True:
            most_s = self._generation.config.heartbeat / 1000
            look_s = (most_s or _NO_HEARTBEAT_S) / LOOKS
            if self._manager.watchdog_s is not None:
                self._manager.alive()
                look_s = min(look_s, self._manager.watchdog_s / 2)
            await asyncio.sleep(look_s)
            workers = [worker for worker in self._serving if worker.is_serving]
            for worker in beats.silent(workers, loop.time(), most_s):
                silent = "%s gave no sign of life for %g s; this is where it is:"
                log.error(silent, worker.name, most_s)
                worker.hung = True
                worker.dump()
                await asyncio.sleep(_DUMP_S)
                worker.kill()

    def _on_done(self, task: asyncio.Task[None]) -> None:
        """A keeper must not fail; if it does, the whole ends rather than run short of a worker.

        Nor must what reloads and what watches.
        """
        self._keepers = [one for one in self._keepers if one.task is not task]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("supervisor failed", exc_info=error)
            self._failed = True
            self._leave()

    # --- reload -----------------------------------------------------------------------------------

    async def _reload_when_told(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            again, self._load_wanted = self._load_wanted, False
            more, self._more_wanted = self._more_wanted, 0
            if again and self._load is None:
                log.info("nothing to reload: there is no configuration file")
            elif again and self._load is not None:
                await self._try_reload(self._load)
            if more:
                await self._try_reload(partial(with_more_workers, self._generation.config, more))

    async def _try_reload(self, load: Callable[[], Config]) -> None:
        self._manager.reloading()
        try:
            await self._reload(load)
        except (ConfigError, ListenError, Refused, OSError) as error:
            number = self._generation.number
            log.error(
                "reload refused: %s (still serving plan %d)", self._placed(str(error)), number
            )
        except Exception:
            # A mistake of ours in reading or planning ends no gateway that serves.
            log.exception("reload failed (still serving plan %d)", self._generation.number)
        if not self._draining.is_set():
            self._manager.ready(self._status)

    async def _reload(self, load: Callable[[], Config]) -> None:
        """One reload: every worker serves by the new configuration, or all by the old one."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        config = await in_background(load)
        old = self._generation
        new = await in_background(make_generation, config, self._pseudonym, old)
        self._reloads += 1
        change = Change(self._reloads, old, new)
        async with self._starts.none():
            try:
                workers = await change.prepare(self._serving)
                self._make_room(config.workers)
            except BaseException:
                new.let_go(old)
                raise
            async with self._sharing:
                self._now = new
                await change.commit(workers)
            old.let_go(new)
        await self._resize(change)
        took_ms = round((loop.time() - began_s) * 1000)
        # WHY aside: it takes tens of milliseconds of a processor that a worker may need.
        pair = [old.config, config]
        del old, change, config
        log.info("reload ok in %d ms: %s", took_ms, await in_background(tell_changes, pair))

    async def _resize(self, change: Change) -> None:
        """As many workers as the configuration says; those beyond drain. None start at the end."""
        if self._draining.is_set():
            return
        count = change.new.config.workers
        kept = {one.index for one in self._keepers if not one.leaving.is_set()}
        fresh = [self._start_keeper(n, False) for n in range(count) if n not in kept]
        for keeper in self._keepers:
            if keeper.index >= count and not keeper.leaving.is_set():
                keeper.leaving.set()
                if keeper.worker is not None:
                    self._tell(keeper.worker, self._drain_message)
        if fresh:
            await asyncio.wait([one.first for one in fresh])
        await self._deal()

    async def _deal(self) -> None:
        """Let every socket have a worker that accepts from it, whoever has died or started."""
        async with self._sharing:
            if not self._draining.is_set():
                starting = {one.index for one in self._keepers if not one.first.done()}
                await share_sockets(self._generation, self._serving, starting)

    @property
    def _drain_message(self) -> Message:
        last = self._draining.is_set()
        return {
            "type": "drain",
            "timeout_s": self._generation.config.drain / 1000,
            "idle_s": self._idle_s if last else IDLE_S["reload"],
            "last": last,
        }

    # --- the end ----------------------------------------------------------------------------------

    async def _end_all(self) -> int:
        """Drain, then stop, then kill; 0 if nothing had to be killed."""
        drain_s = self._generation.config.drain / 1000
        grace_s = self._options.kill_grace_s
        # Only our copies: a worker closes its own when it hears of the drain.
        for listener in self._generation.listeners:
            listener.close()
        self._tell_all(self._drain_message)
        stopping = asyncio.create_task(self._stopping.wait())
        ending = asyncio.gather(*self._tasks, return_exceptions=True)
        either: set[asyncio.Future[Any]] = {ending, stopping}
        await asyncio.wait(either, timeout=drain_s + grace_s, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if self._tasks:
            self._tell_all({"type": "stop"})
            await asyncio.wait(self._tasks, timeout=grace_s)
        killed = await self._kill_all()
        if killed:
            log.warning("%d worker%s killed", killed, "" if killed == 1 else "s")
        return 1 if killed or self._failed else 0

    async def _kill_all(self) -> int:
        """Leave no worker behind; the number of those that had to be killed."""
        self._killing = True
        self._leave()
        killed = sum([worker.kill() for worker in self._living])
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for task in self._telling:
            task.cancel()
        return killed

    @property
    def _tasks(self) -> list[asyncio.Task[None]]:
        kept = [one.task for one in self._keepers if one.task is not None]
        return [*kept, *self._partings.tasks]

    def _leave(self) -> None:
        self._draining.set()
        for keeper in self._keepers:
            keeper.leaving.set()

    def _tell_all(self, message: Message, fds: Sequence[int] = ()) -> None:
        """Tell every living worker, without waiting for one that does not read."""
        for worker in self._living:
            self._tell(worker, message, fds)

    def _tell(self, worker: WorkerProcess, message: Message, fds: Sequence[int] = ()) -> None:
        self._soon(worker.tell(message, fds))

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    def _on_stop_signal(self, number: signal.Signals) -> None:
        if self._draining.is_set():
            self._stopping.set()
            return
        self._idle_s = IDLE_S["now" if number == signal.SIGINT else "end"]
        self._leave()
        drain_s = (self._now.config if self._now else self._config).drain / 1000
        log.info("draining, at most %g s; a second signal stops now", drain_s)
        self._manager.stopping(f"draining, at most {drain_s:g} s")

    def _on_count_signal(self, more: int) -> None:
        self._more_wanted += more
        self._wanted.set()

    def _on_reopen_signal(self) -> None:
        file = self._now.log_file if self._now else None
        if file is not None and file.reopen():
            log.info("access log reopened")
            self._tell_all({"type": "reopen"}, [file.fd])


def with_more_workers(config: Config, more: int) -> Config:
    """The same with so many workers more, or less, within what a configuration may say."""
    count = max(1, min(config.workers + more, WORKERS_MAX))
    return config.model_copy(update={"workers": count})


async def _cancel(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _raise_descriptor_limit() -> None:
    """Take as many descriptors as we may: the usual soft limit of 1024 is for select(2)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
