"""What authors of hooks test with: a gateway in process, its services, its clock, its reports."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from pygw._core.runtimes import python_code
from pygw._core.watched_worker import WatchedWorker
from pygw.hooks import Reply, Request
from pygw.testing import Answer, ConfigError, Gateway, HookFailed, MakeGateway, MakeHook, Seen
from tests.unit.lua_hooks import lua, needs_lua
from tests.unit.memory import GET, plan_of

Write = Callable[[str, str], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a hook's file; its path."""

    def do(name: str, code: str) -> str:
        (tmp_path / name).write_text(textwrap.dedent(code))
        return str(tmp_path / name)

    return do


LIMIT = """
return {
  config = { header = { type = "string", default = "x-key" } },
  request = function(req)
    local who = req.header(gw.config.header)
    if not who then return gw.reply(401, { ["WWW-Authenticate"] = "Key" }, "no key\\n") end
    gw.var.who = who
    gw.log("warning", "hello " .. who)
    req.set_header("x-user", who)
  end,
  response = function(req, resp) resp.set_header("x-served", gw.var.who or "nobody") end,
}
"""


@needs_lua
def test_a_lua_hook_is_asked_and_everything_about_it_is_told(
    write: Write, pygw_hook: MakeHook
) -> None:
    gateway = pygw_hook(write("limit.lua", LIMIT))
    answer = gateway.get("/x")
    assert (answer.status, answer.text, answer.headers["WWW-Authenticate"]) == (
        401,
        "no key\n",
        "Key",
    )
    with pytest.raises(AssertionError, match=r"no request came to a service: <Response 401"):
        answer.sent  # noqa: B018
    assert (answer.origin, answer.outcome(), answer.outcome(phase="response")) == (
        None,
        "reply",
        "next",
    )
    answer = gateway.post("/x?a=1", headers={"x-key": "anna"}, json={"a": [1]})
    assert (answer.status, answer.text, answer.headers["x-served"]) == (200, "ok", "anna")
    seen = answer.sent
    assert (seen.method, seen.path, seen.query, seen.json()) == ("POST", "/x", "a=1", {"a": [1]})
    assert seen.headers["x-user"] == "anna"
    assert answer.vars == {"who": "anna"}
    assert [str(line) for line in answer.log] == ["warning hook limit: hello anna"]
    assert [(run.hook, run.phase, run.runtime) for run in answer.hooks] == [
        ("limit", "request", "lua"),
        ("limit", "response", "lua"),
    ]
    assert all(0 < run.seconds < 1 for run in answer.hooks)
    assert (answer.route, answer.cause, answer.access["status"]) == ("all", "-", 200)


@needs_lua
def test_config_and_options_are_those_of_an_entry(write: Write, pygw_hook: MakeHook) -> None:
    hook = write("limit.lua", LIMIT)
    gateway = pygw_hook(hook, {"header": "x-b"}, phases=["request"], name="mine")
    answer = gateway.get(headers={"x-b": "b"})
    assert [(run.hook, run.phase) for run in answer.hooks] == [("mine", "request")]
    with pytest.raises(ConfigError, match=r"config\.hedder: is unknown to .*declares header"):
        pygw_hook(hook, {"hedder": "x-b"})
    with pytest.raises(ConfigError, match=r"lua\.deadline: must be a duration"):
        pygw_hook(hook, deadline="soon")
    with pytest.raises(ValueError, match="names no hook: say lua:PATH"):
        pygw_hook("limit")
    with pytest.raises(ConfigError, match=r"[Nn]o such file"):
        pygw_hook("lua:no.lua")


@needs_lua
def test_a_lua_hook_waits_on_a_clock_that_costs_no_time(write: Write, pygw_hook: MakeHook) -> None:
    code = "return function(req) gw.sleep(60) req.set_header('x-now', gw.now()) end"
    gateway = pygw_hook(write("slow.lua", code), deadline="2m")
    began = gateway.now
    answer = gateway.get()
    assert float(answer.sent.headers["x-now"]) - began == pytest.approx(60, abs=10)
    assert answer.hooks[0].waited
    late = pygw_hook(write("late.lua", code), deadline="1s", raise_errors=False)
    answer = late.get()
    assert (answer.status, answer.outcome(), answer.hooks[0].fault) == (500, "failed", "late")
    gateway.advance(3600)
    assert gateway.now - began == pytest.approx(3660, abs=10)


