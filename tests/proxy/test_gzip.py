"""The filter `gzip` over sockets: content, framing, and that nothing is held back."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest

from pygw._core.libs import zlib as library
from tests.peers.fleet import Stage
from tests.peers.gateway import Gateway
from tests.peers.origin import Origin
from tests.peers.payload import answer, chunk, head, request
from tests.peers.settings import proxy_config

pytestmark = pytest.mark.skipif(library.info is None, reason="there is no zlib")

TYPE = "Content-Type: application/json"
TEXT = json.dumps([{"id": number, "name": f"user {number}"} for number in range(400)]).encode()


@pytest.fixture
def gw(stage: Stage, origin: Origin) -> Gateway:
    """A gateway that compresses."""
    filters: list[dict[str, Any]] = [{"gzip": {"level": 6}}]
    return stage.gateway(proxy_config(origin, middleware=filters))


def test_answers_are_compressed_for_who_asks_and_whole_for_others(
    gw: Gateway, origin: Origin
) -> None:
    origin.serve(lambda _: answer(TEXT, TYPE))
    with gw.client() as client:
        for _ in range(3):
            got = client.ask(request("/", "Accept-Encoding: gzip"))
            assert got.one("Content-Encoding") == b"gzip"
            assert zlib.decompress(got.body, 31) == TEXT
            got = client.ask(request("/"))
            assert got.body == TEXT
            assert got.one("Content-Length") == b"%d" % len(TEXT)
    assert [entry["bytes"] < len(TEXT) for entry in gw.log_entries(6)] == [True, False] * 3


def test_each_event_can_be_read_before_the_next_is_sent(gw: Gateway, origin: Origin) -> None:
    origin.manual()
    with gw.client() as client:
        client.send(request("/events", "Accept-Encoding: gzip"))
        served = origin.accept()
        served.read_request()
        served.send(head("200 OK", "Content-Type: text/event-stream", "Transfer-Encoding: chunked"))
        assert client.recv_head().one("Content-Encoding") == b"gzip"
        reader = zlib.decompressobj(31)
        for number in range(10):
            event = b"data: event %d\n\n" % number
            served.send(chunk(event))
            seen = b""
            while len(seen) < len(event):  # the next event is not sent before this one came
                size = int(client.source.line(), 16)
                seen += reader.decompress(client.recv_exactly(size + 2)[:-2])
            assert seen == event
        served.send(b"0\r\n\r\n")
        while size := int(client.source.line(), 16):
            assert reader.decompress(client.recv_exactly(size + 2)[:-2]) == b""
        assert client.recv_exactly(2) == b"\r\n"
        assert reader.eof


def test_large_body_in_both_directions_of_speed_comes_out_whole(
    gw: Gateway, origin: Origin
) -> None:
    text = b"".join(b"line %d of a long text\n" % number for number in range(200_000))
    origin.serve(lambda _: answer(text, "Content-Type: text/plain"))
    with gw.client(receive_buffer=4096) as client:
        got = client.ask(request("/", "Accept-Encoding: gzip"))
        assert zlib.decompress(got.body, 31) == text


def test_many_clients_at_once_each_get_their_own(gw: Gateway, origin: Origin) -> None:
    origin.serve(lambda asked: answer(asked.target * 500, "Content-Type: text/plain"))
    clients = [gw.client() for _ in range(50)]
    for number, client in enumerate(clients):
        client.send(request(f"/{number:04}", "Accept-Encoding: gzip"))
    for number, client in enumerate(clients):
        got = client.recv_response()
        assert zlib.decompress(got.body, 31) == b"/%04d" % number * 500
        client.close()


def test_malformed_requests_are_told_once_on_standard_error(stage: Stage, origin: Origin) -> None:
    limits = {"malformed": 3, "malformed_window": "1m"}
    gw = stage.gateway(proxy_config(origin, limits=limits))
    for _ in range(6):
        with gw.client() as client:
            client.send(b"GET / HTTP/1.1\r\nbad field: x\r\n\r\n")
            assert client.recv_response().status == 400
    with gw.client() as client:
        assert client.ask(request()).status == 200
    told = [line for line in gw.stderr_text().splitlines() if "malformed requests" in line]
    assert len(told) == 1
    assert "client 127.0.0.1 sent 3 malformed requests within 60 s, the last: " in told[0]
