"""HEAD, 204 and 304: heads that speak of a body which does not come (RFC 9110 6.4.1)."""

from __future__ import annotations

import pytest

from tests.peers.gateway import Gateway
from tests.peers.origin import Origin
from tests.peers.payload import answer_echo, head, request


def test_head_answer_keeps_its_content_length_and_has_no_body(gw: Gateway, origin: Origin) -> None:
    origin.serve(lambda _: head("200 OK", "Content-Length: 12345"))
    with gw.client() as client:
        got = client.ask(request("/", method="HEAD"))
        assert got.one("Content-Length") == b"12345"
        assert got.body == b""
        origin.serve(answer_echo)
        assert client.ask(request("/next")).text.startswith("GET /next")
    assert len(origin.connections) == 1


def test_head_answer_with_chunked_has_no_body(gw: Gateway, origin: Origin) -> None:
    origin.serve(lambda _: head("200 OK", "Transfer-Encoding: chunked"))
    with gw.client() as client:
        for _ in range(2):
            got = client.ask(request("/", method="HEAD"))
            assert got.status == 200
    assert len(origin.connections) == 1


def test_head_answer_without_framing_has_no_body_and_needs_no_close(
    gw: Gateway, origin: Origin
) -> None:
    origin.serve(lambda _: head("200 OK", "X-Own: 1"))
    with gw.client() as client:
        for _ in range(2):
            assert client.ask(request("/", method="HEAD")).one("X-Own") == b"1"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_bodyless_status_ends_with_its_head(gw: Gateway, origin: Origin, status: str) -> None:
    origin.serve(lambda _: head(status, 'ETag: "e"'))
    with gw.client() as client:
        for _ in range(3):
            got = client.ask(request())
            assert got.status == int(status[:3])
            assert not got.all("Transfer-Encoding")
    assert len(origin.connections) == 1


def test_304_may_tell_the_length_it_would_have_had(gw: Gateway, origin: Origin) -> None:
    origin.serve(lambda _: head("304 Not Modified", "Content-Length: 999"))
    with gw.client() as client:
        for _ in range(2):
            assert client.ask(request()).one("Content-Length") == b"999"


def test_204_with_a_length_of_zero_is_a_204(gw: Gateway, origin: Origin) -> None:
    """Many services say it; RFC 9110 8.6 forbids it to leave."""
    origin.serve(lambda _: head("204 No Content", "Content-Length: 0"))
    with gw.client() as client:
        for _ in range(2):
            got = client.ask(request())
            assert got.status == 204
            assert not got.all("Content-Length")


def test_own_error_answer_to_head_has_no_body(gw: Gateway, origin: Origin) -> None:
    origin.serve(lambda _: b"junk\r\n\r\n")
    with gw.client() as client:
        got = client.ask(request("/", method="HEAD"))
        assert got.status == 502
        origin.serve(answer_echo)
        assert client.ask(request("/next")).text.startswith("GET /next")


def test_empty_200_stays_an_empty_200(gw: Gateway, origin: Origin) -> None:
    origin.serve(lambda _: head("200 OK", "Content-Length: 0"))
    with gw.client() as client:
        for _ in range(2):
            got = client.ask(request())
            assert got.status == 200 and got.body == b""
            assert got.one("Content-Length") == b"0"


@pytest.mark.parametrize("status", ["200 ", "299 Odd But Fine", "418 I'm a teapot", "599 Edge"])
def test_status_and_reason_pass_as_they_are(gw: Gateway, origin: Origin, status: str) -> None:
    """RFC 9112 4: the space after the code is required, the phrase may be empty."""
    origin.serve(lambda _: head(status, "Content-Length: 0"))
    with gw.client() as client:
        got = client.ask(request())
        assert got.status == int(status[:3])
        assert got.reason == status[4:].encode()
