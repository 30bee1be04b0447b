"""Headers: what is stripped, what is added, and that the rest leaves untouched."""

from __future__ import annotations

import pytest

from tests.peers.gateway import Gateway
from tests.peers.origin import Origin
from tests.peers.payload import answer, request

ODD_RUN = (
    "x-lower: 1",
    "X-UPPER:2",
    "X-Spaced:   three   ",
    "X-Tab:\tfour",
    "X-Empty:",
    "X-Dup: a",
    "x-dup: b",
    "Accept: text/html, */*;q=0.1",
    "X-Latin: caf\xe9",
    "Cookie: a=b; c=d",
    "!#$%&'*+-.^_`|~: token",
)


def test_untouched_request_headers_leave_as_the_same_bytes(gw: Gateway, origin: Origin) -> None:
    with gw.client() as client:
        assert client.ask(request("/", *ODD_RUN)).status == 200
    assert "\r\n".join(ODD_RUN).encode("latin-1") in bytes(origin.connections[0].received)


def test_untouched_response_headers_leave_as_the_same_bytes(gw: Gateway, origin: Origin) -> None:
    origin.serve(lambda _: answer(b"ok", *ODD_RUN, "Set-Cookie: a=1", "Set-Cookie: b=2"))
    with gw.client() as client:
        assert client.ask(request()).status == 200
        run = [*ODD_RUN, "Set-Cookie: a=1", "Set-Cookie: b=2"]
        assert "\r\n".join(run).encode("latin-1") in bytes(client.received)


def test_runs_around_a_stripped_header_keep_order_and_case(gw: Gateway, origin: Origin) -> None:
    fields = ("X-Before: 1", "Connection: X-Gone", "X-Gone: 2", "x-After: 3", "X-Gone: 4", "X-E: 5")
    with gw.client() as client:
        assert client.ask(request("/", *fields)).status == 200
    names = [name for name, _ in origin.requests[0].fields if name.lower().startswith(b"x-")]
    mine = [n for n in names if n in (b"X-Before", b"x-After", b"X-E", b"X-Gone")]
    assert mine == [b"X-Before", b"x-After", b"X-E"]


HOP_BY_HOP = (
    "Keep-Alive: timeout=5",
    "Proxy-Connection: keep-alive",
    "TE: trailers, deflate",
    "Connection: keep-alive, X-Mine , x-other",
    "X-Mine: 1",
    "X-Other: 2",
    "Connection: X-Third",
    "X-Third: 3",
)


def test_hop_by_hop_and_listed_request_headers_are_stripped(gw: Gateway, origin: Origin) -> None:
    """RFC 9110 7.6.1; the lint says the same of every other test."""
    with gw.client() as client:
        assert client.ask(request("/", *HOP_BY_HOP, "X-Stays: 4")).status == 200
    (asked,) = origin.requests
    for name in ("Keep-Alive", "Proxy-Connection", "TE", "X-Mine", "X-Other", "X-Third"):
        assert asked.all(name) == [], name
    assert asked.one("X-Stays") == b"4"


def test_hop_by_hop_and_listed_response_headers_are_stripped(gw: Gateway, origin: Origin) -> None:
    origin.serve(lambda _: answer(b"ok", *HOP_BY_HOP, "X-Stays: 4"))
    with gw.client() as client:
        got = client.ask(request())
    for name in ("Keep-Alive", "Proxy-Connection", "TE", "X-Mine", "X-Other", "X-Third"):
        assert got.all(name) == [], name
    assert got.one("X-Stays") == b"4"


@pytest.mark.parametrize(
    "listed", ["Host", "Content-Length", "X-Forwarded-For", "Via", "Transfer-Encoding", "host, via"]
)
def test_connection_can_not_strip_what_the_gateway_needs(
    gw: Gateway, origin: Origin, listed: str
) -> None:
    """Naming Host or a length in Connection must not change meaning (hop-by-hop abuse)."""
    with gw.client() as client:
        client.methods = [b"POST", b"GET"]
        got = client.ask(request("/", f"Connection: {listed}", method="POST", body=b"hello"))
        assert got.status in (200, 400)
        if got.status == 200:
            (asked,) = origin.requests
            assert asked.body == b"hello"
            assert asked.one("Host") == b"test.example"
            assert asked.one("X-Forwarded-For") == b"127.0.0.1"


@pytest.mark.parametrize("value", ["close", "Close", "keep-alive, close", "close, X-A"])
def test_connection_close_is_found_in_a_list(gw: Gateway, value: str) -> None:
    with gw.client() as client:
        assert client.ask(request("/", f"Connection: {value}")).closes
        client.expect_close(1.0)


def test_many_headers_pass(gw: Gateway, origin: Origin) -> None:
    fields = [f"X-H{n}: {'v' * (n % 50)}" for n in range(90)]
    origin.serve(lambda m: answer(b"ok", *fields))
    with gw.client() as client:
        got = client.ask(request("/", *fields))
        assert got.status == 200
    mine = [name for name, _ in origin.requests[0].fields if name.startswith(b"X-H")]
    assert mine == [f"X-H{n}".encode() for n in range(90)]
    assert [n for n, _ in got.fields if n.startswith(b"X-H")] == mine


def test_long_header_value_passes(gw: Gateway, origin: Origin) -> None:
    value = "v" * 20_000
    origin.serve(lambda m: answer(b"ok", f"X-Long: {value}"))
    with gw.client() as client:
        got = client.ask(request("/", f"X-Long: {value}"))
        assert got.one("X-Long") == value.encode()
    assert origin.requests[0].one("X-Long") == value.encode()


def test_proxy_authorization_and_www_authenticate_are_end_to_end(
    gw: Gateway, origin: Origin
) -> None:
    origin.serve(lambda _: answer(b"no", "WWW-Authenticate: Basic", status="401 Unauthorized"))
    with gw.client() as client:
        got = client.ask(request("/", "Authorization: Basic eA=="))
        assert got.one("WWW-Authenticate") == b"Basic"
    assert origin.requests[0].one("Authorization") == b"Basic eA=="
