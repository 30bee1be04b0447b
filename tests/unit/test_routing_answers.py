"""What a client hears when routes ask for more than a path."""

from __future__ import annotations

from typing import Any

import pytest

from tests.peers.wire import Message
from tests.unit import plans
from tests.unit.memory import Gate, serving
from tests.unit.test_build_match import matcher

Json = dict[str, Any]
ECHO: Json = {"filter": "echo"}


def routed(*matches: Json) -> Any:
    """A gate whose routes r0, r1, ... echo."""
    routes = [
        plans.route(f"r{n}", upstream=None, middleware=[ECHO]) | {"match": match}
        for n, match in enumerate(matches)
    ]
    return serving(routes=routes)


def ask(gate: Gate, line: str, *fields: str) -> Message:
    """The answer to one request."""
    head = [f"{line} HTTP/1.1", "Host: a", *fields]
    client = gate.client("\r\n".join([*head, "", ""]).encode())
    (answer,) = client.answers()
    return answer


def allow(answer: Message) -> list[str]:
    """Status and Allow."""
    return [str(answer.status), *(v.decode() for n, v in answer.fields if n == b"Allow")]


def test_a_method_that_no_route_takes_hears_405_with_all_that_do() -> None:
    with routed(
        {"path": "/a", "methods": ["POST", "PURGE"]},
        {"path": "/*", "methods": ["GET", "QUERY"]},
        {"path": "/a", "methods": ["TRACE"], "headers": [{"name": "x", "present": True}]},
    ) as gate:
        assert allow(ask(gate, "DELETE /a")) == ["405", "GET, POST, PURGE, QUERY"]
        assert allow(ask(gate, "DELETE /b")) == ["405", "GET, QUERY"]
        assert allow(ask(gate, "DELETE /a", "X: 1")) == ["405", "GET, POST, TRACE, PURGE, QUERY"]
        assert allow(ask(gate, "GET /a")) == ["200"]
        assert gate.causes == ["method_refused"] * 3 + ["-"]


def test_options_is_answered_where_other_methods_have_routes() -> None:
    with routed({"path": "/a", "methods": ["GET", "POST"]}) as gate:
        answer = ask(gate, "OPTIONS /a")
        assert allow(answer) == ["204", "GET, POST, OPTIONS"]
        assert answer.body == b""
        assert ask(gate, "OPTIONS /b").status == 404
        assert gate.causes == ["-", "no_route"]


def test_a_route_without_methods_hears_options_itself() -> None:
    with routed({"path": "/a"}) as gate:
        assert ask(gate, "OPTIONS /a").status == 200


PREFLIGHT = ("Origin: https://b.test", "Access-Control-Request-Method: PUT")


def sharing(*methods: str, **more: Any) -> Json:
    """What a route with `cors` asks."""
    return {"path": "/a", "methods": list(methods), "preflight": True, **more}


def test_a_preflight_goes_to_the_route_that_takes_the_method_it_asks_about() -> None:
    door = matcher(
        sharing("GET"), sharing("PUT"), {"path": "/a", "methods": ["DELETE"]}, {"path": "/*"}
    )
    fields = [("Origin", "https://b.test")]

    def taken(method: str) -> str | None:
        return door.match(
            "OPTIONS", "h", "/a", [*fields, ("Access-Control-Request-Method", method)]
        ).route

    found = [taken(method) for method in ("GET", "PUT", "DELETE", "put", "P", "")]
    assert found == ["r0", "r1", "r3", "r3", "r3", "r3"]


@pytest.mark.parametrize(
    "fields", [PREFLIGHT[:1], PREFLIGHT[1:], (*PREFLIGHT, "Access-Control-Request-Method: PUT")]
)
def test_options_that_is_no_preflight_is_not_taken_for_one(fields: tuple[str, ...]) -> None:
    with routed(sharing("PUT")) as gate:
        assert allow(ask(gate, "OPTIONS /a", *fields)) == ["204", "PUT, OPTIONS"]
        assert allow(ask(gate, "OPTIONS /a", *PREFLIGHT)) == ["200"]
        assert allow(ask(gate, "TRACE /a", *PREFLIGHT)) == ["405", "PUT"]


def test_a_route_without_cors_takes_no_preflight() -> None:
    with routed({"path": "/a", "methods": ["PUT"]}, sharing("PUT", path="/b")) as gate:
        assert allow(ask(gate, "OPTIONS /a", *PREFLIGHT)) == ["204", "PUT, OPTIONS"]


def test_a_preflight_needs_the_other_conditions_too() -> None:
    with routed(sharing("PUT", headers=[{"name": "x", "present": True}])) as gate:
        assert ask(gate, "OPTIONS /a", *PREFLIGHT).status == 404
        assert ask(gate, "OPTIONS /a", *PREFLIGHT, "X: 1").status == 200


def test_head_goes_to_who_names_it_without_get_whatever_the_order() -> None:
    both = {"path": "/a", "methods": ["GET", "HEAD"]}
    alone = {"path": "/a", "methods": ["HEAD", "POST"]}
    for matches, first in (((both, alone), "r1"), ((alone, both), "r0")):
        assert matcher(*matches).match("HEAD", "h", "/a").route == first
