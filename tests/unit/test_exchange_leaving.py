"""Either side leaves at any moment: the other learns it, nothing looks whole that is not, nothing
is kept.

A moment is what has happened so far in one exchange; each is crossed with who leaves and how.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.memory import GET, OK, Client, Gate, ok, post, serving, upstream

HEAD_10 = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CLOSE = b"HTTP/1.1 200 OK\r\n\r\n"
UPGRADE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


def nothing_sent(gate: Gate) -> Client:
    return gate.client()


def half_a_head(gate: Gate) -> Client:
    return gate.client(b"GET / HTTP/1.1\r\nHo")


def connecting(gate: Gate) -> Client:
    gate.hold()
    return gate.client(GET)


def connecting_with_body(gate: Gate) -> Client:
    gate.hold()
    return gate.client(post(b"x" * 10)[:-5])


def queued(gate: Gate) -> Client:
    gate.client(GET)
    return gate.client(GET, peer="192.0.2.2:1")


def body_on_its_way(gate: Gate) -> Client:
    return gate.client(post(b"x" * 10)[:-5])


def waiting_for_100(gate: Gate) -> Client:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    return gate.client(head)


def waiting_for_the_answer(gate: Gate) -> Client:
    return gate.client(GET)


def answer_head_half_here(gate: Gate) -> Client:
    client = gate.client(GET)
    gate.origin.send(b"HTTP/1.1 200 OK\r\nConte")
    return client


def answer_with_length(gate: Gate) -> Client:
    client = gate.client(GET)
    gate.origin.send(HEAD_10 + b"abc")
    return client


def answer_in_chunks(gate: Gate) -> Client:
    client = gate.client(GET)
    gate.origin.send(CHUNKED + b"5\r\nhel")
    return client


def answer_to_the_end(gate: Gate) -> Client:
    client = gate.client(GET)
    gate.origin.send(CLOSE + b"abc")
    return client


def answer_nobody_reads(gate: Gate) -> Client:
    client = gate.client()
    client.window(0)
    client.send(GET)
    gate.origin.send(ok(b"x" * 300_000)[:200_000], 65536)
    return client


def early_answer_while_the_body_comes(gate: Gate) -> Client:
    client = gate.client(post(b"x" * 10)[:-5])
    gate.origin.send(HEAD_10 + b"abc")
    return client


def early_answer_over_body_draining(gate: Gate) -> Client:
    client = gate.client(post(b"x" * 10)[:-5])
    gate.origin.send(OK)
    return client


def tunnel(gate: Gate) -> Client:
    client = gate.client(UPGRADE)
    gate.origin.tunnel_at = len(gate.origin.received)
    gate.origin.send(SWITCH + b"hello")
    client.send(b"hi")
    return client


def tunnel_full_both_ways(gate: Gate) -> Client:
    client = tunnel(gate)
    client.window(0)
    gate.origin.window(0)
    client.send(b"u" * 400_000, 65536)
    gate.origin.send(b"d" * 400_000, 65536)
    return client


def tunnel_half_closed_by_the_client(gate: Gate) -> Client:
    client = tunnel(gate)
    client.end.finish()
    gate.worker.settle()
    return client


def lingering(gate: Gate) -> Client:
    client = gate.client(b"GET / HTTP/9.9\r\n\r\n")
    client.send(b"more")
    return client


def idle_again(gate: Gate) -> Client:
    client = gate.client(GET)
    gate.origin.send(OK)
    return client


def pipeline_behind(gate: Gate) -> Client:
    client = gate.client(GET * 3)
    gate.origin.send(HEAD_10 + b"abc")
    return client


MOMENTS: list[Callable[[Gate], Client]] = [
    nothing_sent, half_a_head, connecting, connecting_with_body, queued, body_on_its_way,
    waiting_for_100, waiting_for_the_answer, answer_head_half_here, answer_with_length,
    answer_in_chunks, answer_to_the_end, answer_nobody_reads, early_answer_while_the_body_comes,
    early_answer_over_body_draining, tunnel, tunnel_full_both_ways,
    tunnel_half_closed_by_the_client, lingering, idle_again, pipeline_behind,
]  # fmt: skip
NO_ORIGIN = [nothing_sent, half_a_head, lingering, connecting, connecting_with_body]
WITH_ORIGIN = [moment for moment in MOMENTS if moment not in NO_ORIGIN]
# The client's leaving is noticed later: a tunnel's other half is still open, or nothing is read.
SLOW = [tunnel, tunnel_full_both_ways, tunnel_half_closed_by_the_client, answer_nobody_reads]
NAMES = [moment.__name__ for moment in MOMENTS]
ONE = {"connections": 1}


def canary(gate: Gate) -> None:
    """Two ordinary requests on a new connection get their own answers."""
    gate.accept()
    client = gate.client()
    for word in (b"one", b"two"):
        before = {id(o): len(o.received) for o in gate.origins}
        client.send(GET)
        (asked,) = [o for o in gate.origins if len(o.received) > before.get(id(o), 0)]
        asked.send(ok(word))
    assert [a.body for a in client.answers()] == [b"one", b"two"]


def allow_cuts(gate: Gate) -> None:
    for peer in (*gate.clients, *gate.origins):
        peer.cut_allowed = True


@pytest.mark.parametrize("half_close", ["abort", "answer"])
@pytest.mark.parametrize("how", ["fin", "reset"])
@pytest.mark.parametrize("moment", MOMENTS, ids=NAMES)
def test_client_leaves(moment: Callable[[Gate], Client], how: str, half_close: str) -> None:
    one = upstream(pool=ONE) if moment is queued else None
    with serving(one=one, half_close=half_close) as gate:
        client = moment(gate)
        client.finish() if how == "fin" else client.reset()
        if moment is queued:
            gate.origin.send(OK)
        gate.advance(5000)
        allow_cuts(gate)
        if half_close == "abort" and moment not in SLOW:
            assert client.closed
        if moment in (answer_nobody_reads, tunnel_full_both_ways):
            client.window(None)
            for origin in gate.origins:
                origin.window(None)
            gate.advance(60_000)
        if moment is not queued:
            canary(gate)


@pytest.mark.parametrize("how", ["fin", "reset"])
@pytest.mark.parametrize("moment", WITH_ORIGIN, ids=[m.__name__ for m in WITH_ORIGIN])
def test_origin_leaves(moment: Callable[[Gate], Client], how: str) -> None:
    one = upstream(pool=ONE, retries=0) if moment is queued else upstream(retries=0)
    with serving(one=one) as gate:
        client = moment(gate)
        whole = moment in (early_answer_over_body_draining, idle_again)
        origin = gate.origin
        origin.finish() if how == "fin" else origin.reset()
        allow_cuts(gate)
        if moment in (
            waiting_for_the_answer,
            waiting_for_100,
            answer_head_half_here,
            body_on_its_way,
        ):
            assert client.statuses == [502]
        elif moment is answer_to_the_end and how == "fin":
            assert client.answer.complete
        elif moment in (
            answer_with_length,
            answer_in_chunks,
            answer_to_the_end,
            early_answer_while_the_body_comes,
            pipeline_behind,
        ):
            assert not client.answers()[0].complete
            assert client.ended != "open"
        elif whole:
            assert client.answer.complete
        if moment in (answer_nobody_reads, tunnel_full_both_ways):
            client.window(None)
        if moment is not queued:
            canary(gate)


@pytest.mark.parametrize("moment", MOMENTS, ids=NAMES)
def test_worker_stops(moment: Callable[[Gate], Client]) -> None:
    one = upstream(pool=ONE) if moment is queued else None
    with serving(one=one) as gate:
        moment(gate)
        gate.worker.stop()
        gate.worker.settle()
        assert gate.stats["live_transports"] == 0
        allow_cuts(gate)


@pytest.mark.parametrize("moment", MOMENTS, ids=NAMES)
def test_worker_drains(moment: Callable[[Gate], Client]) -> None:
    one = upstream(pool=ONE) if moment is queued else None
    with serving(one=one) as gate:
        moment(gate)
        gate.worker.drain()
        gate.worker.settle()
        allow_cuts(gate)


def test_client_that_leaves_is_noticed_while_the_origin_works() -> None:
    with serving() as gate:
        client = gate.client(GET)
        client.finish()
        assert gate.origin.closed
        assert gate.causes == ["client_closed"]


def test_half_closed_client_is_answered_where_the_listener_says_so() -> None:
    with serving(half_close="answer") as gate:
        client = gate.client(GET)
        client.finish()
        gate.origin.send(OK)
        assert client.answer.body == b"ok"
        assert client.answer.closes
        assert client.closed


def test_origin_never_sees_a_complete_message_of_a_client_that_left() -> None:
    with serving() as gate:
        head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        client = gate.client(head + b"5\r\nhello\r\n")
        client.finish()
        assert not gate.origin.request.complete
        assert gate.origin.closed
        gate.origin.cut_allowed = True


def test_both_leave_in_the_same_turn() -> None:
    with serving() as gate:
        client = gate.client(GET)
        gate.origin.end.reset()
        client.end.reset()
        gate.worker.settle()
        assert client.closed
        assert gate.origin.closed


def test_answer_and_fin_in_the_same_turn_as_the_client_leaves() -> None:
    with serving() as gate:
        client = gate.client(GET)
        client.end.finish()
        gate.origin.end.send(OK).finish()
        gate.worker.settle()
        assert client.closed


def test_connect_that_succeeds_after_its_client_left_is_not_wasted() -> None:
    with serving() as gate:
        gate.hold()
        client = gate.client(GET)
        client.reset()
        gate.origin.accept()
        assert gate.origin.received == b""
        canary(gate)
        assert len(gate.origins) <= 2
