"""`HookTask` is a task for asyncio and for what builds on it."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine
from typing import Any

import pytest

from pygw._core.runtimes import python_task

seen: contextvars.ContextVar[str] = contextvars.ContextVar("seen", default="outside")


def run(coro: Coroutine[Any, Any, Any], cancel: bool = False) -> Any:
    """What a coroutine comes to as a HookTask that a callback begins."""
    loop = asyncio.new_event_loop()
    ended: list[Any] = []

    def begin() -> None:
        def on_end(task: Any) -> None:
            ended.append(task)
            loop.stop()

        task = python_task.begin(coro, loop, on_end)
        if cancel:
            task.cancel("told to")

    loop.call_soon(begin)
    loop.call_later(5, loop.stop)
    loop.run_forever()
    loop.call_soon(loop.stop)  # callbacks of the end: threads of anyio hear of it so
    loop.run_forever()
    loop.close()
    return ended[0].result()


def test_timeouts_scope_the_first_step_too() -> None:
    async def h() -> str:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.sleep(5)
        except TimeoutError:
            return "timed out"
        return "not"

    assert run(h()) == "timed out"


def test_it_is_the_current_task_and_one_of_all_and_keeps_its_context() -> None:
    async def h() -> tuple[bool, bool, str]:
        seen.set("inside")
        first = asyncio.current_task()
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        return first is asyncio.current_task(), first in asyncio.all_tasks(), seen.get()

    assert run(h()) == (True, True, "inside")
    assert seen.get() == "outside"


def test_a_child_that_fails_ends_its_group_and_the_others() -> None:
    async def fails() -> None:
        raise ValueError

    async def h() -> str:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.sleep(5))
                group.create_task(fails())
        except ExceptionGroup as error:
            return "ended" if error.subgroup(ValueError) else "otherwise"
        return "not"

    assert run(h()) == "ended"


def test_cancellation_carries_its_message() -> None:
    async def h() -> str:
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError as error:
            return str(error)
        return "not"

    assert run(h(), cancel=True) == "told to"


def test_awaiting_what_is_no_future_is_an_error_of_the_hook() -> None:
    class Wrong:
        def __await__(self) -> Any:
            yield 5

    async def h() -> None:
        await Wrong()

    with pytest.raises(RuntimeError, match="awaited int"):
        run(h())


def test_scopes_of_anyio_end_where_they_should() -> None:
    anyio = pytest.importorskip("anyio")

    async def h() -> tuple[bool, int]:
        with anyio.move_on_after(0.01) as scope:
            await anyio.sleep(5)
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep, 0.001)
        return scope.cancelled_caught, await anyio.to_thread.run_sync(lambda: 7)

    assert run(h()) == (True, 7)
