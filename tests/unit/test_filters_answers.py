"""The filters that answer themselves: `respond`, `redirect`, `echo`."""

from __future__ import annotations

from typing import Any

import pytest
from pygw._core.probe.filters import PlanError

from .plans import through

CLEAN = {"buffers": 0, "slices": 0, "pins": 0, "timers": False}
ECHO = {"filter": "echo"}


def respond(**changes: Any) -> dict[str, Any]:
    """The filter `respond`, varied."""
    return {"filter": "respond", "status": 200, "headers": [], "body": "hello"} | changes


def redirect(location: Any, status: Any = 308) -> dict[str, Any]:
    """The filter `redirect`."""
    return {"filter": "redirect", "status": status, "location": location}


def test_respond_answers_what_is_configured() -> None:
    fields = [["Content-Type", "text/plain"], ["X-D", "e"], ["X-D", "f"]]
    run = through(respond(status=418, headers=fields, body="é\n"), upstream=None)
    run.begin()
    assert run.status == 418
    assert run.down.fields(b"Content-Type") == [b"text/plain"]
    assert run.down.fields(b"X-D") == [b"e", b"f"]
    assert run.down.body == "é\n".encode()
    assert run.attempts == (0, 0)
    assert (run.cause, run.logs, run.live) == ("-", (1, 418), CLEAN)


def test_respond_without_a_body_says_length_0() -> None:
    run = through(respond(body=""), upstream=None)
    run.begin()
    assert run.down.fields(b"Content-Length") == [b"0"]


def test_respond_to_a_request_with_a_body_drops_the_body() -> None:
    run = through(respond(), upstream=None)
    run.begin(b"POST", framing="length", length=100_000)
    assert run.status == 200
    assert run.down.body == b"hello"
    assert run.live == CLEAN


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"status": 199}, "status: must be from 200 to 599"),
        ({"status": 600}, "status: must be from 200 to 599"),
        ({"status": 204}, "body: a response with status 204 has no body"),
        ({"status": 304}, "body: a response with status 304 has no body"),
        ({"body": None}, "body: must be text"),
        ({"body": "\ud800"}, "body: must be text that UTF-8 can carry"),
        ({"headers": [["Date", "x"]]}, r"headers\[0\]\[0\]: the gateway writes the Date"),
        ({"headers": [["Content-Length", "1"]]}, r"headers\[0\]\[0\]: the gateway writes"),
        ({"headers": [["A", "b\n"]]}, r"headers\[0\]\[1\]: not a field value"),
        ({"headers": {"A": "b"}}, "headers: must be a list"),
    ],
)
def test_a_bad_respond_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanError, match=rf"^routes\[0\].middleware\[0\].{message}"):
        through(respond(**change))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_sends_the_configured_place_and_nothing_of_the_request(status: int) -> None:
    run = through(redirect("https://example.com/x?y#z", status), upstream=None)
    run.begin(b"GET", b"/secret?hush", [(b"Host", b"evil.test")])
    assert run.status == status
    assert run.down.fields(b"Location") == [b"https://example.com/x?y#z"]
    assert run.down.fields(b"Content-Length") == [b"0"]
    assert (run.down.body, run.cause, run.live) == (b"", "-", CLEAN)


@pytest.mark.parametrize(
    ("location", "status", "message"),
    [
        ("", 308, "location: must be a URL"),
        ("/a b", 308, "location: must be a URL"),
        ("/a\r\nX: y", 308, "location: must be a URL"),
        ("/é", 308, "location: must be a URL"),
        ("/" + "a" * 8192, 308, "location: must be at most 8192"),
        (1, 308, "location: must be text"),
        ("/", 300, "status: must be from 301"),
        ("/", 304, "status: must be one of"),
        ("/", 306, "status: must be one of"),
        ("/", 309, "status: must be from 301"),
    ],
)
def test_a_bad_redirect_is_refused(location: Any, status: int, message: str) -> None:
    with pytest.raises(PlanError, match=rf"^routes\[0\].middleware\[0\].{message}"):
        through(redirect(location, status))


def test_echo_shows_the_request_line_and_the_fields() -> None:
    run = through(ECHO, upstream=None)
    run.begin(b"GET", b"/a?b=%20c", [(b"Host", b"a.test"), (b"X-Empty", b""), (b"Te", b"gzip")])
    assert run.status == 200
    assert run.down.body == b"GET /a?b=%20c HTTP/1.1\nHost: a.test\nX-Empty: \nTe: gzip\n"
    assert run.down.fields(b"Content-Type") == [b"text/plain; charset=utf-8"]
    assert run.down.fields(b"X-Content-Type-Options") == [b"nosniff"]
    assert run.down.fields(b"Cache-Control") == [b"no-store"]
    assert (run.cause, run.attempts, run.live) == ("-", (0, 0), CLEAN)


@pytest.mark.parametrize("name", [b"Authorization", b"cookie", b"Proxy-Authorization"])
def test_echo_masks_what_is_secret(name: bytes) -> None:
    run = through(ECHO, upstream=None)
    run.begin(headers=[(name, b"hush"), (b"X", b"y")])
    assert run.down.body == b"GET / HTTP/1.1\n" + name + b": ***\nX: y\n"


def test_echo_stands_where_the_service_would_and_sees_edits_before_it() -> None:
    edit = {
        "filter": "headers",
        "request": {"set": [["A", "2"]], "add": [], "remove": ["B"]},
        "response": {"set": [], "add": [], "remove": []},
    }
    run = through(edit, ECHO, upstream=None)
    run.begin(headers=[(b"A", b"1"), (b"B", b"1"), (b"C", b"1")])
    assert run.down.body == b"GET / HTTP/1.1\nC: 1\nA: 2\n"


def test_echo_names_the_version_and_answers_head_without_body() -> None:
    run = through(ECHO, upstream=None)
    run.begin(version=10)
    assert run.down.body.startswith(b"GET / HTTP/1.0\n")
    run.begin(b"HEAD")
    assert run.down.body == b""
    assert run.down.fields(b"Content-Length") == [b"16"]


def test_echo_of_the_largest_head_fits_its_arena() -> None:
    run = through(ECHO, upstream=None)
    run.begin(headers=[(f"X-{i}".encode(), b"v" * 1000) for i in range(250)])
    assert run.status == 200
    assert len(run.down.body) > 250_000


def test_echo_keeps_nothing_of_a_body() -> None:
    run = through(ECHO, upstream=None)
    run.begin(b"POST", framing="chunked")
    assert (run.status, run.live) == (200, CLEAN)
