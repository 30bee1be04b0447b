"""Jobs beside a loop: their answers, their errors, and a loop that is never kept waiting."""

from __future__ import annotations

import asyncio
import ctypes
import os
import platform
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvloop

from pygw._core.pace import Pace, pace_signal
from pygw.background import Aside, in_background, step_forward

FUTEX = {"x86_64": b"202 ", "aarch64": b"98 "}


def test_jobs_answer_or_raise_one_after_the_other() -> None:
    async def main() -> None:
        aside = Aside()
        for number in range(5):
            assert await aside.run(lambda number=number: number) == number
            with pytest.raises(ZeroDivisionError):
                await aside.run(lambda: 1 // 0)

    asyncio.run(main())


def test_job_runs_on_a_thread_of_a_low_priority() -> None:
    def where() -> tuple[int, int, int]:
        thread = threading.get_native_id()
        return thread, os.getpriority(os.PRIO_PROCESS, thread), os.sched_getscheduler(thread)

    async def main() -> None:
        for thread, nice, policy in (await Aside().run(where), await in_background(where)):
            assert thread != threading.get_native_id()
            assert nice == 10
            assert policy == os.SCHED_BATCH  # its waking interrupts nobody

    asyncio.run(main())


def slice_ns() -> int:
    """What this thread may run at a time, as the kernel has it; skips where it does not say."""
    try:
        told = Path(f"/proc/self/task/{threading.get_native_id()}/sched").read_text()
    except OSError:
        told = ""
    found = re.search(r"^se\.slice\s*:\s*(\d+)$", told, re.MULTILINE)
    if found is None:
        pytest.skip("this kernel knows no slice of a thread's own (Linux 6.12)")
    return int(found[1])


def test_loop_asks_for_short_slices_and_a_job_beside_it_for_longer_ones() -> None:
    """The kernel lets one that wakes interrupt only one with a longer slice at once."""

    async def main() -> None:
        usual = slice_ns()
        step_forward()
        assert slice_ns() == 100_000
        assert await Aside().run(slice_ns) == await in_background(slice_ns) == 200_000 < usual

    def loop() -> None:
        asyncio.run(main())

    with ThreadPoolExecutor(1) as threads:  # this thread keeps its own slice
        threads.submit(loop).result(10)


def paced(count: int, within_s: float) -> bool:
    """Whether this thread has so many of the pace's signals within a time, one after the other."""
    end, number = time.monotonic() + within_s, pace_signal()
    while count and time.monotonic() < end:
        signal.pthread_sigmask(signal.SIG_BLOCK, [number])
        while not (there := number in signal.sigpending()) and time.monotonic() < end:
            pass
        count -= there
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])  # its handler asks for the next
    return not count


def test_job_gives_way_again_and_again_and_its_thread_no_more_when_it_is_over() -> None:
    """Between two ticks of the kernel nothing else would make it, once a loop has waked in vain."""

    async def main() -> None:
        for run in (Aside().run, in_background):
            assert await run(lambda: paced(20, 5))  # type: ignore[operator]

    asyncio.run(main())
    assert not paced(1, 0.005)
    with Pace():
        assert paced(20, 5)
        end = time.thread_time() + 0.005
        while time.thread_time() < end:  # the signal, which ends a process by default, does not
            pass
    assert not paced(1, 0.005)


def test_pace_lets_system_calls_of_a_job_go_on() -> None:
    out, into = os.pipe()

    def job() -> bytes:
        return os.read(out, 1)

    async def main() -> bytes:
        reading = asyncio.create_task(in_background(job))
        await asyncio.sleep(0.003)
        os.write(into, b"x")
        return await reading

    assert asyncio.run(main()) == b"x"
    os.close(out)
    os.close(into)


def test_loop_turns_while_a_job_runs_and_one_that_is_cancelled_keeps_nobody() -> None:
    async def main() -> None:
        aside = Aside()
        began, done = threading.Event(), threading.Event()

        def job() -> None:
            began.set()
            time.sleep(0.2)
            done.set()

        running = asyncio.create_task(aside.run(job))  # type: ignore[arg-type]
        while not began.is_set():
            await asyncio.sleep(0.001)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert not done.is_set()
        assert await aside.run(lambda: 7) == 7  # when the other is over
        assert done.is_set()

    asyncio.run(main())


@contextmanager
def gil_kept() -> Iterator[None]:
    """Nobody gives the GIL back because another wants it."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(60)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def test_loop_does_not_want_the_gil_while_a_job_has_it() -> None:
    """Else the loop's callbacks, which need none, would wait for the job with it."""
    watched = os.open(f"/proc/self/task/{threading.get_native_id()}/syscall", os.O_RDONLY)
    read: Callable[..., int] = ctypes.PyDLL(None).pread  # keeps the GIL
    text = ctypes.create_string_buffer(64)

    def job() -> int:
        waits = 0
        end = time.monotonic() + 0.01
        while time.monotonic() < end:
            size = read(watched, text, 64, 0)
            waits += text.raw[:size].startswith(FUTEX[platform.machine()])
        return waits

    async def main() -> None:
        aside = Aside()
        for _ in range(30):
            assert await aside.run(job) == 0

    with gil_kept(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
    os.close(watched)


def test_job_begins_turns_after_the_timer_that_lets_it() -> None:
    """uvloop closes a fired timer under the GIL, at the end of the next turn of the loop."""
    turns: list[int] = [0]
    fired: list[int] = []
    begun: list[int] = []

    class Noted:
        def __init__(self, lock: threading.Lock) -> None:
            self.acquire = lock.acquire
            self._lock = lock

        def release(self) -> None:
            begun.append(turns[0])
            self._lock.release()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        aside = Aside()
        release = aside._release

        def count() -> None:
            turns[0] += 1
            loop.call_soon(count)

        def on_timer(left: int) -> None:
            fired.append(turns[0])
            release(left)

        aside._release = on_timer  # type: ignore[method-assign]
        aside._begin = Noted(aside._begin)  # type: ignore[assignment]
        loop.call_soon(count)
        await aside.run(int)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
    assert begun[0] - fired[0] >= 2
