"""Work that may take a while beside a running loop, at a low priority.

Owns: the threads that do it, and how they and a loop hand things over.
Runs in: `in_background` in the supervisor; `Aside` in every worker.
Never does: run two jobs at a time.
Read next: `worker`, which compiles plans aside.
"""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import os
import platform
import struct
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from ._core.pace import Pace

_P = ParamSpec("_P")
_T = TypeVar("_T")

_NICE = 10
"""About a tenth of a processor where a loop wants all of it: a reload takes seconds then."""

_SLICE_NS = 100_000
"""The kernel's least. A thread that asks for less at a time interrupts one that asks for more."""

_JOB_SLICE_NS = 200_000
"""Longer than a loop's, and no more than a job has until it gives way: that forfeits the rest."""

_LOOP_FIRST_S = 0.005
"""A job aside begins so late that the loop has done what was at hand."""

_TURNS = 3
"""And so many turns: libuv tells uvloop of a timer's end, under the GIL, up to two turns later."""

_LOOP_AFTER_S = 0.05
"""And its thread goes on so late that the loop has done what followed."""

_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}


def _slice_ask(policy: int, nice: int, slice_ns: int) -> None:
    """Ask for a slice for this thread (sched_setattr(2), Linux 6.12; before, it means nothing).

    A slice is what a thread gets before another has its turn, unless that one's is shorter. Without
    it a thread of a low priority keeps one that wakes waiting for its own slice, up to a tick.
    """
    number = _SCHED_SETATTR.get(platform.machine())
    if number is not None:
        attributes = struct.pack("=IIQiIQQQ", 48, policy, 0, nice, 0, slice_ns, 0, 0)
        # A kernel or a container that refuses leaves everything as it was.
        ctypes.CDLL(None, use_errno=True).syscall(number, 0, attributes, 0)


def step_forward() -> None:
    """This thread, which runs a loop, wakes at once even where a job in the background runs."""
    _slice_ask(os.SCHED_OTHER, os.getpriority(os.PRIO_PROCESS, 0), _SLICE_NS)


def _step_back() -> None:
    # Linux knows a priority for each thread, by the thread's own number.
    thread = threading.get_native_id()
    os.setpriority(os.PRIO_PROCESS, thread, _NICE)
    # Waking up is then no reason to interrupt a loop.
    os.sched_setscheduler(thread, os.SCHED_BATCH, os.sched_param(0))
    _slice_ask(os.SCHED_BATCH, _NICE, _JOB_SLICE_NS)


def _paced(job: Callable[[], _T]) -> _T:
    """What the job answers, on this thread, which leaves the processor to a loop at once."""
    with Pace():
        return job()


_threads = ThreadPoolExecutor(1, "pygw-background", _step_back)


async def in_background(job: Callable[_P, _T], *arguments: _P.args, **options: _P.kwargs) -> _T:
    """What the job answers; the loop goes on meanwhile. A cancelled job still runs to its end."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_threads, _paced, partial(job, *arguments, **options))


class Aside:
    """A thread beside a loop whose callbacks need no GIL, and must never wait for it.

    A job holds the GIL, and being of a low priority it may be put off at any place. So the
    loop must not want the GIL while the thread has it: not for what is left when a job begins, and
    not for what follows when it ends. It begins by a lock, which the loop's last act at hand gives
    back without letting go of the GIL; and at its end it hangs in a system call, which holds none:
    it writes more than a pipe takes, until that is read.
    """

    def __init__(self) -> None:
        self._begin = threading.Lock()
        self._begin.acquire()
        self._ended_out, self._ended_in = os.pipe()
        os.set_blocking(self._ended_out, False)
        size = fcntl.fcntl(self._ended_in, fcntl.F_SETPIPE_SZ, 4096)
        self._more = bytes(size + 1)
        self._job: Callable[[], object] = int
        self._result: object = None
        self._error: BaseException | None = None
        self._unread = 0
        self._free = asyncio.Event()
        self._free.set()
        threading.Thread(target=self._work, name="pygw-aside", daemon=True).start()

    async def run(self, job: Callable[[], object]) -> object:
        """What the job answers. A cancelled job still runs to its end. One caller at a time."""
        await self._free.wait()
        self._free.clear()
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        self._job, self._result, self._error = job, None, None
        loop.add_reader(self._ended_out, self._on_end, ended)
        loop.call_later(_LOOP_FIRST_S, self._release, _TURNS)
        await ended
        result, error, self._result = self._result, self._error, None
        if error is not None:
            raise error
        return result

    def _release(self, turns: int) -> None:
        """Let the job begin, when a few turns have closed what the loop has done with."""
        if turns:
            asyncio.get_running_loop().call_soon(self._release, turns - 1)
        else:
            self._begin.release()

    def _on_end(self, ended: asyncio.Future[None]) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._ended_out)
        self._unread = len(self._more)
        loop.call_later(_LOOP_AFTER_S, self._let_go)
        if not ended.done():
            ended.set_result(None)

    def _let_go(self) -> None:
        """Read all that the thread writes: it goes on to wait for the next job."""
        loop = asyncio.get_running_loop()
        self._unread -= len(os.read(self._ended_out, self._unread))
        if self._unread:
            loop.add_reader(self._ended_out, self._let_go)
        else:
            loop.remove_reader(self._ended_out)
            self._free.set()

    def _work(self) -> None:
        _step_back()
        while self._begin.acquire():
            try:
                self._result = _paced(self._job)
            except Exception as error:
                self._error = error
            self._job = int
            os.write(self._ended_in, self._more)
