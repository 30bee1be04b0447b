"""Every wait ends when it should, by a clock that tests move: not before its time, at most a tick
and a turn after it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pygw._core.memory_worker import MemoryWorker

from tests.unit.memory import GET, MINUTE, OK, Client, Gate, chunked, ok, post, serving, upstream

TICK_MS = 8
HEAD_10 = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"


def fires(gate: Gate, after_ms: int, seen: Callable[[], bool]) -> None:
    """`seen` becomes true `after_ms` from now, within a tick."""
    gate.advance(after_ms - 1)
    assert not seen(), "too early"
    gate.advance(TICK_MS + 1)
    assert seen(), "too late"


def test_half_a_head_is_answered_408_after_client_head() -> None:
    with serving(timeouts={"client_head_ms": 1000}) as gate:
        client = gate.client(b"GET / HT")
        fires(gate, 1000, lambda: client.received.startswith(b"HTTP/1.1 408 "))
        assert client.ended == "fin"
        assert gate.causes == ["client_head_timeout"]


def test_dribbled_head_does_not_move_client_head() -> None:
    with serving(timeouts={"client_head_ms": 1000}) as gate:
        client = gate.client()
        for byte in b"GET / HTT":
            client.send(bytes([byte]))
            gate.advance(100)
        assert client.received == b""
        fires(gate, 100, lambda: b"408" in client.received)


def test_connection_that_never_sends_is_closed_without_a_word_after_client_head() -> None:
    with serving(timeouts={"client_head_ms": 1000}) as gate:
        client = gate.client()
        fires(gate, 1000, lambda: client.closed)
        assert client.received == b""
        assert gate.stats["requests"] == 0


def test_kept_connection_is_closed_after_keepalive() -> None:
    with serving(timeouts={"keepalive_ms": 5000}) as gate:
        client = gate.client(GET)
        gate.origin.send(OK)
        fires(gate, 5000, lambda: client.closed)
        assert client.ended == "fin"


def test_second_head_has_client_head_from_its_own_first_byte() -> None:
    with serving(timeouts={"client_head_ms": 1000, "keepalive_ms": 5000}) as gate:
        client = gate.client(GET)
        gate.origin.send(OK)
        gate.advance(4000)
        client.send(b"G")
        fires(gate, 1000, lambda: b"408" in client.received)


def test_body_that_stops_is_408_after_client_body_and_the_origin_is_let_go() -> None:
    with serving(timeouts={"client_body_ms": 1000}) as gate:
        client = gate.client(post(b"x" * 10)[:-5])
        gate.origin.cut_allowed = True
        gate.advance(900)
        client.send(b"x")
        fires(gate, 1000, lambda: b"408" in client.received)
        assert gate.origin.closed
        assert client.ended == "fin"
        assert gate.causes == ["client_body_timeout"]


def test_slow_but_steady_body_is_not_timed_out() -> None:
    with serving(timeouts={"client_body_ms": 1000}) as gate:
        client = gate.client(post(b"x" * 10)[:-10])
        for _ in range(10):
            gate.advance(990)
            client.send(b"x")
        assert gate.origin.request.complete
        gate.origin.send(OK)
        assert client.answer.status == 200


def test_client_that_waits_for_100_is_not_timed_out_by_client_body() -> None:
    with serving(timeouts={"client_body_ms": 1000}) as gate:
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
        client = gate.client(head)
        gate.advance(5000)
        assert client.received == b""
        gate.origin.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        gate.origin.cut_allowed = True
        fires(gate, 1000, lambda: b"408" in client.received)


def test_connect_that_hangs_is_504_after_connect() -> None:
    with serving(one=upstream(timeouts={"connect_ms": 1000}, retries=0)) as gate:
        gate.hold()
        client = gate.client(GET)
        fires(gate, 1000, lambda: bool(client.received))
        assert client.answer.status == 504
        assert client.answer.error == "connection_timeout"
        assert gate.origin.closed
        assert gate.causes == ["connect_timeout"]


def test_connect_timeout_is_tried_again_with_a_time_of_its_own() -> None:
    with serving(one=upstream(targets=2, timeouts={"connect_ms": 1000})) as gate:
        gate.hold()
        client = gate.client(GET)
        fires(gate, 1000, lambda: len(gate.origins) == 2)
        gate.origins[1].accept()
        gate.origins[1].send(OK)
        assert client.answer.status == 200


def test_silent_origin_is_504_after_response() -> None:
    with serving(one=upstream(timeouts={"response_ms": 1000})) as gate:
        client = gate.client(GET)
        fires(gate, 1000, lambda: bool(client.received))
        assert client.answer.status == 504
        assert gate.origin.closed
        assert gate.causes == ["response_timeout"]


def test_response_time_runs_from_the_end_of_the_request() -> None:
    with serving(one=upstream(timeouts={"response_ms": 1000})) as gate:
        client = gate.client(post(b"x" * 4)[:-4])
        for _ in range(4):
            gate.advance(900)
            client.send(b"x")
        fires(gate, 1000, lambda: bool(client.received))
        assert client.answer.status == 504


def test_head_dribbled_by_the_origin_is_bounded_by_the_response_time_each() -> None:
    with serving(one=upstream(timeouts={"response_ms": 1000})) as gate:
        client = gate.client(GET)
        gate.origin.send(b"HTTP/1.1 2")
        fires(gate, 1000, lambda: bool(client.received))
        assert client.answer.status == 504


def test_body_that_stalls_is_cut_after_between_bytes() -> None:
    with serving(one=upstream(timeouts={"between_bytes_ms": 1000})) as gate:
        client = gate.client(GET)
        client.cut_allowed = True
        gate.origin.send(HEAD_10 + b"abc")
        gate.advance(900)
        gate.origin.send(b"d")
        fires(gate, 1000, lambda: client.ended != "open")
        assert client.answer.body == b"abcd"
        assert gate.origin.closed
        assert gate.causes == ["upstream_stalled"]


def test_slow_but_steady_answer_is_not_timed_out() -> None:
    with serving(one=upstream(timeouts={"between_bytes_ms": 1000, "response_ms": 500})) as gate:
        client = gate.client(GET)
        gate.origin.send(HEAD_10)
        for _ in range(10):
            gate.advance(990)
            gate.origin.send(b"x")
        assert client.answer.complete


def test_reader_that_takes_nothing_is_cut_after_slow_reader() -> None:
    with serving(timeouts={"slow_reader_ms": 1000}) as gate:
        client = gate.client()
        client.window(10)
        client.send(GET)
        gate.origin.send(ok(b"x" * 100))
        fires(gate, 1000, lambda: client.closed)
        client.cut_allowed = True
        assert gate.causes == ["slow_reader"]


def test_old_client_that_takes_nothing_is_reset_so_that_its_answer_does_not_look_whole() -> None:
    with serving(timeouts={"slow_reader_ms": 1000}) as gate:
        client = gate.client()
        client.window(200)
        client.send(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
        gate.origin.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        gate.origin.send(chunked(b"x" * 1000))
        fires(gate, 1000, lambda: client.closed)
        client.cut_allowed = True
        assert client.ended == "reset"


def test_reader_that_takes_a_little_in_time_is_served_to_the_end() -> None:
    with serving(timeouts={"slow_reader_ms": 1000}) as gate:
        client = gate.client()
        client.window(50_000)
        client.send(GET)
        gate.origin.send(ok(b"x" * 400_000))
        for _ in range(15):
            gate.advance(900)
            client.take(33_000)
        assert len(client.answer.body) == 400_000


def test_total_ends_an_exchange_that_has_no_answer_with_504() -> None:
    with serving(one=upstream(timeouts={"total_ms": 1000})) as gate:
        client = gate.client(GET)
        fires(gate, 1000, lambda: bool(client.received))
        assert client.answer.status == 504
        assert gate.causes == ["total_timeout"]


def test_total_cuts_an_answer_that_has_begun() -> None:
    with serving(one=upstream(timeouts={"total_ms": 1000})) as gate:
        client = gate.client(GET)
        client.cut_allowed = True
        gate.origin.send(HEAD_10 + b"abc")
        fires(gate, 1000, lambda: client.ended != "open")
        assert gate.causes == ["total_timeout"]


def test_total_is_gone_once_the_exchange_is_over() -> None:
    with serving(one=upstream(timeouts={"total_ms": 1000})) as gate:
        client = gate.client(GET)
        gate.origin.send(OK)
        gate.advance(5000)
        assert (client.ended, gate.causes) == ("open", ["-"])


def test_tunnel_outlives_total_keepalive_and_between_bytes() -> None:
    one = upstream(timeouts={"total_ms": 1000, "between_bytes_ms": 1000, "response_ms": 1000})
    with serving(one=one, timeouts={"keepalive_ms": 1000, "client_body_ms": 1000}) as gate:
        client = gate.client(
            b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        gate.origin.tunnel_at = len(gate.origin.received)
        gate.origin.send(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        gate.advance(10 * MINUTE)
        client.send(b"still here")
        assert gate.origin.received.endswith(b"still here")
        gate.advance(61 * MINUTE)
        assert client.closed
        assert gate.origin.closed
        assert gate.causes == ["upstream_stalled"]


def test_idle_upstream_connection_is_closed_after_idle_timeout() -> None:
    with serving(one=upstream(pool={"idle_timeout_ms": 1000})) as gate:
        gate.client(GET)
        gate.origin.send(OK)
        fires(gate, 1000, lambda: gate.origin.closed)


def test_connection_older_than_its_lifetime_is_not_used_again() -> None:
    with serving(one=upstream(pool={"lifetime_ms": 1000})) as gate:
        client = gate.client(GET)
        gate.origin.send(OK)
        gate.advance(990)
        client.send(GET)
        gate.origin.send(OK)
        gate.advance(20)
        client.send(GET)
        assert len(gate.origins) == 2
        gate.origins[1].send(OK)
        assert client.statuses == [200, 200, 200]


def test_wait_in_a_full_pool_ends_with_503_after_queue_timeout() -> None:
    with serving(one=upstream(pool={"connections": 1, "queue_timeout_ms": 1000})) as gate:
        first, second = gate.client(GET), gate.client(GET)
        assert len(gate.origins) == 1
        fires(gate, 1000, lambda: bool(second.received))
        assert second.answer.status == 503
        gate.origin.send(OK)
        assert first.answer.status == 200
        assert gate.causes == ["queue_timeout", "-"]


def refused(gate: Gate) -> Client:
    """A client that was told that this was the last answer, and keeps its side open."""
    client = gate.client(b"GET / HTTP/9.9\r\n\r\n")
    assert client.answer.status == 505
    assert (client.ended, client.closed) == ("fin", False)
    return client


def test_connection_we_ended_is_let_go_after_two_quiet_seconds() -> None:
    with serving() as gate:
        client = refused(gate)
        gate.advance(1000)
        client.send(b"x" * 100)
        assert client.queued == 0
        fires(gate, 2000, lambda: client.closed)


def test_connection_we_ended_is_let_go_after_ten_seconds_though_it_still_sends() -> None:
    with serving() as gate:
        client = refused(gate)
        for _ in range(9):
            gate.advance(1000)
            client.send(b"x" * 300_000)
            assert (client.queued, client.closed) == (0, False)
        fires(gate, 1000, lambda: client.closed)


@pytest.mark.parametrize("name", ["client_head_ms", "keepalive_ms", "client_body_ms"])
def test_timeout_that_is_off_never_fires(name: str) -> None:
    with serving(timeouts={name: 0}) as gate:
        client = gate.client(GET if name == "keepalive_ms" else b"")
        if name == "keepalive_ms":
            gate.origin.send(OK)
        elif name == "client_body_ms":
            client.send(post(b"xx")[:-1])
            gate.origin.cut_allowed = True
        gate.advance(24 * 60 * MINUTE)
        assert client.ended == "open" or name == "client_body_ms"


def test_many_waits_at_once_cost_no_event_until_they_are_due() -> None:
    with serving(timeouts={"keepalive_ms": 5000}) as gate:
        clients = [gate.client(GET) for _ in range(50)]
        for origin in gate.origins:
            origin.send(OK)
        gate.advance(4999)
        assert not any(client.closed for client in clients)
        gate.advance(TICK_MS + 1)
        assert all(client.closed for client in clients)


def test_worker_that_was_never_used_closes_clean() -> None:
    MemoryWorker().close()
