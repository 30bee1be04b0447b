"""Memory runs out at any moment within chains of hooks, in every language.

That exchange fails or its connection ends; none is answered 200 with less than its hooks write;
nothing is left behind. As in `test_exchange_shortage`; needs a debug build.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pygw._core.memory_worker import allocations, fail_allocations

from tests.unit import plans
from tests.unit.lua_hooks import lua, needs_lua
from tests.unit.memory import Gate, Json, ok, post, upstream
from tests.unit.native_hooks import native
from tests.unit.python_hooks import Turns, python, waiting
from tests.unit.test_exchange_shortage import needs_debug, whole

BAD = (1, 2, 1000)
ANSWER = ok(b"answer", b"X-Old: 1")
DO = "#define DO(call) if ((call) != 0) return PYGW_FAILED\n"

HEADS = {
    "native": lambda: native(
        before=DO,
        request='DO(H->header_set(C, 0, "x-a", 3, "1", 1));'
        ' DO(H->header_add(C, 0, "x-a", 3, "2", 1));'
        ' DO(H->path_set(C, "/new", 4)); DO(H->query_set(C, "a=b", 3));'
        ' DO(H->var_set(C, "who", 3, "anna", 4)); if (!H->request_id(C)) return PYGW_FAILED;',
        response='const pygw_span *v = H->var_get(C, "who", 3); if (!v) return PYGW_FAILED;'
        ' DO(H->header_set(C, 1, "x-b", 3, v->ptr, v->len)); H->header_del(C, 1, "x-old", 5);'
        " if (call->response->status == 200) DO(H->status_set(C, 202));",
    ),
    "lua": lambda: lua("""return {
        request = function(req)
          req.set_header("x-a", 1) req.add_header("x-a", 2)
          req.path, req.query = "/new", "a=b"
          gw.var.who = "an" .. req.id:sub(1, 0) .. "na"
        end,
        response = function(req, resp)
          resp.set_header("x-b", gw.var.who) resp.del_header("x-old")
          if resp.status == 200 then resp.status = 202 end
        end}"""),
    "python": lambda: python(CLASS.format(head="def", wait="pass"), "Hook"),
    "async": lambda: python(CLASS.format(head="async def", wait="await asyncio.sleep(0)"), "Hook"),
}  # fmt: skip
CLASS = """
import asyncio
class Hook:
    {head} request(self, req):
        req.headers["x-a"] = "1"
        req.headers.add("x-a", "2")
        req.path, req.query = "/new", "a=b"
        {wait}
        req.vars["who"] = "an" + req.id[:0] + "na"

    {head} response(self, req, resp):
        resp.headers["x-b"] = req.vars["who"]
        {wait}
        resp.headers.delete("x-old")
        if resp.status == 200: resp.status = 202
"""
BODY = 'DO(H->body_set(C, "new", 3));'
BODIES = {
    "native": lambda mode: native(
        {"body": mode}, before=DO, request_body=BODY, response_body=BODY, response=(
            'DO(H->header_set(C, 1, "x-b", 3, "anna", 4));')),
    "lua": lambda mode: lua("""return {
        request_body = function(req) req.body = "new" end,
        response = function(req, resp) resp.set_header("x-b", "anna") end,
        response_body = function(req, resp) resp.body = "new" end}""", body=mode),
    "python": lambda mode: python(BODY_CLASS.format(head="def"), "Hook", body=mode),
    "async": lambda mode: python(BODY_CLASS.format(head="async def"), "Hook", body=mode),
}  # fmt: skip
BODY_CLASS = """
class Hook:
    {head} request_body(self, req): req.body = b"new"
    {head} response(self, req, resp): resp.headers["x-b"] = "anna"
    {head} response_body(self, req, resp): resp.body = b"new"
