"""Filters that wait, hold, replace, emit, abort and reply in every phase of a whole exchange.

`test_filters_suspended` proves the same between scripted streams; here connections, framing,
back-pressure and timeouts take part, and either side leaves while a filter waits.
"""

from __future__ import annotations

from typing import Any

import pytest

from pygw._core.probe import test_filters
from tests.unit.memory import GET, HEAD, OK, Client, Gate, chunked, ok, post, serving, upstream

HEADS = ("request", "attempt", "response")
BODIES = ("request_body", "response_body")
PHASES = (*HEADS, *BODIES)
CHUNKED_OK = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BODY = b"0123456789"


def acts(name: str, phase: str, **more: Any) -> dict[str, Any]:
    """One of the test filters."""
    return {"filter": f"test_{name}", "phase": phase} | more


def wait(phase: str, ms: int | None = 100, **more: Any) -> dict[str, Any]:
    return acts("wait", phase, ms=ms, **more)


def counted(name: str) -> dict[str, int]:
    return test_filters.counts()[f"test_{name}"]


def play(gate: Gate, body: bytes = BODY) -> Client:
    """A POST; the origin answers each request it has seen whole with its body in upper case."""
    client = gate.client(post(body))
    reply(gate)
    return client


def reply(gate: Gate) -> None:
    for origin in gate.origins:
        for request in origin.requests():
            if request.complete and not origin.sent:
                origin.send(ok(b"abc" + request.body))


@pytest.mark.parametrize("phase", PHASES)
def test_wait_delays_the_exchange_and_changes_nothing(phase: str) -> None:
    with serving(wait(phase)) as gate:
        client = play(gate)
        gate.advance(90)
        assert not client.received.endswith(b"abc")
        gate.advance(20)
        reply(gate)
        assert client.answer.body == b"abc" + BODY
        assert counted("wait")["resumes"] == 1
        assert counted("wait")["logs"] == 1


