"""The grammar of templates, and what a plan makes of them."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from pygw.config import parse_config
from pygw.config.interpolate import Sources
from pygw.config.model.middleware import Middleware
from pygw.config.targets import BODY_FILE_MAX_BYTES, goal_of, parse_body_file, parse_origin
from pygw.config.template import Value, path_params, plan_text, split_template
from pygw.plan.filters import plan_filter, plan_filters

HEAD = 'listeners: [{bind: "127.0.0.1:0"}]\nroutes:\n- match: {path: "/*"}\n  middleware:\n'


def planned(entry: str) -> dict[str, Any]:
    """The filter of one entry, as a plan holds it."""
    return plan_filter(Middleware.model_validate(yaml.safe_load(entry)), ("id", "host"))


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", []),
        ("plain", ["plain"]),
        ("{a}", [Value("a")]),
        ("x{a}{b.c-d}y", ["x", Value("a"), Value("b.c-d"), "y"]),
        ("{{a}}", ["{a}"]),
        ("{{{a}}}", ["{", Value("a"), "}"]),
        ('{"a": {"b": {"c": 1}}}', ['{"a": {"b": {"c": 1}}}']),
        ('{"a":{"b":"{c}"}}', ['{"a":{"b":"', Value("c"), '"}}']),
        ('{{"x":{{"y":1}}}}', ['{"x":{"y":1}}']),
        ("}} {", ["}} {"]),
        ("{a b}{1}{}", ["{a b}{1}{}"]),
        ("${a}", ["${a}"]),
    ],
)
def test_braces_are_values_escapes_or_themselves(text: str, pieces: list[Any]) -> None:
    assert split_template(text) == pieces


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/a", ()),
        ("/{a}/{b:int}/{rest*}", ("a", "b", "rest")),
        ("/{a:[0-9]{3}}/{b}", ("a", "b")),
        ("/{", ()),
        (7, ()),
    ],
)
def test_names_in_a_path_are_known(path: object, names: tuple[str, ...]) -> None:
    assert path_params(path) == names


def test_a_name_in_the_path_comes_before_a_value_of_that_name() -> None:
    assert plan_text("{host}{id}{method}", ("id", "host")) == [
        ["param", 1],
        ["param", 0],
        ["method"],
    ]
    assert plan_text("{{host}}", ("host",)) == "{host}"


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("rewrite: {path: '/v/{id}'}",
         {"filter": "rewrite", "path": ["/v/", ["param", 0]], "query": None}),
        ("rewrite: {query: ''}", {"filter": "rewrite", "path": None, "query": []}),
        ("strip_prefix: /a", {"filter": "prefix", "strip": "/a", "add": ""}),
        ("add_prefix: /a", {"filter": "prefix", "strip": "", "add": "/a"}),
        ("query: {set: {a: 'x y{id}', b: c d}}",
         {"filter": "query", "keep": None, "remove": [], "rename": [], "add": [],
          "set": [["a", ["x%20y", ["param", 0]]], ["b", "c d"]]}),
        ("maintenance: {}",
         {"filter": "maintenance", "allow": [], "retry_after_s": 300, "body": None,
          "content_type": "text/html; charset=utf-8"}),
        ("cors: {origins: ['*'], max_age: 90s}",
         {"filter": "cors", "origins": None, "headers": None, "expose": [], "credentials": False,
          "methods": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"], "max_age_s": 90,
          "private_network": False}),
        ("request_id: {}",
         {"filter": "request_id", "header": "X-Request-ID", "trust": "proxies",
          "format": "uuid7"}),
    ],
)  # fmt: skip
def test_an_entry_is_planned(entry: str, expected: dict[str, Any]) -> None:
    assert planned(entry) == expected


def test_a_redirect_is_planned_by_its_parts() -> None:
    plan = planned("redirect: {to: 'https://{authority}/n/{id}?a={query.b}#c'}")
    assert plan["to"] == {
        "origin": ["https://", ["authority"]],
        "path": ["/n/", ["param", 0]],
        "query": ["a=", ["pair", "b"]],
        "fragment": "c",
        "keep_query": False,
    }
    assert planned("redirect: {to: /n}")["location"] == "/n"
    whole = planned("redirect: {to: 'https://a.test{path_and_query}'}")["to"]
    assert (whole["path"], whole["query"], whole["keep_query"]) == ([["path"]], None, True)


@pytest.mark.parametrize(
    ("location", "parts"),
    [
        ("/a", ("", "/a", None, "")),
        ("https://a{path}", ("https://a", "{path}", None, "")),
        ("{scheme}://{host}", ("{scheme}://{host}", "", None, "")),
        ("http://a?b?c#d#e", ("http://a", "", "b?c", "d#e")),
        ("/a?", ("", "/a", "", "")),
    ],
)
def test_a_goal_has_parts(location: str, parts: tuple[str, ...]) -> None:
    goal = goal_of(location)
    assert (goal.origin, goal.path, goal.query, goal.fragment) == parts


@pytest.mark.parametrize(
    ("kind", "escape"),
    [
        ("application/json", "json"), ("application/problem+json; x=y", "json"),
        ("text/html", "markup"), ("image/svg+xml", "markup"), ("text/plain", "text"),
    ],
)  # fmt: skip
def test_a_body_is_escaped_by_its_type(kind: str, escape: str) -> None:
    plan = planned(f"respond: {{body: '{{method}}', content_type: '{kind}'}}")
    assert (plan["escape"], plan["body"]) == (escape, [["method"]])
    assert plan["headers"] == [["Content-Type", kind], ["X-Content-Type-Options", "nosniff"]]


def test_what_is_switched_off_is_left_out() -> None:
    text = f"{HEAD}  - maintenance: {{enabled: false}}\n  - echo: {{}}\n"
    config = parse_config(text, "x.yaml", Sources({}))
    assert plan_filters(config.routes[0].middleware, ()) == [{"filter": "echo"}]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("HTTPS://A.Test", "https://a.test"),
        ("https://*.A.test:8443", "https://*.a.test:8443"),
        ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
        ("null", "null"),
    ],
)
def test_origins_are_kept_as_a_browser_writes_them(written: str, kept: str) -> None:
    assert parse_origin(written) == kept


def test_a_file_larger_than_its_bound_is_refused(tmp_path: Any) -> None:
    file = tmp_path / "x.html"
    file.write_bytes(b"x" * BODY_FILE_MAX_BYTES)
    assert parse_body_file(str(file)).content_type == "text/html; charset=utf-8"
    file.write_bytes(b"x" * (BODY_FILE_MAX_BYTES + 1))
    with pytest.raises(ValueError, match="is larger than 1MiB"):
        parse_body_file(str(file))
