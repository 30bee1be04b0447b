"""No turn of the loop compresses more than its bound, and nobody waits for another's whole body."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from pygw._core.libs import zlib as library
from tests.unit.memory import Client, Gate, serving

if library.info is None:
    pytest.skip("there is no zlib", allow_module_level=True)

STEPS_TURN = 65_536
STEPS_ONE = 16_384
Json = dict[str, Any]
GZIP: Json = {"filter": "gzip", "level": 1, "min_length": 0, "types": ["*/*"]}
LARGE = bytes(Random(1).choices(b"abcdefgh", k=250_000))
ASK = b"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n"
PLAIN = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def respond(body: bytes) -> Json:
    fields = [["Content-Type", "text/plain"]]
    return {"filter": "respond", "status": 200, "body": body.decode(), "headers": fields}


def sized(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def put(gate: Gate, request: bytes) -> Client:
    """A client whose request is on its way; nothing has settled."""
    client = Client(gate, gate.worker.connect(0, "192.0.2.1:1234"))
    gate.clients.append(client)
    client.sent += request
    client.end.send(request, 0, ())
    return client


def turns(gate: Gate) -> Iterator[int]:
    """Turn by turn, how many bytes were compressed; until the worker is at rest."""
    before, still = gate.stats["gzip_bytes_in"], 0
    while still < 2:
        still = 0 if gate.worker.turn() else still + 1
        now = gate.stats["gzip_bytes_in"]
        yield now - before
        before = now


def done(client: Client) -> bool:
    return bool(client.answers()) and client.answer.complete


@pytest.mark.parametrize("clients", [1, 5])
def test_turn_compresses_no_more_than_its_bound_whoever_waits(clients: int) -> None:
    with serving(GZIP, respond(LARGE)) as gate:
        asked = [put(gate, ASK) for _ in range(clients)]
        each = list(turns(gate))
        assert max(each) <= STEPS_TURN
        assert sum(each) == clients * len(LARGE)
        assert sum(n == STEPS_TURN for n in each) >= clients * len(LARGE) // STEPS_TURN
        for client in asked:
            assert zlib.decompress(client.answer.body, 31) == LARGE


@pytest.mark.parametrize("request_", [PLAIN, ASK])
def test_others_are_served_while_a_large_body_is_compressed(request_: bytes) -> None:
    with serving(GZIP) as gate:
        slow = gate.client(ASK)
        other = gate.client(request_)
        slow_origin, other_origin = gate.origins
        slow_origin.end.send(sized(LARGE), 0, ())
        other_origin.end.send(sized(b"x" * 1000), 0, ())
        order = []
        for _ in turns(gate):
            order += [one for one in (slow, other) if done(one) and one not in order]
        assert order == [other, slow]
        assert zlib.decompress(slow.answer.body, 31) == LARGE


def test_those_that_wait_take_steps_in_turn() -> None:
    with serving(GZIP) as gate:
        clients = [gate.client(ASK) for _ in range(3)]
        sizes = [200_000, STEPS_ONE + 1, 6 * STEPS_ONE]
        for origin, size in zip(gate.origins, sizes, strict=True):
            origin.end.send(sized(LARGE[:size]), 0, ())
        order: list[Client] = []
        for n in turns(gate):
            assert n <= STEPS_TURN
            order += [one for one in clients if done(one) and one not in order]
        assert order == [clients[1], clients[2], clients[0]]
        for client, size in zip(clients, sizes, strict=True):
            assert zlib.decompress(client.answer.body, 31) == LARGE[:size]


@pytest.mark.parametrize("size", [1, STEPS_ONE - 1, STEPS_ONE, STEPS_ONE + 1, STEPS_TURN, 150_001])
@pytest.mark.parametrize("piece", [0, 1000, 20_000])
def test_body_of_any_size_comes_out_whole_however_it_came(size: int, piece: int) -> None:
    with serving(GZIP) as gate:
        client = gate.client(ASK)
        gate.origin.send(sized(LARGE[:size]), piece)
        assert zlib.decompress(client.answer.body, 31) == LARGE[:size]


def test_body_that_waits_for_its_turn_holds_its_source_back() -> None:
    with serving(GZIP) as gate:
        clients = [gate.client(ASK) for _ in range(8)]
        body = LARGE * 4
        for origin in gate.origins:
            origin.end.send(sized(body), STEPS_TURN, ())
        most = 0
        for n in turns(gate):
            assert n <= STEPS_TURN
            most = max(most, gate.stats["live_buffer_bytes"])
        assert most < 8 * (6 * STEPS_TURN)
        for client in clients:
            assert zlib.decompress(client.answer.body, 31) == body


@pytest.mark.parametrize("who", [0, 1, 2])
def test_exchange_that_ends_in_line_leaves_it(who: int) -> None:
    with serving(GZIP, respond(LARGE)) as gate:
        clients = [put(gate, ASK) for _ in range(3)]
        gate.worker.turn()
        clients[who].reset()
        for one in clients:
            assert one is clients[who] or zlib.decompress(one.answer.body, 31) == LARGE
        assert gate.stats["live_deflaters"] == gate.stats["live_running"] == 0


def test_service_that_breaks_off_while_its_body_waits_cuts_the_response() -> None:
    with serving(GZIP) as gate:
        client = gate.client(ASK)
        gate.origin.end.send(sized(LARGE)[:200_000], 0, ())
        gate.worker.turn()
        gate.origin.reset()
        assert not client.answer.complete
        client.cut_allowed = True


def test_trailers_and_end_come_behind_all_of_the_body() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked\r\n\r\n"
    with serving(GZIP) as gate:
        client = gate.client(ASK)
        gate.origin.send(head + b"%x\r\n%b\r\n0\r\nX-T: 1\r\n\r\n" % (len(LARGE), LARGE))
        assert zlib.decompress(client.answer.body, 31) == LARGE
        assert client.received.endswith(b"0\r\nX-T: 1\r\n\r\n")
