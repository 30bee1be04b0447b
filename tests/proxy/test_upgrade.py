"""Upgrade tunnels (RFC 9110 7.8): bytes both ways, nothing lost at the seam, nothing smuggled."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from websockets.sync.client import connect
from websockets.sync.server import Server, ServerConnection, serve

from tests.peers.client import Client
from tests.peers.fleet import Stage
from tests.peers.gateway import Gateway
from tests.peers.origin import Origin
from tests.peers.payload import answer, body_of, head, request
from tests.peers.served import Served
from tests.peers.settings import SHORT, SHORT_S, proxy_config

ASK = request("/ws", "Connection: Upgrade", "Upgrade: toy")
SWITCH = head("101 Switching Protocols", "Connection: Upgrade", "Upgrade: toy")


@pytest.fixture
def echo_server() -> Iterator[Server]:
    """A WebSocket service that says everything back."""

    def parrot(connection: ServerConnection) -> None:
        for message in connection:
            connection.send(message)

    with serve(parrot, "127.0.0.1", 0, max_size=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_websocket_messages_pass_both_ways(stage: Stage, echo_server: Server) -> None:
    port = echo_server.socket.getsockname()[1]
    gw = stage.gateway(proxy_config(f"http://127.0.0.1:{port}"))
    with connect(f"ws://{gw.authority}/chat", max_size=None, compression=None) as socket:
        for message in ("hello", b"\x00\xff" * 10, "x" * 200_000, body_of(1_000_000)):
            socket.send(message)
            assert socket.recv(timeout=5) == message
        assert socket.ping().wait(5)
    entry = gw.log_entries(1)[0]
    assert entry["status"] == 101


def open_tunnel(gw: Gateway, origin: Origin, early: bytes = b"") -> tuple[Client, Served]:
    """A client and an origin joined by a tunnel; `early` rides with the 101."""
    origin.manual()
    client = gw.client()
    client.send(ASK)
    served = origin.accept()
    asked = served.read_request()
    assert asked.listed("Connection") == [b"upgrade"]
    assert asked.one("Upgrade") == b"toy"
    served.start_tunnel(SWITCH + early)
    got = client.recv_response()
    assert got.status == 101
    assert got.listed("Connection") == [b"upgrade"]
    assert got.one("Upgrade") == b"toy"
    return client, served


def test_bytes_that_ride_with_the_101_are_not_lost(gw: Gateway, origin: Origin) -> None:
    client, served = open_tunnel(gw, origin, early=b"\x00early bytes")
    assert client.recv_exactly(12) == b"\x00early bytes"
    client.send(b"up\r\n\r\n")
    assert served.recv_exactly(6) == b"up\r\n\r\n"
    served.send(b"down")
    assert client.recv_exactly(4) == b"down"


def test_bytes_sent_before_the_101_wait_for_it(gw: Gateway, origin: Origin) -> None:
    """A tunnel before the 101 is request smuggling (CVE-2026-2833)."""
    origin.manual()
    with gw.client() as client:
        client.methods = [b"GET"]
        client.send(ASK + b"eager")
        served = origin.accept()
        served.read_request()
        served.expect_silence(0.15)
        served.start_tunnel(SWITCH)
        assert client.recv_response().status == 101
        assert served.recv_exactly(5) == b"eager"


def test_refused_upgrade_leaves_an_ordinary_connection(gw: Gateway, origin: Origin) -> None:
    origin.serve(lambda m: answer(m.target))
    with gw.client() as client:
        assert client.ask(ASK).text == "/ws"
        assert client.ask(request("/next")).text == "/next"


def test_request_behind_a_refused_upgrade_is_a_request(gw: Gateway, origin: Origin) -> None:
    origin.serve(lambda m: answer(m.target))
    with gw.client() as client:
        client.send(ASK + request("/next"))
        assert client.recv_response().text == "/ws"
        assert client.recv_response().text == "/next"
    assert [m.target for m in origin.requests] == [b"/ws", b"/next"]


def test_origin_end_of_a_tunnel_reaches_the_client_after_all_bytes(
    gw: Gateway, origin: Origin
) -> None:
    client, served = open_tunnel(gw, origin)
    body = body_of(300_000)

    def end() -> None:
        served.send(body)
        served.finish()

    threading.Thread(target=end).start()
    assert client.recv_until_close() == body
    client.close()


def test_client_end_of_a_tunnel_reaches_the_origin_after_all_bytes(
    gw: Gateway, origin: Origin
) -> None:
    client, served = open_tunnel(gw, origin)
    body = body_of(300_000)
    client.send(body)
    client.half_close()
    assert served.recv_until_close() == body
    served.finish()
    client.expect_close(1.0)


@pytest.mark.parametrize("who", ["client", "origin"])
def test_reset_of_one_side_ends_the_other(gw: Gateway, origin: Origin, who: str) -> None:
    client, served = open_tunnel(gw, origin)
    if who == "client":
        client.reset()
        served.wait_gone(1.0)
    else:
        served.reset()
        client.expect_close(1.0)


def test_tunnel_outlives_response_and_keepalive_timeouts(stage: Stage, origin: Origin) -> None:
    """Timeouts of messages do not cover tunnels."""
    gw = stage.gateway(proxy_config(origin, timeouts={**SHORT, "total": "500ms"}))
    client, served = open_tunnel(gw, origin)
    client.expect_silence(SHORT_S["keepalive"] * 2)
    client.send(b"still")
    assert served.recv_exactly(5) == b"still"
    served.send(b"here")
    assert client.recv_exactly(4) == b"here"


def test_h2c_upgrade_is_not_passed_on(gw: Gateway, origin: Origin) -> None:
    """An origin that switched to HTTP/2 would open a door past every rule here."""
    with gw.client() as client:
        fields = (
            "Connection: Upgrade, HTTP2-Settings",
            "Upgrade: h2c",
            "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
        )
        got = client.ask(request("/", *fields))
        assert got.status == 200
    (asked,) = origin.requests
    assert not asked.all("Upgrade")
    assert not asked.all("HTTP2-Settings")


def test_upgrade_without_connection_upgrade_is_no_upgrade(gw: Gateway, origin: Origin) -> None:
    with gw.client() as client:
        assert client.ask(request("/", "Upgrade: toy")).status == 200
    assert not origin.requests[0].all("Upgrade")


def test_upgrade_from_a_1_0_client_is_ignored(gw: Gateway, origin: Origin) -> None:
    """RFC 9110 7.8: a server must ignore Upgrade in a 1.0 request."""
    with gw.client() as client:
        asked = request("/", "Connection: Upgrade", "Upgrade: toy", version="HTTP/1.0")
        assert client.ask(asked).status == 200
    assert not origin.requests[0].all("Upgrade")


def test_body_of_an_upgrade_request_is_a_body(gw: Gateway, origin: Origin) -> None:
    """CVE-2026-58055: Upgrade with a body. Refused, or the body read as a body; no tunnel yet."""
    origin.serve(lambda m: answer(b"%b %b" % (m.target, m.body)))
    fields = ("Connection: Upgrade", "Upgrade: toy")
    inner = request("/inner")
    with gw.client() as client:
        got = client.ask(request("/ws", *fields, method="POST", body=inner))
        assert got.status in (200, 400)
    assert all(m.target != b"/inner" for m in origin.requests)