def test_a_python_hook_waits_in_real_time(write: Write, pygw_hook: MakeHook) -> None:
    code = """
    import asyncio
    from pygw.hooks import Request, hook

    @hook
    async def check(req: Request) -> None:
        await asyncio.sleep(0.01)
        req.headers["x-a"] = "1"

    @hook(deadline="20ms")
    async def late(req: Request) -> None:
        await asyncio.sleep(60)
    """
    file = write("auth.py", code)
    answer = pygw_hook(f"{file}:check").get()
    assert answer.sent.headers["x-a"] == "1"
    assert answer.hooks[0].waited
    answer = pygw_hook(f"python:{file}:late", raise_errors=False).get()
    assert (answer.outcome(), answer.hooks[0].fault) == ("failed", "late")
    with pytest.raises(TimeoutError, match=r"still waits after 0\.05 s"):
        pygw_hook(f"{file}:late", deadline="off", timeout_s=0.05).get()


def test_a_hook_that_raises_fails_the_test_with_its_traceback(
    write: Write, pygw_hook: MakeHook
) -> None:
    code = """
    def check(req):
        users = {}
        req.headers["x-user"] = users["anna"]
    """
    file = write("bad.py", code)
    gateway = pygw_hook(f"{file}:check")
    with pytest.raises(HookFailed, match=r"hook bad\.check failed in phase request") as caught:
        gateway.get()
    told = str(caught.value)
    assert "(raised): KeyError: 'anna'" in told
    assert f'File "{file}", line 4, in check' in told
    assert 'req.headers["x-user"] = users["anna"]' in told
    assert "<object>" not in told
    gateway.raise_errors = False
    assert (gateway.get().status, gateway.get().cause) == (500, "hook_failed")
    skipped = pygw_hook(f"{file}:check", on_error="skip", raise_errors=False).get()
    assert (skipped.status, skipped.outcome()) == (200, "failed")


@needs_lua
def test_a_whole_configuration_is_served_with_its_names_and_its_routes(
    write: Write, tmp_path: Path, pygw_gateway: MakeGateway
) -> None:
    write("tag.lua", "return function(req) req.set_header('x-tag', 'a') end")
    write(
        "pygw.yaml",
        """
        listeners: [{bind: 127.0.0.1:0}]
        upstreams:
          a: {targets: [http://a.internal:9001]}
          b: {targets: [http://b.internal:9002]}
        routes:
          - {name: a, match: {path: /a/*}, middleware: [{lua: tag.lua}], upstream: a}
          - {name: b, match: {host: b.test, path: /*}, upstream: b}
        """,
    )
    gateway = pygw_gateway("pygw.yaml", base=tmp_path)
    gateway.upstream("b.internal:9002").answer(201, body="from b")
    answer = gateway.get("/a/1")
    assert (answer.route, answer.sent.upstream) == ("a", "a.internal:9001")
    assert answer.sent.headers["x-tag"] == "a"
    answer = gateway.get("/b", host="b.test")
    assert (answer.status, answer.text, answer.route) == (201, "from b", "b")
    assert gateway.get("/b").status == 404


@pytest.fixture
def plain() -> Gateway:
    """A gateway without a hook."""
    return Gateway(
        {
            "upstreams": {"api": {"targets": ["http://127.0.0.1:9000"], "retries": 2}},
            "routes": [{"match": {"path": "/*"}, "upstream": "api"}],
        }
    )


def test_services_answer_what_the_test_says(plain: Gateway) -> None:
    with plain as gateway:
        origin = gateway.origin
        origin.answer("hello", headers={"x-a": ["1", "2"]})
        answer = gateway.get()
        assert (answer.text, answer.headers.all("X-A")) == ("hello", ["1", "2"])
        origin.answer(201, json={"a": ["ü"]})
        answer = gateway.get()
        assert (answer.json(), answer.headers["content-type"]) == ({"a": ["ü"]}, "application/json")
        origin.then(503, Answer(418, chunks=["a", b"bc"], trailers={"x-t": "1"}))
        assert gateway.get().status == 503
        answer = gateway.get()
        assert (answer.status, answer.chunks, answer.trailers["x-t"]) == (418, [b"a", b"bc"], "1")
        origin.handler = by_path
        assert gateway.get("/x").text == "path /x"
        origin.answer(200, body="late", after_s=30)
        assert gateway.get().text == "late"
        origin.silent()
        assert (gateway.get().status, gateway.get().cause) == (504, "response_timeout")
        origin.refuse()
        assert (gateway.get().status, gateway.get().cause) == (502, "connection_refused")
        origin.answer(200, body="whole", cut=3)
        assert not gateway.get().complete
        assert len(origin.requests) > 5


