"""Coroutines as hooks: waiting, deadlines, clients that leave, and what such a run keeps."""

from __future__ import annotations

import asyncio
import weakref

import pytest

from pygw._core.runtimes import python as runtime
from pygw._core.runtimes import python_code
from tests.unit.memory import GET, OK, plan_of, post
from tests.unit.python_hooks import exchange, python, waiting
from tests.unit.test_python_hooks import function_of

SLEEPY = "import asyncio\n"


def test_a_coroutine_that_does_not_wait_answers_at_once() -> None:
    source = """
    async def h(req):
        req.headers["x-a"] = "1"
        return Reply(200, req.headers["x-a"])
    """
    with waiting(python(source)) as (turns, gate):
        assert turns.do(lambda: exchange(gate)).answer.body == b"1"


def test_a_coroutine_that_waits_resumes_its_exchange() -> None:
    source = (
        SLEEPY
        + """
async def h(req):
    await asyncio.sleep(0.005)
    req.headers["x-late"] = req.headers["host"]
"""
    )
    with waiting(python(source)) as (turns, gate):
        client = turns.do(lambda: gate.client(GET))
        assert gate.origins == []
        turns.until(lambda: gate.origins, gate)
        assert gate.origin.request.all("x-late") == [b"a"]
        turns.do(lambda: gate.origin.send(OK))
        assert client.answer.status == 200


@pytest.mark.parametrize("phase", ["request", "request_body", "attempt", "response"])
def test_every_phase_but_log_may_wait(phase: str) -> None:
    views = "req, resp" if phase == "response" else "req"
    source = (
        SLEEPY
        + f"""
class H:
    async def {phase}(self, {views}):
        await asyncio.sleep(0)
        req.vars["x"] = "1"
    def log(self, req, resp):
        assert req.vars["x"] == "1"
"""
    )
    with waiting(python(source, "H")) as (turns, gate):
        client = turns.do(lambda: gate.client(post(b"abc")))
        turns.until(lambda: gate.origins and gate.origin.received.endswith(b"abc"), gate)
        turns.do(lambda: gate.origin.send(OK))
        turns.until(lambda: client.received.endswith(b"ok"), gate)


def test_waiting_runs_never_see_each_others_exchange() -> None:
    source = (
        SLEEPY
        + """
async def h(req):
    mine = req.headers["x-n"]
    for turn in range(5):
        await asyncio.sleep(0)
        assert req.headers["x-n"] == mine
        req.headers["x-out"] = mine
    return Reply(200, mine + req.headers["x-out"])
"""
    )
    with waiting(python(source)) as (turns, gate):
        asked = [b"GET / HTTP/1.1\r\nHost: a\r\nX-N: %d\r\n\r\n" % n for n in range(20)]
        clients = turns.do(lambda: [gate.client(one) for one in asked])
        turns.until(lambda: all(client.received for client in clients), gate)
        assert [client.answer.body for client in clients] == [b"%d%d" % (n, n) for n in range(20)]


def test_a_view_in_a_task_of_the_hooks_own_acts_on_its_exchange() -> None:
    source = (
        SLEEPY
        + """
async def h(req):
    async def part(n):
        await asyncio.sleep(0)
        req.headers[f"x-{n}"] = req.headers["host"] + str(n)
        req.vars[f"v{n}"] = "1"
    async with asyncio.TaskGroup() as group:
        for n in range(3):
            group.create_task(part(n))
    return Reply(200, " ".join(req.headers[f"x-{n}"] for n in range(3)))
"""
    )
    with waiting(python(source)) as (turns, gate):
        client = turns.do(lambda: gate.client(GET))
        turns.until(lambda: client.received, gate)
        assert client.answer.body == b"a0 a1 a2"


def test_a_thread_is_refused_a_view() -> None:
    source = (
        SLEEPY
        + """
async def h(req):
    def there():
        try:
            return req.path
        except Refused as error:
            return str(error)
    return Reply(200, await asyncio.to_thread(there))
"""
    )
    with waiting(python(source)) as (turns, gate):
        client = turns.do(lambda: gate.client(GET))
        turns.until(lambda: client.received, gate)
        assert b"copy()" in client.answer.body


LONG = (
    SLEEPY
    + """
seen = []
async def h(req):
    try:
        await asyncio.sleep(30)
    except asyncio.CancelledError as error:
        seen.append(error)
        try:
            req.path
        except Gone:
            seen.append("gone")
        raise
h.seen = seen
"""
)


def seen_of(entry: object) -> list[object]:
    """What the hook of an entry noted."""
    from tests.unit.test_python_hooks import function_of

    found: list[object] = function_of(entry).seen
    return found


