"""Lua that tries to reach what is not its own: other requests, the gateway, the machine."""

from __future__ import annotations

from tests.unit.lua_hooks import needs_lua
from tests.unit.memory import GET, ok, serving
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