def by_path(seen: Seen) -> str:
    """An answer by the request."""
    return f"path {seen.path}"


def test_requests_have_bodies_chunks_clients_and_any_bytes(plain: Gateway) -> None:
    with plain as gateway:
        seen = gateway.put("/", chunks=["ab", b"c"], client="203.0.113.9").sent
        assert (seen.body, seen.headers["x-forwarded-for"]) == (b"abc", "203.0.113.9")
        assert gateway.head().body == b""
        assert gateway.raw(b"GET / HTTP/1.1\r\nHo", b"st: a\r\n\r\n").status == 200
        assert gateway.raw(b"nonsense\r\n\r\n").status == 400
        assert gateway.raw(b"GET / HTTP/1.1\r\n").status in (0, 408)
        for method in (gateway.post, gateway.patch, gateway.delete, gateway.options):
            assert method("/").status == 200
        for value, why in (("a\r\nb", "has a line break"), ("€", r"write value\.encode")):
            with pytest.raises(ValueError, match=why):
                gateway.get(headers={"x-a": value})
        with pytest.raises(KeyError, match=r"the head has .*Content-Length"):
            gateway.get().headers["x-no"]


def test_it_works_below_a_loop_of_the_tests_own(write: Write) -> None:
    file = write("wait.py", "import asyncio\nasync def h(req):\n    await asyncio.sleep(0.001)\n")

    async def test() -> int:
        await asyncio.sleep(0)
        with Gateway.of_hook(f"{file}:h") as gateway:
            status = gateway.get().status
        await asyncio.sleep(0)
        return status

    assert asyncio.run(test()) == 200


@needs_lua
def test_a_reload_that_is_refused_leaves_the_old_code(write: Write, pygw_hook: MakeHook) -> None:
    gateway = pygw_hook(write("a.lua", "return function(req) gw.reply(201) end"))
    route = {"match": {"path": "/*"}, "middleware": [{"lua": write("b.lua", "return 1")}]}
    with pytest.raises(ConfigError, match="a hook's file returns a function"):
        gateway.reload({"routes": [route]})
    assert gateway.get().status == 201
    write("b.lua", "return function(req) gw.reply(202) end")
    gateway.reload({"routes": [route]})
    assert gateway.get().status == 202


@needs_lua
def test_what_has_no_room_is_not_silently_left_out() -> None:
    """WATCH_BYTES_MAX: 16 MiB."""
    code = "return function() for i = 1, 16 do gw.var['v' .. i] = ('x'):rep(60000) end"
    hook = lua(f"{code} gw.reply(200) end", deadline_ms=None)
    worker = WatchedWorker()
    worker.publish(json.dumps(plan_of(hook)).encode())
    for _ in range(15):
        worker.connect().send(GET).finish()
        worker.settle()
    assert sum(event.kind == "var" for event in worker.events()) == 240
    for _ in range(20):
        worker.connect().send(GET).finish()
        worker.settle()
    with pytest.raises(MemoryError, match="events of hooks had no room"):
        worker.events()
    assert worker.events() == []
    worker.close()


