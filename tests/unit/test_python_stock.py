"""Async hooks where asyncio's tasks are not those that `HookTask` knows: slower, and right.

`missing_of` says when; here it is switched on by hand. A Python before 3.12 cannot begin a task at
once, so every run answers in a later turn here.
"""

from __future__ import annotations

import _asyncio
import asyncio
import logging
from collections.abc import Iterator

import pytest

from pygw._core.runtimes import python as runtime
from pygw._core.runtimes import python_task
from tests.unit.memory import GET, OK
from tests.unit.python_hooks import python, waiting
from tests.unit.test_python_task import run, seen


@pytest.fixture
def stock() -> Iterator[None]:
    before = python_task.stock_tasks(True)
    yield
    python_task.stock_tasks(before)


def test_versions_that_are_not_proven_run_asyncios_own_tasks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert {python_task.missing_of(version) for version in python_task.PROVEN} == {None}
    assert python_task.missing_of((3, 99)) == "the tasks of Python 3.99 are not proven with it"
    monkeypatch.delattr(_asyncio, "_enter_task")
    told = python_task.missing_of((3, 12))
    assert told is not None and told.startswith("this Python 3.12 has other tasks (cannot import")


def test_the_log_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(python_task, "missing", "why")
    monkeypatch.setattr(runtime, "told", False)
    caplog.set_level(logging.WARNING, "pygw.hooks")
    monkeypatch.setattr(logging.getLogger("pygw"), "propagate", True)
    with waiting(python("def h(req): pass")):
        assert caplog.messages == []
    for _ in range(2):
        with waiting(python("async def h(req): pass")):
            assert len(caplog.messages) == 1
    assert caplog.messages[0].endswith("costs a microsecond more a call: why")


@pytest.mark.usefixtures("stock")
def test_it_is_the_current_task_and_one_of_all_and_keeps_its_context() -> None:
    async def h() -> tuple[bool, bool, bool, str]:
        seen.set("inside")
        first = asyncio.current_task()
        await asyncio.sleep(0)
        same = first is asyncio.current_task()
        return same, first in asyncio.all_tasks(), type(first) is asyncio.Task, seen.get()

    assert run(h()) == (True, True, True, "inside")


@pytest.mark.usefixtures("stock")
def test_timeouts_and_groups_work_and_what_fails_is_its_answer() -> None:
    async def late() -> str:
        try:
            async with asyncio.timeout(0.01), asyncio.TaskGroup() as group:
                group.create_task(asyncio.sleep(5))
        except TimeoutError:
            return "timed out"
        return "not"

    async def leaves() -> None:
        await asyncio.sleep(0)
        raise SystemExit(3)

    assert run(late()) == "timed out"
    with pytest.raises(SystemExit):
        run(leaves())
    with pytest.raises(asyncio.CancelledError, match="told to"):
        run(asyncio.sleep(5), cancel=True)


CODE = """
import asyncio
ended = []
async def h(req):
    req.vars["who"] = "anna"
    await asyncio.sleep(0)
    if req.path == "/fails": 1 / 0
    if req.path == "/leaves": raise SystemExit
    if req.path == "/cancels": asyncio.current_task().cancel()
    try:
        await asyncio.sleep(9 if req.path in ("/late", "/gone") else 0)
    finally:
        ended.append(req.path if req.path == "/" else 0)
    req.headers["x-who"] = req.vars["who"]
    if req.path == "/reply": return Reply(200, "fine")
h.ended = ended
"""


@pytest.mark.usefixtures("stock")
def test_runs_edit_answer_fail_are_late_and_are_left() -> None:
    with waiting(python(CODE, deadline_ms=50)) as (turns, gate):
        for path, status in ((b"fails", 500), (b"leaves", 500), (b"cancels", 500), (b"reply", 200)):
            client = turns.do(lambda: gate.client(GET.replace(b"/ ", b"/%b " % path)))  # noqa: B023
            turns.until(client.answers, gate)
            assert client.answer.status == status
        late = turns.do(lambda: gate.client(GET.replace(b"/ ", b"/late ")))
        turns.do(lambda: gate.advance(100))
        turns.until(late.answers, gate)
        assert late.answer.status == 500
        gone = turns.do(lambda: gate.client(GET.replace(b"/ ", b"/gone ")))
        turns.do(gone.reset)
        turns.until(lambda: runtime.strays_running() == 0, gate)
        client = turns.do(lambda: gate.client(GET))
        turns.until(lambda: gate.origins, gate)
        assert gate.origin.request.one("x-who") == b"anna"
        turns.do(lambda: gate.origin.send(OK))
        assert client.answer.status == 200
