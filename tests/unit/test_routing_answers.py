"""What a client hears when routes ask for more than a path."""

from __future__ import annotations

from typing import Any

from tests.peers.wire import Message
from tests.unit import plans
from tests.unit.memory import Gate, serving

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
