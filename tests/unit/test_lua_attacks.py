"""Lua that tries to reach what is not its own: other requests, the gateway, the machine."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.unit.lua_hooks import lua, needs_lua, request
from tests.unit.memory import GET, OK, ok, serving
from tests.unit.test_fetch import auth, fetching, two

pytestmark = needs_lua

KEPT = """
if req.path == "/kept" then
  gw.reply(202, nil, select(2, coroutine.resume(kept)))
  return
end
kept = coroutine.create(function()
  local res = gw.fetch("auth")
  gw.reply(200, nil, res.body)
end)
coroutine.resume(kept)
"""


def test_a_coroutine_that_waits_for_a_fetch_goes_on_in_its_own_request_only() -> None:
    with serving(fetching(KEPT), upstreams=two()) as gate:
        waits = gate.client(GET)
        other = gate.client(GET.replace(b"GET / ", b"GET /kept "))
        assert other.answer.body == b"the coroutine waits in a request of its own"
        auth(gate).send(ok(b"anna"))
        assert waits.answer.body == b"anna"


def test_a_fetch_that_could_not_wait_leaves_nothing_that_a_yield_would_find() -> None:
    code = """
    local odd = setmetatable({}, { __tostring = function() gw.fetch("auth") return "" end })
    local co = coroutine.wrap(function() pcall(string.format, "%s", odd) coroutine.yield("own") end)
    gw.reply(200, nil, co())"""
    with serving(fetching(code), upstreams=two()) as gate:
        assert gate.client(GET).answer.body == b"own"
        assert gate.stats["live_fetches"] == 0


def told(code: str, **changes: Any) -> str:
    """What a hook's expression is, as text."""
    with serving(request(f"gw.reply(200, nil, tostring({code}))", **changes)) as gate:
        answer = gate.client(GET).answer
        assert answer.status == 200, gate.causes
        return str(answer.body.decode())


BEYOND = (
    "ffi", "debug", "io", "os", "package", "require", "module", "load", "loadstring", "loadfile",
    "dofile", "getfenv", "setfenv", "newproxy", "jit", "gcinfo", "arg",
)  # fmt: skip


def test_nothing_that_reaches_beyond_the_language_is_there() -> None:
    names = ", ".join(f"'{name}'" for name in BEYOND)
    seen = f"(function() local n = 0 for _, k in ipairs {{{names}}} do if _G[k] ~= nil then n ="
    assert told(f"{seen} k end end return n end)()") == "0"
    for library in ("string.dump", "table.new", "table.clear", "math.randomseed", "string.buffer"):
        assert told(library) == "nil"


@pytest.mark.parametrize(
    "code",
    [
        "getmetatable('').__index",
        "getmetatable('').__index.rep",
        "setmetatable('', {})",
        "getmetatable(req).__index",
        "setmetatable(req, {})",
        "setmetatable(resp, nil)",
        "setmetatable(gw.var, {})",
        "setmetatable(gw.null, {})",
        "rawset('', 'a', 1)",
        "rawset(getmetatable(gw.var), '__index', 1)",
        "collectgarbage('stop')",
        "collectgarbage('setpause', 1000)",
        "coroutine.resume(coroutine.running())",
        "string.format('%d', req)",
    ],
)
def test_what_all_hooks_stand_on_cannot_be_taken_or_changed(code: str) -> None:
    with serving(request(f"x = {code} gw.reply(200)")) as gate:
        assert gate.client(GET).answer.status == 500
    with serving(request(f"local ok, x = pcall(function() return {code} end) gw.reply(200, nil,"
                         " tostring(ok) .. ('ab'):upper() .. req.path)")) as gate:  # fmt: skip
        assert gate.client(GET).answer.body == b"falseAB/"


def test_what_a_hook_changes_in_its_libraries_no_other_sees() -> None:
    bad = (
        "string.upper = nil table.insert = nil gw.reply = nil _G.tostring = nil pairs = nil"
        " gw.json.encode = nil gw.kv.get = nil req.header = nil math.floor = nil"
        " rawset(req, 'path', '/owned') rawset(gw.var, 'who', 'owned') secret = 'mine'"
    )
    good = (
        "gw.reply(200, nil, ('a'):upper() .. gw.json.encode({1}) .. req.path .. tostring(secret)"
        " .. tostring(gw.var.who) .. tostring(gw.kv.get('a')) .. tostring(req.header('x')))"
    )
    with serving(request(bad), request(good, name="good")) as gate:
        assert gate.client(GET).answer.body == b"A[1]/nilnilnilnil"


