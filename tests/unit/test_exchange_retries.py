"""When another attempt is safe, and when it is not (RFC 9110 9.2.2, RFC 9112 9.3.1)."""

from __future__ import annotations

import pytest

from tests.unit.memory import GET, OK, Gate, Origin, chunked, ok, post, serving, upstream

PUT = post(b"abcdef").replace(b"POST", b"PUT")
CHUNKED_PUT = b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
IDEMPOTENT = [b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"TRACE"]
TWO = upstream(targets=2)


def bare(method: bytes) -> bytes:
    """A request without a body."""
    return method + b" / HTTP/1.1\r\nHost: a\r\n\r\n"


def warm(gate: Gate) -> Origin:
    """A connection that has served once and rests."""
    client = gate.client(GET)
    gate.origin.send(OK)
    client.finish()
    return gate.origin


def test_refused_connect_goes_to_the_next_target() -> None:
    with serving(one=TWO) as gate:
        gate.refuse("127.0.0.1:9001", "127.0.0.1:9002")
        client = gate.client(GET)
        assert {o.address for o in gate.origins} == {"127.0.0.1:9001", "127.0.0.1:9002"}
        assert client.answer.status == 502
        assert client.answer.error == "connection_refused"
        assert gate.causes == ["connection_refused"]


def test_refused_connect_is_tried_elsewhere_even_for_post() -> None:
    with serving(one=TWO) as gate:
        gate.refuse("127.0.0.1:9001")
        clients = [gate.client(post(b"body")), gate.client(post(b"body"))]
        for origin in gate.origins:
            if origin.received:
                origin.send(OK)
        assert [client.answer.status for client in clients] == [200, 200]
        assert gate.stats["retries"] >= 1


def test_connect_that_fails_at_once_is_a_502() -> None:
    with serving() as gate:
        gate.worker.fail_connects("EADDRNOTAVAIL")
        client = gate.client(GET)
        assert client.answer.status == 502
        assert gate.causes == ["unreachable"]
        gate.worker.fail_connects(None)
        client.send(GET)
        gate.origin.send(OK)
        assert client.statuses == [502, 200]


def test_no_retries_means_one_attempt() -> None:
    with serving(one=upstream(targets=2, retries=0)) as gate:
        gate.refuse()
        client = gate.client(GET)
        assert client.answer.status == 502
        assert gate.stats["attempts"] == 1


@pytest.mark.parametrize("method", IDEMPOTENT)
@pytest.mark.parametrize("how", ["fin", "reset"])
def test_idempotent_request_on_a_reused_connection_that_dies_is_sent_again(
    method: bytes, how: str
) -> None:
    with serving() as gate:
        origin = warm(gate)
        client = gate.client(bare(method))
        assert len(origin.requests()) == 2
        origin.finish() if how == "fin" else origin.reset()
        assert len(gate.origins) == 2
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        gate.origins[1].send(answer)
        assert client.answer.status == 200
        assert gate.causes == ["-", "-"]


@pytest.mark.parametrize("how", ["fin", "reset"])
def test_post_on_a_reused_connection_that_dies_is_a_502(how: str) -> None:
    with serving() as gate:
        origin = warm(gate)
        client = gate.client(post(b"x"))
        origin.finish() if how == "fin" else origin.reset()
        assert len(gate.origins) == 1
        assert client.answer.status == 502
        assert gate.causes[1] == ("upstream_closed" if how == "fin" else "upstream_reset")


def test_second_attempt_after_a_race_gets_a_fresh_connection_not_another_old_one() -> None:
    with serving() as gate:
        first, second = gate.client(GET), gate.client(GET)
        for origin in list(gate.origins):
            origin.send(OK)
        first.send(GET)
        used = next(o for o in gate.origins if len(o.requests()) == 2)
        used.finish()
        assert len(gate.origins) == 3
        gate.origins[2].send(OK)
        assert first.statuses == [200, 200]
        assert second.statuses == [200]


def test_idempotent_request_is_given_up_after_its_retries() -> None:
    with serving() as gate:
        client = gate.client(GET)
        gate.origin.finish()
        gate.origins[1].finish()
        assert client.answer.status == 502
        assert gate.causes == ["upstream_closed"]
        assert len(gate.origins) == 2


def test_post_on_a_fresh_connection_that_dies_is_not_sent_again() -> None:
    with serving() as gate:
        client = gate.client(post(b"x"))
        gate.origin.finish()
        assert client.answer.status == 502
        assert len(gate.origins) == 1


def test_answer_whose_head_is_broken_is_not_asked_for_again() -> None:
    with serving() as gate:
        client = gate.client(GET)
        gate.origin.send(b"HTTP/1.1 200 OK\r\nContent Length: 1\r\n\r\n")
        assert client.answer.status == 502
        assert len(gate.origins) == 1