@pytest.mark.parametrize("phase", BODIES)
@pytest.mark.parametrize("take", [False, True])
@pytest.mark.parametrize("when", ["first", "each", "last"])
def test_wait_in_the_body_at_any_of_its_calls(phase: str, take: bool, when: str) -> None:
    with serving(wait(phase, take=take, when=when)) as gate:
        client = gate.client(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in (b"3\r\nabc\r\n", b"3\r\ndef\r\n", b"0\r\n\r\n"):
            client.send(piece)
        for _ in range(5):
            gate.advance(110)
        assert gate.origin.request.body == b"abcdef"
        for piece in (CHUNKED_OK, b"3\r\nuvw\r\n", b"3\r\nxyz\r\n", b"0\r\n\r\n"):
            gate.origin.send(piece)
        for _ in range(5):
            gate.advance(110)
        assert client.answer.body == b"uvwxyz"


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("verdict", ["abort", "reply"])
def test_wait_that_ends_in_another_verdict(phase: str, verdict: str) -> None:
    with serving(wait(phase, verdict=verdict)) as gate:
        client = play(gate)
        gate.advance(110)
        for origin in gate.origins:
            origin.cut_allowed = True
        if phase == "response_body":
            client.cut_allowed = True
            assert not client.answer.complete
        elif verdict == "reply":
            assert (client.answer.status, client.answer.body) == (299, b"replied\n")
        else:
            assert client.answer.status == 500
        assert counted("wait")["logs"] == 1


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("name", ["abort", "reply"])
def test_abort_and_reply_at_once(phase: str, name: str) -> None:
    with serving(acts(name, phase)) as gate:
        client = play(gate)
        for origin in gate.origins:
            origin.cut_allowed = True
        if phase == "response_body":
            client.cut_allowed = True
            assert not client.answer.complete
        else:
            assert client.answer.status == (500 if name == "abort" else 299)
        assert len(gate.causes) == 1


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("how", ["fin", "reset"])
def test_client_leaves_while_a_filter_waits(phase: str, how: str) -> None:
    with serving(wait(phase, ms=None)) as gate:
        client = play(gate)
        for origin in gate.origins:
            origin.cut_allowed = True
        client.finish() if how == "fin" else client.reset()
        assert client.closed
        assert counted("wait")["cancels"] == 1
        assert gate.causes == ["client_closed" if how == "fin" else "client_reset"]


@pytest.mark.parametrize("phase", ["attempt", "response", "response_body", "request_body"])
@pytest.mark.parametrize("how", ["fin", "reset"])
def test_origin_leaves_while_a_filter_waits(phase: str, how: str) -> None:
    with serving(wait(phase), one=upstream(retries=0)) as gate:
        client = gate.client(post(BODY))
        origin = gate.origin
        if phase in ("response", "response_body"):
            origin.send(ok(b"abcdef")[:-3])
        origin.cut_allowed = client.cut_allowed = True
        origin.finish() if how == "fin" else origin.reset()
        gate.advance(200)
        if phase == "response_body":
            assert not client.answer.complete
        else:
            assert client.answer.status == 502
        waits = counted("wait")
        assert waits["waits"] == waits["resumes"] + waits["cancels"] == 1


@pytest.mark.parametrize("phase", PHASES)
def test_worker_stops_while_a_filter_waits(phase: str) -> None:
    with serving(wait(phase, ms=None)) as gate:
        play(gate)
        for peer in (*gate.clients, *gate.origins):
            peer.cut_allowed = True
        gate.worker.stop()
        gate.worker.settle()
        assert counted("wait")["cancels"] == 1


@pytest.mark.parametrize("phase", PHASES)
def test_total_timeout_while_a_filter_waits(phase: str) -> None:
    with serving(wait(phase, ms=None), one=upstream(timeouts={"total_ms": 500})) as gate:
        client = play(gate)
        gate.advance(510)
        for peer in (*gate.clients, *gate.origins):
            peer.cut_allowed = True
        if phase == "response_body":
            assert not client.answer.complete
        else:
            assert client.answer.status == 504
        assert gate.causes == ["total_timeout"]
        assert counted("wait")["cancels"] == 1


def test_answer_that_is_whole_while_the_filter_waits_survives_the_origins_fin() -> None:
    with serving(wait("response_body", when="last")) as gate:
        client = gate.client(GET)
        gate.origin.send(ok(b"abc"))
        gate.origin.finish()
        gate.advance(110)
        assert client.answer.body == b"abc"


def test_answer_head_that_waits_with_its_whole_body_behind_it() -> None:
    with serving(wait("response")) as gate:
        client = gate.client(GET)
        gate.origin.send(ok(b"abc", b"Connection: close"))
        gate.origin.finish()
        gate.advance(110)
        assert client.answer.body == b"abc"
        assert gate.origin.closed


def test_retry_passes_the_attempt_phase_again() -> None:
    with serving(wait("attempt"), one=upstream(targets=2)) as gate:
        client = gate.client(GET)
        gate.advance(110)
        gate.origin.reset()
        gate.advance(110)
        gate.origins[1].send(OK)
        assert client.answer.status == 200
        assert counted("wait")["waits"] == 2


@pytest.mark.parametrize("phase", BODIES)
def test_hold_lets_go_at_the_end(phase: str) -> None:
    with serving(acts("hold", phase)) as gate:
        client = gate.client(post(BODY)[:-5])
        if phase == "request_body":
            assert BODY[:5] not in gate.origin.received
        client.send(BODY[5:])
        assert gate.origin.request.body == BODY
        gate.origin.send(ok(b"abcdef")[:-3])
        if phase == "response_body":
            assert b"abc" not in client.received
        gate.origin.send(b"def")
        assert client.answer.body == b"abcdef"


@pytest.mark.parametrize("size", [0, 1, 7])
def test_replace_both_bodies_in_any_pieces(size: int) -> None:
    with serving(acts("upper", "request_body"), acts("upper", "response_body")) as gate:
        client = gate.client()
        client.send(post(b"some lower case"), size)
        assert gate.origin.request.body == b"SOME LOWER CASE"
        assert gate.origin.request.framing == "chunked"
        gate.origin.send(ok(b"and the answer"), size)
        assert client.answer.body == b"AND THE ANSWER"
        assert client.answer.framing == "chunked"


def test_edited_answer_to_an_old_client_ends_with_the_connection() -> None:
    with serving(acts("emit", "response_body", prefix="<", suffix=">")) as gate:
        client = gate.client(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
        gate.origin.send(ok(b"body"))
        assert client.answer.body == b"<body>"
        assert client.ended == "fin"


@pytest.mark.parametrize("phase", BODIES)
def test_emit_adds_before_and_behind(phase: str) -> None:
    with serving(acts("emit", phase, prefix="<<", suffix=">>")) as gate:
        client = gate.client(post(b"up"))
        gate.origin.send(CHUNKED_OK + chunked(b"do", b"wn"))
        up, down = gate.origin.request.body, client.answer.body
        assert (up, down) == (
            (b"<<up>>", b"down") if phase == "request_body" else (b"up", b"<<down>>")
        )


def test_emit_adds_to_an_empty_body() -> None:
    with serving(acts("emit", "response_body", prefix="<", suffix=">")) as gate:
        client = gate.client(GET)
        gate.origin.send(ok(b""))
        assert client.answer.body == b"<>"


def test_emit_does_not_give_a_body_to_what_has_none() -> None:
    with serving(acts("emit", "response_body", prefix="<", suffix=">")) as gate:
        client = gate.client(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + GET + GET)
        gate.origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
        gate.origin.send(b"HTTP/1.1 204 No Content\r\n\r\n")
        gate.origin.send(OK)
        assert [a.body for a in client.answers()] == [b"", b"", b"<ok>"]


def test_filters_follow_each_other_in_the_order_of_the_config() -> None:
    chain = [acts("emit", "response_body", prefix="a", suffix="b"),
             acts("upper", "response_body"),
             wait("response_body", take=True, when="each"),
             acts("hold", "response_body"),
             acts("emit", "response_body", prefix="c", suffix="d")]  # fmt: skip
    with serving(*chain) as gate:
        client = gate.client(GET)
        gate.origin.send(CHUNKED_OK + b"1\r\nx\r\n")
        gate.origin.send(b"1\r\ny\r\n0\r\n\r\n")
        for _ in range(4):
            gate.advance(110)
        assert client.answer.body == b"cAXYBd"


def test_every_phase_waits_in_one_exchange() -> None:
    with serving(*[wait(phase) for phase in PHASES]) as gate:
        client = gate.client(post(BODY))
        for _ in range(8):
            gate.advance(110)
            reply(gate)
        assert client.answer.body == b"abc" + BODY
        assert counted("wait")["waits"] == len(PHASES)


@pytest.mark.parametrize("phase", BODIES)
def test_wait_in_a_body_stops_the_side_that_sends(phase: str) -> None:
    body = b"x" * 2_000_000
    with serving(wait(phase, ms=1000)) as gate:
        if phase == "request_body":
            client = gate.client()
            client.send(post(body), 65536)
            assert client.queued > 1_000_000
            gate.advance(1010)
            assert gate.origin.request.body == body
            gate.origin.send(OK)
        else:
            client = gate.client(GET)
            gate.origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
            gate.origin.send(body, 65536)
            assert gate.origin.queued > 1_000_000
            gate.advance(1010)
            assert client.answer.body == body


def test_reply_in_the_response_phase_lets_the_origins_answer_go() -> None:
    with serving(acts("reply", "response")) as gate:
        client = gate.client(GET + GET)
        gate.origin.send(ok(b"x" * 100_000)[:50_000], 8192)
        assert gate.origins[0].closed
        assert client.answers()[0].status == 299
        gate.origins[1].send(OK)
        assert client.statuses == [299, 299]


def test_reply_to_an_upload_closes_or_drains_but_never_reads_it_as_a_request() -> None:
    with serving(acts("reply", "request")) as gate:
        evil = b"GET /evil HTTP/1.1\r\nHost: a\r\n\r\n"
        client = gate.client(post(evil) + post(evil)[:-10])
        client.send(evil[-10:])
        assert client.statuses == [299, 299]
        assert gate.origins == []


def test_emit_beyond_the_high_mark_stays_bounded_and_whole() -> None:
    prefix = "p" * 60_000
    with serving(*[acts("emit", "response_body", prefix=prefix, suffix="")] * 4) as gate:
        client = gate.client()
        client.window(1000)
        client.send(GET)
        gate.origin.send(ok(b"end"))
        while client.take(65536):
            pass
        assert client.answer.body == b"p" * 240_000 + b"end"


def lazy(edit: bool = True) -> dict[str, Any]:
    return acts("lazy", "response_body", edit=edit)


def test_filter_that_edits_by_response_leaves_the_others_their_length_and_bytes() -> None:
    with serving(lazy(edit=False)) as gate:
        client = gate.client(GET)
        gate.origin.send(ok(b"as it is"))
        assert client.received.endswith(b"\r\n\r\nas it is")
        assert client.answer.one("Content-Length") == b"8"


def test_held_body_is_called_for_when_nothing_more_is_at_hand() -> None:
    with serving(lazy()) as gate:
        client = gate.client(GET)
        gate.origin.send(CHUNKED_OK)
        for number, piece in enumerate((b"one", b"two", b"three"), 1):
            gate.origin.send(b"%x\r\n%b\r\n" % (len(piece), piece))
            assert client.answer.body.count(b"|") == number
            assert client.answer.body.endswith(piece + b"|")
        gate.origin.send(b"0\r\n\r\n")
        assert client.answer.body == b"one|two|three||"
        assert client.answer.complete


def test_held_body_of_one_read_leaves_in_one_piece() -> None:
    with serving(lazy()) as gate:
        client = gate.client(GET)
        gate.origin.send(CHUNKED_OK + chunked(b"one", b"two"))
        assert client.answer.body == b"onetwo|"


@pytest.mark.parametrize("first", [True, False])
def test_held_body_is_called_for_after_a_wait_as_well(first: bool) -> None:
    pause = wait("response_body", 50, when="each", take=False)
    with serving(*((pause, lazy()) if first else (lazy(), pause))) as gate:
        client = gate.client(GET)
        gate.origin.send(CHUNKED_OK + b"3\r\none\r\n")
        for _ in range(4):
            gate.advance(60)
        assert client.answer.body == b"one|"
        gate.origin.send(b"3\r\ntwo\r\n0\r\n\r\n")
        for _ in range(4):
            gate.advance(60)
        assert client.answer.body.replace(b"|", b"") == b"onetwo"
        assert client.answer.complete


def test_edited_answer_of_our_own_has_the_length_it_left_with() -> None:
    respond = {"filter": "respond", "status": 200, "headers": [], "body": "mine"}
    with serving(acts("emit", "response_body", prefix="<", suffix=">"), respond) as gate:
        client = gate.client(GET + HEAD)
        assert [a.body for a in client.answers()] == [b"<mine>", b""]
        assert all(not a.all("Content-Length") for a in client.answers())