def test_a_finalizer_of_a_hook_never_runs() -> None:
    code = (
        "(function() ran = 0 local function f() ran = ran + 1 end for i = 1, 2e5 do"
        " setmetatable({}, {__gc = f, __mode = 'k', __close = f}) end return ran end)()"
    )
    assert told(code, deadline_ms=1000) == "0"


@pytest.mark.parametrize(
    "code", [b"\x1bLJ\x02\x00", b"\xef\xbb\xbf\x1bLJ", b"#!lua\n\x1bLJ", b"#\x1bLJ\n\x1b"]
)
def test_bytecode_is_no_source(code: bytes) -> None:
    from pygw._core.runtimes.lua import describe

    with pytest.raises(ValueError):
        describe(code, "hook.lua", None)


CAUGHT = [
    "while true do pcall(function() while true do end end) end",
    "while true do xpcall(function() while true do end end, function() while true do end end) end",
    "local co = coroutine.wrap(function() while true do pcall(function() while true do end end)"
    " end end) while true do pcall(co) end",
    "local t = setmetatable({}, {__index = function() while true do end end})"
    " while true do pcall(function() return t.x end) end",
    "while true do pcall(gw.sha512, ('x'):rep(1e7)) end",
    "local a = ('x'):rep(1e7) while true do pcall(req.set_header, a, 'x') end",
    "local a = ('x'):rep(1e7) while true do pcall(gw.equal, a, a) end",
]


@pytest.mark.parametrize("code", CAUGHT)
def test_nothing_that_catches_errors_outlives_its_deadline(code: str) -> None:
    with serving(request(code, deadline_ms=20)) as gate:
        began = time.process_time()
        assert gate.client(GET).answer.status in (500, 504)
        assert time.process_time() - began < 1.0
        assert gate.causes == ["hook_late"]


NAMES = (
    "content-length", "Transfer-Encoding", "connection", "keep-alive", "te", "trailer", "upgrade",
    "proxy-connection", ":authority", ":method", "x a", "x:", "x\\r\\ny", "x\\0", "", "\\255",
)  # fmt: skip
VALUES = ("a\\r\\nb: 1", "a\\nb", "a\\rb", "a\\0b", "a\\127", "\\1", " \\11 a")


@pytest.mark.parametrize("setter", ["req.set_header", "req.add_header", "resp.set_header"])
def test_no_setter_lets_out_what_frames_a_message_or_breaks_a_head(setter: str) -> None:
    pairs = [(name, "1") for name in NAMES] + [("x-a", value) for value in VALUES]
    calls = " ".join(
        f'if pcall({setter}, "{name}", "{value}") then n = n .. "{name}={value} " end'
        for name, value in pairs
    )
    phase = "response" if setter.startswith("resp") else "request"
    end = f'{setter}("x-through", n)'
    code = f"return {{ {phase} = function(req, resp) local n = '-' {calls} {end} end }}"
    with serving(lua(code)) as gate:
        client = gate.client(GET)
        gate.origin.send(OK)
        head = client.answer if phase == "response" else gate.origin.request
        assert head.one("x-through") == b"-"


ODD = {
    "0/0": 1,  # no number: the first place
    "1e300": None,
    "-1e300": 1,
    "2^32 + 1": None,
}


@pytest.mark.parametrize("init", ODD)
@pytest.mark.parametrize(
    ("part", "found"), [("'ab'", "ab"), ("'a.'", "ab"), ("'^a'", "a"), ("''", "")]
)
def test_a_search_begins_within_its_text_whatever_says_where(
    part: str, found: str, init: str
) -> None:
    code = f"('abcab'):find({part}, {init})"
    assert told(f"({code})") == str(ODD[init] or "nil")
    assert told(f"(({code.replace('find', 'match')}))") == (found if ODD[init] else "nil")
