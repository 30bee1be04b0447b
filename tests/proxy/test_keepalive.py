"""Keep-alive on both sides, and HTTP/1.0 clients (RFC 9112 9.3)."""

from __future__ import annotations

import pytest

from tests.peers.fleet import Stage
from tests.peers.gateway import Gateway
from tests.peers.link import Stopwatch
from tests.peers.origin import Origin
from tests.peers.payload import answer, answer_echo, request
from tests.peers.settings import SHORT_S, proxy_config


def test_many_requests_on_one_client_connection_get_their_own_answers(gw: Gateway) -> None:
    with gw.client() as client:
        for number in range(50):
            got = client.ask(request(f"/n/{number}", f"X-Canary: {number}"))
            assert got.text == f"GET /n/{number} {number} "


def test_upstream_connection_is_reused(gw: Gateway, origin: Origin) -> None:
    with gw.client() as client:
        for _ in range(10):
            assert client.ask(request()).status == 200
    assert len(origin.connections) == 1


def test_upstream_connection_serves_another_client(gw: Gateway, origin: Origin) -> None:
    for number in range(5):
        with gw.client() as client:
            assert client.ask(request(f"/{number}")).text.startswith(f"GET /{number}")
    assert len(origin.connections) == 1


def test_answer_with_connection_close_from_origin_keeps_the_client(
    gw: Gateway, origin: Origin
) -> None:
    origin.serve(lambda _: answer(b"bye", "Connection: close"))
    with gw.client() as client:
        for _ in range(3):
            got = client.ask(request())
            assert got.text == "bye"
            assert not got.closes
    assert len(origin.connections) == 3


def test_client_connection_close_is_obeyed(gw: Gateway, origin: Origin) -> None:
    with gw.client() as client:
        got = client.ask(request("/", "Connection: close"))
        assert got.status == 200
        assert got.closes
        client.expect_close(1.0)
    assert b"close" not in origin.requests[0].listed("Connection")


@pytest.mark.parametrize("fields", [(), ("Connection: close",)])
def test_http_1_0_client_gets_its_answer_and_a_close(gw: Gateway, fields: tuple[str]) -> None:
    with gw.client() as client:
        got = client.ask(request("/", *fields, version="HTTP/1.0"))
        assert got.status == 200
        client.expect_close(1.0)


def test_http_1_0_client_without_host_is_served(gw: Gateway, origin: Origin) -> None:
    with gw.client() as client:
        assert client.ask(request("/", version="HTTP/1.0", host=None)).status == 200
        client.expect_close(1.0)
    assert origin.requests[0].version == b"HTTP/1.1"


def test_http_1_0_client_with_keep_alive_is_kept_and_told(gw: Gateway) -> None:
    asked = request("/", "Connection: keep-alive", version="HTTP/1.0")
    with gw.client() as client:
        for _ in range(2):
            got = client.ask(asked)
            assert b"keep-alive" in got.listed("Connection")


def test_chunked_answer_reaches_a_1_0_client_without_chunks(gw: Gateway, origin: Origin) -> None:
    origin.serve(
        lambda _: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    )
    with gw.client() as client:
        got = client.ask(request("/", version="HTTP/1.0"))
        assert got.body == b"abc"
        assert not got.all("Transfer-Encoding")


def test_keepalive_idle_connection_is_closed_at_its_timeout(quick: Gateway) -> None:
    with quick.client() as client:
        assert client.ask(request()).status == 200
        watch = Stopwatch()
        client.expect_close(3.0)
        watch.assert_took(SHORT_S["keepalive"])


def test_keepalive_timeout_starts_anew_after_each_request(quick: Gateway) -> None:
    with quick.client() as client:
        for _ in range(3):
            assert client.ask(request()).status == 200
            client.expect_silence(SHORT_S["keepalive"] * 0.7)
        assert client.ask(request()).status == 200


def test_keepalive_requests_limit_announces_the_last_answer(stage: Stage, origin: Origin) -> None:
    gw = stage.gateway(proxy_config(origin, limits={"keepalive_requests": 3}))
    with gw.client() as client:
        assert [client.ask(request()).closes for _ in range(3)] == [False, False, True]
        client.expect_close(1.0)


def test_origin_that_speaks_1_0_is_not_reused(gw: Gateway, origin: Origin) -> None:
    origin.serve(lambda m: answer_echo(m).replace(b"HTTP/1.1", b"HTTP/1.0", 1))
    with gw.client() as client:
        for _ in range(2):
            got = client.ask(request())
            assert got.status == 200
            assert got.version == b"HTTP/1.1"
    assert len(origin.connections) == 2


def test_origin_that_speaks_1_0_with_keep_alive_serves_each_request(
    gw: Gateway, origin: Origin
) -> None:
    origin.serve(
        lambda m: answer(m.target, "Connection: keep-alive").replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    )
    with gw.client() as client:
        for number in range(3):
            got = client.ask(request(f"/{number}"))
            assert got.text == f"/{number}"
            assert not got.all("Connection")
