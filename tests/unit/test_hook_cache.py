"""`cache` of pure hooks: decisions that a worker keeps, by a key."""

from __future__ import annotations

from typing import Any

import pytest
from pygw._core.memory_worker import allocations, fail_allocations
from pygw._core.part import PlanError

from pygw._core import variant
from tests.unit import plans
from tests.unit.lua_hooks import lua, needs_lua, request
from tests.unit.memory import GET, OK, Client, Gate, Json, ok, plan_of, serving, upstream
from tests.unit.python_hooks import python, waiting

HOOK_CACHE_ENTRIES = 16384  # limits.pxd
HOOK_CACHE_BUCKETS = 8192
HOOK_CACHE_BYTES = 16 << 20
HOOK_CACHE_BYTES_ONE = 65536
HOOK_CACHE_OPS = 128

pytestmark = needs_lua

KEYED: Json = {
    "reads": ["headers.x-key", "path"],
    "cache": {"key": [["header", "x-key"], " ", ["path"]], "ttl_ms": 1000},
}


def keyed(body: str, **changes: Any) -> Json:
    return request("count = (count or 0) + 1 " + body, **(KEYED | changes))


def ask(gate: Gate, key: bytes = b"k", path: bytes = b"/", *fields: bytes) -> Client:
    lines = [b"GET " + path + b" HTTP/1.1", b"Host: a", b"X-Key: " + key, *fields]
    return gate.client(b"\r\n".join(lines) + b"\r\n\r\n")


def counted(gate: Gate) -> tuple[int, int]:
    return gate.stats["hook_cache_hits"], gate.stats["hook_cache_misses"]


def test_a_reply_is_kept_by_its_key_until_its_time_is_over() -> None:
    with serving(keyed("gw.reply(403, { n = count }, req.path)")) as gate:
        said = [ask(gate).answer, ask(gate).answer]
        assert [(one.status, one.one("n"), one.body) for one in said] == [(403, b"1", b"/")] * 2
        assert counted(gate) == (1, 1)
        assert ask(gate, b"other").answer.one("n") == b"2"
        assert ask(gate, b"k", b"/x").answer.one("n") == b"3"
        gate.advance(990)
        assert ask(gate).answer.one("n") == b"1"
        gate.advance(20)
        assert ask(gate).answer.one("n") == b"4"
        assert counted(gate) == (2, 4)


def test_every_write_is_done_again_in_its_order() -> None:
    hook = keyed("""
      req.set_header("x-a", tostring(count)) req.add_header("x-a", "more") req.del_header("x-key")
      req.method = "PUT" req.path = "/new/path" req.query = "q=" .. count gw.var.v = "V" .. count
    """)
    after = request('req.set_header("x-var", gw.var.v)', name="h2")
    with serving(hook, after) as gate:
        seen = []
        for _ in range(2):
            client = ask(gate, b"k", b"/old")
            last = gate.origin.requests()[-1]
            fields = (last.all("x-a"), last.one("x-key"), last.one("x-var"))
            seen.append((last.method, last.target, fields))
            gate.origin.send(OK)
            assert client.statuses == [200]
        assert seen == [(b"PUT", b"/new/path?q=1", ([b"1", b"more"], None, b"V1"))] * 2
        assert counted(gate) == (1, 1)


def test_a_decision_to_do_nothing_is_one() -> None:
    with serving(keyed("")) as gate:
        for _ in range(3):
            ask(gate)
            gate.origin.send(OK)
        assert counted(gate) == (2, 1)


@pytest.mark.parametrize("body", ['error("no")', "gw.abort()", "return 5", "while true do end"])
def test_failures_are_never_kept(body: str) -> None:
    for on_error in ("fail", "skip"):
        with serving(keyed('req.set_header("x", "1") ' + body, on_error=on_error)) as gate:
            for _ in range(2):
                ask(gate)
                if gate.origins and gate.origin.owed:
                    gate.origin.send(OK)
            assert counted(gate) == (0, 2)


def test_a_field_that_came_twice_is_not_a_key() -> None:
    with serving(keyed("gw.reply(200, nil, tostring(count))")) as gate:
        bodies = [ask(gate, b"k", b"/", b"x-key: evil").answer.body for _ in range(2)]
        assert bodies == [b"1", b"2"]
        assert counted(gate) == (0, 0)
        assert ask(gate).answer.body == b"3"


@pytest.mark.parametrize(
    ("query", "cookie"),
    [
        (b"a=1&a=2", b"c=1"),
        (b"a=1&%61=2", b"c=1"),
        (b"%61=1", b"c=1"),
        (b"a=", b"c=1"),
        (b"a", b"c=1"),
        (b"a=1", b"c=1; d=1; c=2"),
        (b"a=1", b"c="),
        (b"a=1", b"c= 1"),
    ],
)
def test_a_pair_or_cookie_of_which_the_key_does_not_tell_all_is_no_key(
    query: bytes, cookie: bytes
) -> None:
    key = {"key": [["pair", "a"], ["cookie", "c"]], "ttl_ms": 1000}
    hook = keyed(
        'gw.reply(200, nil, req.query .. " " .. req.header("cookie"))',
        reads=["query", "headers.cookie"],
        cache=key,
    )
    with serving(hook) as gate:
        for _ in range(2):
            assert ask(gate, b"k", b"/?a=1", b"Cookie: c=1").answer.body == b"a=1 c=1"
            body = ask(gate, b"k", b"/?" + query, b"Cookie: " + cookie).answer.body
            assert body == query + b" " + cookie
        assert counted(gate) == (1, 1)


