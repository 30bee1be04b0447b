"""An answer from the origin reaches the client: framings, interim answers, order, reuse.

All over a worker in memory (`tests.unit.memory`), so that every turn is the test's.
"""

from __future__ import annotations

import pytest

from tests.unit.memory import GET, HEAD, OK, chunked, ok, post, serving

V10 = b"GET / HTTP/1.0\r\nHost: a\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
TO_THE_END = b"HTTP/1.1 200 OK\r\n\r\n"


def test_get_is_answered_and_both_connections_stay() -> None:
    with serving() as gate:
        client = gate.client(GET)
        gate.origin.send(OK)
        assert (client.answer.status, client.answer.body) == (200, b"ok")
        assert client.ended == gate.origin.ended == "open"
        assert gate.causes == ["-"]


def test_head_is_answered_without_a_body_whatever_the_length_says() -> None:
    with serving() as gate:
        client = gate.client(HEAD)
        gate.origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n")
        assert client.answer.one("Content-Length") == b"99"
        assert client.answer.complete
        client.send(GET)
        gate.origin.send(OK)
        assert client.statuses == [200, 200]


@pytest.mark.parametrize("status", [204, 304])
def test_status_without_a_body_leaves_none(status: int) -> None:
    with serving() as gate:
        client = gate.client(GET + GET)
        gate.origin.send(b"HTTP/1.1 %d X\r\n\r\n" % status)
        gate.origin.send(OK)
        assert client.statuses == [status, 200]


def test_chunked_answer_reaches_an_http_10_client_without_chunks_and_ends_with_fin() -> None:
    with serving() as gate:
        client = gate.client(V10)
        gate.origin.send(CHUNKED + chunked(b"abc", b"def"))
        assert client.answer.body == b"abcdef"
        assert client.answer.framing == "close"
        assert client.ended == "fin"
        assert gate.origin.ended == "open"


def test_answer_to_the_end_of_the_connection_becomes_chunked() -> None:
    with serving() as gate:
        client = gate.client(GET)
        gate.origin.send(TO_THE_END + b"abc")
        gate.origin.send(b"def")
        assert not client.answer.complete
        gate.origin.finish()
        assert client.answer.body == b"abcdef"
        assert (client.answer.framing, client.answer.complete) == ("chunked", True)
        assert gate.origin.closed
        assert not client.closed


def test_trailers_of_a_chunked_answer_pass() -> None:
    with serving() as gate:
        client = gate.client(b"GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n")
        gate.origin.send(CHUNKED + chunked(b"abc", trailers=b"X-Sum: 7\r\n"))
        assert client.answer.trailers == [(b"X-Sum", b"7")]


def test_body_with_a_length_reaches_the_origin_with_that_length() -> None:
    with serving() as gate:
        client = gate.client(post(b"0123456789"))
        assert gate.origin.request.one("Content-Length") == b"10"
        assert gate.origin.request.body == b"0123456789"
        gate.origin.send(OK)
        assert client.answer.status == 200


def test_chunked_body_reaches_the_origin_in_chunks_of_our_own() -> None:
    with serving() as gate:
        head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        client = gate.client(head + b"3;ext=1\r\nabc\r\n0003\r\ndef\r\n0\r\n\r\n")
        assert gate.origin.request.body == b"abcdef"
        assert b"ext" not in gate.origin.received
        gate.origin.send(OK)
        assert client.answer.status == 200


def test_pipelined_requests_are_answered_in_order_one_at_a_time() -> None:
    with serving() as gate:
        pipeline = b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % i for i in range(5))
        client = gate.client(pipeline)
        for i in range(5):
            assert [r.target for r in gate.origin.requests()] == [b"/%d" % n for n in range(i + 1)]
            gate.origin.send(ok(b"answer %d" % i))
        assert [a.body for a in client.answers()] == [b"answer %d" % i for i in range(5)]


def test_pipelined_request_behind_a_body_is_not_part_of_it() -> None:
    with serving() as gate:
        client = gate.client(post(b"GET /evil HTTP/1.1\r\n\r\n") + GET)
        gate.origin.send(OK)
        gate.origin.send(ok(b"two"))
        assert [r.target for r in gate.origin.requests()] == [b"/", b"/"]
        assert [a.body for a in client.answers()] == [b"ok", b"two"]


def test_early_hints_pass_before_the_answer() -> None:
    with serving() as gate:
        client = gate.client(GET)
        gate.origin.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        assert b"103 Early Hints" in client.received
        gate.origin.send(OK)
        assert [i.status for i in client.answer.interim] == [103]


def test_100_nobody_waits_for_is_swallowed() -> None:
    with serving() as gate:
        client = gate.client(post(b"x"))
        gate.origin.send(b"HTTP/1.1 100 Continue\r\n\r\n" + OK)
        assert (client.answer.status, client.answer.interim) == (200, [])


def test_expect_waits_for_the_origins_100_and_then_the_body_passes() -> None:
    with serving() as gate:
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
        client = gate.client(head)
        assert gate.origin.received.endswith(b"\r\n\r\n")
        assert client.received == b""
        gate.origin.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert client.received.startswith(b"HTTP/1.1 100 ")
        client.send(b"body")
        assert gate.origin.request.body == b"body"
        gate.origin.send(OK)
        assert client.answer.status == 200


