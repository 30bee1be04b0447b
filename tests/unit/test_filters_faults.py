"""What stands on the answer to a fault: the fields of `cors` and `request_id`, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.peers.wire import Message
from tests.unit.memory import serving, upstream
from tests.unit.plans import edits
from tests.unit.test_exchange_filters import acts, wait
from tests.unit.test_filters_edge import PAGE, cors, cors_of, head, request_id
from tests.unit.test_filters_gzip import gzip

Json = dict[str, Any]
ASKED = (b"Origin: " + PAGE, b"Accept-Encoding: gzip")
LET_IN = {"access-control-allow-origin": [PAGE]}


def refused(*filters: Json, fields: tuple[bytes, ...] = ASKED) -> Message:
    """The answer to a request whose service takes no connection."""
    with serving(*filters, one=upstream(retries=0)) as gate:
        gate.refuse()
        got = gate.client(head(b"GET", *fields)).answer
        assert got.status == 502
        return got


def test_a_page_that_is_let_in_can_read_a_fault() -> None:
    got = refused(cors(credentials=True, expose=["X-E"]))
    assert cors_of(got) == {
        **LET_IN,
        "access-control-allow-credentials": [b"true"],
        "access-control-expose-headers": [b"X-E"],
    }
    assert got.all("Vary") == [b"Origin"]
    assert got.body.startswith(b"{")


def test_a_page_that_is_not_let_in_cannot() -> None:
    for fields in ((), (b"Origin: https://evil.test",)):
        got = refused(cors(), fields=fields)
        assert (cors_of(got), got.all("Vary")) == ({}, [b"Origin"])
    assert refused(cors(None)).one("Access-Control-Allow-Origin") == b"*"


def test_a_fault_carries_the_id_under_the_name_that_was_chosen() -> None:
    got = refused(request_id("X-Corr", "all"), fields=(b"X-Corr: mine",))
    assert got.one("X-Corr") == got.one("X-Request-ID") == b"mine"


def test_other_filters_leave_the_answer_to_a_fault_alone() -> None:
    named = {"filter": "headers", "request": edits(), "response": edits(set=[["X-A", "1"]])}
    got = refused(gzip(min_length=1, types=["application/problem+json"]), named, cors())
    assert cors_of(got) == LET_IN
    assert (got.all("Content-Encoding"), got.all("X-A")) == ([], [])
    assert got.one("Content-Length") == b"%d" % len(got.body)


@pytest.mark.parametrize("phase", ["request", "attempt", "response"])
def test_a_filter_that_aborts_is_answered_with_the_fields(phase: str) -> None:
    for filters in ((cors(), acts("abort", phase)), (acts("abort", phase), cors())):
        with serving(*filters) as gate:
            client = gate.client(head(b"GET", *ASKED))
            for origin in gate.origins:
                origin.cut_allowed = True
                if phase == "response":
                    origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            assert (client.answer.status, cors_of(client.answer)) == (500, LET_IN)


def test_timeout_while_a_request_waits_is_answered_with_the_fields() -> None:
    slow = upstream(timeouts={"total_ms": 500})
    with serving(cors(), wait("request", ms=None), one=slow) as gate:
        client = gate.client(head(b"GET", *ASKED))
        gate.advance(600)
        assert (client.answer.status, cors_of(client.answer)) == (504, LET_IN)


def test_timeout_while_the_response_chain_waits_is_answered_without() -> None:
    slow = upstream(timeouts={"total_ms": 500})
    with serving(cors(), wait("response", ms=None), one=slow) as gate:
        client = gate.client(head(b"GET", *ASKED))
        gate.origin.cut_allowed = True
        gate.origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        gate.advance(600)
        assert (client.answer.status, cors_of(client.answer)) == (504, {})


def test_a_fault_of_no_route_has_no_fields() -> None:
    with serving(cors()) as gate:
        got = gate.client(b"GET http:// HTTP/1.1\r\nHost: a\r\n" + ASKED[0] + b"\r\n\r\n").answer
        assert (got.status, cors_of(got)) == (400, {})
