"""Bounds of limits.pxd that a whole exchange reaches, each from both sides."""

from __future__ import annotations

from itertools import pairwise

import pytest

from pygw._core import variant
from tests.unit.memory import GET, OK, Gate, Json, ok, plan_of, post, serving, upstream
from tests.unit.plans import through

KIB = 1024
SMALL_BUFFER, MEDIUM_BUFFER, LARGE_BUFFER = 16384, 65536, 262144
HEADERS_INLINE = 16
HEADERS_MAX = 256
HEADERS_OWN = 3840
ARENA_INLINE = 752
ARENA_MAX = 1048576
GATHER_MAX = 64
WRITE_HIGH = 131072
WRITE_LOW = 32768
WRITE_STEP = 32768
HEARTBEAT_MS = 500
TICK_MS = 8  # a timer is late by at most so much
BUFFERS_BYTES_MAX = 1 << 30
PLANS_MAX = 8
WAIT = {"filter": "test_wait", "phase": "request", "ms": None}
FULL = {"limits": {"headers": HEADERS_MAX, "head": 256 * KIB}}


def fields(count: int, value: bytes = b"v") -> list[tuple[bytes, bytes]]:
    return [(b"N%d" % n, value) for n in range(count)]


def lines(count: int) -> bytes:
    return b"".join(b"%b: %b\r\n" % field for field in fields(count))


# --- fields and arena -----------------------------------------------------------------------------


def test_inline_fields_need_no_memory_and_one_more_does() -> None:
    for count in (HEADERS_INLINE, HEADERS_INLINE + 1):
        run = through(WAIT)
        run.begin(headers=fields(count))
        assert run.memory[0] == (count == HEADERS_INLINE)
        run.abort(-1)


def test_inline_fields_of_an_answer_need_no_memory_and_one_more_does() -> None:
    for count in (HEADERS_INLINE, HEADERS_INLINE + 1):
        run = through({"filter": "test_wait", "phase": "response", "ms": None})
        run.begin()
        run.answer(headers=fields(count))
        assert run.memory[1] == (count == HEADERS_INLINE)
        run.abort(-1)


