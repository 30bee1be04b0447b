"""The judge itself: each rule refuses what it is there for, and lets the right bytes pass."""

from __future__ import annotations

import socket

import pytest

from tests.peers.client import Client, methods_of
from tests.peers.lint import lint_client_link, lint_origin_link, lint_response
from tests.peers.payload import answer, chunked_answer, head, request
from tests.peers.served import Served
from tests.peers.wire import Cut, WireError, read_request, read_response, source_of

VIA = "Via: 1.1 gw"

CHUNKED = b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
BAD_REQUESTS = {
    "bare_lf": b"GET / HTTP/1.1\nHost: a\n\n",
    "bare_cr": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
    "nul": b"GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n",
    "fold": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
    "two_spaces": b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
    "no_host": b"GET / HTTP/1.1\r\n\r\n",
    "two_hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    "host_junk": b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "name": b"GET / HTTP/1.1\r\nHost: a\r\nX Y: z\r\n\r\n",
    "space_colon": b"GET / HTTP/1.1\r\nHost: a\r\nX : z\r\n\r\n",
    "version": b"GET / HTTP/1.3\r\nHost: a\r\n\r\n",
    "both": b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "lengths": b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
    "length": b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1,1\r\n\r\nx",
    "coding": b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
    "chunked_1_0": b"GET / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunk": CHUNKED + b"0x1\r\nx\r\n0\r\n\r\n",
    "chunk_end": CHUNKED + b"1\r\nxy\r\n0\r\n\r\n",
    "trailer": CHUNKED + b"0\r\nHost: b\r\n\r\n",
}


@pytest.mark.parametrize("kind", BAD_REQUESTS)
def test_strict_reader_refuses(kind: str) -> None:
    with pytest.raises(WireError):
        read_request(source_of(BAD_REQUESTS[kind]))


@pytest.mark.parametrize("kind", BAD_REQUESTS)
def test_strict_reader_refuses_at_every_cut_or_waits(kind: str) -> None:
    """No prefix of a bad message is a whole good one."""
    data = BAD_REQUESTS[kind]
    for size in range(len(data)):
        with pytest.raises((WireError, Cut)):
            read_request(source_of(data[:size]))


@pytest.mark.parametrize(
    ("data", "method"),
    [
        (b"HTTP/1.1 200\r\n\r\n", b"GET"),
        (b"HTTP/1.1 20 OK\r\n\r\n", b"GET"),
        (b"HTTP/1.1 600 X\r\n\r\n", b"GET"),
        (b"HTTP/2.0 200 OK\r\n\r\n", b"GET"),
        (b"HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n", b"GET"),
        (b"HTTP/1.1 103 Hi\r\nTransfer-Encoding: chunked\r\n\r\n", b"GET"),
        (b"HTTP/1.1 200 O\0K\r\n\r\n", b"GET"),
    ],
)
def test_strict_reader_refuses_responses(data: bytes, method: bytes) -> None:
    with pytest.raises(WireError):
        read_response(source_of(data), method)


def test_good_messages_pass() -> None:
    source = source_of(
        head("103 Early Hints") + chunked_answer([b"ab", b"c"], end=b"0\r\nX: y\r\n\r\n") + answer()
    )
    first = read_response(source, b"GET")
    assert (first.body, first.chunks, first.trailers) == (b"abc", [2, 1], [(b"X", b"y")])
    assert [m.status for m in first.interim] == [103]
    assert read_response(source, b"GET").body == b"ok"
    assert source.idle()


def client_that_got(received: bytes, sent: bytes, *, cut_allowed: bool = False) -> Client:
    """A client that sent and received these bytes, then saw the end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = Client(listener.getsockname())
        client.send(sent)
        peer, _ = listener.accept()
        peer.sendall(received)
        assert peer.recv(1 << 16) == sent
        peer.close()
    client.cut_allowed = cut_allowed
    client.recv_until_close()
    client.sock.close()
    return client


def origin_that_got(received: bytes) -> Served:
    """An origin connection that received these bytes, then saw the end."""
    ours, theirs = socket.socketpair()
    theirs.sendall(received)
    theirs.close()
    served = Served(ours, 0, lambda _: b"")
    served.recv_until_close()
    ours.close()
    return served


LEAKS = ["Keep-Alive: 1", "Proxy-Connection: x", "TE: trailers", "Connection: X-A", "Upgrade: x"]


@pytest.mark.parametrize("field", LEAKS)
def test_hop_by_hop_field_is_found_in_both_directions(field: str) -> None:
    with pytest.raises(WireError, match="9110"):
        lint_client_link(client_that_got(answer(b"ok", field), request()))
    with pytest.raises(WireError, match="9110"):
        lint_origin_link(origin_that_got(request("/", VIA, field)))


def test_missing_via_is_found() -> None:
    with pytest.raises(WireError, match="Via"):
        lint_origin_link(origin_that_got(request("/")))
    lint_origin_link(origin_that_got(request("/", VIA)))


def test_cut_request_is_found_unless_the_test_expects_it() -> None:
    served = origin_that_got(request("/", VIA, "Content-Length: 5", method="POST") + b"abc")
    with pytest.raises(WireError, match="cut"):
        lint_origin_link(served)
    served.cut_allowed = True
    lint_origin_link(served)


@pytest.mark.parametrize(
    "received",
    [
        answer() + b"x",
        answer() + answer(),
        answer(b"ok", "Connection: close") + b"\r\n",
        head("204 No Content") + b"body",
    ],
)
def test_bytes_behind_the_last_answer_are_found(received: bytes) -> None:
    with pytest.raises((WireError, AssertionError)):
        lint_client_link(client_that_got(received, request()))


def test_cut_answer_is_found_unless_the_test_expects_it() -> None:
    received = head("200 OK", "Content-Length: 5") + b"abc"
    with pytest.raises(WireError, match="cut"):
        lint_client_link(client_that_got(received, request()))
    lint_client_link(client_that_got(received, request(), cut_allowed=True))


def test_reset_does_not_end_a_body_delimited_by_close() -> None:
    received = head("200 OK", "Connection: close") + b"some"
    with pytest.raises(Cut):
        read_response(source_of(received, "rst"), b"GET")
    assert read_response(source_of(received, "fin"), b"GET").body == b"some"


def test_methods_are_those_of_the_requests_sent() -> None:
    sent = request("/", method="HEAD") + request("/", method="POST", body=b"GET /") + b"BAD\0"
    assert methods_of(sent) == [b"HEAD", b"POST", b"BAD\0"]


def test_close_on_an_interim_answer_is_found() -> None:
    interim = read_response(source_of(head("103 Hi", "Connection: close") + answer()), b"GET")
    with pytest.raises(WireError):
        lint_response(interim.interim[0])