def test_a_field_that_is_empty_is_not_taken_for_one_that_is_not_there() -> None:
    hook = keyed('gw.reply(200, nil, req.header("x-key") == nil and "none" or "some")')
    with serving(hook) as gate:
        assert ask(gate, b"").answer.body == b"some"
        bare = gate.client(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert bare.answer.body == b"none"
        assert ask(gate, b"").answer.body == b"some"
        assert counted(gate) == (0, 1)


@pytest.mark.parametrize(
    "write",
    [
        'req.path = "no path"',
        'req.query = "a b"',
        'for i = 1, 65 do gw.var["v" .. i] = "" end',
        'local many = {} for i = 1, 65 do many[i] = "y" end gw.reply(200, { x = many })',
    ],
)
def test_a_run_that_went_on_after_a_write_that_failed_is_not_kept(write: str) -> None:
    with serving(keyed(f"pcall(function() {write} end)", phases=["request"])) as gate:
        for _ in range(2):
            client = ask(gate)
            if gate.origins and gate.origin.owed:
                gate.origin.send(OK)
            assert client.statuses == [200]
        assert counted(gate) == (0, 2)


def test_values_of_a_key_cannot_run_into_each_other() -> None:
    hook = request(
        "count = (count or 0) + 1 gw.reply(200, nil, tostring(count))",
        reads=["headers.a", "headers.b"],
        cache={"key": [["header", "a"], "|", ["header", "b"]], "ttl_ms": 1000},
    )
    with serving(hook) as gate:
        pairs = [(b"x|y", b"z"), (b"x", b"y|z"), (b"x|y|z", b""), (b"", b"x|y|z")]
        said = [
            gate.client(b"GET / HTTP/1.1\r\nHost: a\r\nA: %b\r\nB: %b\r\n\r\n" % pair).answer.body
            for pair in pairs
        ]
        assert said == [b"1", b"2", b"3", b"4"]


def test_one_hook_does_not_get_what_another_decided() -> None:
    first = keyed('req.set_header("x-first", "1")')
    second = keyed('req.set_header("x-second", "1")', name="h2")
    with serving(first, second) as gate:
        for _ in range(2):
            ask(gate)
            last = gate.origin.requests()[-1]
            assert (last.one("x-first"), last.one("x-second")) == (b"1", b"1")
            gate.origin.send(OK)
        assert counted(gate) == (2, 2)


def test_a_reload_begins_with_nothing_kept() -> None:
    hook = keyed('gw.reply(200, nil, "old")')
    with serving(hook) as gate:
        ask(gate)
        gate.publish(plan_of(keyed('gw.reply(200, nil, "new")')))
        assert ask(gate).answer.body == b"new"
        assert counted(gate) == (0, 2)


def test_a_decision_that_was_waited_for_is_kept() -> None:
    hook = keyed(
        'local res = gw.fetch("auth") req.set_header("x-user", res.body)',
        fetch=["auth"],
        deadline_ms=5000,
    )
    auth = upstream(name="auth", targets=[plans.target(9100)])
    with serving(hook, upstreams=[upstream(), auth]) as gate:
        ask(gate)
        (asked,) = gate.origins
        asked.send(ok(b"anna"))
        main = gate.origins[1]
        main.send(OK)
        ask(gate)
        assert [one.one("x-user") for one in main.requests()] == [b"anna", b"anna"]
        assert len(asked.requests()) == 1
        main.send(OK)
        assert counted(gate) == (1, 1)


def test_what_was_decided_without_an_answer_is_not_kept() -> None:
    hook = keyed(
        'local res = gw.fetch("auth") req.set_header("x-user", res and res.body or "nobody")',
        fetch=["auth"],
        deadline_ms=5000,
    )
    auth = upstream(name="auth", targets=[plans.target(9100)], retries=0)
    with serving(hook, upstreams=[upstream(), auth]) as gate:
        gate.refuse("127.0.0.1:9100")
        ask(gate)
        main = gate.origins[-1]
        main.send(OK)
        gate.accept()
        gate.advance(600)
        ask(gate)
        gate.origins[-1].send(ok(b"anna"))
        main.send(OK)
        assert [one.one("x-user") for one in main.requests()] == [b"nobody", b"anna"]
        assert counted(gate) == (0, 2)


def test_a_reply_that_tells_of_a_fault_is_not_kept() -> None:
    with serving(keyed("gw.reply(count == 1 and 503 or 403)")) as gate:
        assert [ask(gate).answer.status for _ in range(3)] == [503, 403, 403]
        assert counted(gate) == (1, 2)


def test_python_hooks_are_kept_too() -> None:
    hook = python(
        """
        count = 0
        async def h(req):
            global count
            count += 1
            req.vars["n"] = str(count)
            req.headers["x-n"] = str(count)
            if req.path == "/no":
                return Reply(401, "no", {"x-n": str(count)})
        """,
        **KEYED,
    )
    with waiting(hook) as (turns, gate):
        for _ in range(2):
            turns.do(lambda: ask(gate))
            assert gate.origin.requests()[-1].one("x-n") == b"1"
            turns.do(lambda: gate.origin.send(OK))
        refused = [turns.do(lambda: ask(gate, b"k", b"/no")) for _ in range(2)]
        assert [one.answer.one("x-n") for one in refused] == [b"2", b"2"]
        assert counted(gate) == (2, 2)


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (f'for i = 1, {HOOK_CACHE_OPS} do gw.var["v" .. i % 5] = "x" end', True),
        (f'for i = 1, {HOOK_CACHE_OPS + 1} do gw.var["v" .. i % 5] = "x" end', False),
        ('gw.reply(200, nil, ("x"):rep(20000))', True),
        (f'gw.reply(200, nil, ("x"):rep({HOOK_CACHE_BYTES_ONE // 2 + 1}))', False),
    ],
)
def test_what_is_too_long_is_not_kept(body: str, kept: bool) -> None:
    with serving(keyed(body)) as gate:
        for _ in range(2):
            ask(gate)
            if gate.origins:
                gate.origin.send(OK)
        assert counted(gate) == ((1, 1) if kept else (0, 2))


