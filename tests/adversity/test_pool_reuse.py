"""Classes 22, 26 and 27: what makes a pooled connection unfit, and what its loss may cost."""

from __future__ import annotations

import pytest

from tests.peers.gateway import Gateway
from tests.peers.link import until
from tests.peers.origin import Origin
from tests.peers.payload import answer, answer_echo, chunked_answer, head, request
from tests.peers.served import Served

EXTRA = {
    "second_answer": answer(b"poison"),
    "junk": b"\r\n\r\njunk",
    "one_byte": b"x",
    "empty_line": b"\r\n",
    "late_408": head("408 Request Timeout", "Content-Length: 0", "Connection: close"),
    "interim": head("103 Early Hints"),
}


@pytest.mark.parametrize("kind", EXTRA)
@pytest.mark.parametrize("first", ["length", "chunked"])
def test_class_22_bytes_behind_an_answer_end_the_connection(
    gw: Gateway, origin: Origin, first: str, kind: str
) -> None:
    whole = answer(b"own") if first == "length" else chunked_answer([b"own"])

    def poison(served: Served) -> None:
        served.read_request()
        served.send(whole + EXTRA[kind])
        served.wait_gone(2.0)

    origin.script(poison)
    with gw.client() as client:
        assert client.ask(request("/1")).text == "own"
        for number in range(2, 5):
            assert client.ask(request(f"/{number}")).text.startswith(f"GET /{number}")
    assert len(origin.connections) == 2
    assert len(origin.connections[0].requests) == 1


@pytest.mark.parametrize("kind", EXTRA)
def test_class_22_bytes_on_an_idle_connection_end_it(
    gw: Gateway, origin: Origin, kind: str
) -> None:
    def late(served: Served) -> None:
        served.read_request()
        served.send(answer(b"own"))
        served.expect_silence(0.1)
        served.send(EXTRA[kind])
        assert served.wait_gone(1.0) < 1.0

    origin.script(late)
    with gw.client() as client:
        assert client.ask(request("/1")).text == "own"
        until(lambda: not origin.open, "the poisoned connection ended")
        assert client.ask(request("/2", method="POST", body=b"b")).text.startswith("POST /2")


def test_class_22_answer_before_any_request_shifts_no_later_one(
    gw: Gateway, origin: Origin
) -> None:
    """An origin that speaks first is one answer ahead of its requests from then on."""

    def eager(served: Served) -> None:
        served.send(answer(b"poison"))
        served.serve()

    origin.script(eager)
    with gw.client() as client:
        assert client.ask(request("/1")).status in (200, 502)
        until(lambda: not origin.open, "the connection that is ahead has ended")
        for number in range(2, 5):
            assert client.ask(request(f"/{number}")).text.startswith(f"GET /{number}")


def test_class_26_idle_connections_dropped_by_the_origin_cost_nothing(
    gw: Gateway, origin: Origin
) -> None:
    origin.serve(lambda m: answer_echo(m))
    with gw.client() as client:
        for number in range(10):
            got = client.ask(request(f"/{number}", method="POST", body=b"b"))
            assert got.text.startswith(f"POST /{number}")
            for served in origin.open:
                served.half_close()
            until(lambda: not origin.open, "the gateway noticed the end")
    assert len(origin.requests) == 10


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_class_26_race_on_reuse_is_retried_once_for_get(
    gw: Gateway, origin: Origin, how: str
) -> None:
    """The origin ends the connection just as the next request is on its way."""

    def drop_second(served: Served) -> None:
        served.read_request()
        served.send(answer(b"first"))
        served.read_request()
        if how == "rst":
            served.reset()

    origin.script(drop_second)
    with gw.client() as client:
        assert client.ask(request("/1")).text == "first"
        assert client.ask(request("/2")).text.startswith("GET /2")
    assert len(origin.connections) == 2
    assert [m.target for m in origin.requests] == [b"/1", b"/2", b"/2"]


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_class_26_race_on_reuse_is_not_retried_for_post(
    gw: Gateway, origin: Origin, how: str
) -> None:
    def drop_second(served: Served) -> None:
        served.read_request()
        served.send(answer(b"first"))
        served.read_request()
        if how == "rst":
            served.reset()

    origin.script(drop_second)
    with gw.client() as client:
        assert client.ask(request("/1")).text == "first"
        got = client.ask(request("/2", method="POST", body=b"pay"))
        assert got.status == 502
    assert [m.target for m in origin.requests] == [b"/1", b"/2"]


def test_class_26_retry_goes_to_a_fresh_connection(gw: Gateway, origin: Origin) -> None:
    """With a pool full of dying connections the second attempt must not take another of them."""

    def drop_second(served: Served) -> None:
        served.read_request()
        served.send(answer(b"first"))
        served.read_request()

    origin.script(*[drop_second] * 5)
    clients = [gw.client() for _ in range(5)]
    for client in clients:
        client.send(request("/fill"))
    for client in clients:
        assert client.recv_response().status == 200
    for client in clients:
        assert client.ask(request("/again")).status == 200


def test_class_26_restart_with_a_full_pool_costs_no_error(gw: Gateway, origin: Origin) -> None:
    clients = [gw.client() for _ in range(10)]
    for client in clients:
        client.send(request("/fill"))
    for client in clients:
        assert client.recv_response().status == 200
    origin.stop_listening()
    for served in origin.open:
        served.half_close()
    origin.listen()
    for client in clients:
        assert client.ask(request("/after")).status == 200


BODIES_WHERE_NONE_MAY_BE = {
    "head": ("HEAD", head("200 OK", "Content-Length: 6") + b"poison"),
    "head_chunked": ("HEAD", chunked_answer([b"poison"])),
    "204": ("GET", head("204 No Content") + b"poison"),
    "204_length": ("GET", head("204 No Content", "Content-Length: 6") + b"poison"),
    "304": ("GET", head("304 Not Modified", "Content-Length: 6") + b"poison"),
    "304_answer": ("GET", head("304 Not Modified") + answer(b"poison")),
    "head_answer": ("HEAD", head("200 OK", "Content-Length: 0") + answer(b"poison")),
}


@pytest.mark.parametrize("kind", BODIES_WHERE_NONE_MAY_BE)
def test_class_27_body_where_none_may_be_goes_with_its_connection(
    gw: Gateway, origin: Origin, kind: str
) -> None:
    method, data = BODIES_WHERE_NONE_MAY_BE[kind]

    def wrong(served: Served) -> None:
        served.read_request()
        served.send(data)
        assert served.wait_gone(2.0) < 1.0

    origin.script(wrong)
    with gw.client() as client:
        got = client.ask(request("/1", method=method))
        assert got.status in (200, 204, 304, 502)
        assert client.ask(request("/2")).text.startswith("GET /2")
    assert b"poison" not in bytes(client.received)
    assert len(origin.connections) == 2
