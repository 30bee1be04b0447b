"""Targets and listeners by name, by unix path, by IPv6."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.peers.fleet import Stage
from tests.peers.gateway import free_port
from tests.peers.link import Stopwatch
from tests.peers.origin import Origin
from tests.peers.payload import answer, body_of, request
from tests.peers.settings import SHORT, proxy_config


def test_unix_target_is_served(stage: Stage, tmp_path: Path) -> None:
    origin = stage.unix_origin(tmp_path / "app.sock")
    body = body_of(500_000)
    origin.serve(lambda m: answer(m.target + b" " + body))
    gw = stage.fresh(proxy_config(origin))
    with gw.client() as client:
        for number in range(5):
            assert client.ask(request(f"/{number}")).body == b"/%d " % number + body
        assert client.ask(request("/", method="POST", body=body)).status == 200
    assert len(origin.connections) == 1
    assert origin.requests[-1].body == body


def test_unix_target_that_is_absent_is_502_and_recovers(stage: Stage, tmp_path: Path) -> None:
    origin = stage.unix_origin(tmp_path / "app.sock")
    gw = stage.fresh(proxy_config(origin))
    origin.stop_listening()
    (tmp_path / "app.sock").unlink()
    with gw.client() as client:
        assert client.ask(request()).status == 502
        origin.listen()
        watch = Stopwatch()
        while client.ask(request()).status != 200:
            assert watch.seconds < 1.0
    assert {e["status"] for e in gw.log_entries(2)} == {502, 200}


def test_unix_listener_serves(stage: Stage, origin: Origin, tmp_path: Path) -> None:
    path = tmp_path / "gw.sock"
    listeners = [{"name": "local", "bind": f"unix:{path}"}]
    gw = stage.fresh(proxy_config(origin, listeners=listeners))
    with gw.client() as client:
        for number in range(3):
            assert client.ask(request(f"/{number}")).text.startswith(f"GET /{number}")
    assert origin.requests[0].one("X-Forwarded-Proto") == b"http"


def test_ipv6_listener_serves(stage: Stage, origin: Origin) -> None:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 on this machine")
    listeners = [{"name": "six", "bind": "[::1]:0"}, {"name": "four", "bind": "127.0.0.1:0"}]
    gw = stage.fresh(proxy_config(origin, listeners=listeners))
    address = gw.addresses[0]
    assert isinstance(address, tuple)
    with socket.create_connection(address) as sock:
        sock.sendall(request("/six", "Connection: close"))
        data = b""
        while piece := sock.recv(65536):
            data += piece
    assert data.startswith(b"HTTP/1.1 200")
    with gw.client(1) as client:
        assert client.ask(request("/four")).status == 200
    assert origin.requests[0].one("X-Forwarded-For") == b"::1"


def test_name_is_resolved_and_a_dead_address_of_it_passed_over(
    stage: Stage, origin: Origin
) -> None:
    """`localhost` is ::1 first on many machines, where this origin does not listen."""
    gw = stage.gateway(proxy_config(f"http://localhost:{origin.port}"))
    with gw.client() as client:
        for number in range(4):
            assert client.ask(request(f"/{number}")).text.startswith(f"GET /{number}")


def test_unknown_name_is_502_with_its_own_cause(stage: Stage, origin: Origin) -> None:
    gw = stage.gateway(
        proxy_config(
            origin,
            upstreams={
                "api": {"targets": [origin.url]},
                "lost": {"targets": [f"http://no-such-host.invalid:{free_port()}"]},
            },
            routes=[
                {"name": "lost", "match": {"path": "/lost"}, "upstream": "lost"},
                {"name": "all", "match": {"path": "/*"}, "upstream": "api"},
            ],
            timeouts={**SHORT, "connect": "1s"},
        )
    )
    with gw.client() as waiting, gw.client() as client:
        waiting.send(request("/lost"))
        assert client.ask(request("/found")).status == 200  # nobody waits for a name server
        got = waiting.recv_response()
        assert got.status in (502, 504)
        assert got.error in ("dns_error", "dns_timeout", "connection_timeout")


def test_two_listeners_serve_the_same_routes(stage: Stage, origin: Origin) -> None:
    listeners = [{"name": "a", "bind": "127.0.0.1:0"}, {"name": "b", "bind": "127.0.0.1:0"}]
    gw = stage.fresh(proxy_config(origin, listeners=listeners))
    for which in (0, 1):
        with gw.client(which) as client:
            assert client.ask(request(f"/{which}")).text.startswith(f"GET /{which}")
    assert gw.addresses[0] != gw.addresses[1]