def test_refused_expect_never_turns_the_body_into_a_request() -> None:
    with serving() as gate:
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 29\r\nExpect: 100-continue\r\n\r\n"
        client = gate.client(head)
        gate.origin.send(b"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n")
        assert client.answer.status == 417
        assert client.answer.closes
        gate.origin.cut_allowed = True
        client.send(b"GET /smuggled HTTP/1.1\r\n\r\n\r\n\r")
        assert len(gate.origins) == 1
        assert len(gate.origin.requests()) == 1
        gate.advance(3000)
        assert client.closed


def test_early_answer_ends_the_upload_and_the_rest_is_no_request() -> None:
    with serving() as gate:
        client = gate.client(post(b"x" * 1000)[:-900])
        gate.origin.send(OK)
        assert client.answer.status == 200
        assert gate.origin.closed
        gate.origin.cut_allowed = True
        client.send(b"x" * 900 + GET)
        assert len(gate.origins) == 2
        gate.origins[1].send(ok(b"next"))
        assert [a.body for a in client.answers()] == [b"ok", b"next"]


def test_early_answer_to_a_long_upload_closes_the_connection() -> None:
    with serving() as gate:
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n"
        client = gate.client(head + b"x" * 1000)
        gate.origin.send(OK)
        gate.origin.cut_allowed = True
        assert client.answer.closes
        assert client.ended == "fin"
        client.send(b"x" * 200000)
        assert client.queued == 0
        client.finish()
        assert client.closed


def test_early_answer_whose_body_goes_on_while_the_upload_does() -> None:
    with serving() as gate:
        client = gate.client(post(b"0123456789")[:-8])
        gate.origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc")
        client.send(b"234567")
        assert gate.origin.requests()[0].body == b"01234567"
        gate.origin.send(b"d")
        client.send(b"89")
        assert gate.origin.request.complete
        gate.origin.send(b"ef")
        assert client.answer.body == b"abcdef"
        assert not gate.origin.closed


def test_second_request_reuses_the_upstream_connection() -> None:
    with serving() as gate:
        client = gate.client(GET)
        gate.origin.send(OK)
        client.send(GET)
        gate.origin.send(OK)
        assert client.statuses == [200, 200]
        assert gate.stats["upstream_reused"] == 1


def test_connection_close_of_the_origin_ends_only_its_own_connection() -> None:
    with serving() as gate:
        client = gate.client(GET)
        gate.origin.send(ok(b"a", b"Connection: close"))
        assert gate.origin.closed
        client.send(GET)
        gate.origins[1].send(OK)
        assert client.statuses == [200, 200]


def test_connection_close_of_the_client_is_obeyed_and_its_next_request_is_not_read() -> None:
    with serving() as gate:
        client = gate.client(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + GET)
        gate.origin.send(OK)
        assert client.answer.closes
        assert client.ended == "fin"
        assert len(gate.origin.requests()) == 1
        client.finish()
        assert client.closed


def test_bytes_behind_an_answer_cost_the_connection_and_reach_nobody() -> None:
    with serving() as gate:
        client = gate.client(GET)
        gate.origin.send(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        assert client.answer.body == b"ok"
        assert gate.origin.closed
        client.send(GET)
        gate.origins[1].send(OK)
        assert [a.body for a in client.answers()] == [b"ok", b"ok"]


def test_idle_origin_that_speaks_is_dropped() -> None:
    with serving() as gate:
        client = gate.client(GET)
        gate.origin.send(OK)
        gate.origin.send(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        assert gate.origin.closed
        client.send(GET)
        gate.origins[1].send(OK)
        assert client.statuses == [200, 200]


def test_upgrade_joins_both_sides_and_loses_no_byte() -> None:
    with serving() as gate:
        ask = b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        client = gate.client(ask + b"early from client")
        origin = gate.origin
        origin.tunnel_at = len(origin.received)
        yes = (
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        origin.send(yes + b"early from origin")
        assert client.received.endswith(b"\r\n\r\nearly from origin")
        assert origin.received.endswith(b"\r\n\r\nearly from client")
        client.send(b"ping", size=1)
        origin.send(b"pong", size=1)
        assert client.received.endswith(b"early from originpong")
        assert origin.received.endswith(b"early from clientping")
        client.finish()
        assert origin.ended == "fin"
        origin.send(b"bye")
        origin.finish()
        assert client.received.endswith(b"pongbye")
        assert client.closed
        assert origin.closed
        assert gate.causes == ["-"]


def test_101_nobody_asked_for_is_a_502() -> None:
    with serving() as gate:
        client = gate.client(GET)
        yes = (
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        gate.origin.send(yes)
        assert client.answer.status == 502
        assert gate.causes == ["upgrade_unasked"]


def test_interim_answer_to_a_client_that_does_not_read_keeps_its_bytes() -> None:
    with serving() as gate:
        client = gate.client()
        client.window(0)
        client.send(GET)
        gate.origin.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n")
        gate.origin.send(b"HTTP/1.1 103 Early Hints\r\nLink: </b>; rel=preload\r\n\r\n")
        gate.origin.send(OK)
        client.window(None)
        assert [i.one("Link") for i in client.answer.interim] == [
            b"</a>; rel=preload",
            b"</b>; rel=preload",
        ]
        assert client.answer.body == b"ok"