def test_body_is_sent_again_from_what_was_kept() -> None:
    with serving() as gate:
        origin = warm(gate)
        client = gate.client(PUT)
        origin.reset()
        assert gate.origins[1].request.body == b"abcdef"
        gate.origins[1].send(OK)
        assert client.answer.status == 200


def test_body_half_here_is_sent_again_and_its_rest_follows() -> None:
    with serving() as gate:
        origin = warm(gate)
        client = gate.client(CHUNKED_PUT + b"3\r\nabc\r\n")
        origin.reset()
        client.send(b"3\r\ndef\r\n0\r\n\r\n")
        assert gate.origins[1].request.body == b"abcdef"
        gate.origins[1].send(OK)
        assert client.answer.status == 200


def test_body_beyond_replay_body_is_not_sent_again() -> None:
    with serving(one=upstream(replay_body=5)) as gate:
        origin = warm(gate)
        client = gate.client(PUT)
        origin.reset()
        assert client.answer.status == 502
        assert len(gate.origins) == 1


def test_body_of_exactly_replay_body_is_sent_again() -> None:
    with serving(one=upstream(replay_body=6)) as gate:
        origin = warm(gate)
        gate.client(PUT)
        origin.reset()
        assert gate.origins[1].request.body == b"abcdef"
        gate.origins[1].send(OK)


def test_body_that_outgrew_replay_body_in_pieces_is_forgotten() -> None:
    with serving(one=upstream(replay_body=4)) as gate:
        origin = warm(gate)
        client = gate.client(CHUNKED_PUT + b"3\r\nabc\r\n")
        client.send(b"3\r\ndef\r\n")
        origin.reset()
        assert client.answer.status == 502
        assert len(gate.origins) == 1


@pytest.mark.parametrize("attempts", [2, 3, 4])
def test_attempts_are_bounded_by_retries(attempts: int) -> None:
    with serving(one=upstream(targets=2, retries=attempts - 1)) as gate:
        gate.refuse()
        client = gate.client(GET)
        assert client.answer.status == 502
        assert len(gate.origins) == attempts
        assert gate.stats["retries"] == attempts - 1


def test_retry_after_a_100_keeps_the_interim_answer_single() -> None:
    with serving() as gate:
        origin = warm(gate)
        head = b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
        client = gate.client(head)
        origin.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        origin.reset()
        if len(gate.origins) == 2:
            gate.origins[1].send(b"HTTP/1.1 100 Continue\r\n\r\n")
        client.send(b"body")
        if len(gate.origins) == 2:
            assert gate.origins[1].request.body == b"body"
            gate.origins[1].send(OK)
        assert client.received.count(b"HTTP/1.1 100") == 1
        assert client.answer.complete


def test_interim_answer_of_a_dead_attempt_does_not_colour_the_next() -> None:
    with serving() as gate:
        origin = warm(gate)
        client = gate.client(GET)
        origin.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nX-Old: 1\r\n\r\n")
        origin.reset()
        if len(gate.origins) == 2:
            gate.origins[1].send(ok(b"new"))
            assert client.answer.body == b"new"
            assert client.answer.one("X-Old") is None
        else:
            assert client.answer.status == 502


def test_chunked_answer_cut_after_its_head_is_cut_for_the_client_too() -> None:
    with serving() as gate:
        client = gate.client(GET)
        client.cut_allowed = True
        gate.origin.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        gate.origin.finish()
        assert client.answer.body == b"hello"
        assert not client.answer.complete
        assert client.ended != "open"
        assert gate.causes == ["response_incomplete"]


def test_answer_with_a_length_cut_short_is_never_completed_by_another() -> None:
    with serving() as gate:
        client = gate.client(GET + GET)
        client.cut_allowed = True
        gate.origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        gate.origin.reset()
        assert client.received.endswith(b"\r\n\r\nabc")
        assert client.closed
        assert len(gate.origins) == 1


def test_answer_to_the_end_that_is_reset_does_not_look_whole_to_an_old_client() -> None:
    with serving() as gate:
        client = gate.client(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
        client.cut_allowed = True
        gate.origin.send(b"HTTP/1.1 200 OK\r\n\r\nabc")
        gate.origin.reset()
        assert client.ended == "reset"


def test_chunked_request_retried_keeps_one_chunk_stream() -> None:
    with serving() as gate:
        origin = warm(gate)
        client = gate.client(CHUNKED_PUT + chunked(b"ab", b"cd"))
        origin.finish()
        assert gate.origins[1].request.body == b"abcd"
        gate.origins[1].send(OK)
        assert client.answer.status == 200