def test_a_client_that_leaves_cancels_the_run() -> None:
    entry = python(LONG)
    with waiting(entry) as (turns, gate):
        client = turns.do(lambda: gate.client(GET))
        assert gate.stats["live_hook_calls"] == 1
        turns.do(client.reset)
        turns.until(lambda: len(seen_of(entry)) == 2, gate)
        assert seen_of(entry)[1] == "gone"
        assert gate.stats["live_hook_calls"] == 0
    assert runtime.strays_running() == 0


@pytest.mark.parametrize(("policy", "status"), [("fail", 500), ("skip", 200)])
def test_the_deadline_cancels_the_run_and_the_policy_decides(policy: str, status: int) -> None:
    entry = python(LONG, deadline_ms=50, on_error=policy)
    with waiting(entry) as (turns, gate):
        client = turns.do(lambda: gate.client(GET))
        turns.do(lambda: gate.advance(30))
        assert client.received == b""
        turns.do(lambda: gate.advance(100))
        if gate.origins:
            turns.do(lambda: gate.origin.send(OK))
        assert client.answer.status == status
        turns.until(lambda: seen_of(entry), gate)


def test_the_decorators_deadline_holds_when_the_entry_says_none() -> None:
    entry = python(LONG.replace("async def", "@hook(deadline='20ms')\nasync def"))
    with waiting(entry) as (turns, gate):
        client = turns.do(lambda: gate.client(GET))
        turns.do(lambda: gate.advance(100))
        assert client.answer.status == 500


def test_a_run_that_swallows_its_cancellation_is_let_go() -> None:
    source = (
        SLEEPY
        + """
seen = []
async def h(req):
    while len(seen) < 3:
        try:
            await asyncio.sleep(0.001 if seen else 30)
        except asyncio.CancelledError:
            pass
        seen.append(1)
    return Reply(200)
h.seen = seen
"""
    )
    entry = python(source, deadline_ms=10)
    with waiting(entry) as (turns, gate):
        client = turns.do(lambda: gate.client(GET))
        turns.do(lambda: gate.advance(100))
        assert client.answer.status == 500
        assert runtime.strays_running() == 1
        turns.until(lambda: runtime.strays_running() == 0, gate)
        assert len(seen_of(entry)) == 3


def test_runs_that_never_end_are_bounded_by_python_strays_max() -> None:
    """PYTHON_STRAYS_MAX."""
    source = (
        SLEEPY
        + """
stop = asyncio.Event()
async def h(req):
    while not stop.is_set():
        try:
            await stop.wait()
        except asyncio.CancelledError:
            pass
h.seen = [stop]
"""
    )
    entry = python(source)
    with waiting(entry) as (turns, gate):

        def leave(count: int) -> None:
            for _ in range(count):
                gate.client(GET).reset()
            gate.clients.clear()

        for _ in range(100):
            turns.do(lambda: leave(100))
        assert runtime.strays_running() == 10000
        assert turns.do(lambda: exchange(gate)).answer.status == 500
        turns.do(seen_of(entry)[0].set)  # type: ignore[attr-defined]
        turns.until(lambda: runtime.strays_running() == 0, gate)


def test_a_def_that_returns_a_coroutine_is_told_to_be_async() -> None:
    source = "async def other(req): pass\ndef h(req):\n    return other(req)"
    with waiting(python(source)) as (turns, gate):
        assert turns.do(lambda: exchange(gate)).answer.status == 500


def test_a_task_of_the_workers_own_may_end_exchanges_that_start_runs() -> None:
    source = "async def h(req):\n    return Reply(200, 'in a task')"
    with waiting(python(source)) as (turns, gate):

        async def serve() -> bytes:
            before = asyncio.current_task()
            body: bytes = exchange(gate).answer.body
            assert asyncio.current_task() is before
            return body

        assert turns.loop.run_until_complete(serve()) == b"in a task"


def test_replaced_code_is_collected_without_anybody_asking() -> None:
    source = "class Canary: pass\ncanary = Canary()\ndef h(req):\n    return Reply(200, '1')"
    entry = python(source)
    with waiting(entry) as (turns, gate):
        old = weakref.ref(function_of(entry).__globals__["canary"])
        assert old() is not None
        python_code._unused.clear()  # function_of made it for no plan
        fresh = plan_of(python(source.replace("'1'", "'2'")))
        turns.do(lambda: gate.publish(fresh))
        turns.until(lambda: old() is None, gate)
        assert turns.do(lambda: exchange(gate)).answer.body == b"2"
