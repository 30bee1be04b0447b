"""The gateway's own answers: their fields, their form, their date."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

import pytest
from pygw._core.fault import faults
from pygw._core.probe.filters import date
from pygw._core.probe.loopback import Loopback

from .plans import through

FAULTS = faults()
ANSWERED = {name: f for name, f in FAULTS.items() if f["status"] != 499}


def number(name: str) -> int:
    """The number of an E_*."""
    value = FAULTS[name]["number"]
    assert isinstance(value, int)
    return value


def respond(status: int = 200, body: str = "hello") -> dict[str, object]:
    """The filter `respond` with a field of its own."""
    return {"filter": "respond", "status": status, "headers": [["X-A", "b"]], "body": body}


def reply_with_body(status: int, _: str) -> dict[str, object]:
    """A filter that replies with a body whatever the status."""
    return {"filter": "test_reply", "phase": "request", "status": status}


def denied(accept: list[bytes] | None = None, method: bytes = b"GET") -> Loopback:
    """An exchange that ended with the 403 of an ip filter."""
    run = through({"filter": "ip", "allow": [], "deny": ["0.0.0.0/0"]})
    run.begin(method, headers=[(b"Accept", value) for value in accept or []])
    assert run.done
    return run


def test_the_date_is_an_imf_fixdate_of_now() -> None:
    before = int(time.time())
    text = date()
    seconds = parsedate_to_datetime(text.decode()).timestamp()
    assert before - 1 <= seconds <= time.time() + 1
    assert len(text) == 29
    assert text == time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(seconds)).encode()


def test_the_date_moves_on() -> None:
    first, deadline = date(), time.monotonic() + 5
    while date() == first:
        assert time.monotonic() < deadline
    assert date() != first


def test_an_answer_has_length_date_and_what_was_added_and_nothing_else() -> None:
    run = through(respond())
    run.begin()
    assert run.down.head[0] == b"200 OK"
    names = [line.partition(b":")[0] for line in run.down.head[1:]]
    assert names == [b"Content-Length", b"Date", b"X-A", b"X-Request-ID"]
    assert run.down.fields(b"content-length") == [b"5"]
    assert run.down.body == b"hello"
    assert (run.down.ends, run.down.resets, run.cause) == (1, 0, "-")


def test_head_hears_the_length_and_gets_no_body() -> None:
    run = through(respond())
    run.begin(b"HEAD")
    assert run.down.fields(b"Content-Length") == [b"5"]
    assert run.down.body == b""
    assert run.done


@pytest.mark.parametrize(("status", "length"), [(204, []), (205, [b"0"]), (304, [])])
@pytest.mark.parametrize("answer", [respond, reply_with_body])
def test_a_status_without_body_has_none(
    answer: Callable[[int, str], dict[str, object]], status: int, length: list[bytes]
) -> None:
    run = through(answer(status, ""))
    run.begin()
    assert run.down.fields(b"content-length") == length
    assert run.down.body == b""
    assert run.status == status


@pytest.mark.parametrize("name", sorted(ANSWERED))
def test_every_fault_has_an_answer_with_its_status_and_cause(name: str) -> None:
    fault = ANSWERED[name]
    run = through(respond())
    run.refuse(number(name))
    assert run.done
    assert run.status == fault["status"]
    assert run.cause == fault["label"]
    problem = json.loads(run.down.body)
    reason = run.down.head[0].partition(b" ")[2].decode()
    assert reason
    assert problem == {"title": reason, "status": fault["status"], "detail": fault["sentence"]}
    assert run.down.fields(b"Content-Length") == [str(len(run.down.body)).encode()]
    assert run.down.fields(b"Content-Type") == [b"application/problem+json"]
    token = fault["proxy_error"]
    expected = [] if token is None else [b"pygw; error=" + str(token).encode()]
    assert run.down.fields(b"Proxy-Status") == expected
    assert run.down.fields(b"Retry-After") == ([b"1"] if fault["status"] == 503 else [])
    assert (run.down.fields(b"Allow") != []) == (fault["status"] == 405)


def test_a_client_that_is_gone_is_not_answered() -> None:
    run = through(respond())
    run.refuse(number("E_DOWN_CLOSED"))
    assert (run.status, run.down.heads, run.cause) == (0, 0, "client_closed")


def test_an_answer_repeats_nothing_of_the_request() -> None:
    run = through({"filter": "ip", "allow": [], "deny": ["0.0.0.0/0"]})
    run.begin(b"GET", b"/secret-path?token=hush", [(b"X-Evil", b"<script>")])
    assert run.status == 403
    said = b"\n".join(run.down.head) + run.down.body
    for bytes_of_the_client in (b"secret", b"hush", b"script", b"192.0.2.1"):
        assert bytes_of_the_client not in said


JSON = b"application/problem+json"
TEXT = b"text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ([], JSON),
        ([b""], JSON),
        ([b"*/*"], JSON),
        ([b"application/json"], JSON),
        ([b"application/problem+json"], JSON),
        ([b"application/*;q=0.2"], JSON),
        ([b"image/png"], JSON),
        ([b"text/plain"], TEXT),
        ([b"TEXT/Plain"], TEXT),
        ([b"text/*"], TEXT),
        ([b"text/plain, */*"], JSON),
        ([b"text/plain, */*;q=0.9"], TEXT),
        ([b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"], TEXT),
        ([b"text/plain;q=0.5, application/json;q=0.4"], TEXT),
        ([b"text/plain;q=0.4, application/json;q=0.5"], JSON),
        ([b"text/plain ; q=0.001"], TEXT),
        ([b"text/plain;q=0"], JSON),
        ([b"text/plain;q=0, */*"], JSON),
        ([b"application/json;q=0, */*;q=0.1"], TEXT),
        ([b"application/json;q=0.1, */*"], TEXT),
        ([b"application/*;q=0.3, application/json;q=0.9, text/plain;q=0.5"], JSON),
        ([b"application/json;q=0.1", b"text/plain;q=0.2"], TEXT),
        ([b"text/plain;charset=utf-8;q=0.5, application/json;q=0.4"], TEXT),
        ([b"text/plain;Q=1.000"], TEXT),
        ([b"text/plain;q=1.001"], JSON),
        ([b"text/plain;q=0.0001"], JSON),
        ([b"text/plain;q=x"], JSON),
        ([b"text/plain;q=05"], JSON),
        ([b"text/plain;;q=0.5"], TEXT),
        ([b",,;,text/plain,"], TEXT),
    ],
)
def test_accept_decides_between_problem_json_and_text(accept: list[bytes], kind: bytes) -> None:
    run = denied(accept)
    assert run.down.fields(b"Content-Type") == [kind]
    if kind == TEXT:
        assert run.down.body == b"403 Forbidden\nThis address may not come here.\n"
    else:
        assert json.loads(run.down.body)["status"] == 403


def test_a_fault_answered_to_head_has_no_body() -> None:
    run = denied(method=b"HEAD")
    assert run.down.body == b""
    assert run.down.fields(b"Content-Length") != [b"0"]


def test_a_reply_takes_the_place_of_an_answer_that_came() -> None:
    run = through({"filter": "test_reply", "phase": "response"})
    run.begin()
    run.answer(200, [(b"X-Theirs", b"1"), (b"Content-Length", b"3")], "length", 3)
    run.answer_body(b"abc")
    assert run.done
    assert run.status == 299
    assert run.down.fields(b"X-Theirs") == []
    assert run.down.fields(b"Content-Length") == [b"8"]
    assert run.down.body == b"replied\n"
    assert run.live == {"buffers": 0, "slices": 0, "pins": 0, "timers": False}
