"""The faster side waits for the slower one, and what lies in between is bounded, both ways."""

from __future__ import annotations

import pytest

from tests.unit.memory import GET, OK, Gate, chunked, post, serving

HIGH = 131072  # WRITE_HIGH
LARGE = 262144  # LARGE_BUFFER
MIB = 1 << 20
# What one side may hold: the queue up to its mark, a read that was under way, the buffers' slack.
BOUND = HIGH + 2 * LARGE


def held(gate: Gate) -> int:
    """Bytes of all buffers in use."""
    return gate.stats["live_buffer_bytes"]


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_answer_stops_at_a_client_that_does_not_read(framing: str) -> None:
    body = b"0123456789abcdef" * (MIB // 4)
    with serving() as gate:
        client = gate.client()
        client.window(0)
        client.send(GET)
        origin = gate.origin
        if framing == "length":
            origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
            origin.send(body, 65536)
        elif framing == "chunked":
            origin.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            origin.send(chunked(body[: 2 * MIB], body[2 * MIB :]), 65536)
        else:
            origin.send(b"HTTP/1.1 200 OK\r\n\r\n" + body, 65536)
            origin.end.finish()
        assert origin.queued > len(body) - BOUND
        assert held(gate) <= BOUND
        client.window(None)
        assert origin.queued == 0
        assert client.answer.body == body
        assert client.answer.complete


def test_upload_stops_at_an_origin_that_does_not_read() -> None:
    body = b"0123456789abcdef" * (MIB // 4)
    with serving() as gate:
        gate.hold()
        client = gate.client(post(body)[: -len(body)])
        gate.origin.window(0)
        gate.origin.accept()
        client.send(body, 65536)
        assert client.queued > len(body) - BOUND
        assert held(gate) <= BOUND
        gate.origin.window(None)
        assert client.queued == 0
        assert gate.origin.request.body == body
        gate.origin.send(OK)
        assert client.answer.status == 200


def test_upload_waits_for_a_connect_with_a_bounded_queue() -> None:
    body = b"x" * (2 * MIB)
    with serving() as gate:
        gate.hold()
        client = gate.client()
        client.send(post(body), 65536)
        assert held(gate) <= BOUND
        assert client.queued > MIB
        gate.origin.accept()
        assert gate.origin.request.body == body
        gate.origin.send(OK)


def test_pipeline_behind_a_slow_answer_is_bounded_by_one_buffer() -> None:
    with serving() as gate:
        client = gate.client()
        client.send(GET * 4000, 65536)
        assert client.queued > len(GET) * 4000 - 65536
        assert held(gate) <= 65536
        for _ in range(3):
            gate.origin.send(OK)
        assert client.statuses == [200] * 3
        assert len(gate.origin.requests()) == 4


def test_whole_pipeline_is_served_through_the_bound() -> None:
    with serving() as gate:
        client = gate.client()
        client.send(GET * 1500, 65536)
        for _ in range(1500):
            gate.origin.send(OK)
        assert client.received.count(b"HTTP/1.1 200 OK") == 1500
        assert client.queued == 0


@pytest.mark.parametrize("step", [1, 1000, 40_000])
def test_body_through_a_narrow_window_arrives_in_order(step: int) -> None:
    size = 500 if step == 1 else 600_000
    body = bytes(range(256)) * (size // 256)
    with serving() as gate:
        client = gate.client()
        client.window(step)
        client.send(GET)
        gate.origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
        gate.origin.send(body, 8192)
        while client.take(step):
            pass
        assert client.answer.body == body


def test_both_directions_at_once_are_paused_one_by_one() -> None:
    up, down = b"u" * MIB, b"d" * MIB
    with serving() as gate:
        gate.hold()
        client = gate.client()
        client.window(0)
        client.send(post(up), 65536)
        origin = gate.origin
        origin.window(0)
        origin.accept()
        origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(down))
        origin.send(down, 65536)
        assert client.queued
        assert origin.queued
        assert held(gate) <= 2 * BOUND
        origin.window(None)
        assert origin.request.body == up
        assert origin.queued
        client.window(None)
        assert client.answer.body == down


def test_tunnel_is_bounded_both_ways() -> None:
    with serving() as gate:
        client = gate.client(
            b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        origin = gate.origin
        origin.tunnel_at = len(origin.received)
        origin.send(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        begin = len(client.received)
        client.window(0)
        origin.window(0)
        client.send(b"u" * MIB, 65536)
        origin.send(b"d" * MIB, 65536)
        assert held(gate) <= 2 * BOUND
        assert client.queued > MIB - BOUND
        assert origin.queued > MIB - BOUND
        client.window(None)
        origin.window(None)
        assert client.received[begin:] == b"d" * MIB
        assert origin.received[origin.tunnel_at :] == b"u" * MIB


def test_idle_connection_holds_no_buffer() -> None:
    with serving() as gate:
        client = gate.client(GET)
        gate.origin.send(OK)
        assert held(gate) == 0
        assert client.ended == "open"


def test_half_sent_head_holds_one_small_buffer() -> None:
    with serving() as gate:
        gate.client(b"GET / HTTP/1.1\r\nHos")
        assert held(gate) == 16384


def test_tiny_chunks_of_an_upload_do_not_take_a_buffer_each() -> None:
    with serving() as gate:
        gate.hold()
        client = gate.client(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send(b"1\r\nx\r\n" * 5000, 6)
        assert held(gate) <= BOUND
        gate.origin.accept()
        client.send(b"0\r\n\r\n")
        assert gate.origin.request.body == b"x" * 5000
        gate.origin.send(OK)


def test_client_that_takes_nothing_of_many_short_answers_stops_being_read() -> None:
    with serving() as gate:
        client = gate.client()
        client.window(0)
        client.send(GET * 3000, 65536)
        gate.origin.send(OK)
        assert held(gate) <= BOUND
        assert len(gate.origin.requests()) == 1
        client.cut_allowed = True