def test_a_key_that_is_too_long_is_not_looked_up() -> None:
    with serving(keyed("gw.reply(200, nil, tostring(count))")) as gate:
        bodies = [ask(gate, b"k" * 9000).answer.body for _ in range(2)]
        assert bodies == [b"1", b"2"]
        assert counted(gate) == (0, 0)


def test_entries_and_bytes_are_bounded_and_the_least_used_go_first() -> None:
    big = HOOK_CACHE_BYTES // (HOOK_CACHE_BYTES_ONE // 2 + 6000)
    with serving(keyed('gw.reply(200, nil, ("x"):rep(32000))', reads=["headers.x-key"])) as gate:
        ask(gate, b"0")
        for n in range(1, big * 2):
            ask(gate, b"%d" % n).end.take(1 << 16)
            ask(gate, b"0")
        hits = counted(gate)[0]
        assert hits == big * 2 - 1, "what is used stays"
        ask(gate, b"1")
        assert counted(gate)[0] == hits, "the least used went"
        assert gate.stats["live_kept_bytes"] <= HOOK_CACHE_BYTES


def test_a_worker_keeps_a_bounded_number() -> None:
    with serving(keyed("gw.reply(204)")) as gate:
        client = gate.client()
        lines = [
            b"GET / HTTP/1.1\r\nHost: a\r\nX-Key: %d\r\n\r\n" % n
            for n in range(HOOK_CACHE_ENTRIES + 50)
        ]
        for n in range(0, len(lines), 256):
            client.send(b"".join(lines[n : n + 256]))
            assert gate.worker.lines
        assert gate.stats["live_kept"] == HOOK_CACHE_ENTRIES > HOOK_CACHE_BUCKETS


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"cache": {"key": ["k"], "ttl_ms": 1}}, "cache: needs reads"),
        ({"reads": [], "cache": {"key": ["k"], "ttl_ms": 0}}, "cache.ttl_ms: must be from 1 to"),
        ({"reads": [], "cache": {"key": "k", "ttl_ms": 1}}, "cache.key: must be a list"),
        ({"reads": [], "cache": {"key": [], "ttl_ms": 1, "x": 1}}, "cache.x: unknown key"),
    ],
)
def test_a_plan_with_a_wrong_cache_is_refused(changes: Json, says: str) -> None:
    with pytest.raises(PlanError, match=says):
        plans.build(plan_of(request("", **changes)))
    two = lua("return { request = function() end, response = function() end }", **KEYED)
    with pytest.raises(PlanError, match="is for a hook of the phase request"):
        plans.build(plan_of(two))
    plans.build(plan_of(two | {"phases": ["request"]}))


@pytest.mark.skipif(not variant.DEBUG, reason="allocations fail in debug builds only")
def test_each_allocation_that_fails_costs_one_request_and_no_decision_is_wrong() -> None:
    body = 'for i = 1, 9 do gw.var["v" .. i] = ("x"):rep(900) end gw.reply(200, nil, req.path)'
    with serving(keyed(body, reads=["path"])) as gate:
        ask(gate)
        for n in range(200):
            fail_allocations(-1)
            fail_allocations(n % 40)
            try:
                client = gate.client(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % (n // 2))
            except MemoryError:
                continue
            finally:
                fail_allocations(-1)
            for answer in client.answers():
                assert answer.status in (500, 503) or answer.body == b"/%d" % (n // 2)
        assert allocations() >= 0
        assert ask(gate, b"k", b"/end").answer.body == b"/end"
        assert gate.client(GET).statuses == [200]
