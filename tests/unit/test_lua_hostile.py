"""Hostile Lua: after each hook that misbehaves the worker serves the next 1 000 requests."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.hostile import serves_on
from tests.unit.lua_hooks import lua, needs_lua, request
from tests.unit.memory import GET, OK, post, serving

pytestmark = needs_lua

BAD = GET.replace(b"GET / ", b"GET /bad ")

# What a request function does for /bad. Each comes to 500 in bounded time.
LOOPS = {
    # LUA_STEPS between two looks at the clock
    "while": "while true do end",
    "repeat": "repeat until false",
    "numeric for": "for i = 1, 1e18 do end",
    "generic for": "for _ in function() return 1 end do end",
    "goto": "::top:: goto top",
    "goto behind a comment": "::top:: goto --[[ x ]] top",
    "goto continue": "while true do do goto continue end ::continue:: end",
    "tail recursion": "local function f() return f() end f()",
    "recursion": "local function f() return 1 + f() end f()",
    "mutual recursion": "local a, b a = function() return b() end b = function()"
    " return a() end a()",
    "pcall around a loop": "while true do pcall(function() while true do end end) end",
    "pcall in recursion": "local function f() pcall(f) pcall(f) end f() while true do end",
    "xpcall whose handler loops": "xpcall(error, function() while true do end end) while true"
    " do end",
    "error in the handler": "xpcall(error, function() error('x') end) while true do end",
    "__index": "local t = setmetatable({}, {__index = function(t, k) return"
    " t[k + 1] end}) x = t[1]",
    "__newindex": "local m = {} m.__newindex = function(t, k, v) t[k] = v end"
    " setmetatable({}, m).x = 1",
    "__call": "local t t = setmetatable({}, {__call = function() return t() end}) t()",
    "__concat": "local m = {} m.__concat = function(a, b) while true do end end"
    " x = setmetatable({}, m) .. 'x'",
    "__eq": "local m = {__eq = function() while true do end end}"
    " x = setmetatable({}, m) == setmetatable({}, m)",
    "__lt": "local m = {__lt = function() while true do end end}"
    " x = setmetatable({}, m) < setmetatable({}, m)",
    "__tostring": "tostring(setmetatable({}, {__tostring = function() while true do end end}))",
    "coroutine": "coroutine.wrap(function() while true do end end)()",
    "coroutine that yields for ever": "for _ in coroutine.wrap(function() while true do"
    " coroutine.yield(1) end end) do end",
    "coroutines made for ever": "while true do coroutine.wrap(function() coroutine.yield()"
    " end)() end",
    "gsub whose function loops": "('x'):gsub('x', function() while true do end end)",
    "sort whose order loops": "table.sort({1, 2}, function() while true do end end)",
    "sort of much": "local t = {} for i = 1, 5e5 do t[i] = -i end"
    " while true do table.sort(t, function(a, b) return a < b end) end",
    "move of much": "while true do table.move({}, 1, 4e6, 1) end",
    "long comparisons": "local a, b = ('x'):rep(8e6), ('x'):rep(8e6) .. 'y' while"
    " true do x = a < b end",
    # LUA_CHURN: what takes memory is timed where no loop counts
    "long copies": "local a = ('x'):rep(7e6) while true do x = a .. 'y' end",
    "long searches": "local a = ('x'):rep(8e6) while true do x = a:find('y') end",
    "rep in a loop": "while true do x = ('x'):rep(8e6) end",
    "upper in a loop": "local a = ('x'):rep(8e6) while true do x = a:upper() .. 'x' end",
    "json of much": "local t = {} for i = 1, 1e5 do t[i] = i end while true do"
    " gw.json.encode(t) end",
    "the guard's name": "while true do end",
}
BOMBS = {
    # LUA_MEMORY_MAX of a state, LUA_PIECE_MAX of one piece
    "doubled string": "local s = 'x' while true do s = s .. s end",
    "table": "local t = {} for i = 1, 1e18 do t[i] = {} end",
    "rep": "x = ('x'):rep(1e9)",
    "rep of rep": "x = ('x'):rep(1e4):rep(1e4):rep(1e4)",
    "concat": "local t = {} for i = 1, 1e5 do t[i] = ('x'):rep(1e4) end x = table.concat(t)",
    "kept by a global": "all = all or {} while true do all[#all + 1] = ('x'):rep(1e4) .. #all end",
    "closures": "local t = {} while true do t[#t + 1] = function() return t end end",
    "format": "x = ('%99s'):rep(1e7)",
    "gsub": "x = ('x'):rep(1e6):gsub('x', ('y'):rep(1e6))",
    "pcall around a bomb": "while true do pcall(function() x = ('x'):rep(1e9) end) end",
    "unpack": "x = {unpack({}, 1, 1e8)}",
    "byte": "x = {(('x'):rep(1e7)):byte(1, -1)}",
    "deep recursion": "local function f(n) return {f(n + 1)} end f(1)",
    # LUA_NESTED_MAX
    "nested coroutines": "local function f() coroutine.wrap(f)() end f()",
    "varargs": "local function f(...) return f(1, ...) end f()",
}
PATTERNS = {
    "stars": "x = ('a'):rep(30000):match(('a*'):rep(20) .. 'b')",
    "lazy": "x = ('a'):rep(30000):match(('.-'):rep(20) .. 'b')",
    "captures": "x = ('a'):rep(100):match(('('):rep(33) .. 'a' .. (')'):rep(33))",  # LUA_CAPTURES
    "depth": "x = ('a'):rep(1e5):match(('a?'):rep(1e5))",  # LUA_MATCH_DEPTH
    "malformed set": "x = ('a'):match('[a')",
    "malformed escape": "x = ('a'):match('%')",
    "balance": "x = ('('):rep(1e5):match('%b()' .. ('%b()'):rep(50))",  # LUA_MATCH_STEPS
    "gmatch": "for _ in ('a'):rep(30000):gmatch(('a*'):rep(20) .. 'b') do end",
    "gsub": "x = ('a'):rep(30000):gsub(('a*'):rep(20) .. 'b', '')",
    "capture that is not there": "x = ('a'):gsub('a', '%9')",
}
ERRORS = {
    "text": "error('boom')",
    "nil": "error(nil)",
    "a table": "error({})",
    "a table that is text": "error(setmetatable({}, {__tostring = function() error('x') end}))",
    "a function": "error(print)",
    "a coroutine": "error(coroutine.create(print))",
    "nil indexed": "local x = nil + 1",
    "nonsense returned": "return 'yes'",
    "a table returned": "return {}",
    "yields": "coroutine.yield(1)",
    "two replies": "gw.reply(200) gw.reply(200)",
    "a status that is none": "gw.reply(99)",
    "a status that is text": "gw.reply('200')",
    "CR LF in a value": "req.set_header('x-a', 'a\\r\\nx-b: 1')",
    "NUL in a value": "req.set_header('x-a', 'a\\0')",
    "CR LF in a name": "req.set_header('x-a\\r\\nx-b', 'a')",
    "CR LF in a reply": "gw.reply(200, {['x-a'] = 'a\\r\\nx-b: 1'})",
    "framing": "req.set_header('transfer-encoding', 'chunked')",
    "path": "req.path = 'no slash'",
    "method": "req.method = 'G T'",
    "a huge reply": "gw.reply(200, nil, ('x'):rep(1.7e7))",
    "a reply beyond the exchange's memory": "gw.reply(200, nil, ('x'):rep(2e6))",
    "response too early": "resp.set_header('x-a', '1')",
    "an unknown property": "x = req.nothing",
    "resume of itself": "local co co = coroutine.wrap(function() co() end) co()",
    "resume of the dead": "local co = coroutine.wrap(function() end) co() co()",
    "garbage collector": "while true do collectgarbage() end",
}
ALL = {
    f"{kind}: {name}": code
    for kind, hooks in (
        ("loop", LOOPS), ("bomb", BOMBS), ("pattern", PATTERNS), ("error", ERRORS))
    for name, code in hooks.items()
}  # fmt: skip


GOOD_ROOT = request("if req.path == '/' then gw.reply(200, nil, 'fine') end", name="good")
GOOD = request("gw.reply(200, nil, 'fine')", name="good")


@pytest.mark.parametrize("name", ALL)
def test_worker_serves_on_after(name: str) -> None:
    hostile = request(f"if req.path == '/bad' then {ALL[name]} end")
    with serving(hostile, GOOD) as gate:
        serves_on(gate, 100)
        assert gate.client(BAD).answer.status in (500, 504)
        assert gate.client(BAD).answer.status in (500, 504)
        serves_on(gate)


@pytest.mark.parametrize("name", ["while", "goto", "coroutine"])
def test_a_coroutine_that_could_wait_is_stopped_as_well(name: str) -> None:
    hostile = request(f"if req.path == '/bad' then {LOOPS[name]} gw.sleep(1) end")
    with serving(hostile, GOOD) as gate:
        assert gate.client(BAD).answer.status in (500, 504)
        serves_on(gate)


def test_memory_that_ends_in_a_collection_of_compiled_code_ends_the_hook_only() -> None:
    code = (  # strings interned and dropped: their table is built anew (LUA_RESERVE)
        "local t, n = {}, 0 while true do n = n + 1 t[n] = {n}"
        " if n > 16384 then t[n - 16384] = nil end x = tostring(n) .. ('y'):rep(n % 5000) end"
    )
    for _ in range(10):
        with serving(request(code)) as gate:
            for _ in range(3):
                assert gate.client(GET).answer.status in (500, 504)


@pytest.mark.parametrize("phase", ["request", "request_body", "response", "response_body", "log"])
@pytest.mark.parametrize("code", ["error('boom')", "while true do end", "return 1"])
def test_an_error_in_any_phase_is_contained(phase: str, code: str) -> None:
    body: dict[str, Any] = {"body": "buffered"} if phase.endswith("body") else {}
    hook = lua(
        f"return {{{phase} = function(req) if req.path == '/bad' then {code} end end}}", **body
    )
    with serving(hook, GOOD_ROOT) as gate:
        client = gate.client(post(b"abc", b"/bad"))
        if gate.origins:
            gate.origins[-1].send(OK)
        wanted = 200 if phase == "log" else 502 if phase.startswith("resp") else 500
        assert client.answer.status in (wanted, 504)
        for _ in range(2):
            client = gate.client(GET.replace(b"/ ", b"/good "))
            gate.origins[-1].send(OK)
            assert client.answer.status == 200
        serves_on(gate)


def test_a_request_kept_is_the_request_at_hand() -> None:
    kept = """
    return function(req)
      kept = kept or {req = req, path = req.path, header = req.header}
      gw.reply(200, nil, kept.req.path .. kept.path .. tostring(kept.header("x-a")))
    end"""
    with serving(lua(kept)) as gate:
        assert gate.client(GET).answer.body == b"//nil"
        head = b"GET /b HTTP/1.1\r\nHost: a\r\nX-A: 1\r\n\r\n"
        assert gate.client(head).answer.body == b"/b/1"


def test_a_coroutine_kept_beyond_its_request_sees_the_one_at_hand() -> None:
    code = """
    return function(req)
      kept = kept or coroutine.wrap(function() while true do coroutine.yield(req.path) end end)
      gw.reply(200, nil, kept())
    end"""
    with serving(lua(code)) as gate:
        assert gate.client(GET).answer.body == b"/"
        assert gate.client(BAD).answer.body == b"/bad"


def test_nobody_waits_when_lua_runs_max_do() -> None:
    with serving(request("gw.sleep(1)", deadline_ms=None), GOOD) as gate:
        waiting = [gate.client(GET) for _ in range(300)]  # of LUA_RUNS_MAX; beyond LUA_RUNS_SPARE
        gate.advance(1100)
        assert {client.answer.status for client in waiting} == {200}
