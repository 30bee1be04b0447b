"""1xx responses and Expect: 100-continue, end to end (RFC 9110 10.1.1, 15.2)."""

from __future__ import annotations

import pytest

from tests.peers.gateway import Gateway
from tests.peers.origin import Origin
from tests.peers.payload import HOST, answer, chunk, head, request

EXPECT = "Expect: 100-continue"
EARLY = head("103 Early Hints", "Link: </style.css>; rel=preload")


def test_103_reaches_the_client_before_the_final_answer(gw: Gateway, origin: Origin) -> None:
    origin.manual()
    with gw.client() as client:
        client.send(request())
        served = origin.accept()
        served.read_request()
        served.send(EARLY)
        hints = client.recv_head()
        assert hints.status == 103
        assert hints.one("Link") == b"</style.css>; rel=preload"
        served.send(answer(b"final"))
        assert client.recv_response().text == "final"


def test_several_103_are_all_relayed(gw: Gateway, origin: Origin) -> None:
    origin.serve(lambda _: EARLY + EARLY + answer(b"final"))
    with gw.client() as client:
        got = client.ask(request())
        assert [m.status for m in got.interim] == [103, 103]
        assert got.text == "final"


def test_102_is_relayed(gw: Gateway, origin: Origin) -> None:
    origin.serve(lambda _: head("102 Processing") + answer(b"final"))
    with gw.client() as client:
        assert [m.status for m in client.ask(request()).interim] == [102]


def test_1_0_client_is_sent_no_1xx(gw: Gateway, origin: Origin) -> None:
    """RFC 9110 15.2: a server must not send a 1xx to a 1.0 client."""
    origin.serve(lambda _: EARLY + answer(b"final"))
    with gw.client() as client:
        got = client.ask(request("/", version="HTTP/1.0"))
        assert got.interim == []
        assert got.text == "final"


def test_unasked_100_is_swallowed(gw: Gateway, origin: Origin) -> None:
    origin.serve(lambda _: head("100 Continue") + answer(b"final"))
    with gw.client() as client:
        got = client.ask(request("/", method="POST", body=b"b"))
        assert got.interim == []
        assert got.text == "final"


def test_expected_100_goes_end_to_end_before_the_body(gw: Gateway, origin: Origin) -> None:
    origin.manual()
    with gw.client() as client:
        client.send(f"POST / HTTP/1.1\r\n{HOST}\r\n{EXPECT}\r\nContent-Length: 4\r\n\r\n".encode())
        served = origin.accept()
        asked = served.read_head()
        assert asked.one("Expect") == b"100-continue"
        client.expect_silence(0.1)  # nobody but the origin may let the body come
        served.send(head("100 Continue"))
        assert client.recv_head().status == 100
        client.send(b"body")
        assert served.read_body(asked) == b"body"
        served.send(answer(b"thanks"))
        assert client.recv_response().text == "thanks"
        client.send(request("/next"))
        assert served.read_request().target == b"/next"
        served.send(answer(b"next"))
        assert client.recv_response().text == "next"


def test_expect_with_a_chunked_body(gw: Gateway, origin: Origin) -> None:
    origin.manual()
    with gw.client() as client:
        client.send(request("/", EXPECT, "Transfer-Encoding: chunked", method="POST"))
        served = origin.accept()
        asked = served.read_head()
        served.send(head("100 Continue"))
        assert client.recv_head().status == 100
        client.send(chunk(b"abc") + b"0\r\n\r\n")
        assert served.read_body(asked) == b"abc"
        served.send(answer(b"ok"))
        assert client.recv_response().text == "ok"


def test_client_that_does_not_wait_for_100_is_served_too(gw: Gateway, origin: Origin) -> None:
    """RFC 9110 10.1.1: the client may send its body without the 100."""
    origin.serve(lambda m: head("100 Continue") + answer(m.body))
    with gw.client() as client:
        got = client.ask(request("/", EXPECT, method="POST", body=b"at once"))
        assert got.text == "at once"
        assert client.ask(request("/", method="POST", body=b"more")).text == "more"


def test_refused_expect_never_turns_the_body_into_a_request(gw: Gateway, origin: Origin) -> None:
    """417 comes before the body; what the client sends after it is a body or a closed door."""
    origin.manual()
    hidden = request("/hidden")
    with gw.client() as client:
        client.methods = [b"POST"]
        client.send(request("/", EXPECT, f"Content-Length: {len(hidden)}", method="POST"))
        served = origin.accept()
        served.read_head()
        served.send(head("417 Expectation Failed", "Content-Length: 0", "Connection: close"))
        got = client.recv_response()
        assert got.status == 417
        client.send(hidden)
        client.recv_within(0.3)
        assert bytes(client.received).count(b"HTTP/1.1") == 1
    served.cut_allowed = True
    assert all(m.target != b"/hidden" for c in origin.connections for m in c.heads)


@pytest.mark.parametrize("value", ["100-Continue", "200-ok", "100-continue, x", "x=y"])
def test_unknown_expectation_is_417_and_known_one_has_no_case(gw: Gateway, value: str) -> None:
    with gw.client() as client:
        got = client.ask(request("/", f"Expect: {value}", method="POST", body=b"x"))
        assert got.status == (200 if value == "100-Continue" else 417)
        if got.status == 417 and got.closes:
            client.expect_close(3.0)
