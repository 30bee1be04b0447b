"""Trailers of chunked messages (RFC 9110 6.5, 6.6.2)."""

from __future__ import annotations

import pytest

from tests.peers.gateway import Gateway
from tests.peers.origin import Origin
from tests.peers.payload import answer_echo, chunked_answer, chunked_request, request


def test_response_trailers_reach_the_client(gw: Gateway, origin: Origin) -> None:
    end = b"0\r\nX-Sum: abc\r\nX-Sum: def\r\n\r\n"
    origin.serve(lambda _: chunked_answer([b"body"], "Trailer: X-Sum", end=end))
    with gw.client() as client:
        got = client.ask(request("/", "TE: trailers", "Connection: TE"))
        assert got.body == b"body"
        assert got.trailers == [(b"X-Sum", b"abc"), (b"X-Sum", b"def")]


def test_request_trailers_reach_the_origin(gw: Gateway, origin: Origin) -> None:
    end = b"0\r\nX-Sum: abc\r\n\r\n"
    with gw.client() as client:
        assert client.ask(chunked_request("/", [b"body"], end=end)).status == 200
        assert client.ask(request("/next")).text.startswith("GET /next")
    assert origin.requests[0].trailers == [(b"X-Sum", b"abc")]


def test_trailers_never_become_headers(gw: Gateway, origin: Origin) -> None:
    end = b"0\r\nX-User: admin\r\n\r\n"
    with gw.client() as client:
        assert client.ask(chunked_request("/", [b"b"], end=end)).status == 200
    assert origin.requests[0].all("X-User") == []


@pytest.mark.parametrize(
    "line", [b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Host: other.example"]
)
def test_framing_fields_in_request_trailers_are_refused(gw: Gateway, line: bytes) -> None:
    with gw.client() as client:
        client.methods = [b"POST"]
        client.send(chunked_request("/", [b"b"], end=b"0\r\n" + line + b"\r\n\r\n"))
        client.recv_refusal(400)


@pytest.mark.parametrize("line", [b"Content-Length: 5", b"Transfer-Encoding: chunked"])
def test_framing_fields_in_response_trailers_cut_the_answer(
    gw: Gateway, origin: Origin, line: bytes
) -> None:
    origin.serve(lambda _: chunked_answer([b"body"], end=b"0\r\n" + line + b"\r\n\r\n"))
    with gw.client() as client:
        client.send(request("/", "TE: trailers"))
        got = client.recv_response_or_cut()
        assert got.status == 502 or not got.complete
    origin.serve(answer_echo)


def test_1_0_client_gets_the_body_without_trailers(gw: Gateway, origin: Origin) -> None:
    origin.serve(lambda _: chunked_answer([b"body"], end=b"0\r\nX-Sum: abc\r\n\r\n"))
    with gw.client() as client:
        got = client.ask(request("/", version="HTTP/1.0"))
        assert got.body == b"body"
    assert b"X-Sum" not in bytes(client.received)
