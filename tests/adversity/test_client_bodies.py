"""Classes 2, 3, 8 and 13: bodies that stall, break off, come too fast, or were not wanted."""

from __future__ import annotations

import threading

import pytest

from tests.peers.gateway import Gateway
from tests.peers.link import Stopwatch, until
from tests.peers.origin import Origin
from tests.peers.payload import answer, body_of, chunk, head, request
from tests.peers.served import Served
from tests.peers.settings import SHORT_S
from tests.peers.volume import PeakMemory

POST_LENGTH = request("/", "Content-Length: 99", method="POST")
POST_CHUNKED = request("/", "Transfer-Encoding: chunked", method="POST")
CUTS = {
    "in_head": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Le",
    "before_body": POST_LENGTH,
    "in_body": POST_LENGTH + b"half of the body",
    "in_chunk_size": POST_CHUNKED + b"1",
    "after_chunk_size": POST_CHUNKED + b"10\r\n",
    "in_chunk": POST_CHUNKED + b"10\r\nhalf",
    "before_chunk_end": POST_CHUNKED + b"4\r\nhalf",
    "between_chunks": POST_CHUNKED + chunk(b"half"),
    "in_last_chunk": POST_CHUNKED + chunk(b"half") + b"0\r\n",
    "in_trailers": POST_CHUNKED + chunk(b"half") + b"0\r\nX-T: y\r\n",
}


@pytest.mark.parametrize("sent", [POST_LENGTH + b"half", POST_CHUNKED + chunk(b"half")])
def test_class_02_stalled_body_is_408_and_the_origin_is_let_go(
    quick: Gateway, origin: Origin, sent: bytes
) -> None:
    origin.manual()
    with quick.client() as client:
        client.send(sent)
        watch = Stopwatch()
        served = origin.accept()
        served.cut_allowed = True
        served.read_head()
        client.recv_refusal(408)
        watch.assert_took(SHORT_S["client_body"])
    served.wait_gone(1.0)
    assert served.requests == []
    assert quick.log_entries(1)[0]["cause"] == "client_body_timeout"


def test_class_02_slow_but_steady_body_is_not_timed_out(quick: Gateway, origin: Origin) -> None:
    with quick.client() as client:
        client.send(request("/", "Content-Length: 60", method="POST"))
        client.send_bytewise(b"s" * 60, size=10, gap_s=SHORT_S["client_body"] * 0.5)
        assert client.recv_response().status == 200
    assert origin.requests[0].body == b"s" * 60


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("where", CUTS)
def test_class_03_client_end_inside_a_message_never_completes_it(
    gw: Gateway, origin: Origin, where: str, how: str
) -> None:
    origin.manual()
    client = gw.client()
    client.send(CUTS[where])
    served = None
    if where == "in_head":
        origin.expect_no_connection()
    else:
        served = origin.accept()
        served.cut_allowed = True
        served.read_head()
    if how == "rst":
        client.reset()
    else:
        client.half_close()
    if served is not None:
        assert served.wait_gone(1.0) < 1.0
        assert served.requests == []
        assert not served.received.endswith(b"0\r\n\r\n")
    client.close()
    if where != "in_head":  # a head that never was is no exchange
        entry = gw.log_entries(1)[0]
        assert entry["status"] == 499
        assert entry["cause"] in ("client_closed", "client_reset")


def test_class_08_upload_faster_than_the_origin_reads_is_paused(
    gw: Gateway, origin: Origin
) -> None:
    """Both kernels' buffers may fill; what the gateway itself holds stays small."""
    size = 256 << 20
    go_on = threading.Event()
    got = []

    def slow(served: Served) -> None:
        served.read_head()
        served.stall_until(go_on, 20)
        got.append(served.swallow(size))
        served.send(answer(b"all", "Connection: close"))

    origin.script(slow)
    with gw.client() as client:
        client.recording = False
        client.methods = [b"POST"]
        with PeakMemory(gw) as memory:
            client.send(request("/", f"Content-Length: {size}", method="POST"))
            piece = body_of(1 << 16)
            taken = client.send_until_blocked(piece, size)
            assert taken < size // 4, "nothing stopped the client"
            memory.assert_below(1 << 20)
            go_on.set()
            block = piece * 16
            while taken < size:
                part = block[: size - taken]
                client.sock.sendall(part)
                taken += len(part)
            assert client.recv_response(b"POST").text == "all"
        assert got == [size]
        memory.assert_below(2 << 20)


EXPECT = ("Expect: 100-continue",)


def test_class_13_final_answer_instead_of_100_closes_or_drains(gw: Gateway, origin: Origin) -> None:
    """The client may have begun to send: its body must never be read as a request."""
    inner = request("/inner")
    origin.manual()
    with gw.client() as client:
        client.methods = [b"POST"]
        client.send(request("/", *EXPECT, f"Content-Length: {len(inner)}", method="POST"))
        served = origin.accept()
        served.cut_allowed = True
        served.read_head()
        served.send(answer(b"no need"))
        assert client.recv_response().text == "no need"
        client.send(inner)
        client.recv_within(0.3)
        assert bytes(client.received).count(b"HTTP/1.1 ") == 1
    assert all(m.target != b"/inner" for c in origin.connections for m in c.heads)


def test_class_13_origin_that_never_says_100_ends_by_a_timeout(
    quick: Gateway, origin: Origin
) -> None:
    origin.manual()
    with quick.client() as client:
        client.send(request("/", *EXPECT, "Content-Length: 5", method="POST"))
        served = origin.accept()
        served.cut_allowed = True
        served.read_head()
        got = client.recv_response()
        assert got.status in (408, 504)
    served.wait_gone(1.0)


def test_class_13_refused_expectation_answers_before_any_origin(
    gw: Gateway, origin: Origin
) -> None:
    inner = request("/inner")
    with gw.client() as client:
        client.methods = [b"POST"]
        client.send(
            request("/", "Expect: something", f"Content-Length: {len(inner)}", method="POST")
        )
        assert client.recv_response().status == 417
        client.send(inner)
        client.recv_within(0.3)
        assert bytes(client.received).count(b"HTTP/1.1 ") == 1
    assert origin.connections == []
    assert gw.log_entries(1)[0]["cause"] == "bad_expect"


def test_class_13_client_that_leaves_while_waiting_for_100(gw: Gateway, origin: Origin) -> None:
    origin.manual()
    client = gw.client()
    client.send(request("/", *EXPECT, "Content-Length: 5", method="POST"))
    served = origin.accept()
    served.cut_allowed = True
    served.read_head()
    client.reset()
    served.wait_gone(1.0)
    assert gw.log_entries(1)[0]["status"] == 499


def test_class_13_100_after_the_body_has_come_is_harmless(gw: Gateway, origin: Origin) -> None:
    origin.serve(lambda m: head("100 Continue") + answer(m.body))
    with gw.client() as client:
        for number in range(3):
            body = b"%d" % number
            assert client.ask(request("/", *EXPECT, method="POST", body=body)).body == body
    until(lambda: len(origin.requests) == 3, "three requests")
