"""Pipelined requests are answered in order, whatever their answers cost (RFC 9112 9.3.2)."""

from __future__ import annotations

import threading

from tests.peers.gateway import Gateway
from tests.peers.origin import Origin
from tests.peers.payload import answer, chunked_answer, chunked_request, head, request
from tests.peers.served import Served
from tests.peers.wire import Message


def test_pipelined_requests_are_answered_in_order(gw: Gateway) -> None:
    asked = b"".join(request(f"/{n}", f"X-Canary: {n}") for n in range(20))
    with gw.client() as client:
        client.send(asked)
        for number in range(20):
            assert client.recv_response().text == f"GET /{number} {number} "


def test_slow_first_answer_holds_back_a_fast_second(gw: Gateway, origin: Origin) -> None:
    may_answer = threading.Event()

    def answer_when_told(asked: Message) -> bytes:
        if asked.target == b"/slow":
            assert may_answer.wait(5)
        return answer(asked.target)

    origin.serve(answer_when_told)
    with gw.client() as client:
        client.send(request("/slow") + request("/fast"))
        client.expect_silence(0.15)
        may_answer.set()
        assert client.recv_response().text == "/slow"
        assert client.recv_response().text == "/fast"


def test_pipelined_requests_with_bodies_of_all_framings(gw: Gateway, origin: Origin) -> None:
    with gw.client() as client:
        client.send(
            request("/a", method="POST", body=b"first")
            + chunked_request("/b", [b"sec", b"ond"])
            + request("/c")
            + request("/d", method="HEAD")
            + request("/e", method="PUT", body=b"")
            + request("/f")
        )
        texts = [client.recv_response().text for _ in range(6)]
    assert texts == [
        "POST /a - first",
        "POST /b - second",
        "GET /c - ",
        "",
        "PUT /e - ",
        "GET /f - ",
    ]
    assert [m.body for m in origin.requests] == [b"first", b"second", b"", b"", b"", b""]


def test_answers_of_all_framings_follow_each_other(gw: Gateway, origin: Origin) -> None:
    answers = {
        b"/length": answer(b"length"),
        b"/chunked": chunked_answer([b"chu", b"nked"]),
        b"/close": head("200 OK", "Connection: close") + b"close",
        b"/none": head("204 No Content"),
        b"/cached": head("304 Not Modified", 'ETag: "x"'),
    }
    origin.serve(lambda m: answers[m.target])
    order = ["/chunked", "/close", "/length", "/none", "/cached", "/chunked", "/none", "/length"]
    with gw.client() as client:
        client.send(b"".join(request(target) for target in order))
        got = [client.recv_response() for _ in order]
    want = ["chunked", "close", "length", "", "", "chunked", "", "length"]
    assert [m.text for m in got] == want
    assert [m.status for m in got] == [200, 200, 200, 204, 304, 200, 204, 200]


def test_request_split_at_every_byte_is_one_request(gw: Gateway, origin: Origin) -> None:
    whole = request("/split", "X-Canary: c", method="POST", body=b"body")
    with gw.client() as client:
        for cut in range(1, len(whole), 3):
            client.send(whole[:cut])
            client.send(whole[cut:])
            assert client.recv_response().text == "POST /split c body"
    assert {m.body for m in origin.requests} == {b"body"}


def test_request_byte_by_byte_is_one_request(gw: Gateway, origin: Origin) -> None:
    with gw.client() as client:
        client.send_bytewise(chunked_request("/drip", [b"abc", b"defg"], "X-Canary: c"))
        assert client.recv_response().text == "POST /drip c abcdefg"
    assert origin.requests[0].target == b"/drip"


def test_answer_byte_by_byte_is_one_answer(gw: Gateway, origin: Origin) -> None:
    def drip(served: Served) -> None:
        served.read_request()
        served.send_bytewise(
            chunked_answer([b"abc", b"defg"], "X-Own: v", end=b"0\r\nT-Own: w\r\n\r\n")
        )
        served.serve()

    origin.script(drip)
    with gw.client() as client:
        got = client.ask(request("/", "TE: trailers"))
        assert got.body == b"abcdefg"
        assert got.one("X-Own") == b"v"
        assert got.trailers == [(b"T-Own", b"w")]
        assert client.ask(request("/next")).text.startswith("GET /next")


def test_empty_line_before_a_request_is_skipped(gw: Gateway) -> None:
    """RFC 9112 2.2: a server should ignore at least one empty line before the request line."""
    with gw.client() as client:
        client.methods = [b"GET", b"GET"]
        assert client.ask(b"\r\n" + request("/a")).text.startswith("GET /a")
        assert client.ask(b"\r\n" + request("/b")).text.startswith("GET /b")


def test_client_that_closes_its_side_after_pipelining_still_loses_no_order(
    gw: Gateway, origin: Origin
) -> None:
    with gw.client() as client:
        client.send(request("/1") + request("/2", "Connection: close"))
        assert client.recv_response().text.startswith("GET /1")
        last = client.recv_response()
        assert last.text.startswith("GET /2")
        assert last.closes
        client.expect_close(1.0)
    assert len(origin.requests) == 2


def test_nothing_is_served_after_connection_close(gw: Gateway, origin: Origin) -> None:
    with gw.client() as client:
        client.methods = [b"GET"]
        client.send(request("/1", "Connection: close") + request("/2"))
        assert client.recv_response().text.startswith("GET /1")
        client.expect_close(3.0)
    assert [m.target for m in origin.requests] == [b"/1"]