def test_the_plugin_costs_a_project_that_does_not_use_it_nothing() -> None:
    code = (
        "import sys, pygw.pytest_plugin;"
        "print(' '.join(m for m in sys.modules if m.startswith(('pygw.', 'pydantic', 'yaml'))"
        " and m not in ('pygw.gateway', 'pygw.pytest_plugin')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.stderr) == ("\n", "")


@needs_lua
def test_a_failed_test_shows_what_hooks_logged(write: Write, pytester_dir: Path) -> None:
    (pytester_dir / "hook.lua").write_text("return function() gw.log('error', 'so it was') end")
    (pytester_dir / "test_it.py").write_text(
        "def test_it(pygw_hook):\n    assert pygw_hook('hook.lua').get().status == 500\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", "test_it.py"]
    command += ["-p", "no:cacheprovider", "-p", "pygw.pytest_plugin"]
    done = subprocess.run(
        [*command, "--rootdir", str(pytester_dir)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=pytester_dir,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        check=False,
    )
    assert done.returncode == 1
    assert "error hook hook: so it was" in done.stdout
    assert "<Response 200, 'ok', hook request: next>" in done.stdout


@pytest.fixture
def pytester_dir(tmp_path: Path) -> Path:
    """Where another pytest runs."""
    (tmp_path / "inner").mkdir()
    return tmp_path / "inner"


@needs_lua
def test_requests_that_run_at_once_are_told_apart(write: Write, pygw_hook: MakeHook) -> None:
    code = """
    return function(req)
      local name = req.header("x-name")
      gw.sleep(#name)
      gw.log("info", name)
      req.set_header("x-late", name)
    end
    """
    gateway = pygw_hook(write("slow.lua", code), deadline="1m")
    names = ["ccc", "b", "aa"]
    pending = [gateway.start("GET", f"/{name}", headers={"x-name": name}) for name in names]
    assert not any(one.done for one in pending)
    for name, one in zip(names, pending, strict=True):
        answer = one.answer()
        assert [str(line) for line in answer.log] == [f"info hook slow: {name}"]
        assert [seen.headers["x-late"] for seen in answer.seen] == [name]
        assert answer.access["target"] == f"/{name}"
        assert one.answer() is answer
    assert [line.text for line in gateway.log] == ["b", "aa", "ccc"]


@needs_lua
def test_an_upstream_of_a_hooks_fetch_is_played_by_its_name(
    write: Write, pygw_hook: MakeHook
) -> None:
    code = """
    return function(req)
      local found, why = gw.fetch("users", { path = "/who" })
      if not found then return gw.reply(503, why) end
      req.set_header("x-user", found.body)
    end
    """
    gateway = pygw_hook(write("ask.lua", code), fetch=["users", "other"], deadline="10s")
    gateway.upstream("users").answer("anna")
    answer = gateway.get()
    assert answer.sent.headers["x-user"] == "anna"
    assert [seen.path for seen in answer.seen] == ["/who", "/"]
    gateway.upstream("users").refuse()
    assert (gateway.get().status, gateway.get().text) == (503, "unreachable")
    gateway.upstream("users").silent()
    assert (gateway.get().status, gateway.get().text) == (503, "timeout")


@needs_lua
def test_what_is_cut_is_told(write: Write, pygw_hook: MakeHook) -> None:
    answer = pygw_hook(write("cut.lua", "return function() gw.abort() end")).get()
    assert (answer.outcome(), answer.cause) == ("abort", "hook_aborted")
    leaves = Gateway.of_hook(write("wait.lua", "return function() gw.sleep(9) end"), deadline="off")
    pending = leaves.start("GET")
    leaves.close()
    assert pending.done


def look_up(key: str) -> str:
    """What a test patches."""
    return f"user of {key}"


async def check(req: Request) -> Reply | None:
    """A hook in the test's own module."""
    req.headers["x-user"] = look_up(req.headers["x-key"])
    return None


def test_a_function_or_class_stands_for_itself(
    pygw_hook: MakeHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = pygw_hook(check)
    answer = gateway.get(headers={"x-key": "1"})
    assert (answer.sent.headers["x-user"], answer.hooks[0].hook) == ("user of 1", "check")
    monkeypatch.setitem(globals(), "look_up", lambda key: "patched")
    assert gateway.get(headers={"x-key": "1"}).sent.headers["x-user"] == "patched"
    assert [cost.hook for cost in gateway.costs()] == ["check"]

    class Local:
        def __init__(self, status: int) -> None:
            self.status = status

        def request(self, req: Request) -> Reply:
            return Reply(self.status)

    assert pygw_hook(Local, {"status": 202}, name="mine").get().hooks[0].hook == "mine"
    assert pygw_hook(lambda req: Reply(203)).get().status == 203
    with pytest.raises(ConfigError, match=r"python\.config\.status: Field required"):
        pygw_hook(Local)
    lent = len(python_code._lent)
    with Gateway.of_hook(check):
        assert len(python_code._lent) == lent + 1
    assert len(python_code._lent) == lent
