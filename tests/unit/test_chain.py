"""The order, the verdicts and the log phase of a chain of filters, seen from outside."""

from __future__ import annotations

from typing import Any

import pytest

from pygw._core.probe import test_filters
from tests.unit.memory import GET, OK, ok, post, serving
from tests.unit.plans import edits

PHASES = ("request", "request_body", "attempt", "response", "response_body")


def stamp(value: str) -> dict[str, Any]:
    """A filter that adds one more X-Order to the request and to the response."""
    one = edits(add=[["X-Order", value]])
    return {"filter": "headers", "request": one, "response": one}


def counts(name: str) -> dict[str, int]:
    return test_filters.counts()[f"test_{name}"]


def test_filters_of_a_phase_run_in_the_order_of_the_config() -> None:
    with serving(*[stamp(str(i)) for i in range(8)]) as gate:
        client = gate.client(GET)
        assert gate.origin.request.all("X-Order") == [b"%d" % i for i in range(8)]
        gate.origin.send(OK)
        assert client.answer.all("X-Order") == [b"%d" % i for i in range(8)]


def test_reply_ends_the_request_chain_there() -> None:
    respond = {"filter": "respond", "status": 200, "headers": [], "body": "mine"}
    with serving(stamp("1"), respond, {"filter": "test_abort", "phase": "request"}) as gate:
        client = gate.client(GET)
        assert (client.answer.status, client.answer.body) == (200, b"mine")
        assert counts("abort")["calls"] == 0
        assert counts("abort")["logs"] == 1


def test_reply_passes_the_whole_response_chain() -> None:
    respond = {"filter": "respond", "status": 200, "headers": [], "body": "mine"}
    upper = {"filter": "test_upper", "phase": "response_body"}
    with serving(respond, stamp("1"), upper) as gate:
        client = gate.client(GET)
        assert client.answer.all("X-Order") == [b"1"]
        assert client.answer.body == b"MINE"


@pytest.mark.parametrize("place", range(3))
def test_wait_resumes_with_the_next_filter_and_no_other(place: int) -> None:
    chain = [stamp(str(i)) for i in range(3)]
    chain.insert(place, {"filter": "test_wait", "phase": "request", "ms": 50})
    with serving(*chain) as gate:
        gate.client(GET)
        assert gate.origins == []
        gate.advance(60)
        assert gate.origin.request.all("X-Order") == [b"0", b"1", b"2"]
        gate.origin.send(OK)


def test_two_filters_of_one_phase_wait_one_after_the_other() -> None:
    one = {"filter": "test_wait", "phase": "response", "ms": 50}
    with serving(one, one) as gate:
        client = gate.client(GET)
        gate.origin.send(OK)
        gate.advance(60)
        assert client.received == b""
        gate.advance(60)
        assert client.answer.status == 200
        assert counts("wait")["waits"] == 2


@pytest.mark.parametrize("phase", PHASES)
def test_log_phase_runs_once_for_every_filter_whatever_it_does(phase: str) -> None:
    chain = [{"filter": "test_wait", "phase": phase, "ms": 10},
             {"filter": "test_wait", "phase": phase, "ms": 10}]  # fmt: skip
    with serving(*chain) as gate:
        client = gate.client(post(b"body"))
        for _ in range(5):
            gate.advance(20)
        gate.origin.send(ok(b"x"))
        for _ in range(5):
            gate.advance(20)
        assert client.answer.status == 200
        assert counts("wait")["logs"] == 2
        assert gate.causes == ["-"]


def test_log_phase_runs_for_an_exchange_that_never_found_a_route() -> None:
    with serving() as gate:
        client = gate.client(b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n" + GET)
        gate.origin.send(OK)
        gate.origin.send(OK)
        assert len(gate.causes) == len(client.statuses) == 2


def test_log_phase_runs_for_a_head_that_was_refused() -> None:
    with serving({"filter": "test_wait", "phase": "request", "ms": 10}) as gate:
        client = gate.client(b"GET /\x01 HTTP/1.1\r\n\r\n")
        assert client.answer.status == 400
        assert len(gate.causes) == 1
        assert counts("wait")["calls"] == 0


def test_chain_of_the_greatest_length_works() -> None:
    with serving(*[stamp(str(i)) for i in range(32)]) as gate:
        client = gate.client(GET)
        gate.origin.send(OK)
        assert len(client.answer.all("X-Order")) == 32


def test_filter_keeps_one_word_for_each_exchange_of_a_connection() -> None:
    with serving({"filter": "test_wait", "phase": "request", "ms": 10}) as gate:
        client = gate.client(GET * 3)
        for _ in range(3):
            gate.advance(20)
            gate.origin.send(OK)
        assert client.statuses == [200] * 3
        assert counts("wait")["waits"] == 3
