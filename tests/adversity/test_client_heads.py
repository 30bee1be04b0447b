"""Classes 1, 12 and 14: heads that never end, are malformed, or are too large."""

from __future__ import annotations

import pytest

from tests.peers.fleet import Stage
from tests.peers.gateway import Gateway
from tests.peers.link import Stopwatch
from tests.peers.origin import Origin
from tests.peers.payload import chunk, request
from tests.peers.settings import SHORT_S, proxy_config
from tests.peers.volume import PeakMemory

HEAD_S = SHORT_S["client_head"]
HALF_HEADS = [b"G", b"GET / HT", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n"]


@pytest.mark.parametrize("sent", HALF_HEADS)
def test_class_01_half_sent_head_is_408_at_the_timeout(
    quick: Gateway, origin: Origin, sent: bytes
) -> None:
    with quick.client() as client:
        client.send(sent)
        watch = Stopwatch()
        client.recv_refusal(408)
        watch.assert_took(HEAD_S)
    assert origin.connections == []
    assert quick.log_entries(1)[0]["cause"] == "client_head_timeout"


def test_class_01_dribbled_head_has_one_total_time(quick: Gateway, origin: Origin) -> None:
    """A byte now and then does not start the time anew."""
    with quick.client() as client:
        watch = Stopwatch()
        whole = request("/", "X-Slow: " + "s" * 100)
        for at in range(len(whole)):
            client.send(whole[at : at + 1])
            if client.recv_within(0.05):
                break
        watch.assert_took(HEAD_S)
        assert b" 408 " in bytes(client.received)
    assert origin.connections == []


def test_class_01_silent_connection_is_closed(quick: Gateway) -> None:
    with quick.client() as client:
        client.methods = []
        watch = Stopwatch()
        client.recv_within(3.0)
        assert client.ended != "open"
        watch.assert_took(HEAD_S)


def test_class_01_half_sent_second_head_is_timed_from_its_first_byte(quick: Gateway) -> None:
    with quick.client() as client:
        assert client.ask(request()).status == 200
        client.expect_silence(0.2)
        client.send(b"GET / HT")
        watch = Stopwatch()
        client.recv_refusal(408)
        watch.assert_took(HEAD_S)


def test_class_01_endless_empty_lines_are_no_way_to_stay(quick: Gateway) -> None:
    with quick.client() as client:
        client.methods = [b"GET"]
        watch = Stopwatch()
        while client.ended == "open" and watch.seconds < 3:
            client.send(b"\r\n")
            client.recv_within(0.05)
        assert watch.seconds < HEAD_S + 0.2


BAD_LATER = {
    "head": b"GET / HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n",
    "line": b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
    "framing": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
    "junk": b"\x00\x01\x02\r\n\r\n",
    "chunk": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
}


@pytest.mark.parametrize("kind", BAD_LATER)
def test_class_12_malformed_later_request_gets_400_after_the_earlier_answers(
    gw: Gateway, origin: Origin, kind: str
) -> None:
    with gw.client() as client:
        client.send(request("/1") + request("/2") + BAD_LATER[kind] + request("/never"))
        assert client.recv_response().text.startswith("GET /1")
        assert client.recv_response().text.startswith("GET /2")
        client.recv_refusal(400)
    for served in origin.connections:
        served.cut_allowed = kind == "chunk"
    assert [m.target for m in origin.requests] == [b"/1", b"/2"]


def test_class_12_malformed_request_on_an_idle_kept_connection(gw: Gateway) -> None:
    with gw.client() as client:
        assert client.ask(request("/1")).status == 200
        client.expect_silence(0.05)
        client.send(b"nonsense\r\n\r\n")
        client.recv_refusal(400)


def test_class_14_request_line_of_8000_passes(gw: Gateway, origin: Origin) -> None:
    target = "/" + "a" * (8000 - len("GET  HTTP/1.1\r\n") - 1)
    with gw.client() as client:
        assert client.ask(request(target)).status == 200
    assert origin.requests[0].target == target.encode()


def test_class_14_request_line_of_64_kib_is_414(gw: Gateway) -> None:
    with gw.client() as client:
        client.methods = [b"GET"]
        client.send(request("/" + "a" * 65536))
        client.recv_refusal(414)
    assert gw.log_entries(1)[0]["cause"] == "request_line_too_long"


def test_class_14_field_of_64_kib_is_431(gw: Gateway) -> None:
    with gw.client() as client:
        client.methods = [b"GET"]
        client.send(request("/", "X-Big: " + "a" * 65536))
        client.recv_refusal(431)
    assert gw.log_entries(1)[0]["cause"] == "head_too_large"


def test_class_14_hundred_fields_pass_and_one_more_is_431(gw: Gateway, origin: Origin) -> None:
    with gw.client() as client:
        assert client.ask(request("/", *[f"X-{n}: {n}" for n in range(99)])).status == 200
        client.send(request("/", *[f"X-{n}: {n}" for n in range(100)]))
        client.recv_refusal(431)
    assert gw.log_entry(status=431)["cause"] == "too_many_headers"


def test_class_14_fifty_thousand_fields_are_431(gw: Gateway) -> None:
    with gw.client() as client:
        client.methods = [b"GET"]
        client.send(request("/", *[f"X-{n}: {n}" for n in range(50_000)]))
        got = client.recv_response()
        assert got.status == 431 and got.closes
        client.recv_until_close()


@pytest.mark.parametrize(
    ("start", "piece", "statuses"),
    [
        (b"", b"G" * 4096, {400, 414, 501}),
        (b"GET /", b"a" * 4096, {414}),
        (b"GET / HTTP/1.1\r\n", b"X" * 4096, {431}),
        (b"GET / HTTP/1.1\r\nX: ", b"y" * 4096, {431}),
        (b"GET / HTTP/1.1\r\n", b"X: y\r\n" * 500, {431}),
        (b"", b"\r\n" * 2048, {400}),
    ],
    ids=["method", "target", "name", "value", "fields", "empty_lines"],
)
def test_class_14_endless_head_is_refused_in_bounded_memory(
    gw: Gateway, start: bytes, piece: bytes, statuses: set[int]
) -> None:
    with gw.client() as client:
        client.methods = [b"GET"]
        with PeakMemory(gw) as memory:
            client.send(start)
            for _ in range(2000):
                client.send(piece)
                if client.ended != "open":
                    break
                if client.recv_within(0.0005):
                    break
        assert int(bytes(client.received)[9:12]) in statuses
        memory.assert_below(1 << 20)


BODY_FLOODS = {
    "trailers": (chunk(b"x") + b"0\r\n", b"X-T: y\r\n" * 100),
    "one_trailer": (chunk(b"x") + b"0\r\nX-T: ", b"y" * 1000),
    "extension": (b"1;", b"e" * 1000),
    "tiny_chunks_with_extensions": (b"", b"1;" + b"e" * 200 + b"\r\nx\r\n"),
    "zeros": (b"", b"0" * 1000),
}


@pytest.mark.parametrize("kind", BODY_FLOODS)
def test_class_14_chunk_framing_flood_is_refused_in_bounded_memory(
    gw: Gateway, origin: Origin, kind: str
) -> None:
    start, piece = BODY_FLOODS[kind]
    with gw.client() as client:
        client.methods = [b"POST"]
        with PeakMemory(gw) as memory:
            client.send(request("/", "Transfer-Encoding: chunked", method="POST") + start)
            for _ in range(4000):
                client.send(piece)
                if client.ended != "open" or client.recv_within(0.0002):
                    break
        assert bytes(client.received)[9:12] in (b"400", b"431")
        memory.assert_below(1 << 20)
    for served in origin.connections:
        served.cut_allowed = True
    assert origin.requests == []


def test_class_14_limits_are_settings(stage: Stage, origin: Origin) -> None:
    limits = {"request_line": "100B", "head": "1KiB", "headers": 5}
    gw = stage.gateway(proxy_config(origin, limits=limits))
    for asked, status in (
        (request("/" + "a" * 60), 200),
        (request("/" + "a" * 100), 414),
        (request("/", "X: " + "y" * 1100), 431),
        (request("/", "A: 1", "B: 2", "C: 3", "D: 4"), 200),
        (request("/", "A: 1", "B: 2", "C: 3", "D: 4", "E: 5"), 431),
    ):
        with gw.client() as client:
            client.methods = [b"GET"]
            assert client.ask(asked).status == status
