"""What a hook declares that it reads and writes: the mask where the entry has none, a bound for it
where it has one."""

from __future__ import annotations

import pytest
from pygw._core.part import PlanError

from pygw.hooks import hook
from tests.unit import plans
from tests.unit.lua_hooks import lua, needs_lua
from tests.unit.memory import OK, Client, Gate, Json, plan_of, serving
from tests.unit.python_hooks import python

DECLARED = """
@hook(reads=["headers.x-key", "vars"], writes=("headers.x-user", "reply"))
def h(req):
    seen = (req.path, req.headers.get("x-key"), req.headers.get("host"))
    req.headers["x-user"] = repr(seen)
    try:
        req.headers["x-other"] = "1"
    except Refused as refused:
        req.headers["x-user"] = repr(seen) + " " + str(refused)
"""
LUA = """
return {
  reads = { "headers.x-key" }, writes = { "headers.x-user" },
  request = function(req)
    req.set_header("x-user", tostring(req.path) .. tostring(req.header("x-key")))
    if pcall(req.set_header, "x-other", "1") then error("it could") end
  end,
}
"""


def ask(gate: Gate) -> Client:
    client = gate.client(b"GET /p HTTP/1.1\r\nHost: a\r\nX-Key: k\r\n\r\n")
    if gate.origins:
        gate.origin.send(OK)
    return client


def test_what_python_declares_is_its_mask() -> None:
    with serving(python(DECLARED)) as gate:
        assert ask(gate).statuses == [200]
        (sent,) = gate.origin.requests()
        said = sent.one("x-user") or b""
        assert said.startswith(b"('', 'k', None)")
        assert b"writes" in said
        assert sent.one("x-other") is None


@needs_lua
def test_what_lua_declares_is_its_mask() -> None:
    with serving(lua(LUA)) as gate:
        assert ask(gate).statuses == [200]
        (sent,) = gate.origin.requests()
        assert (sent.one("x-user"), sent.one("x-other")) == (b"k", None)


def test_an_entry_may_allow_less() -> None:
    with serving(python(DECLARED, reads=[], writes=["headers.X-User"])) as gate:
        assert ask(gate).statuses == [200]
        (sent,) = gate.origin.requests()
        assert (sent.one("x-user") or b"").startswith(b"('', None, None)")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"reads": ["path"]}, "names 'path', but the hook says that it reads only headers.x-key"),
        ({"reads": ["headers"]}, "names 'headers', but"),
        ({"writes": ["headers.x-other"]}, "says that it writes only headers.x-user, reply"),
        ({"reads": ["vars.a", "headers.x-key"], "writes": ["reply"]}, None),
    ],
)
def test_an_entry_cannot_allow_more_than_the_code_says(changes: Json, says: str | None) -> None:
    plan = plan_of(python(DECLARED, **changes))
    if says is None:
        plans.build(plan)
        return
    with pytest.raises(PlanError, match=says):
        plans.build(plan)


@needs_lua
@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("return { reads = { 'nothing' }, request = function() end }", "'nothing' is nothing that"),
        ("return { reads = { 'reply' }, request = function() end }", "reply cannot stand here"),
        ("return { writes = { 5 }, request = function() end }", "'writes' must be a list of names"),
        ("return { writes = 'path', request = function() end }", "'writes' must be a table"),
    ],
)
def test_a_declaration_that_means_nothing_is_refused(code: str, says: str) -> None:
    with pytest.raises(PlanError, match=says):
        plans.build(plan_of(lua(code)))


@needs_lua
def test_an_empty_declaration_allows_nothing() -> None:
    code = """return { reads = {}, writes = {}, request = function(req)
      if req.path ~= "" or pcall(req.set_header, "x", "1") then error("it could") end
    end }"""
    with serving(lua(code)) as gate:
        assert ask(gate).statuses == [200]


@needs_lua
@pytest.mark.parametrize(
    ("key", "says"),
    [
        ([["header", "x-key"]], None),
        ([["path"]], "says nothing of 'headers.x-key', which the hook reads"),
        (["x-key"], "says nothing of"),
    ],
)
def test_a_key_is_held_against_what_the_code_declares(key: list[object], says: str | None) -> None:
    plan = plan_of(lua(LUA, cache={"key": key, "ttl_ms": 1000}))
    if says is None:
        plans.build(plan)
        return
    with pytest.raises(PlanError, match=says):
        plans.build(plan)


@needs_lua
def test_what_no_key_can_hold_is_not_kept() -> None:
    code = LUA.replace('"headers.x-key"', '"vars.a"')
    with pytest.raises(PlanError, match=r"cannot hold 'vars\.a'"):
        plans.build(plan_of(lua(code, cache={"key": [["path"]], "ttl_ms": 1000})))


@pytest.mark.parametrize("wrong", ["path", [1], b"path"])
def test_the_decorator_takes_lists_of_names_only(wrong: object) -> None:
    with pytest.raises(ValueError, match="must be a list of names"):
        hook(reads=wrong)  # type: ignore[call-overload]