"""
REPLIES = {
    "native": lambda: native(
        before=DO, request='DO(H->reply(C, 200, "text/plain", 10, "new", 3));'
        ' DO(H->reply_header(C, "x-b", 3, "anna", 4)); return PYGW_REPLY;'),
    "lua": lambda: lua(
        'return function() gw.reply(200, {["x-b"] = "anna"}, "new") end'),
    "python": lambda: python("def h(req): return Reply(200, 'new', {'x-b': 'anna'})"),
    "async": lambda: python("async def h(req): return Reply(200, 'new', {'x-b': 'anna'})"),
}  # fmt: skip
FETCH = """
static int got(void *self, const pygw_call *call, void *arg, const pygw_fetched *r) {
    if (r->error || r->status != 200) return PYGW_FAILED;
    DO(H->header_set(C, 0, "x-a", 3, r->body.ptr, r->body.len));
    return PYGW_NEXT;
}
"""
WAITS = {
    "native": lambda: native(
        {"fetch": ["auth"]}, before=DO + FETCH, init="out->may_wait = 1;",
        request='static const pygw_span fields[] = {{"X-From", 6}, {"native", 6}};'
        ' pygw_fetch what = {sizeof(what), 200, {"auth", 4}, {0}, {"/a", 2}, {"hi", 2}, fields, 1};'
        " DO(H->fetch(C, &what, got, NULL)); return PYGW_WAIT;",
        response='DO(H->header_set(C, 1, "x-b", 3, "anna", 4));'),
    "lua": lambda: lua("""return {
        request = function(req)
          gw.sleep(0.005)
          local what = {path = "/a", body = "hi", headers = {["X-A"] = "1"}}
          local res = assert(gw.fetch("auth", what))
          req.set_header("x-a", res.body)
        end,
        response = function(req, resp) gw.sleep(0.005) resp.set_header("x-b", "anna") end
        }""", fetch=["auth"], deadline_ms=1000),
    "async": lambda: python("""
        import asyncio
        class Hook:
            async def request(self, req):
                res = await req.fetch("auth", "/a", body="hi", headers={"X-A": "1"})
                req.headers["x-a"] = res.text
            async def response(self, req, resp):
                await asyncio.sleep(0)
                resp.headers["x-b"] = "anna"
        """, "Hook", fetch=["auth"]),
}  # fmt: skip
KEPT = {"reads": ["headers.x-key"], "cache": {"key": [["header", "x-key"]], "ttl_ms": 60_000}}
CACHED = {
    "native": lambda: native(
        KEPT, before=DO, request='DO(H->header_set(C, 0, "x-a", 3, "1", 1));'
        ' DO(H->var_set(C, "who", 3, "anna", 4));'),
    "lua": lambda: lua(
        'return function(req) req.set_header("x-a", "1") gw.var.who = "anna" end', **KEPT),
    "python": lambda: python(
        "def h(req):\n    req.headers['x-a'] = '1'\n    req.vars['who'] = 'anna'\n", **KEPT),
}  # fmt: skip


def ask(gate: Gate, steps: list[bytes]) -> None:
    """A client that sends these, one after the other."""
    client = gate.client()
    for step in steps:
        client.send(step)


POST = post(b"some", b"/", b"X-Key: k")
CHUNKS = [b"POST / HTTP/1.1\r\nHost: a\r\nX-Key: k\r\nTransfer-Encoding: chunked\r\n\r\n"]
CHUNKS += [b"2\r\nso\r\n", b"2\r\nme\r\n", b"0\r\n\r\n"]


class Play:
    """One exchange after the other in one gate, some of which find no memory."""

    def __init__(self, turns: Turns, gate: Gate, steps: list[bytes], body: bytes) -> None:
        self.turns, self.gate, self.steps, self.body = turns, gate, steps, body
        self.whole = 0

    def run(self, good: int, bad: int) -> int:
        """With these allocations failing; how many there were."""
        fail_allocations(good, bad)
        try:
            self.turns.do(lambda: ask(self.gate, self.steps))
            for _ in range(4):
                self.turns.do(self.go_on)
        except MemoryError:
            pass  # a client that was not even accepted
        finally:
            asked: int = allocations()
            fail_allocations(-1)
        self.turns.do(self.go_on)
        self.turns.do(self.end)
        self.turns.do(lambda: self.gate.advance(120_000))
        self.turns.do(self.gate.worker.settle)
        live = {kind: n for kind, n in self.gate.worker.live().items() if "kept" not in kind}
        assert not any(live.values()), (good, live)
        return asked

    def go_on(self) -> None:
        self.gate.advance(11)
        for origin in self.gate.origins:
            if not origin.closed:
                for _ in range(origin.owed):
                    origin.send(ANSWER)

    def end(self) -> None:
        for client in self.gate.clients:
            whole(client)
            for answer in client.answers():
                if answer.status in (200, 202) and answer.complete:
                    assert answer.one("x-b") == b"anna"
                    assert answer.body == self.body
                    self.whole += 1
            if not client.closed:
                client.reset()
        self.gate.clients.clear()


def play(hooks: list[Json], steps: list[bytes], body: bytes) -> None:
    """Every allocation fails once, and from then on some more."""
    auth = upstream(name="auth", targets=[plans.target(9100)], pool={"idle_timeout_ms": 1000})
    two = [upstream(pool={"idle_timeout_ms": 1000}), auth]
    with waiting(*hooks, upstreams=two) as (turns, gate):
        played = Play(turns, gate, steps, body)
        played.run(-1, 0)
        assert played.whole == 1
        total = played.run(-1, 0)
        for bad in BAD:
            for good in range(total):
                played.run(good, bad)
                assert gate.stats["spins"] == 0, good
        before = played.whole
        played.run(-1, 0)
        assert played.whole == before + 1
        for peer in (*gate.clients, *gate.origins):
            peer.cut_allowed = True


RUNTIMES = ["native", pytest.param("lua", marks=needs_lua), "python", "async"]
Make = Callable[..., Any]


@needs_debug
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_edits_of_heads(runtime: str) -> None:
    play([HEADS[runtime]()], [POST], b"answer")


@needs_debug
@pytest.mark.parametrize("mode", ["buffered", "stream"])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_edits_of_bodies(runtime: str, mode: str) -> None:
    play(
        [BODIES[runtime](mode)],
        CHUNKS if mode == "stream" else [POST],
        b"new" if mode == "buffered" else b"newnew",
    )


@needs_debug
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_replies(runtime: str) -> None:
    play([REPLIES[runtime]()], [POST], b"new")


@needs_debug
@pytest.mark.parametrize("runtime", ["native", pytest.param("lua", marks=needs_lua), "async"])
def test_waits(runtime: str) -> None:
    play([WAITS[runtime]()], [POST], b"answer")


@needs_debug
@pytest.mark.parametrize("runtime", RUNTIMES[:3])
def test_kept_decisions(runtime: str) -> None:
    shows = "return {response = function(q, resp) resp.set_header('x-b', gw.var.who) end}"
    play([CACHED[runtime](), lua(shows)], [POST], b"answer")


@needs_debug
def test_a_chain_of_all() -> None:
    play(
        [HEADS["native"](), HEADS["lua"](), HEADS["python"](), HEADS["async"]()], [POST], b"answer"
    )
