"""A further attempt is made only where it is safe (RFC 9110 9.2.2)."""

from __future__ import annotations

import pytest

from tests.peers.fleet import Stage
from tests.peers.gateway import Gateway, free_port
from tests.peers.origin import Origin
from tests.peers.payload import answer, body_of, chunked_request, head, request
from tests.peers.served import Handler, Served
from tests.peers.settings import proxy_config


def leave(served: Served) -> None:
    """Read a request, say nothing, go."""
    served.read_request()


def answer_who(name: bytes) -> Handler:
    """Answers with the origin's name and the request's body."""
    return lambda m: answer(name + b" " + m.body)


@pytest.fixture
def pair(stage: Stage) -> tuple[Gateway, Origin, Origin]:
    """A gateway with two targets."""
    first, second = stage.origin(0), stage.origin(1)
    return stage.gateway(proxy_config(first, second)), first, second


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
def test_idempotent_request_is_tried_once_more_when_the_origin_leaves(
    pair: tuple[Gateway, Origin, Origin], method: str
) -> None:
    gw, first, second = pair
    first.serve(answer_who(b"first"))
    second.serve(answer_who(b"second"))
    first.script(leave)
    second.script(leave)
    with gw.client() as client:
        assert client.ask(request("/", method=method)).status in (200, 502)
        first.serve(answer_who(b"first"))
        assert client.ask(request("/", method=method)).status == 200
    attempts = len(first.requests) + len(second.requests)
    assert attempts <= 4


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_unsafe_request_is_not_sent_twice(
    pair: tuple[Gateway, Origin, Origin], method: str
) -> None:
    gw, first, second = pair
    for each in (first, second):
        each.script(leave)
    with gw.client() as client:
        got = client.ask(request("/", method=method, body=b"pay"))
        assert got.status == 502
        assert got.error == "connection_terminated"
    assert len(first.requests) + len(second.requests) == 1
    assert gw.log_entry(status=502)["cause"] == "upstream_closed"


def test_refused_connection_is_no_danger_for_a_post(stage: Stage, origin: Origin) -> None:
    """Nothing was sent, so the next target may have it whole."""
    dead = f"http://127.0.0.1:{free_port()}"
    gw = stage.gateway(proxy_config(dead, origin))
    with gw.client() as client:
        for number in range(6):
            got = client.ask(request(f"/{number}", method="POST", body=b"pay"))
            assert got.status == 200, got.text
    assert [m.body for m in origin.requests] == [b"pay"] * 6


def test_small_body_is_replayed_whole(pair: tuple[Gateway, Origin, Origin]) -> None:
    gw, first, second = pair
    body = body_of(60_000)
    first.script(leave)
    with gw.client() as client:
        for _ in range(2):
            assert client.ask(request("/", method="PUT", body=body)).status == 200
    assert {m.body for m in first.requests + second.requests} == {body}
    assert len(first.requests + second.requests) == 3


def test_small_chunked_body_is_replayed_whole(pair: tuple[Gateway, Origin, Origin]) -> None:
    gw, first, second = pair
    asked = chunked_request("/", [b"a" * 3000, b"b" * 3000]).replace(b"POST", b"PUT", 1)
    first.script(leave)
    with gw.client() as client:
        for _ in range(2):
            assert client.ask(asked).status == 200
    assert {m.body for m in first.requests + second.requests} == {b"a" * 3000 + b"b" * 3000}


def test_body_beyond_replay_is_not_tried_again(stage: Stage) -> None:
    first, second = stage.origin(0), stage.origin(1)
    gw = stage.gateway(proxy_config(first, second, upstream={"replay_body": "4KiB"}))
    for each in (first, second):
        each.script(leave)
    with gw.client() as client:
        assert client.ask(request("/", method="PUT", body=body_of(50_000))).status == 502
    assert len(first.requests) + len(second.requests) == 1


def test_no_retry_when_retries_are_off(stage: Stage) -> None:
    first, second = stage.origin(0), stage.origin(1)
    gw = stage.gateway(proxy_config(first, second, upstream={"retries": 0}))
    for each in (first, second):
        each.script(leave)
    with gw.client() as client:
        assert client.ask(request()).status == 502
    assert len(first.requests) + len(second.requests) == 1


def test_attempts_end_after_the_last_retry(stage: Stage) -> None:
    first, second = stage.origin(0), stage.origin(1)
    gw = stage.gateway(proxy_config(first, second, upstream={"retries": 2}))
    for each in (first, second):
        each.script(*[leave] * 10)
    with gw.client() as client:
        assert client.ask(request()).status == 502
    assert len(first.requests) + len(second.requests) == 3
    assert len(gw.log_entries(1)) == 1


def test_no_retry_after_answer_bytes_came(pair: tuple[Gateway, Origin, Origin]) -> None:
    gw, first, second = pair

    def begin_and_leave(served: Served) -> None:
        served.read_request()
        served.send(head("200 OK", "Content-Length: 100") + b"part")

    first.script(begin_and_leave)
    second.script(begin_and_leave)
    with gw.client() as client:
        client.send(request())
        assert client.recv_cut().body == b"part"
    assert len(first.requests) + len(second.requests) == 1
    assert gw.log_entries(1)[0]["cause"] == "response_incomplete"


def test_error_status_of_the_origin_is_not_retried(pair: tuple[Gateway, Origin, Origin]) -> None:
    gw, first, second = pair
    for each in (first, second):
        each.serve(lambda _: answer(b"busy", status="503 Service Unavailable"))
    with gw.client() as client:
        assert client.ask(request()).text == "busy"
    assert len(first.requests) + len(second.requests) == 1


def test_round_robin_visits_all_targets(pair: tuple[Gateway, Origin, Origin]) -> None:
    gw, first, second = pair
    with gw.client() as client:
        for _ in range(10):
            assert client.ask(request()).status == 200
    assert len(first.requests) == len(second.requests) == 5
