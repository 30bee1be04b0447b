"""Bytes in and out of one connection: gathering, the queue behind a full wire, closing.

Seen through a worker in memory; `test_exchange_pressure` proves the bounds.
"""

from __future__ import annotations

import pytest

from tests.unit.memory import GET, OK, Gate, chunked, ok, post, serving

CHUNKED_OK = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def reads(gate: Gate) -> int:
    """Buffers in use."""
    return gate.stats["live_buffers"]


@pytest.mark.parametrize("window", [1, 2, 3, 7, 64, 1000])
def test_head_and_body_through_a_window_are_the_bytes_sent(window: int) -> None:
    with serving() as gate:
        client = gate.client()
        client.window(window)
        client.send(GET)
        gate.origin.send(CHUNKED_OK + chunked(*[b"%d" % i * (i + 1) for i in range(60)]))
        while client.take(window):
            pass
        assert client.answer.body == b"".join(b"%d" % i * (i + 1) for i in range(60))


@pytest.mark.parametrize("window", [1, 3, 64, 1000])
def test_request_through_a_window_is_the_bytes_sent(window: int) -> None:
    with serving() as gate:
        gate.hold()
        client = gate.client()
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        gate.origin.window(window)
        gate.origin.accept()
        client.send(chunked(*[b"%d" % i * (i + 1) for i in range(60)]), 100)
        while gate.origin.take(window):
            pass
        assert gate.origin.request.body == b"".join(b"%d" % i * (i + 1) for i in range(60))
        gate.origin.send(OK)
        assert client.answer.status == 200


def test_more_pieces_than_one_write_takes_leave_in_order() -> None:
    pieces = [b"%04d" % i for i in range(500)]
    with serving() as gate:
        client = gate.client()
        client.window(0)
        client.send(GET)
        gate.origin.send(CHUNKED_OK)
        for piece in pieces:
            gate.origin.send(b"4\r\n%b\r\n" % piece)
        gate.origin.send(b"0\r\n\r\n")
        client.window(None)
        assert client.answer.body == b"".join(pieces)


def test_many_pieces_in_one_read_leave_in_order() -> None:
    pieces = [b"%04d" % i for i in range(2000)]
    with serving() as gate:
        client = gate.client(GET)
        gate.origin.send(CHUNKED_OK + chunked(*pieces))
        assert client.answer.body == b"".join(pieces)


def test_own_answer_leaves_before_the_fin() -> None:
    with serving() as gate:
        client = gate.client()
        client.window(5)
        client.send(b"BAD\r\n\r\n")
        assert client.ended == "open"
        client.window(None)
        assert client.answer.status == 400
        assert client.ended == "fin"


def test_write_that_fails_is_heard_as_the_client_leaving() -> None:
    with serving() as gate:
        client = gate.client(GET)
        client.end.reset()  # not read before the answer is written
        client.left = True
        gate.origin.end.send(OK)
        gate.worker.settle()
        assert client.closed
        assert gate.origin.ended == "open" or gate.origin.closed


def test_write_to_an_origin_that_is_gone_is_a_502_or_a_retry() -> None:
    with serving() as gate:
        client = gate.client(post(b"x" * 100)[:-50])
        gate.origin.end.reset()
        client.end.send(b"x" * 50)
        client.sent += b"x" * 50
        gate.worker.settle()
        gate.origin.cut_allowed = True
        assert client.answer.status == 502


def test_reset_while_a_write_is_in_flight_ends_it_once() -> None:
    with serving() as gate:
        client = gate.client()
        client.window(10)
        client.send(GET)
        gate.origin.send(ok(b"x" * 100_000), 65536)
        client.reset()
        gate.advance(31_000)
        assert client.closed
        assert reads(gate) == 0


def test_close_with_unread_bytes_of_the_client_lingers_and_is_no_reset() -> None:
    with serving() as gate:
        client = gate.client(b"BAD\r\n\r\n" + b"x" * 1000)
        client.send(b"y" * 1000)
        assert client.answer.status == 400
        assert client.ended == "fin"
        client.finish()
        assert client.closed
        assert client.ended == "fin"


def test_bytes_after_our_fin_are_dropped_however_many() -> None:
    with serving() as gate:
        client = gate.client(b"BAD\r\n\r\n")
        client.send(b"z" * 30_000_000, 65536)
        assert not client.closed
        assert client.queued == 0
        assert gate.stats["live_buffers"] == 0


def test_pieces_of_one_turn_leave_in_one_write_in_order_of_their_making() -> None:
    with serving() as gate:
        clients = [gate.client(GET) for _ in range(20)]
        for i, origin in enumerate(gate.origins):
            origin.end.send(ok(b"%d" % i))
        gate.worker.settle()
        assert [client.answer.body for client in clients] == [b"%d" % i for i in range(20)]