@pytest.mark.skipif(variant.DEBUG, reason="a debug build gives each allocation its own memory")
def test_arena_begins_within_the_exchange_and_goes_on_outside() -> None:
    taken = len(b"/") + len(b"GET") + len(b"/")  # what the loopback keeps besides the field
    # And the exchange for its WAIT: a pause_t for each phase.
    for size, inside in ((ARENA_INLINE // 3, True), (ARENA_INLINE - taken, False)):
        run = through(WAIT)
        run.begin(headers=[(b"N", b"v" * size)])
        assert run.memory[2] == inside
        run.abort(-1)


def test_exchange_takes_no_more_than_arena_max() -> None:
    """Heads in more pieces than one write takes are copied, by each attempt once more."""
    field = b"X-Hop: 1\r\nN: " + b"v" * 2000 + b"\r\n"
    head = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: X-Hop\r\n" + field * 100 + b"\r\n"
    with serving(one=upstream(retries=10), **FULL) as gate:
        client = gate.client(head)
        while not client.answers():
            assert gate.stats["live_running"] == 1
            gate.origins[-1].cut_allowed = True
            gate.origins[-1].finish()
        assert client.answer.status == 503
        assert gate.causes == ["out_of_memory"]
        copied = (GATHER_MAX - 1) * 2000
        assert copied * (len(gate.origins) - 1) <= ARENA_MAX < copied * len(gate.origins)


def test_request_of_the_most_fields_is_forwarded_whole() -> None:
    with serving(**FULL) as gate:
        client = gate.client(b"GET / HTTP/1.1\r\nHost: a\r\n" + lines(HEADERS_MAX - 1) + b"\r\n")
        names = [name for name, _ in gate.origin.request.fields]
        assert [name for name in names if name.startswith(b"N")] == [
            name for name, _ in fields(HEADERS_MAX - 1)
        ]
        assert HEADERS_MAX < len(names) <= HEADERS_MAX + HEADERS_OWN
        gate.origin.send(OK)
        assert client.answer.status == 200


def test_filters_may_add_thousands_of_fields_to_a_request_of_the_most_fields() -> None:
    edits: Json = {"set": [], "add": [], "remove": []}
    adds = {"filter": "headers", "request": edits, "response": edits}
    adds = adds | {"request": edits | {"add": [["A", "1"]] * HEADERS_MAX}}
    with serving(*[adds] * 14, **FULL) as gate:
        client = gate.client(b"GET / HTTP/1.1\r\nHost: a\r\n" + lines(HEADERS_MAX - 1) + b"\r\n")
        names = [name for name, _ in gate.origin.request.fields]
        assert names.count(b"A") == 14 * HEADERS_MAX
        gate.origin.send(OK)
        assert client.answer.status == 200


def test_answer_of_the_most_fields_is_passed_on_whole() -> None:
    with serving(**FULL) as gate:
        client = gate.client(GET)
        gate.origin.send(
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + lines(HEADERS_MAX - 1) + b"\r\n"
        )
        names = [name for name, _ in client.answer.fields if name.startswith(b"N")]
        assert names == [name for name, _ in fields(HEADERS_MAX - 1)]


# --- buffers --------------------------------------------------------------------------------------


def test_answer_is_first_read_into_a_medium_buffer() -> None:
    with serving() as gate:
        client = gate.client(GET)
        before = gate.stats["live_buffer_bytes"]
        gate.origin.send(b"HTTP/1.1 200 OK\r\nConte")
        assert gate.stats["live_buffer_bytes"] - before == MEDIUM_BUFFER
        gate.origin.send(b"nt-Length: 0\r\n\r\n")
        assert client.answer.status == 200


@pytest.mark.parametrize("more", [0, 1])
def test_body_of_more_than_a_medium_buffer_is_read_into_large_ones(more: int) -> None:
    body = b"x" * (MEDIUM_BUFFER + more)
    with serving() as gate:
        client = gate.client()
        client.window(0)
        client.send(GET)
        gate.origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
        before = gate.stats["live_buffer_bytes"]
        gate.origin.send(body[:100])
        taken = gate.stats["live_buffer_bytes"] - before
        # The rest of the buffer that holds the head serves a body that fits one of its kind.
        assert taken == (LARGE_BUFFER if more else 0)
        gate.origin.send(body[100:])
        client.window(None)
        assert client.answer.body == body


def test_buffers_of_a_worker_are_bounded_and_who_finds_none_does_no_harm() -> None:
    with serving() as gate:
        assert gate.worker.hoard(0) == BUFFERS_BYTES_MAX
        refused = gate.client(GET)
        assert refused.received == b""
        assert gate.stats["live_buffer_bytes"] == BUFFERS_BYTES_MAX
        assert gate.worker.hoard(None) == 0
        assert gate.worker.hoard(SMALL_BUFFER) == BUFFERS_BYTES_MAX - SMALL_BUFFER
        half = gate.client(b"GET / HTTP/1.1\r\nHos")
        gate.client(GET)
        assert gate.stats["live_buffer_bytes"] == BUFFERS_BYTES_MAX
        gate.worker.hoard(None)
        half.send(b"t: a\r\n\r\n")
        for origin in gate.origins:
            origin.send(OK)
        assert half.answer.status == 200


# --- the marks of back-pressure -------------------------------------------------------------------


def test_origin_is_read_again_from_the_low_mark_on() -> None:
    run = through()
    run.begin()
    run.answer(framing="length", length=1 << 20)
    for bytes_, paused in (
        (WRITE_HIGH - 1, False), (WRITE_HIGH, True), (WRITE_LOW + 1, True), (WRITE_LOW, False),
    ):  # fmt: skip
        run.congest(bytes_)
        run.answer_body(b"")
        assert run.up.paused == paused, bytes_
    run.abort(-1)


def test_client_is_read_again_from_the_low_mark_on() -> None:
    run = through()
    run.begin(method=b"POST", framing="length", length=1 << 20)
    for bytes_, paused in (
        (WRITE_HIGH - 1, False), (WRITE_HIGH, True), (WRITE_LOW + 1, True), (WRITE_LOW, False),
    ):  # fmt: skip
        run.congest(bytes_, service=True)
        run.client_body(b"")
        assert run.down.paused == paused, bytes_
    run.abort(-1)


def test_tunnel_is_read_again_from_the_low_mark_on() -> None:
    with serving() as gate:
        fields = b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        client = gate.client(b"GET / HTTP/1.1\r\nHost: a\r\n" + fields)
        origin = gate.origin
        origin.tunnel_at = len(origin.received)
        origin.send(b"HTTP/1.1 101 Switching Protocols\r\n" + fields)
        origin.window(0)
        client.send(b"u" * (1 << 20), 8 * KIB)
        assert not client.end.reading
        stopped = client.queued
        queued = (1 << 20) - stopped
        origin.window(WRITE_STEP)
        while queued - len(origin.received[origin.tunnel_at :]) > WRITE_LOW + WRITE_STEP:
            assert client.queued == stopped
            origin.take(WRITE_STEP)
        origin.take(WRITE_STEP)
        origin.take(WRITE_STEP)
        assert client.queued < stopped
        origin.window(None)
        assert origin.received[origin.tunnel_at :] == b"u" * (1 << 20)


def test_reader_that_takes_one_step_in_time_is_not_cut() -> None:
    body = b"x" * (8 * WRITE_STEP)
    with serving(timeouts={"slow_reader_ms": 1000}) as gate:
        client = gate.client()
        client.window(WRITE_STEP)
        client.send(GET)
        gate.origin.send(ok(body))
        while client.take(WRITE_STEP):
            gate.advance(900)
        assert client.answer.body == body


# --- the worker -----------------------------------------------------------------------------------


def test_worker_shows_that_it_lives_in_time() -> None:
    with serving() as gate:
        beats = [gate.stats["heartbeat_ms"]]
        for _ in range(5 * HEARTBEAT_MS):
            gate.advance(1)
            beats.append(gate.stats["heartbeat_ms"])
        beats = sorted(set(beats))
        gaps = [later - earlier for earlier, later in pairwise(beats)]
        assert len(gaps) >= 4
        assert all(HEARTBEAT_MS <= gap <= HEARTBEAT_MS + TICK_MS for gap in gaps)


def test_plans_that_exchanges_still_use_are_bounded() -> None:
    with serving() as gate:
        pin(gate, PLANS_MAX)
        with pytest.raises(RuntimeError, match=f"{PLANS_MAX} plans are still in use"):
            gate.publish(plan_of())
        gate.origins[0].send(OK)
        gate.publish(plan_of())
        for origin in gate.origins[1:]:
            origin.send(OK)
        assert gate.stats["live_plans"] == 1


def pin(gate: Gate, plans: int) -> None:
    """An exchange on each of so many plans."""
    for number in range(plans):
        if number:
            gate.publish(plan_of())
        gate.client(post(b"x"))
