"""Server-sent events and other slow streams: nothing is held back."""

from __future__ import annotations

import pytest

from tests.peers.gateway import Gateway
from tests.peers.origin import Origin
from tests.peers.payload import answer, chunk, head, request

FIELDS = ("Content-Type: text/event-stream", "Cache-Control: no-cache")


@pytest.mark.parametrize("chunked", [True, False])
def test_each_event_arrives_before_the_next_is_sent(
    gw: Gateway, origin: Origin, chunked: bool
) -> None:
    origin.manual()
    with gw.client() as client:
        client.send(request("/events", "Accept: text/event-stream"))
        served = origin.accept()
        served.read_request()
        framing = ("Transfer-Encoding: chunked",) if chunked else ("Connection: close",)
        served.send(head("200 OK", *FIELDS, *framing))
        got = client.recv_head()
        assert got.one("Content-Type") == b"text/event-stream"
        for number in range(5):
            event = b"data: %d\n\n" % number
            served.send(chunk(event) if chunked else event)
            assert client.source.line() == b"%x" % len(event)
            assert client.recv_exactly(len(event) + 2) == event + b"\r\n"
        if chunked:
            served.send(b"0\r\n\r\n")
        else:
            served.finish()
        assert client.recv_exactly(5) == b"0\r\n\r\n"


def test_head_arrives_before_any_body(gw: Gateway, origin: Origin) -> None:
    origin.manual()
    with gw.client() as client:
        client.send(request())
        served = origin.accept()
        served.read_request()
        served.send(head("200 OK", "Content-Length: 2"))
        got = client.recv_head()
        served.send(b"ok")
        assert client.recv_body(got) == b"ok"


def test_client_that_leaves_an_event_stream_lets_the_origin_go(gw: Gateway, origin: Origin) -> None:
    origin.manual()
    with gw.client() as client:
        client.send(request())
        served = origin.accept()
        served.read_request()
        served.send(head("200 OK", *FIELDS, "Transfer-Encoding: chunked") + chunk(b"data: 1\n\n"))
        client.recv_head()
    assert served.wait_gone(1.0) < 1.0
    assert gw.log_entries(1)[0]["status"] in (200, 499)


def test_early_final_answer_reaches_a_client_that_still_sends(gw: Gateway, origin: Origin) -> None:
    origin.manual()
    with gw.client() as client:
        client.send(request("/", "Content-Length: 1000000", method="POST") + b"x" * 1000)
        served = origin.accept()
        served.read_head()
        served.send(answer(b"enough", "Connection: close", status="403 Forbidden"))
        got = client.recv_response()
        assert (got.status, got.text) == (403, "enough")
    served.cut_allowed = True
