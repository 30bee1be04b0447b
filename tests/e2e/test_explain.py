"""`pygw routes` and `pygw explain` as a person and a script meet them."""

from __future__ import annotations

import json
from pathlib import Path

from .test_cli import pygw

CONFIG = """
listeners: [{bind: "127.0.0.1:8080"}]
upstreams:
  api: {targets: ["http://127.0.0.1:9001", "http://127.0.0.1:9002"]}
routes:
  - match: {path: "/*"}
    middleware: [{headers: {request: {set: {X-Api-Token: "${TOKEN:-a-secret-word}"}}}}]
    upstream: api
  - name: front
    match: {path: "/front"}
    middleware: [{ip: {deny: [10.0.0.0/8]}}, {respond: {body: "hello"}}]
"""


def test_routes_are_listed_in_the_order_of_precedence(tmp_path: Path) -> None:
    (tmp_path / "pygw.yaml").write_text(CONFIG)
    done = pygw("routes", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "METHODS  HOST  PATH    CONDITIONS  UPSTREAM  MIDDLEWARE   ROUTE\n"
        "*        *     /front  -           -         ip, respond  front\n"
        "*        *     /*      -           api       headers      r1\n"
    )
    done = pygw("routes", "--format", "json", cwd=tmp_path)
    rows = json.loads(done.stdout)
    assert [(row["order"], row["route"]) for row in rows] == [(1, "front"), (2, "r1")]


def test_plan_is_printed_the_same_each_time_with_secrets_masked(tmp_path: Path) -> None:
    (tmp_path / "pygw.yaml").write_text(CONFIG)
    first = pygw("routes", "--plan", cwd=tmp_path)
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout == pygw("routes", "--plan", cwd=tmp_path).stdout
    assert "a-secret-word" not in first.stdout
    assert 'route front match.path = "/front"\n' in first.stdout
    assert 'upstream api targets[1].url = "http://127.0.0.1:9002"\n' in first.stdout
    assert "generation" not in first.stdout


def test_explain_tells_route_filters_and_targets(tmp_path: Path) -> None:
    (tmp_path / "pygw.yaml").write_text(CONFIG)
    done = pygw("explain", "GET", "http://h.example/x?y=1", "-H", "X-A: b", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[:3] == [
        "GET http://h.example/x?y=1 from 127.0.0.1",
        "route     r1",
        "          path /*",
    ]
    assert "a-secret-word" not in done.stdout
    assert "http://127.0.0.1:9001, http://127.0.0.1:9002 (round robin" in done.stdout


def test_explain_tells_that_head_is_gets_and_a_preflight_is_its_methods(tmp_path: Path) -> None:
    filters = "[{cors: {origins: ['*']}}, {echo: {}}]"
    route = f"{{name: a, match: {{path: /a, methods: [GET, PUT]}}, middleware: {filters}}}"
    text = f'listeners: [{{bind: "127.0.0.1:8080"}}]\nroutes: [{route}]\n'
    (tmp_path / "pygw.yaml").write_text(text)

    def told(method: str, *fields: str) -> list[str]:
        headers = [word for field in fields for word in ("-H", field)]
        return pygw("explain", method, "/a", *headers, cwd=tmp_path).stdout.splitlines()[1:4]

    found = ["route     a", "          path /a"]
    preflight = ("Origin: https://a.test", "Access-Control-Request-Method: PUT")
    assert told("HEAD") == [*found, "          method GET or HEAD or PUT"]
    assert told("OPTIONS", *preflight) == [
        *found,
        "          method a preflight for GET or HEAD or PUT",
    ]
    assert told("OPTIONS")[:2] == [
        "route     none",
        "misses    a: wants GET or HEAD or PUT, got OPTIONS",
    ]


def test_explain_as_json_tells_who_answers_and_what_is_not_reached(tmp_path: Path) -> None:
    (tmp_path / "pygw.yaml").write_text(CONFIG)
    done = pygw(
        "explain", "GET", "/front", "--client", "10.1.2.3", "--format", "json", cwd=tmp_path
    )
    report = json.loads(done.stdout)
    assert (report["status"], report["cause"], report["outcome"]) == (403, "denied", "answered")
    assert report["filters"] == [
        {
            "filter": "ip",
            "verdict": "reply",
            "does": ["10.1.2.3 is denied by 10.0.0.0/8", "answers 403"],
        },
        {"filter": "respond", "verdict": "not reached", "does": []},
    ]
    assert report["forwarded"] is report["upstream"] is None
    assert [one["route"] for one in report["near_misses"]] == ["r1"]


def test_exit_codes_of_routes_and_explain(tmp_path: Path) -> None:
    assert pygw("routes", cwd=tmp_path).returncode == 2
    (tmp_path / "pygw.yaml").write_text("routes: 1\n")
    for arguments in (("routes",), ("explain", "GET", "/")):
        done = pygw(*arguments, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (1, "")
        assert "nothing was applied" in done.stderr
    for arguments in (
        ("explain", "GET", "ftp://x/"),
        ("explain", "GET", "/a b"),
        ("explain", "G T", "/"),
        ("explain", "GET", "/", "-H", "nonsense"),
        ("explain", "GET", "/", "--client", "nobody"),
        ("routes", "--plan", "--format", "json"),
    ):
        done = pygw(*arguments, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, ""), arguments
