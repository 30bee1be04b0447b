"""Jobs beside a loop: their answers, their errors, and a loop that is never kept waiting."""

from __future__ import annotations

import asyncio
import os
import threading
import time

import pytest

from pygw.background import Aside, in_background


def test_jobs_answer_or_raise_one_after_the_other() -> None:
    async def main() -> None:
        aside = Aside()
        for number in range(5):
            assert await aside.run(lambda number=number: number) == number
            with pytest.raises(ZeroDivisionError):
                await aside.run(lambda: 1 // 0)

    asyncio.run(main())


def test_job_runs_on_a_thread_of_the_lowest_priority() -> None:
    def where() -> tuple[int, int]:
        return threading.get_native_id(), os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    async def main() -> None:
        for thread, nice in (await Aside().run(where), await in_background(where)):
            assert thread != threading.get_native_id()
            assert nice == 19

    asyncio.run(main())


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
