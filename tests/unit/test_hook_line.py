"""Requests of one key that wait for the first one's run: `cache` of hooks that wait."""

from __future__ import annotations

from typing import Any

import pytest
from pygw._core.memory_worker import fail_allocations

from pygw._core import variant
from pygw.bill import row_of
from tests.unit import plans
from tests.unit.lua_hooks import needs_lua, request
from tests.unit.memory import OK, Client, Gate, Json, ok, plan_of, serving, upstream
from tests.unit.python_hooks import python, waiting

HOOK_CACHE_LEADS = 1024  # limits.pxd
HOOK_CACHE_LINE = 1024
HOOK_CACHE_WAIT_MS = 10000

pytestmark = needs_lua

KEYED: Json = {
    "reads": ["headers.x-key", "path"],
    "cache": {"key": [["header", "x-key"], " ", ["path"]], "ttl_ms": 1000},
}
COUNTED = "count = (count or 0) + 1 "
SLEEPS = COUNTED + "gw.sleep(0.1) gw.reply(200, nil, tostring(count))"
TOO_MANY = 'local many = {} for i = 1, 65 do many[i] = "y" end gw.reply(200, { x = many })'


def keyed(body: str, **changes: Any) -> Json:
    return request(body, **(KEYED | {"deadline_ms": 5000} | changes))


def ask(gate: Gate, key: bytes = b"k", path: bytes = b"/") -> Client:
    return gate.client(b"GET " + path + b" HTTP/1.1\r\nHost: a\r\nX-Key: " + key + b"\r\n\r\n")


def counted(gate: Gate) -> tuple[int, int, int]:
    names = ("hook_cache_hits", "hook_cache_misses", "hook_cache_waits")
    hits, misses, waits = (gate.stats[name] for name in names)
    return hits, misses, waits


def bodies(clients: list[Client]) -> list[bytes]:
    return [client.answer.body for client in clients]


def test_the_hook_runs_once_for_all_that_come_while_it_waits() -> None:
    with serving(keyed(SLEEPS)) as gate:
        clients = [ask(gate) for _ in range(5)]
        other = ask(gate, b"other")
        gate.advance(120)
        assert bodies([*clients, ask(gate)]) == [b"2"] * 6  # `count` as it is when a run goes on
        assert other.answer.body == b"2"
        assert counted(gate) == (5, 2, 4)


def test_hooks_in_python_and_what_they_decide_to_leave_alone_too() -> None:
    hook = python(
        """
        import asyncio
        count = 0
        async def h(req):
            global count
            count += 1
            await asyncio.sleep(0.01)
            req.headers["x-n"] = str(count)
        """,
        **KEYED,
    )
    with waiting(hook) as (turns, gate):
        for _ in range(3):
            turns.do(lambda: ask(gate))
        turns.until(lambda: len(gate.origins) == 3, gate)
        assert [one.requests()[0].one("x-n") for one in gate.origins] == [b"1"] * 3
        for one in gate.origins:
            turns.do(lambda one=one: one.send(OK))
        assert counted(gate) == (2, 1, 2)


def test_when_the_client_of_the_first_leaves_the_next_runs_for_all() -> None:
    with serving(keyed(SLEEPS)) as gate:
        clients = [ask(gate) for _ in range(4)]
        gate.advance(50)
        clients[0].reset()
        gate.worker.settle()
        clients[2].reset()
        gate.worker.settle()
        gate.advance(60)
        assert clients[1].answers() == []
        gate.advance(50)
        assert bodies([clients[1], clients[3]]) == [b"2", b"2"]
        assert counted(gate) == (1, 2, 3)


def test_when_all_leave_nothing_is_left() -> None:
    with serving(keyed(SLEEPS)) as gate:
        for client in [ask(gate) for _ in range(4)]:
            client.reset()
        gate.worker.settle()
        assert gate.stats["live_hook_calls"] == 0
        last = ask(gate)
        gate.advance(120)
        assert last.answer.status == 200


@pytest.mark.parametrize("end", ['error("no")', "gw.abort()", "gw.reply(503)", TOO_MANY])
def test_when_nothing_is_kept_each_has_its_own_run(end: str) -> None:
    hook = keyed(COUNTED + "gw.sleep(0.1) " + end, on_error="fail")
    with serving(hook, request('gw.reply(200, nil, "next")', name="h2")) as gate:
        clients = [ask(gate) for _ in range(3)]
        gate.advance(110)
        assert all(not client.answers() or client is clients[0] for client in clients)
        gate.advance(110)
        hits, misses, waits = counted(gate)
        assert (hits, misses, waits) == (0, 3, 2)
        assert gate.stats["live_hook_calls"] == 0


def test_a_decision_to_say_no_is_shared() -> None:
    with serving(keyed(COUNTED + 'gw.sleep(0.1) gw.reply(403, { n = "1" })')) as gate:
        clients = [ask(gate) for _ in range(3)]
        gate.advance(120)
        assert [client.answer.status for client in clients] == [403] * 3
        assert counted(gate) == (2, 1, 2)


