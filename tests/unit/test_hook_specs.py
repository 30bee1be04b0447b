"""Specs of Lua hooks: what a spec may say, and how what fails is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from pygw.testing.cost import shown
from pygw.testing.spec import Report, run_spec
from tests.unit.lua_hooks import needs_lua

pytestmark = needs_lua

HOOK = """
return {
  config = { users = { type = "map", default = { ["k-1"] = "ännä" } } },
  request = function(req)
    local user = gw.config.users[req.header("x-key") or ""]
    if req.path == "/raise" then error("so it is") end
    if req.path == "/wait" then gw.sleep(30) end
    if not user then return gw.reply(401, { ["X-Why"] = "key" }, "no such key") end
    gw.var.user = user
    gw.log("info", "hello " .. user)
    req.set_header("x-user", user)
  end,
  response = function(req, resp) resp.set_header("x-hook", "yes") end,
}
"""


VALUES = """
  it("is refused", function()
    local answer = hook.get("/x")
    assert.equal(401, answer.status)
    assert.equal("no such key", answer.body)
    assert.equal("key", answer.headers["x-WHY"])
    assert.is_nil(answer.origin)
    assert.equal("reply", answer.outcome())
    assert.equal("next", answer.outcome("key", "response"))
  end)
  it("is let in", function()
    hook.origin.answer(201, { body = "\\0made", headers = { ["X-A"] = { "1", "2" } } })
    local answer = hook:post("/x?a=1", {
      headers = { ["x-key"] = "k-1" }, json = { a = { 1, "ä" } } })
    assert.equal(201, answer.status)
    assert.equal("\\0made", answer.body)
    assert.same({ "X-A", "2" }, answer.fields[2])
    local seen = answer.origin
    assert.same({ "POST", "/x", "a=1" }, { seen.method, seen.path, seen.query })
    assert.equal("ännä", seen.headers["X-User"])
    assert.same({ a = { 1, "ä" } }, seen.json())
    assert.same({ user = "ännä" }, answer.vars)
    assert.equal("hello ännä", answer.log[1].text)
    assert.is_true(answer.complete)
    assert.equal("all", answer.route)
    assert.equal("lua", answer.hooks[1].runtime)
  end)
  it("asks services in turn", function()
    local key = { headers = { ["x-key"] = "k-1" } }
    hook.origin.answer(function(seen) return { status = 202, body = seen.path } end)
    assert.equal("/y", hook.get("/y", key).body)
    hook.origin.next(500, "b", { status = 203 })
    local said = { hook.get("/", key).status, hook.get("/", key).body, hook.get("/", key).status }
    assert.same({ 500, "b", 203 }, said)
    hook.origin.answer({ json = { name = "ü" } })
    assert.same({ name = "ü" }, hook.get("/", key).json())
    hook.origin.refuse()
    assert.equal("connection_refused", hook.get("/", key).cause)
    hook.origin.silent()
    assert.equal(504, hook.get("/", key).status)
    assert.truthy(#hook.origin.requests() >= 5)
    hook.upstream("127.0.0.1:9000").answer(418)
    assert.equal(418, hook.get("/", key).status)
  end)
  it("has a clock", function()
    local before = hook.now()
    hook.get("/wait")
    hook.advance(30)
    assert.near(60, hook.now() - before, 5)
    assert.matches("hello", hook.log()[1])
  end)
  it("sends pieces", function()
    local answer = hook.put("/", { headers = { ["x-key"] = "k-1" }, chunks = { "a", "b\\255" } })
    assert.equal("ab\\255", answer.origin.body)
    assert.same({ "a", "b\\255" }, answer.origin.chunks)
    for _, verb in ipairs { "head", "patch", "delete", "options" } do
      assert.equal(401, hook[verb]("/").status)
    end
    assert.equal(401, hook.request("TRACE", "/").status)
  end)
  it("is a whole configuration", function()
    local gateway = pygw.gateway({ routes = { { match = { path = "/*" },
      middleware = { { lua = "key.lua" }, { respond = { status = 204 } } } } } })
    assert.equal(204, gateway.get("/", { headers = { ["x-key"] = "k-1" } }).status)
  end)
"""


def run(folder: Path, body: str, measure: bool = False) -> Report:
    """The report on cases that stand in a `describe` with a hook at hand."""
    (folder / "key.lua").write_text(HOOK)
    spec = folder / "key_spec.lua"
    spec.write_text(
        'describe("key", function()\n'
        '  local hook = pygw.hook("key.lua", nil, { deadline = "1m" })\n'
        f"{body}\nend)\n"
    )
    return run_spec(spec, measure=measure)


def problems(report: Report) -> list[str]:
    """What failed."""
    return [case.problem for case in report.cases if case.problem is not None]


def test_answers_services_and_hooks_are_values_of_lua(tmp_path: Path) -> None:
    report = run(tmp_path, VALUES, measure=True)
    assert problems(report) == []
    assert [case.names[0] for case in report.cases] == ["key"] * 6
    assert {(cost.hook, cost.phase) for cost in report.costs} == {
        ("key", "request"),
        ("key", "response"),
    }
    assert all(0 < cost.ns < 1e8 and cost.calls > 0 for cost in report.costs)


def test_what_fails_is_told_with_its_line_and_the_rest_runs(tmp_path: Path) -> None:
    body = """
  it("differs", function() assert.equal("a", hook.get().body) end)
  it("raises", function() hook.get("/raise") end)
  it("is wrong itself", function() local t; t.x = 1 end)
  it("takes no such option", function() pygw.hook("key.lua", { usrs = 1 }) end)
  it("has no such file", function() pygw.hook("no.lua") end)
  it("says what cannot be", function() hook.get("/", { hdrs = {} }) end)
  it("passes", function() end)
"""
    found = problems(run(tmp_path, body))
    spec = tmp_path / "key_spec.lua"
    assert found[0] == f'{spec}:4: expected "a", got "no such key"'
    assert found[1].startswith(f"{spec}:5: hook key failed in phase request (raised): ")
    assert "key.lua:6: so it is" in found[1]
    assert "key_spec.lua:6: attempt to index local 't' (a nil value)\n" in found[2]
    assert "pygw:" not in found[2]
    assert "lua.config.usrs: is unknown to" in found[3]
    assert found[4].startswith(f"{spec}:8: ")
    assert "no.lua" in found[4]
    assert "hdrs" in found[5]
    assert len(found) == 6


@pytest.mark.parametrize(
    ("says", "problem"),
    [
        ("assert.equal(1, 1)", None),
        ("assert.equal(1, 2)", "expected 1, got 2"),
        ("assert.are.equal(1, 2)", "expected 1, got 2"),
        ("assert.not_equal(1, 1)", "expected not 1, got 1"),
        ("assert.is_not.equal(1, 1)", "expected not 1, got 1"),
        ("assert.same({ a = { 1 } }, { a = { 1 } })", None),
        ("assert.same({ a = 1 }, { a = 2 })", "expected { a = 1 }, got { a = 2 }"),
        ("assert.same({ 1 }, { 1, 2 })", "expected { [1] = 1 }, got { [1] = 1, [2] = 2 }"),
        ("assert.is_true(1)", "expected true, got 1"),
        ("assert.is_false(false)", None),
        ("assert.is_nil(nil)", None),
        ("assert.is_not_nil(nil)", "expected not nil, got nil"),
        ("assert.truthy(nil)", "expected a true value, got nil"),
        ("assert.falsy(1)", "expected a false value, got 1"),
        ("assert.near(1, 2, 0.5)", "expected about 1, got 2"),
        ("assert.matches('^a', 'ba')", 'expected a match of "^a", got "ba"'),
        ("assert(false, 'so')", "so"),
        ("assert(nil)", "assertion failed"),
        ("assert.equal(1, assert(1))", None),
        ("assert.has_error(function() error('boom') end, 'boo')", None),
        ("assert.has_error(function() end)", "expected an error"),
        ("assert.has_error(function() error('x', 0) end, 'y')", 'matches "y", got: x'),
        ("assert.has_no_error(function() error('x', 0) end)", "expected no error, got: x"),
        ("assert.has.error(function() error('x') end)", None),
        ("assert.equals_most(1)", "there is no assert.equals_most"),
    ],
)
def test_assertions_are_those_of_busted(tmp_path: Path, says: str, problem: str | None) -> None:
    spec = tmp_path / "a_spec.lua"
    spec.write_text(f'it("x", function() {says} end)\n')
    (case,) = run_spec(spec).cases
    if problem is None:
        assert case.problem is None
    else:
        assert case.problem is not None
        assert problem in case.problem


def test_what_comes_before_and_after_each_case_runs(tmp_path: Path) -> None:
    spec = tmp_path / "order_spec.lua"
    spec.write_text(
        """
local seen = {}
before_each(function() seen[#seen + 1] = "before" end)
after_each(function() seen[#seen + 1] = "after" end)
describe("outer", function()
  before_each(function() seen[#seen + 1] = "inner" end)
  it("one", function() seen[#seen + 1] = "one" error("x", 0) end)
end)
context("other", function() it("two", function()
  assert.equal("before inner one after before", table.concat(seen, " "))
end) end)
describe("broken", function() error("at load") end)
"""
    )
    report = run_spec(spec)
    assert [case.names for case in report.cases] == [
        ("outer", "one"),
        ("other", "two"),
        ("broken",),
    ]
    assert report.cases[1].problem is None
    assert "at load" in str(report.cases[2].problem)


@pytest.mark.parametrize(("text", "told"), [("it(", "spec.lua:1:"), ("error('no', 0)", "no")])
def test_a_spec_that_cannot_be_loaded_is_a_failure(tmp_path: Path, text: str, told: str) -> None:
    spec = tmp_path / "bad_spec.lua"
    spec.write_text(text)
    (case,) = run_spec(spec).cases
    assert case.names == ()
    assert told in str(case.problem)


def test_times_are_told_as_people_read_them() -> None:
    told = [shown(ns) for ns in (0.4, 84, 999.4, 1234, 56789, 2.5e6, 3e9)]
    assert told == ["0 ns", "84 ns", "999 ns", "1.2 µs", "57 µs", "2.5 ms", "3 s"]
