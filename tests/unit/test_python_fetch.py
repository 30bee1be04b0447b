"""`await req.fetch(...)` of Python hooks: requests to upstreams of the plan, in memory."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit import plans
from tests.unit.memory import GET, Gate, Json, Origin, ok, plan_of, upstream
from tests.unit.python_hooks import python, waiting


def fetching(body: str, **changes: Any) -> Json:
    """A hook of this body whose requests go to `auth`."""
    lines = "\n".join(f"    {line}" for line in body.strip().splitlines())
    source = f"import asyncio\nasync def h(req):\n{lines}\n"
    return python(source, **({"fetch": ["auth"]} | changes))


def two(**changes: Any) -> list[Json]:
    auth = upstream(name="auth", targets=[plans.target(9100)], retries=0, **changes)
    return [upstream(), auth]


def auths(gate: Gate) -> list[Origin]:
    return [origin for origin in gate.origins if origin.address.endswith(":9100")]


def test_a_hook_awaits_what_a_service_answers() -> None:
    hook = fetching("""
res = await req.fetch("auth", "/who?x=1", method="PUT", body="a=1", headers={"X-B": "2"})
return Reply(200, f"{res.status} {res.headers['x-a']} {res.json()['user']} {res.text}")""")
    with waiting(hook, upstreams=two()) as (turns, gate):
        client = turns.do(lambda: gate.client(GET))
        turns.until(lambda: auths(gate), gate)
        (auth,) = auths(gate)
        seen = auth.request
        assert (seen.method, seen.target, seen.body) == (b"PUT", b"/who?x=1", b"a=1")
        assert (seen.one("x-b"), seen.one("host")) == (b"2", b"127.0.0.1:9100")
        turns.do(lambda: auth.send(ok(b'{"user": "anna"}', b"X-A: yes")))
        turns.until(client.answers, gate)
        assert client.answer.body == b'200 yes anna {"user": "anna"}'
        assert gate.stats["live_fetches"] == gate.stats["live_detached"] == 0


def test_many_at_once_get_their_own_answers() -> None:
    hook = fetching("""
mine = req.path
async with asyncio.TaskGroup() as group:
    tasks = [group.create_task(one(req, mine, n)) for n in range(5)]
return Reply(200, " ".join(task.result() for task in tasks))
async def one(req, mine, n): pass""")
    source = hook["code"].replace("    async def one(req, mine, n): pass", "") + (
        "async def one(req, mine, n):\n"
        '    res = await req.fetch("auth", f"{mine}/{n}")\n'
        "    return res.text\n"
    )
    hook["code"] = source
    with waiting(hook, upstreams=two()) as (turns, gate):
        clients = [
            turns.do(lambda n=n: gate.client(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n))
            for n in range(10)
        ]
        turns.until(lambda: len(auths(gate)) == 50, gate)
        for origin in reversed(auths(gate)):
            turns.do(lambda origin=origin: origin.send(ok(origin.request.target)))
        turns.until(lambda: all(client.answers() for client in clients), gate)
        for n, client in enumerate(clients):
            assert client.answer.body == b" ".join(b"/%d/%d" % (n, k) for k in range(5))


def test_a_failure_is_a_fetch_error_with_its_reason() -> None:
    hook = fetching("""
try:
    await req.fetch("auth", timeout=0.2)
except FetchError as error:
    return Reply(200, f"{error.reason} {error.cause}: {error}")""")
    with waiting(hook, upstreams=two()) as (turns, gate):
        refused = turns.do(lambda: (gate.refuse(), gate.client(GET))[1])
        turns.until(refused.answers, gate)
        assert refused.answer.body.startswith(b"unreachable connection_refused: unreachable (")
        slow = turns.do(lambda: (gate.accept(), gate.client(GET))[1])
        turns.until(lambda: len(auths(gate)) == 2, gate)
        turns.do(lambda: gate.advance(220))
        turns.until(slow.answers, gate)
        assert slow.answer.body.startswith(b"timeout total_timeout")


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ('req.fetch("other")', b"'other' is not among the upstreams in this hook's fetch:"),
        (
            'req.fetch("auth", "x?secret")',
            b"fetch: method or path: a value that cannot stand there",
        ),
        ('req.fetch("auth", "/a\\r\\nX: 1")', b"a value that cannot stand there"),
        ('req.fetch("auth", method="connect")', b"a value that cannot stand there"),
        ('req.fetch("auth", headers={"x": "a\\r\\nb: c"})', b"fetch: header x: a value"),
        ('req.fetch("auth", headers=[("content-length", "1")])', b"writes this field itself"),
        ('req.fetch("auth", body="x" * 1048577)', b"fetch: body: too much of it"),
        ('req.fetch("auth", timeout=0)', b"timeout is seconds above 0"),
        ("req.fetch(None)", b"upstream"),
    ],
)
def test_what_cannot_be_asked_is_refused_and_leaves_nothing(call: str, says: bytes) -> None:
    hook = fetching(f"""
try:
    await {call}
except (Refused, TypeError) as error:
    return Reply(200, str(error))""")
    with waiting(hook, upstreams=two()) as (turns, gate):
        client = turns.do(lambda: gate.client(GET))
        turns.until(client.answers, gate)
        assert says in client.answer.body
        assert b"secret" not in client.answer.body
        assert gate.stats["live_fetches"] == gate.stats["live_detached"] == 0
        assert auths(gate) == []


def test_a_def_hook_cannot_wait_for_it() -> None:
    hook = python("""
        def h(req):
            req.fetch("auth")
    """, fetch=["auth"])  # fmt: skip
    with waiting(hook, upstreams=two()) as (turns, gate):
        client = turns.do(lambda: gate.client(GET))
        turns.until(client.answers, gate)
        assert client.statuses == [500]


def test_a_timeout_around_it_and_a_client_that_leaves_let_it_go() -> None:
    hook = fetching("""
try:
    async with asyncio.timeout(0.05):
        await req.fetch("auth")
except TimeoutError:
    await req.fetch("auth", "/second")""")
    with waiting(hook, upstreams=two()) as (turns, gate):
        client = turns.do(lambda: gate.client(GET))
        turns.until(lambda: len(auths(gate)) == 2, gate)
        assert auths(gate)[0].ended != "open"
        assert gate.stats["live_fetches"] == 1
        turns.do(client.reset)
        turns.until(lambda: gate.stats["live_fetches"] == 0, gate)
        assert auths(gate)[1].ended != "open"


def test_one_that_nobody_awaits_ends_with_its_run() -> None:
    hook = fetching("""
global kept
kept = req.fetch("auth")
return Reply(200, "done")""")
    with waiting(hook, upstreams=two()) as (turns, gate):
        client = turns.do(lambda: gate.client(GET))
        turns.until(client.answers, gate)
        assert client.answer.body == b"done"
        assert gate.stats["live_fetches"] == gate.stats["live_detached"] == 0


def test_a_reload_in_the_middle_changes_nothing_for_it() -> None:
    hook = fetching('return Reply(200, (await req.fetch("auth")).text)')
    with waiting(hook, upstreams=two()) as (turns, gate):
        client = turns.do(lambda: gate.client(GET))
        turns.until(lambda: auths(gate), gate)
        turns.do(lambda: gate.publish(plan_of(upstreams=[upstream()])))
        turns.do(lambda: auths(gate)[0].send(ok(b"old")))
        turns.until(client.answers, gate)
        assert client.answer.body == b"old"
        assert gate.stats["live_plans"] == 1
