"""Lua hooks in a chain: what they see, change, answer and wait for."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

from tests.unit.lua_hooks import lua, needs_lua, request
from tests.unit.memory import GET, OK, Client, Gate, ok, post, serving

pytestmark = needs_lua

HOST = b"GET /a/b?c=1 HTTP/1.1\r\nHost: h.example\r\nX-Key: k1\r\nX-Two: 1\r\nx-two: 2\r\n\r\n"


def exchange(gate: Gate, head: bytes = GET, answer: bytes = OK) -> Client:
    """One request, answered by its origin if it comes there."""
    client = gate.client(head)
    if gate.origins:
        gate.origins[-1].send(answer)
    return client


def said(code: str, head: bytes = HOST, **changes: Any) -> str:
    """What an expression gives in a request hook, as JSON would write it."""
    body = f"gw.reply(200, nil, gw.json.encode({{({code})}}))"
    with serving(request(body, **changes)) as gate:
        answer = exchange(gate, head).answer
        assert answer.status == 200, gate.causes
        return answer.body.decode()


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("req.method", ["GET"]),
        ("req.path", ["/a/b"]),
        ("req.query", ["c=1"]),
        ("req.authority", ["h.example"]),
        ("req.scheme", ["http"]),
        ("req.client", ["192.0.2.1"]),
        ("req.version", [1.1]),
        ("req.header('x-KEY')", ["k1"]),
        ("req.header('x-none') == nil", [True]),
        ("#req.headers()", [4]),
        ("req.headers('x-two')[2][2]", ["2"]),
        ("#req.id", [36]),
        ("req.body == nil", [True]),
        ("type(gw.now())", ["number"]),
        ("#gw.uuid()", [36]),
        ("os", {}),
        ("io", {}),
        ("ffi", {}),
        ("debug", {}),
        ("require", {}),
        ("load", {}),
        ("loadstring", {}),
        ("getfenv", {}),
        ("newproxy", {}),
        ("string.dump", {}),
        ("getmetatable('')", [False]),
        ("getmetatable(req)", [False]),
    ],
)
def test_a_hook_sees_the_request_and_nothing_dangerous(code: str, value: Any) -> None:
    assert json.loads(said(code)) == value


def test_a_hook_edits_the_request_for_the_service() -> None:
    code = (
        "req.set_header('x-user', 'anna') req.add_header('x-more', 1) req.del_header('x-two')"
        " req.path = '/new' req.query = 'q=2' req.method = 'PUT'"
    )
    with serving(request(code)) as gate:
        exchange(gate, HOST)
        got = gate.origin.request
        assert got.start == b"PUT /new?q=2 HTTP/1.1"
        assert (got.one("x-user"), got.one("x-more")) == (b"anna", b"1")
        assert got.all("x-two") == []


def test_a_table_of_phases_acts_on_both_heads_and_on_whole_bodies() -> None:
    code = """
    return {
      request_body = function(req) req.body = req.body:upper() end,
      response = function(req, resp) resp.status = 203 resp.set_header("x-was", req.path) end,
      response_body = function(req, resp) resp.body = resp.body:gsub("%d", "#") end,
    }"""
    with serving(lua(code, body="buffered")) as gate:
        client = exchange(gate, post(b"abc"), ok(b"a1b2"))
        assert gate.origin.request.body == b"ABC"
        assert client.answer.status == 203
        assert client.answer.one("x-was") == b"/"
        assert client.answer.body == b"a#b#"


def test_a_reply_is_the_answer_with_its_fields() -> None:
    code = "gw.reply(401, {['WWW-Authenticate'] = 'Key', ['X-A'] = {'1', '2'}}, 'no key')"
    with serving(request(code)) as gate:
        answer = exchange(gate).answer
        assert (answer.status, answer.body) == (401, b"no key")
        assert answer.all("x-a") == [b"1", b"2"]
        assert gate.origins == []


@pytest.mark.parametrize("phase", ["response", "response_body"])
def test_who_replies_to_every_answer_does_not_see_its_own(phase: str) -> None:
    replying = (
        "return {request = function() gw.reply(415) end,"
        f" {phase} = function(_, resp) gw.reply(500 + resp.status % 100) end}}"
    )
    body = "buffered" if phase == "response_body" else "none"
    with serving(lua(replying, body=body)) as gate:
        assert exchange(gate).answer.status == 515


def test_variables_are_shared_along_the_chain() -> None:
    with serving(
        request("gw.var.user = 'anna'"), request("req.set_header('x-user', gw.var.user)")
    ) as gate:
        exchange(gate)
        assert gate.origin.request.one("x-user") == b"anna"


def test_hooks_cannot_change_what_others_find() -> None:
    first = "string.rep = nil gw.log = nil rawset(req, 'header', nil) shared = 1 table.x = 1"
    second = "gw.reply(200, nil, tostring(string.rep and gw.log and req.header and not shared))"
    with serving(request(first), request(second)) as gate:
        assert exchange(gate).answer.body == b"true"


def test_digests_and_codings_are_those_of_others() -> None:
    text = b"pygw \xff"
    lua_text = '"pygw \\255"'
    assert said(f"gw.hex(gw.sha256({lua_text}))") == f'["{hashlib.sha256(text).hexdigest()}"]'
    assert said(f"gw.hex(gw.sha512({lua_text}))") == f'["{hashlib.sha512(text).hexdigest()}"]'
    mac = hmac.digest(b"key", text, "sha256").hex()
    assert said(f'gw.hex(gw.hmac("key", {lua_text}))') == f'["{mac}"]'
    assert json.loads(said(f"gw.base64.encode({lua_text})")) == [base64.b64encode(text).decode()]
    for n in range(7):
        plain = text * 3
        coded = base64.b64encode(plain[:n]).decode()
        assert said(f"gw.hex(gw.base64.decode('{coded}'))") == f'["{plain[:n].hex()}"]'
        url = base64.urlsafe_b64encode(plain[:n]).decode().rstrip("=")
        assert said(f"gw.hex(gw.base64.decode_url('{url}'))") == f'["{plain[:n].hex()}"]'
    for bad in ("a", "YQ", "YR==", "Y Q=", "====", "é"):
        assert said(f"gw.base64.decode('{bad}') == nil") == "[true]"
    assert said("gw.equal('ab', 'ab') and not gw.equal('ab', 'ac')") == "[true]"


@pytest.mark.parametrize(
    "text",
    ['{"a":[1,2.5,-3e2,true,false,null,"x\\n\\u00e9\\ud83d\\ude00"]}', "[]", '"a"', "{}", "[[[]]]"],
)
def test_json_goes_there_and_back(text: str) -> None:
    code = "gw.reply(200, nil, gw.json.encode(gw.json.decode(req.body)))"
    hook = lua(f"return {{request_body = function(req) {code} end}}", body="buffered")
    with serving(hook) as gate:
        got = json.loads(exchange(gate, post(text.encode())).answer.body)
    wanted = json.loads(text)
    assert got == (wanted if wanted != [] else {}) or text == "[[[]]]"


@pytest.mark.parametrize(
    "text", ["", "{", "[1,]", '{"a"}', "01", "1 2", '"\x01"', "nul", "[" * 100, '"\\ud800"', "+1"]
)
def test_json_that_is_none_gives_nil_and_a_reason(text: str) -> None:
    assert json.loads(said(f"select(2, gw.json.decode([==[{text}]==]))"))[0]


def test_a_key_value_store_of_the_worker_forgets_after_its_ttl() -> None:
    assert said("gw.kv.incr('n') + gw.kv.incr('n', 2)") == "[4]"
    assert said("gw.kv.set('a', 'b', 10) or gw.kv.get('a')") == '["b"]'
    assert said("gw.kv.set('a', 'b', 1e-9) or gw.kv.get('a') == nil") == "[true]"
    assert said("gw.kv.set('a', true) or gw.kv.delete('a') and gw.kv.get('a') == nil") == "[true]"
    many = "(function() for i = 1, 20000 do gw.kv.set(i, i) end return gw.kv.get(1) == nil end)()"
    assert said(many, deadline_ms=None) == "[true]"


def test_patterns_mean_what_lua_says() -> None:
    for code, value in [
        ("('key = value'):match('^(%w+)%s*=%s*(%w+)$')", ["key"]),
        ("select(2, ('key = value'):match('^(%w+)%s*=%s*(%w+)$'))", ["value"]),
        ("('a.b'):find('.', 1, true)", [2]),
        ("('THE (quick) fox'):find('%((%a+)%)')", [5]),
        ("('hello world'):gsub('o', '0')", ["hell0 w0rld"]),
        ("('abc'):gsub('%w', '%0%0')", ["aabbcc"]),
        ("('abc'):gsub('', '-')", ["-a-b-c-"]),
        ("('$name'):gsub('%$(%w+)', {name = 'x'})", ["x"]),
        ("('f(a(b)c)d'):match('%b()')", ["(a(b)c)"]),
        ("('THE (quick) fox'):match('%f[%a]%a+', 5)", ["quick"]),
        ("('abab'):match('(ab)%1')", ["ab"]),
        ("('abc'):match('()b()')", [2]),
        ("('a-b]'):match('[]-]', 2)", ["-"]),
        ("('x'):match('^[^%s]?$')", ["x"]),
        ("('aXb'):match('%u')", ["X"]),
        ("('a'):rep(3)", ["aaa"]),
        ("(function() local n = 0 for _ in ('a b c'):gmatch('%a') do n = n + 1 end return n end)()",
         [3]),
    ]:  # fmt: skip
        assert json.loads(said(f"({code})")) == value, code


def test_sorting_moves_equal_elements_never_past_each_other() -> None:
    code = "(function() local t = {3, 1, 2, 5, 4, 9, 7} table.sort(t) return table.concat(t) end)()"
    assert said(code) == '["1234579"]'


def test_a_declared_configuration_is_checked_and_given() -> None:
    code = """
    local level
    return {
      config = {key = {type = "string", required = true}, level = {type = "integer", default = 3}},
      init = function(config) level = config.level end,
      request = function() gw.reply(200, nil, gw.config.key .. level) end,
    }"""
    with serving(lua(code, config={"key": "k"})) as gate:
        assert exchange(gate).answer.body == b"k3"
    for config, complaint in [
        (None, "config.key is required by hook.lua"),
        ({"key": 1}, "config.key must be a string"),
        ({"key": "k", "kye": 1}, "config.kye is unknown to hook.lua, which declares key, level"),
        ({"key": "k", "level": 1.5}, "config.level must be an integer"),
    ]:
        with pytest.raises(ValueError, match=complaint), serving(lua(code, config=config)):
            pass


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("return {", "hook.lua:1: unexpected symbol near '<eof>'"),
        ("\n\nerror('boom')", "hook.lua:3: boom"),
        ("return 1", "hook.lua: returns a number"),
        ("return {reqest = print}", "known are config, init, reads, wait, writes, request"),
        ("return {}", "has no function for a phase"),
        ("local s = 'x\n'", "hook.lua:1: unfinished string"),
        ("\x1bLJ", "hook.lua:1: is bytecode"),
        ("while true do end", "hook.lua:1: ran for more than 1000 ms"),  # LUA_BURST_MS
    ],
)
def test_a_file_that_cannot_be_a_hook_is_refused_with_its_line(code: str, complaint: str) -> None:
    with pytest.raises(ValueError) as error, serving(lua(code)):
        pass
    assert complaint in str(error.value)


# --- waiting --------------------------------------------------------------------------------------


def test_a_hook_that_sleeps_goes_on_when_its_time_has_come() -> None:
    with serving(request("gw.sleep(0.1) req.set_header('x-slept', '1')", deadline_ms=500)) as gate:
        client = gate.client(GET)
        assert gate.origins == []
        gate.advance(150)
        assert gate.origin.request.one("x-slept") == b"1"
        gate.origin.send(OK)
        assert client.answer.status == 200


def test_interleaved_coroutines_never_see_each_others_exchange() -> None:
    code = """
    local function id() return req_path() end
    return function(req)
      local path, n = req.path, tonumber(req.header("x-n"))
      for i = 1, 5 do
        gw.sleep(0.01 * ((n * 7 + i * 3) % 5 + 1))
        if req.path ~= path or req.header("x-n") ~= tostring(n) then
          gw.reply(500, nil, "saw " .. req.path) return
        end
        gw.var.seen = (gw.var.seen or "") .. n
      end
      gw.reply(200, nil, path .. " " .. gw.var.seen)
    end"""
    with serving(lua(code, deadline_ms=None)) as gate:
        clients = [
            gate.client(b"GET /%d HTTP/1.1\r\nHost: a\r\nX-N: %d\r\n\r\n" % (n, n))
            for n in range(50)
        ]
        for _ in range(60):
            gate.advance(10)
        for n, client in enumerate(clients):
            assert client.answer.body == b"/%d " % n + b"%d" % n * 5


def test_a_wait_inside_of_a_hooks_own_coroutine_goes_through_it() -> None:
    code = """
    return function(req)
      local steps = coroutine.wrap(function()
        for i = 1, 3 do gw.sleep(0.01) coroutine.yield(i) end
      end)
      gw.reply(200, nil, steps() .. steps() .. steps() .. req.path)
    end"""
    with serving(lua(code, deadline_ms=None)) as gate:
        client = gate.client(GET)
        for _ in range(4):
            gate.advance(20)
        assert client.answer.body == b"123/"


def test_a_waiting_hook_ends_with_its_client_and_at_its_deadline() -> None:
    with serving(request("gw.sleep(10)", deadline_ms=100)) as gate:
        late = gate.client(GET)
        gone = gate.client(GET)
        gone.reset()
        gate.advance(150)
        assert late.answer.status in (500, 504)
        again = gate.client(GET)
        gate.advance(150)
        assert again.answer.status == late.answer.status


def test_no_sleep_is_longer_than_lua_sleep_max_ms() -> None:
    with serving(request("gw.sleep(3601)")) as gate:  # LUA_SLEEP_MAX_MS
        assert exchange(gate).answer.status == 500


def test_a_hook_that_may_not_wait_is_told_so() -> None:
    with serving(lua("return {log = function() gw.sleep(1) end}")) as gate:
        assert exchange(gate).answer.status == 200
    hook = request("gw[('slee') .. 'p'](1)")
    with serving(hook) as gate:
        assert exchange(gate).answer.status == 500
