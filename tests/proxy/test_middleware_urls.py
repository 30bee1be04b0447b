"""Filters of URLs, answers and CORS, from a configuration to the wire."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.peers.fleet import Stage
from tests.peers.gateway import Gateway
from tests.peers.origin import Origin
from tests.peers.payload import request
from tests.peers.settings import proxy_config


def with_filters(stage: Stage, origin: Origin, *filters: dict[str, Any]) -> Gateway:
    """A gateway whose one route has these filters."""
    return stage.gateway(proxy_config(origin, middleware=list(filters)))


@pytest.mark.parametrize(
    ("filters", "asked", "target"),
    [
        ([{"strip_prefix": "/api"}], "/api/x?q=1", b"/x?q=1"),
        ([{"add_prefix": "/v1"}], "/x", b"/v1/x"),
        ([{"strip_prefix": "/api"}, {"add_prefix": "/v1"}], "/api", b"/v1/"),
        ([{"rewrite": {"path": "/n{path}", "query": "h={host}&q={query.q}"}}], "/o?q=%26",
         b"/n/o?h=test.example&q=%26"),
        ([{"rewrite": {"path": "/n{path_and_query}"}}], "/o?q", b"/n/o?q"),
        ([{"query": {"keep": ["a", "b"], "set": {"b": "{method} x"}, "rename": {"a": "é"}}}],
         "/?a=1&b=2&c=3", b"/?%C3%A9=1&b=GET%20x"),
        ([{"query": {"remove": ["a"]}}], "/?a=1", b"/"),
    ],
)  # fmt: skip
def test_the_service_sees_the_edited_target(
    stage: Stage, origin: Origin, filters: list[dict[str, Any]], asked: str, target: bytes
) -> None:
    gw = with_filters(stage, origin, *filters)
    with gw.client() as client:
        assert client.ask(request(asked)).status == 200
    assert [one.target for one in origin.requests] == [target]
    assert gw.log_entries(1)[0]["target"] == asked


def test_a_path_that_climbs_through_a_value_is_refused(stage: Stage, origin: Origin) -> None:
    gw = with_filters(stage, origin, {"rewrite": {"path": "/files/{query.name}/raw"}})
    for name, status in (("..", 400), ("%2e%2e", 400), ("a%2fb", 400), ("a/b", 400), ("a+b", 200)):
        with gw.client() as client:
            assert client.ask(request(f"/?name={name}")).status == status
    assert [one.target for one in origin.requests] == [b"/files/a%20b/raw?name=a+b"]


def test_fields_of_both_heads_hold_values(stage: Stage, origin: Origin) -> None:
    edits = {
        "headers": {
            "request": {
                "set": {"X-From": "{client_ip} {{x}}"},
                "rename": {"X-Old": "X-New"},
                "default": {"Accept": "text/plain"},
            },
            "response": {"set": {"X-Status": "{status}"}, "rename": {"Server": "X-Server"}},
        }
    }
    gw = with_filters(stage, origin, edits)
    with gw.client() as client:
        got = client.ask(request("/", "X-Old: 1"))
    (asked,) = origin.requests
    assert asked.one("X-From") == b"127.0.0.1 {x}"
    assert (asked.all("X-Old"), asked.one("X-New")) == ([], b"1")
    assert asked.one("Accept") == b"text/plain"
    assert got.one("X-Status") == b"200"


def test_a_redirect_carries_path_and_query(stage: Stage) -> None:
    to = {"to": "https://{host}/new{path}", "status": 302, "keep_query": True}
    gw = stage.gateway(proxy_config(middleware=[{"redirect": to}]))
    with gw.client() as client:
        got = client.ask(request("/a//b?x=1"))
        assert got.one("Location") == b"https://test.example/new/a/b?x=1"
        assert client.ask(request("/a/%2e%2e/b")).status in (400, 404)


def test_a_redirect_to_the_target_as_it_came(stage: Stage) -> None:
    gw = stage.gateway(
        proxy_config(middleware=[{"redirect": {"to": "https://a.test{path_and_query}"}}])
    )
    with gw.client() as client:
        assert client.ask(request("/a?x")).one("Location") == b"https://a.test/a?x"


def test_a_mock_answers_late_with_values_escaped(stage: Stage) -> None:
    respond = {
        "body": '{"q": "{header.X-Q}", "n": {"a": 1}}',
        "content_type": "application/json",
        "headers": {"X-Path": "{path}"},
        "delay": "100ms",
    }
    gw = stage.gateway(proxy_config(middleware=[{"respond": respond}]))
    with gw.client() as client:
        began = time.monotonic()
        got = client.ask(request("/m", 'X-Q: a"b'))
        assert time.monotonic() - began >= 0.1
    assert got.text == '{"q": "a\\u0022b", "n": {"a": 1}}'
    assert got.one("X-Path") == b"/m"
    assert got.one("X-Content-Type-Options") == b"nosniff"


def test_a_file_is_an_answer(stage: Stage, tmp_path: Path) -> None:
    page = tmp_path / "page.png"
    page.write_bytes(bytes(range(256)))
    gw = stage.gateway(proxy_config(middleware=[{"respond": {"file": str(page)}}]))
    with gw.client() as client:
        got = client.ask(request("/"))
    assert (got.body, got.one("Content-Type")) == (bytes(range(256)), b"image/png")


def test_maintenance_can_be_switched_off(stage: Stage, origin: Origin) -> None:
    off = {"maintenance": {"enabled": False}}
    gw = with_filters(stage, origin, off)
    with gw.client() as client:
        assert client.ask(request("/")).status == 200


def test_maintenance_answers_503(stage: Stage, origin: Origin) -> None:
    gw = with_filters(stage, origin, {"maintenance": {"retry_after": "2m", "body": "soon"}})
    with gw.client() as client:
        got = client.ask(request("/"))
    assert (got.status, got.text, got.one("Retry-After")) == (503, "soon", b"120")
    assert origin.requests == []
    assert gw.log_entries(1)[0]["cause"] == "maintenance"


def test_cors_of_a_browser(stage: Stage, origin: Origin) -> None:
    cors = {"origins": ["https://*.a.test"], "credentials": True, "max_age": "10m"}
    gw = with_filters(stage, origin, {"cors": cors})
    page = "Origin: https://x.a.test"
    with gw.client() as client:
        ask = ("Access-Control-Request-Method: PUT", "Access-Control-Request-Headers: x-a")
        got = client.ask(request("/", page, *ask, method="OPTIONS"))
        assert (got.status, got.one("Access-Control-Max-Age")) == (204, b"600")
        assert got.one("Access-Control-Allow-Headers") == b"x-a"
        got = client.ask(request("/", page, method="PUT"))
        assert got.one("Access-Control-Allow-Origin") == b"https://x.a.test"
        assert got.one("Vary") == b"Origin"
        got = client.ask(request("/", "Origin: https://a.test"))
        assert got.all("Access-Control-Allow-Origin") == []
    assert [one.method for one in origin.requests] == [b"PUT", b"GET"]


def test_a_request_id_of_another_name(stage: Stage, origin: Origin) -> None:
    gw = with_filters(stage, origin, {"request_id": {"header": "X-Corr", "trust": "all"}})
    with gw.client() as client:
        got = client.ask(request("/", "X-Corr: mine"))
    assert got.one("X-Corr") == origin.requests[0].one("X-Corr") == b"mine"
    assert gw.log_entries(1)[0]["request_id"] == "mine"