def test_a_deadline_is_one_for_the_line_and_the_run() -> None:
    hook = keyed("gw.sleep(9) gw.reply(200)", deadline_ms=300)
    with serving(hook) as gate:
        first = ask(gate)
        gate.advance(200)
        second = ask(gate)
        gate.advance(120)
        assert first.answer.status == 500 or first.answer.status == 504
        assert second.answers() == []
        gate.advance(200)
        assert second.answer.status == first.answer.status
        row = next(r for r in map(row_of, gate.worker.bills()["rows"]) if r.name == "h1")
        assert row.outcomes["deadline"] == 2


def test_one_that_stands_in_line_when_its_deadline_passes_fails_like_a_run() -> None:
    hook = keyed("gw.sleep(9) gw.reply(200)", deadline_ms=300, on_error="skip")
    with serving(hook, request('gw.reply(200, nil, "next")', name="h2")) as gate:
        clients = [ask(gate), ask(gate)]
        gate.advance(320)
        assert bodies(clients) == [b"next", b"next"]


def test_without_a_deadline_it_stands_there_for_a_bounded_time() -> None:
    hook = keyed(COUNTED + "gw.sleep(20) gw.reply(200, nil, tostring(count))", deadline_ms=None)
    with serving(hook) as gate:
        clients = [ask(gate), ask(gate)]
        gate.advance(HOOK_CACHE_WAIT_MS - 100)
        assert counted(gate) == (0, 1, 1)
        gate.advance(200)
        assert counted(gate) == (0, 2, 1)
        gate.advance(21000)
        assert bodies(clients) == [b"2", b"2"]


def test_a_line_is_bounded() -> None:
    with serving(keyed(SLEEPS), limits={"max_connections": 4000}) as gate:
        clients = [ask(gate) for _ in range(HOOK_CACHE_LINE + 3)]
        assert counted(gate) == (0, 3, HOOK_CACHE_LINE)
        gate.advance(150)
        assert {client.answer.status for client in clients} == {200}


def test_keys_that_share_a_place_of_the_table_are_told_apart() -> None:
    hook = keyed(COUNTED + "gw.sleep(0.1) gw.reply(200, nil, req.path)")
    with serving(hook) as gate:
        paths = [b"/%d" % n for n in range(HOOK_CACHE_LEADS // 4)]  # some 30 share a place
        clients = [ask(gate, b"k", path) for path in paths]
        again = [ask(gate, b"k", path) for path in paths]
        gate.advance(150)
        assert bodies(clients) == bodies(again) == paths
        assert counted(gate)[2] == len(paths)


def test_a_reload_leaves_those_in_line_with_their_own_plan() -> None:
    with serving(keyed(COUNTED + 'gw.sleep(0.1) gw.reply(200, nil, "old")')) as gate:
        old = [ask(gate), ask(gate)]
        gate.publish(plan_of(keyed('gw.sleep(0.1) gw.reply(200, nil, "new")')))
        new = [ask(gate), ask(gate)]
        gate.advance(150)
        assert bodies(old) == [b"old", b"old"]
        assert bodies(new) == [b"new", b"new"]
        assert counted(gate) == (2, 2, 2)
        assert gate.stats["live_kept"] == 1


def test_one_answer_of_a_service_does_for_all() -> None:
    hook = keyed(
        'local res = gw.fetch("auth") gw.reply(200, nil, res and res.body or "none")',
        fetch=["auth"],
    )
    auth = upstream(name="auth", targets=[plans.target(9100)], retries=0)
    with serving(hook, upstreams=[upstream(), auth]) as gate:
        clients = [ask(gate) for _ in range(4)]
        (asked,) = gate.origins
        asked.send(ok(b"anna"))
        gate.advance(10)
        assert bodies(clients) == [b"anna"] * 4
        assert len(asked.requests()) == 1


def test_what_it_waits_in_line_is_told_as_waiting() -> None:
    with serving(keyed(SLEEPS)) as gate:
        for _ in range(2):
            ask(gate)
        gate.advance(120)
        row = next(r for r in map(row_of, gate.worker.bills()["rows"]) if r.name == "h1")
        assert (row.waits, row.outcomes["reply"]) == (2, 2)
        assert 190_000_000 <= row.wait_ns <= 250_000_000


def test_a_worker_that_stops_lets_all_go() -> None:
    with serving(keyed(SLEEPS)) as gate:
        for _ in range(3):
            ask(gate)
        gate.worker.stop()
        gate.worker.settle()
        assert gate.stats["live_hook_calls"] == 0


@pytest.mark.skipif(not variant.DEBUG, reason="allocations fail in debug builds only")
def test_each_allocation_that_fails_costs_its_own_request_only() -> None:
    for good in range(60):
        with serving(keyed(SLEEPS)) as gate:
            first = ask(gate)
            fail_allocations(good)
            try:
                others = [ask(gate), ask(gate)]
                gate.advance(120)
            except MemoryError:
                others = []
            finally:
                fail_allocations(-1)
            gate.advance(300)
            for one in (first, *others):
                one.cut_allowed = True
            answered = sum(b"HTTP/1.1 200 " in one.received for one in (first, *others))
            assert answered >= len(others)
            last = ask(gate)
            gate.advance(120)
            assert last.answer.status == 200
