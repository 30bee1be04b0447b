"""`pygw profile CONFIG`: requests made up or given, a worker in memory under the real clock."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pygw._core.matcher import Matcher
from pygw.config.expressions import compile_expression
from pygw.config.model import Config
from pygw.profile.asked import given as given_requests
from pygw.profile.asked import made_up, of_file, shortest
from pygw.profile.rehearsal import ANSWER, Rehearsal
from pygw.profile.spent import spent_of
from pygw.profile.table import rehearsal_text
from pygw.testing.hook_config import load_for_test, plan_of
from tests.unit.lua_hooks import needs_lua

ROUTES = [
    {
        "name": "users",
        "match": {"host": "*.example.com", "path": "/v1/users/{id:int}", "methods": ["PUT", "GET"]},
        "upstream": "api",
    },
    {
        "name": "asks",
        "match": {
            "path": "/f/{x:[a-c]{3}}/{rest*}",
            "headers": {"x-a": {"regex": "[0-9]{2}"}, "accept": {"present": False}},
            "query": {"q": "1", "z": {"present": True}},
            "client": ["10.1.0.0/16"],
        },
        "upstream": "api",
    },
    {"match": {"path": "/*"}, "middleware": [{"respond": {"body": "mine"}}]},
]
CONFIG = {"upstreams": {"api": {"targets": ["http://api.example:9000"]}}, "routes": ROUTES}


def loaded_and_plan(config: Any = CONFIG) -> tuple[Config, bytes]:
    loaded = load_for_test(config, None)
    return loaded.config, plan_of(loaded)


def test_a_request_is_made_up_for_each_route_by_its_predicate() -> None:
    config, plan = loaded_and_plan()
    asked, left = made_up(config, ["users", "asks", "r3"], Matcher(plan), ["X-Key: k"])
    assert (left, [one.route for one in asked]) == ([], ["users", "asks", "r3"])
    users, asks, rest = asked
    assert users.told == "PUT www.example.com/v1/users/1"
    assert users.wire.partition(b"\r\n\r\n")[2].startswith(b'{"name"')
    assert asks.told == "GET /f/aaa/x?q=1&z=1"
    fields = {name.lower(): value for name, value in asks.request.fields}
    assert (fields["x-a"], fields["x-key"], "accept" in fields) == ("00", "k", False)
    assert asks.request.client == "10.1.0.0"
    assert rest.told == "GET /"


def test_a_route_for_which_none_can_be_made_up_is_named() -> None:
    hidden = {**CONFIG, "routes": [{"match": {"path": "/a"}, "upstream": "api"}]}
    config, plan = loaded_and_plan(hidden)
    asked, left = made_up(config, ["other"], Matcher(plan), [])
    assert (asked, left) == ([], ["other"])


@pytest.mark.parametrize("text", ["[0-9]{2}", "(ab|c)+", "x[^a-z]?y", "a.{3}"])
def test_the_shortest_text_of_an_expression_is_one_that_it_takes(text: str) -> None:
    made = compile_expression(text)
    assert made.takes(shortest(made).encode())


def test_requests_of_a_file_have_fields_and_bodies() -> None:
    _, plan = loaded_and_plan()
    text = (
        "# a remark\nPUT http://a.example.com/v1/users/7 HTTP/1.1\nX-A: b\nContent-Length: 99\n\n"
        '{"a": 1}\n\n###\n\n/other\n'
    )
    put, other = of_file(text, ["X-Key: k"], "127.0.0.1", Matcher(plan))
    assert (put.route, put.request.method, put.request.host) == ("users", "PUT", "a.example.com")
    assert put.wire.endswith(b'X-A: b\r\nX-Key: k\r\nContent-Length: 8\r\n\r\n{"a": 1}')
    assert (other.route, other.told) == ("r3", "GET /other")


@pytest.mark.parametrize("line", ["GET ftp://x/", "G<T /", "GET /a b", "GET "])
def test_a_bad_request_is_named(line: str) -> None:
    _, plan = loaded_and_plan()
    with pytest.raises(ValueError, match=re.escape(line.split()[0])):
        given_requests([line], [], "127.0.0.1", Matcher(plan))


@needs_lua
def test_hooks_are_timed_by_the_real_clock_and_what_they_wait_too(tmp_path: Path) -> None:
    lua = {"path": "/lua"}
    hook = "return function(req) gw.sleep(0.002) req.set_header('x-a', '1') end"
    (tmp_path / "wait.lua").write_text(hook)
    entry = {
        "match": lua,
        "middleware": [{"lua": str(tmp_path / "wait.lua")}],
        "upstream": "api",
    }
    config, plan = loaded_and_plan({**CONFIG, "routes": [entry]})
    rehearsal = Rehearsal(plan)
    try:
        asked, _ = made_up(config, ["r1"], Matcher(plan), [])
        rows, told = rehearsal.run(asked, 0.05)
    finally:
        rehearsal.close()
    spent = {one.stack: one for one in spent_of(rows)}
    count = told[0].statuses[200]
    assert count
    assert told[0].statuses == {200: count}
    ran = spent["/lua", "request", "wait (lua)"]
    waited = spent["/lua", "request", "wait (lua)", "waiting"]
    assert ran.kind == "lua"
    assert (ran.count, waited.count) == (count, count)
    assert 0 < ran.mean_ns < 1_000_000 < waited.mean_ns
    text = rehearsal_text(list(spent.values()), told, 0.05)
    assert f"{count}  200     r1     GET /lua" in text
    assert "hooks that waited" in text


def test_the_services_answer_is_one_of_http() -> None:
    head = ANSWER.decode("ascii")
    assert head.startswith("HTTP/1.1 200 ")
    assert head.endswith("\r\n\r\n")


@needs_lua
def test_code_that_runs_after_a_wait_runs_and_does_not_wait(tmp_path: Path) -> None:
    work = "local n = 0 for i = 1, 400000 do n = n + math.sin(i) end"
    (tmp_path / "late.lua").write_text(
        f"return function(req) gw.sleep(0.001) {work} req.set_header('x', tostring(n)) end"
    )
    entry = {
        "match": {"path": "/*"},
        "middleware": [{"lua": str(tmp_path / "late.lua")}],
        "upstream": "api",
    }
    config, plan = loaded_and_plan({**CONFIG, "routes": [entry]})
    rehearsal = Rehearsal(plan)
    try:
        asked, _ = made_up(config, ["r1"], Matcher(plan), [])
        rows, _ = rehearsal.run(asked, 0.1)
    finally:
        rehearsal.close()
    row = next(row for row in rows if row.name == "late")
    assert row.timed == row.waits == row.runs
    assert row.mean_ns > 1_500_000
    assert row.ns <= row.max_ns * row.runs
    assert sum(row.buckets) == row.runs
    assert sum(row.buckets[:20]) == 0  # none is counted where it stood when it first waited
