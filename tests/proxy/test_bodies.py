"""Bodies both ways: lengths and chunks in, our own framing out, byte for byte the same."""

from __future__ import annotations

import threading

import pytest

from tests.peers.gateway import Gateway
from tests.peers.origin import Origin
from tests.peers.payload import (
    HOST,
    answer,
    body_of,
    chunk,
    chunked_answer,
    chunked_request,
    head,
    request,
)
from tests.peers.served import Served

SIZES = [0, 1, 1000, 16384, 65535, 65536, 262144, 1_000_003]


@pytest.mark.parametrize("size", SIZES)
def test_request_body_with_length_arrives_whole(gw: Gateway, origin: Origin, size: int) -> None:
    body = body_of(size)
    with gw.client() as client:
        assert client.ask(request("/", method="POST", body=body)).status == 200
    (got,) = origin.requests
    assert got.body == body
    assert got.framing == "length"


@pytest.mark.parametrize("size", SIZES)
def test_chunked_request_body_arrives_whole(gw: Gateway, origin: Origin, size: int) -> None:
    body = body_of(size)
    pieces = [body[at : at + 7001] for at in range(0, size, 7001)]
    with gw.client() as client:
        assert client.ask(chunked_request("/", pieces)).status == 200
    (got,) = origin.requests
    assert got.body == body
    assert got.framing == "chunked"


@pytest.mark.parametrize("size", SIZES)
def test_answer_with_length_arrives_whole(gw: Gateway, origin: Origin, size: int) -> None:
    body = body_of(size)
    origin.serve(lambda _: answer(body))
    with gw.client() as client:
        got = client.ask(request())
        assert got.body == body
        assert got.framing == "length"


@pytest.mark.parametrize("size", SIZES)
def test_chunked_answer_arrives_whole(gw: Gateway, origin: Origin, size: int) -> None:
    body = body_of(size)
    pieces = [body[at : at + 7001] for at in range(0, size, 7001)]
    origin.serve(lambda _: chunked_answer(pieces))
    with gw.client() as client:
        got = client.ask(request())
        assert got.body == body
        assert got.framing == "chunked"
        assert client.ask(request()).body == body


@pytest.mark.parametrize("size", SIZES)
def test_answer_delimited_by_close_arrives_whole_and_keeps_the_client(
    gw: Gateway, origin: Origin, size: int
) -> None:
    body = body_of(size)
    origin.serve(lambda _: head("200 OK", "Connection: close") + body)
    with gw.client() as client:
        for _ in range(2):
            got = client.ask(request())
            assert got.body == body
            assert got.framing == "chunked"  # the client can tell a whole body from a cut one


def test_close_delimited_answer_to_a_1_0_client_ends_by_close(gw: Gateway, origin: Origin) -> None:
    origin.serve(lambda _: head("200 OK", "Connection: close") + b"until the end")
    with gw.client() as client:
        got = client.ask(request("/", version="HTTP/1.0"))
        assert got.body == b"until the end"
        assert got.framing == "close"


def test_chunk_framing_that_leaves_is_ours(gw: Gateway, origin: Origin) -> None:
    """Extensions, leading zeros and upper case are for the hop they came on (RFC 9112 7.1.1)."""

    def decorated(served: Served) -> None:
        served.read_request()
        served.send(
            head("200 OK", "Transfer-Encoding: Chunked")
            + b'00A;ext="q;\\"z";b\r\n0123456789\r\n000;last=1\r\n\r\n'
        )
        served.serve()

    origin.script(decorated)
    with gw.client() as client:
        client.send(
            f"POST / HTTP/1.1\r\n{HOST}\r\ntransfer-encoding:  CHUNKED \r\n\r\n".encode()
            + b"0005;a=b\r\nhello\r\n0\r\n\r\n"
        )
        got = client.recv_response()
        assert got.body == b"0123456789"
    raw = bytes(client.received)
    assert b"ext" not in raw and b"last" not in raw and b"\r\n00" not in raw
    sent = bytes(origin.connections[0].received)
    assert b"a=b" not in sent and b"0005" not in sent
    assert origin.requests[0].body == b"hello"


def test_body_streams_before_its_end_is_known_up(gw: Gateway, origin: Origin) -> None:
    origin.manual()
    with gw.client() as client:
        client.send(request("/", "Transfer-Encoding: chunked", method="POST"))
        served = origin.accept()
        asked = served.read_head()
        assert asked.framing == "chunked"
        for piece in (b"one", b"two", b"three"):
            client.send(chunk(piece))
            assert served.source.line() == b"%x" % len(piece)
            assert served.recv_exactly(len(piece) + 2) == piece + b"\r\n"
        client.send(b"0\r\n\r\n")
        assert served.recv_exactly(5) == b"0\r\n\r\n"
        served.send(answer(b"done"))
        assert client.recv_response().text == "done"


def test_body_streams_before_its_end_is_known_down(gw: Gateway, origin: Origin) -> None:
    origin.manual()
    with gw.client() as client:
        client.send(request())
        served = origin.accept()
        served.read_request()
        served.send(head("200 OK", "Content-Length: 9"))
        got = client.recv_head()
        for piece in (b"one", b"two", b"six"):
            served.send(piece)
            assert client.recv_exactly(3) == piece
        assert got.framing == "length"


def test_post_without_framing_has_an_empty_body(gw: Gateway, origin: Origin) -> None:
    with gw.client() as client:
        assert client.ask(request("/", method="POST")).status == 200
        assert client.ask(request("/next")).text.startswith("GET /next")
    assert origin.requests[0].body == b""


def test_get_with_a_body_is_forwarded_with_it(gw: Gateway, origin: Origin) -> None:
    with gw.client() as client:
        assert client.ask(request("/", body=b"query")).status == 200
    assert origin.requests[0].body == b"query"


def test_equal_content_lengths_in_one_message_are_still_refused(gw: Gateway) -> None:
    """RFC 9110 8.6 lets a recipient refuse; two servers could read `5, 5` differently."""
    with gw.client() as client:
        client.methods = [b"POST"]
        client.send(request("/", "Content-Length: 5", method="POST", body=b"hello"))
        client.recv_refusal(400)


def test_full_duplex_bodies_run_at_once(gw: Gateway, origin: Origin) -> None:
    """The answer may start and flow while the request body is still coming."""
    body = body_of(600_000)
    done = threading.Event()

    def parrot(served: Served) -> None:
        asked = served.read_head()
        served.send(head("200 OK", f"Content-Length: {len(body)}"))
        left = int(asked.one("Content-Length") or b"0")
        while left:
            piece = served.recv_raw(8192)
            served.send(piece)
            left -= len(piece)
        done.set()
        served.serve()

    origin.script(parrot)
    with gw.client() as client:
        sender = threading.Thread(
            target=client.send, args=(request("/", method="POST", body=body),)
        )
        sender.start()
        got = client.recv_response(b"POST")
        sender.join()
        assert got.body == body
    assert done.is_set()


def test_answers_around_send_copy_max_arrive_whole(gw: Gateway, origin: Origin) -> None:
    """Head and body together leave as one copy up to SEND_COPY_MAX bytes, in pieces beyond."""
    send_copy_max = 2048
    origin.serve(lambda m: answer(body_of(int(m.target[1:]))))
    with gw.client() as client:
        for size in range(send_copy_max - 300, send_copy_max + 100, 7):
            assert client.ask(request(f"/{size}")).body == body_of(size)
