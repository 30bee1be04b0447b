"""`gw.fetch` of Lua hooks: requests to upstreams of the plan, in memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from pygw._core.memory_worker import allocations, fail_allocations
from pygw._core.part import PlanError

from pygw._core import variant
from pygw._core.dry_run import DryRun
from tests.unit import plans
from tests.unit.lua_hooks import lua, needs_lua, request
from tests.unit.memory import GET, OK, Client, Gate, Json, Origin, ok, plan_of, serving, upstream

FETCHES_RUN = 64  # limits.pxd
FETCHES_MAX = 2048
FETCH_BODY_MAX = 1 << 20
FETCH_FIELDS = 64
FETCH_UPSTREAMS_MAX = 16
FETCH_MS = 5000
FETCH_MAX_MS = 3_600_000

pytestmark = needs_lua

ASK = """
local res, why, cause = gw.fetch("auth", %s)
if not res then gw.reply(599, { why = why, cause = cause }, "failed") return end
gw.reply(200, { ["x-status"] = tostring(res.status), ["x-a"] = res.header("X-A") or "" }, res.body)
"""


def ask(options: str = "nil", **changes: Any) -> Json:
    """A hook that fetches from `auth` and replies with what came."""
    return fetching(ASK % options, **changes)


def fetching(body: str, **changes: Any) -> Json:
    return request(body, **({"fetch": ["auth"], "deadline_ms": 60_000} | changes))


def two(**changes: Any) -> list[Json]:
    auth = upstream(name="auth", targets=[plans.target(9100)], retries=0, **changes)
    return [upstream(), auth]


def auths(gate: Gate) -> list[Origin]:
    return [origin for origin in gate.origins if origin.address.endswith(":9100")]


def auth(gate: Gate) -> Origin:
    (one,) = auths(gate)
    return one


def test_a_hook_fetches_and_answers_by_what_came() -> None:
    with serving(ask('{ path = "/who?x=1" }'), upstreams=two()) as gate:
        client = gate.client(GET)
        assert client.answers() == []
        seen = auth(gate).request
        assert (seen.method, seen.target, seen.body) == (b"GET", b"/who?x=1", b"")
        assert seen.one("host") == b"127.0.0.1:9100"
        assert seen.one("x-forwarded-for") == b"192.0.2.1"
        assert seen.one("content-length") is None
        auth(gate).send(ok(b"anna", b"X-A: yes", b"Connection: x-hop", b"X-Hop: 1"))
        answer = client.answer
        assert (answer.status, answer.body) == (200, b"anna")
        assert (answer.one("x-status"), answer.one("x-a")) == (b"200", b"yes")
        assert gate.stats["live_fetches"] == gate.stats["live_detached"] == 0


def test_method_fields_and_body_leave_as_the_hook_says() -> None:
    options = """{ method = "PUT", path = "/t", body = "a=1", headers = {
      ["Content-Type"] = "application/x-www-form-urlencoded", host = "auth.example",
      ["X-Many"] = { "1", "2" }, traceparent = req.header("traceparent") } }"""
    with serving(ask(options), upstreams=two()) as gate:
        trace = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        gate.client(b"GET / HTTP/1.1\r\nHost: a\r\ntraceparent: " + trace + b"\r\n\r\n")
        seen = auth(gate).request
        assert (seen.method, seen.target, seen.body) == (b"PUT", b"/t", b"a=1")
        assert seen.one("host") == b"auth.example"
        assert seen.one("content-type") == b"application/x-www-form-urlencoded"
        assert seen.all("x-many") == [b"1", b"2"]
        assert seen.one("traceparent") == trace
        auth(gate).send(OK)


def test_the_request_is_of_the_same_trace_and_request_id() -> None:
    hook = fetching('gw.fetch("auth")')
    with serving(hook, upstreams=two()) as gate:
        trace = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        gate.client(b"GET / HTTP/1.1\r\nHost: a\r\ntraceparent: " + trace + b"\r\n\r\n")
        first = auth(gate).request
        auth(gate).send(OK)
        (main,) = [origin for origin in gate.origins if origin.address.endswith(":9001")]
        second = main.request
        assert first.one("x-request-id") == second.one("x-request-id") is not None
        for one in (first, second):
            assert (one.one("traceparent") or b"")[:35] == trace[:35]
        main.send(OK)


def test_a_post_without_a_body_says_so() -> None:
    with serving(ask('{ method = "POST" }'), upstreams=two()) as gate:
        gate.client(GET)
        assert auth(gate).request.one("content-length") == b"0"
        auth(gate).send(OK)


def test_the_answer_to_head_has_no_body() -> None:
    with serving(ask('{ method = "HEAD" }'), upstreams=two()) as gate:
        client = gate.client(GET)
        auth(gate).send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: h\r\n\r\n")
        assert (client.answer.one("x-a"), client.answer.body) == (b"h", b"")


def test_an_answer_in_pieces_is_one_body_and_all_its_fields_are_there() -> None:
    hook = fetching("""
      local res = gw.fetch("auth")
      local names = {}
      for i, field in ipairs(res.headers()) do names[i] = field[1] end
      gw.reply(200, { names = table.concat(names, " "), two = #res.headers("X-TWO") }, res.body)
    """)
    with serving(hook, upstreams=two()) as gate:
        client = gate.client(GET)
        data = b"HTTP/1.1 201 Made\r\nX-Two: a\r\nx-two: b\r\nTransfer-Encoding: chunked\r\n\r\n"
        auth(gate).send(data + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", size=7)
        answer = client.answer
        assert (answer.body, answer.one("two")) == (b"abcde", b"2")
        assert (answer.one("names") or b"").split()[:2] == [b"X-Two", b"x-two"]


def test_fifty_interleaved_runs_never_see_each_others_exchange() -> None:
    hook = fetching("""
      local mine = req.path
      for i = 1, 3 do
        local res = gw.fetch("auth", { path = mine .. "/" .. i })
        if res.body ~= mine .. "/" .. i or req.path ~= mine then error("mixed up") end
        req.set_header("x-seen", (req.header("x-seen") or "") .. i)
      end
      gw.reply(200, { seen = req.header("x-seen") }, mine)
    """)
    with serving(hook, upstreams=two()) as gate:
        clients = {n: gate.client(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n) for n in range(50)}
        answered: dict[int, int] = {}
        for turn in range(200):
            owing = [one for one in auths(gate) if one.owed]
            if not owing:
                break
            one = owing[(turn * 7) % len(owing)]
            last = one.requests()[-1]
            one.send(ok(last.target))
            answered[turn] = 1
        for n, client in clients.items():
            assert client.answer.body == b"/%d" % n
            assert client.answer.one("seen") == b"123"
        assert len(answered) == 150


@pytest.mark.parametrize(
    ("data", "why", "cause"),
    [
        (b"nonsense\r\n\r\n", b"bad answer", b"bad_response"),
        (ok(b"x" * (FETCH_BODY_MAX + 1)), b"too large", b"hook_body_too_large"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 40000, b"bad answer", b"response_head_too_large"),
    ],
)
def test_what_is_no_answer_is_a_value_with_its_cause(data: bytes, why: bytes, cause: bytes) -> None:
    with serving(ask(), upstreams=two()) as gate:
        client = gate.client(GET)
        auth(gate).cut_allowed = True
        auth(gate).send(data)
        answer = client.answer
        assert (answer.status, answer.one("why"), answer.one("cause")) == (599, why, cause)


def test_the_longest_answer_is_taken() -> None:
    hook = fetching('gw.reply(200, nil, tostring(#gw.fetch("auth").body))')
    with serving(hook, upstreams=two()) as gate:
        client = gate.client(GET)
        auth(gate).send(ok(b"x" * FETCH_BODY_MAX))
        assert client.answer.body == b"%d" % FETCH_BODY_MAX


def test_a_service_that_leaves_refuses_or_cuts_is_a_value() -> None:
    def closed(gate: Gate) -> None:
        auth(gate).finish()

    def cut(gate: Gate) -> None:
        auth(gate).send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfour")
        auth(gate).finish()

    said: list[tuple[Callable[[Gate], None], str, bytes]] = [
        (closed, "accept", b"closed"),
        (cut, "accept", b"closed"),
        (lambda gate: None, "ECONNREFUSED", b"unreachable"),
        (lambda gate: None, "ENETUNREACH", b"unreachable"),
    ]
    for deed, policy, why in said:
        with serving(ask(), upstreams=two()) as gate:
            gate.worker.policy = lambda end, policy=policy: policy
            client = gate.client(GET)
            deed(gate)
            assert client.answer.one("why") == why


def test_an_upstream_without_a_living_target_is_unreachable_and_ejection_works() -> None:
    with serving(ask(), upstreams=two(eject=plans.eject(faults=1))) as gate:
        gate.refuse("127.0.0.1:9100")
        assert gate.client(GET).answer.one("cause") == b"connection_refused"
        assert gate.stats["ejections"] == 1


@pytest.mark.parametrize(
    ("options", "ms", "timeouts"),
    [
        ("{ timeout = 0.2 }", 200, {}),
        ("nil", FETCH_MS, {}),
        ("nil", 300, {"response_ms": 300}),
    ],
)
def test_a_slow_service_is_a_timeout(options: str, ms: int, timeouts: Json) -> None:
    with serving(ask(options), upstreams=two(timeouts=timeouts)) as gate:
        client = gate.client(GET)
        assert len(auths(gate)) == 1
        gate.advance(ms - 20)
        assert client.answers() == []
        gate.advance(40)
        assert client.answer.one("why") == b"timeout"
        assert gate.stats["live_detached"] == 0
        assert (gate.stats["fetches"], gate.stats["fetch_faults"]) == (1, 1)


def test_a_client_that_leaves_takes_its_fetch_along() -> None:
    with serving(ask(), upstreams=two()) as gate:
        client = gate.client(GET)
        client.reset()
        assert auth(gate).ended != "open"
        assert gate.stats["live_fetches"] == gate.stats["live_detached"] == 0
        assert gate.stats["client_gone"] == 1
        assert (gate.stats["fetches"], gate.stats["fetch_faults"]) == (1, 0)
        assert gate.client(GET).answers() == []
        auths(gate)[1].send(ok(b"next"))
        assert gate.clients[1].answer.body == b"next"


def test_the_deadline_of_the_hook_ends_its_fetch() -> None:
    with serving(ask(deadline_ms=100), upstreams=two()) as gate:
        client = gate.client(GET)
        gate.advance(120)
        assert client.statuses == [500]
        assert gate.causes == ["hook_late"]
        assert auth(gate).ended != "open"
        assert gate.stats["live_detached"] == 0


def test_a_reload_in_the_middle_changes_nothing_for_it() -> None:
    with serving(ask(), upstreams=two()) as gate:
        client = gate.client(GET)
        gate.publish(plan_of(upstreams=[upstream()]))
        auth(gate).send(ok(b"old"))
        assert client.answer.body == b"old"
        assert gate.stats["live_plans"] == 1


def test_a_drain_serves_it_and_a_stop_ends_it() -> None:
    with serving(ask(), upstreams=two()) as gate:
        served, cut = gate.client(GET), gate.client(GET)
        gate.worker.drain(1000)
        auths(gate)[0].send(ok(b"drained"))
        assert served.answer.body == b"drained"
        gate.worker.stop()
        gate.worker.settle()
        assert cut.answers() == []
        assert gate.stats["live_fetches"] == gate.stats["live_detached"] == 0


def test_a_run_fetches_a_bounded_number_of_times() -> None:
    hook = fetching("""
      local n = 0
      while true do
        local res, why = gw.fetch("auth")
        if not res then gw.reply(200, { why = why }, tostring(n)) return end
        n = n + 1
      end
    """)
    with serving(hook, upstreams=two()) as gate:
        client = gate.client(GET)
        while not client.answers():
            auth(gate).send(OK)
        assert client.answer.body == b"%d" % FETCHES_RUN
        assert client.answer.one("why") == b"limit"


def test_a_worker_has_a_bounded_number_at_once() -> None:
    pool = plans.upstream()["pool"] | {"queue": 10_000, "connections": 1}
    with serving(ask(), upstreams=two(pool=pool), limits={"max_connections": 9000}) as gate:
        for _ in range(FETCHES_MAX):
            gate.client(GET)
        assert gate.stats["live_fetches"] == FETCHES_MAX
        assert gate.client(GET).answer.one("cause") == b"too_many_fetches"
        for client in gate.clients[:-1]:
            client.reset()
            assert gate.worker.lines[-1]  # the log's buffer is not as long as all of them
        assert gate.stats["live_fetches"] == 0


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ('gw.fetch("other")', "'other' is not among the upstreams in this hook's fetch:"),
        ("gw.fetch()", "argument 1 must be a string"),
        ('gw.fetch("auth", 1)', "options must be a table"),
        ('gw.fetch("auth", { url = "http://x" })', "there is no option 'url'"),
        ('gw.fetch("auth", { method = "get" })', "method or path: a value that cannot stand"),
        ('gw.fetch("auth", { method = "CONNECT" })', "method or path"),
        ('gw.fetch("auth", { path = "x" })', "method or path"),
        ('gw.fetch("auth", { path = "http://evil/" })', "method or path"),
        ('gw.fetch("auth", { path = "/a b" })', "method or path"),
        ('gw.fetch("auth", { path = "/a\\r\\nX: y" })', "method or path"),
        ('gw.fetch("auth", { path = "/../a" })', "method or path"),
        ('gw.fetch("auth", { path = "/?a\\0" })', "method or path"),
        ('gw.fetch("auth", { headers = { ["x\\r\\ny"] = "1" } })', "header x"),
        ('gw.fetch("auth", { headers = { x = "a\\r\\nEvil: 1" } })', "header x: a value that"),
        ('gw.fetch("auth", { headers = { x = "a\\0" } })', "header x"),
        ('gw.fetch("auth", { headers = { host = "a b" } })', "header host"),
        ('gw.fetch("auth", { headers = { ["content-length"] = "1" } })', "gateway writes this"),
        ('gw.fetch("auth", { headers = { ["Transfer-Encoding"] = "x" } })', "gateway writes this"),
        ('gw.fetch("auth", { headers = "x" })', "headers must be a table"),
        ('gw.fetch("auth", { timeout = 0 })', "timeout is a number of seconds above 0"),
        ('gw.fetch("auth", { timeout = 4000 })', "body or timeout"),
        (f'gw.fetch("auth", {{ body = ("x"):rep({FETCH_BODY_MAX + 1}) }})', "body or timeout"),
    ],
)
def test_what_cannot_be_asked_is_an_error_that_names_it(call: str, says: str) -> None:
    hook = fetching(f"local ok, e = pcall(function() {call} end) gw.reply(200, nil, tostring(e))")
    with serving(hook, upstreams=two()) as gate:
        client = gate.client(GET)
        assert says in client.answer.body.decode()
        assert auths(gate) == []
        assert gate.stats["live_fetches"] == gate.stats["live_detached"] == 0


def test_a_request_has_a_bounded_number_of_fields() -> None:
    hook = fetching("""
      local many = {}
      for i = 1, tonumber(req.query) do many["x" .. i] = "1" end
      local ok, e = pcall(gw.fetch, "auth", { headers = many })
      gw.reply(200, nil, tostring(e))
    """)
    with serving(hook, upstreams=two()) as gate:
        few = b"GET /?%d HTTP/1.1\r\nHost: a\r\n\r\n" % FETCH_FIELDS
        many = b"GET /?%d HTTP/1.1\r\nHost: a\r\n\r\n" % (FETCH_FIELDS + 1)
        assert b"too much of it" in gate.client(many).answer.body
        gate.client(few)
        auth(gate).send(OK)


def test_a_fetch_after_an_error_and_a_sleep_wait_for_their_own() -> None:
    hook = fetching("""
      pcall(gw.fetch, "auth", { headers = { x = "\\n" } })
      gw.sleep(0.05)
      local one = gw.fetch("auth", { path = "/1" })
      gw.sleep(0.05)
      local two = gw.fetch("auth", { path = "/2" })
      gw.reply(200, nil, one.body .. two.body)
    """)
    with serving(hook, upstreams=two()) as gate:
        client = gate.client(GET)
        for path in (b"/1", b"/2"):
            gate.advance(60)
            assert auth(gate).requests()[-1].target == path
            auth(gate).send(ok(path))
        assert client.answer.body == b"/1/2"


def test_a_hooks_own_coroutine_fetches_too() -> None:
    hook = fetching("""
      local co = coroutine.wrap(function()
        local res = gw.fetch("auth")
        coroutine.yield(res.body)
      end)
      gw.reply(200, nil, co())
    """)
    with serving(hook, upstreams=two()) as gate:
        client = gate.client(GET)
        auth(gate).send(ok(b"inner"))
        assert client.answer.body == b"inner"


def test_response_and_body_phases_fetch_and_the_log_phase_does_not() -> None:
    code = """return {
      request_body = function(req) gw.fetch("auth", { path = "/rb", body = req.body }) end,
      response = function(req, resp)
        resp.set_header("x-auth", gw.fetch("auth", { path = "/r" }).body)
      end,
      log = function() local ok, e = pcall(gw.fetch, "auth") gw.log("error", tostring(e)) end,
    }"""
    hook = lua(code, fetch=["auth"], body="buffered", deadline_ms=60_000)
    with serving(hook, upstreams=two()) as gate:
        client = gate.client(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
        assert auth(gate).request.body == b"abc"
        auth(gate).send(OK)
        (main,) = [origin for origin in gate.origins if origin.address.endswith(":9001")]
        main.send(ok(b"main"))
        auth(gate).send(ok(b"fine"))
        assert (client.answer.one("x-auth"), client.answer.body) == (b"fine", b"main")
        assert len(auth(gate).requests()) == 2


def test_a_plan_whose_hook_fetches_from_nowhere_is_refused() -> None:
    with pytest.raises(PlanError, match="hook h1: fetches from nowhere, which is no upstream"):
        plans.build(plan_of(ask(fetch=["nowhere"])))
    many = [f"u{n}" for n in range(FETCH_UPSTREAMS_MAX + 1)]
    with pytest.raises(PlanError, match="names more than 16 upstreams"):
        plans.build(plan_of(ask(fetch=many)))


def test_a_service_asked_by_a_hook_of_its_own_route_is_told_from_a_loop() -> None:
    # The gateway is in Via: what comes back to it is answered with 508.
    with serving(ask(), upstreams=two()) as gate:
        client = gate.client(GET)
        seen = auth(gate).received
        again = gate.client(seen)
        assert again.statuses == [508]
        auth(gate).send(again.received)
        assert client.answer.one("x-status") == b"508"


@pytest.mark.skipif(not variant.DEBUG, reason="allocations fail in debug builds only")
def test_each_allocation_that_fails_is_one_request_and_nothing_is_kept() -> None:
    def one(gate: Gate) -> Client:
        client = gate.client(GET)
        client.cut_allowed = True  # an answer whose head has left when memory ends
        for origin in auths(gate):
            while origin.owed and not origin.closed:
                origin.send(ok(b"x" * 20_000))
        gate.advance(FETCH_MS + 100)
        return client

    with serving(ask(), upstreams=two()) as gate:
        assert one(gate).statuses == [200]
        fail_allocations(-1)
        one(gate)
        count = allocations()
        for good in range(count):
            fail_allocations(good)
            with suppress(MemoryError):
                one(gate)
            fail_allocations(-1)
            assert gate.stats["live_fetches"] == gate.stats["live_detached"] == 0
        assert one(gate).statuses == [200]


def test_a_dry_run_tells_the_clients_request_from_those_of_hooks() -> None:
    hook = fetching('req.set_header("x-status", tostring(gw.fetch("auth").status))')
    plan = plan_of(hook, upstreams=two())
    run = DryRun(json.dumps(plan).encode())
    try:
        ran = run.ask(GET)
    finally:
        run.close()
    assert [target for _, target in ran.targets] == ["http://127.0.0.1:9001"]
    (sent,) = ran.sent
    assert b"x-status: 200\r\n" in sent
    assert ran.status == 200
