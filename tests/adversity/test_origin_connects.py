"""Classes 15, 16 and 29: origins that refuse, do not accept, come and go."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from tests.peers.fleet import Stage
from tests.peers.gateway import Gateway, free_port
from tests.peers.link import Stopwatch
from tests.peers.origin import Origin
from tests.peers.payload import request
from tests.peers.served import Served
from tests.peers.settings import SHORT, SHORT_S, proxy_config


def ask_until_served(gw: Gateway, within_s: float) -> float:
    """Ask until a 200 comes; seconds it took."""
    watch = Stopwatch()
    with gw.client() as client:
        while client.ask(request("/again")).status != 200:
            assert watch.seconds < within_s, f"no recovery within {within_s} s"
    return watch.seconds


def test_class_15_refused_connection_is_502_at_once_and_recovers(
    quick: Gateway, origin: Origin
) -> None:
    origin.stop_listening()
    with quick.client() as client:
        for _ in range(3):
            watch = Stopwatch()
            got = client.ask(request())
            assert watch.seconds < 0.1
            assert got.status == 502
            assert got.error == "connection_refused"
            assert not got.closes
    entries = quick.log_entries(3)
    assert {(e["status"], e["cause"]) for e in entries} == {(502, "connection_refused")}
    origin.listen()
    ask_until_served(quick, 1.0)


def test_class_15_refused_post_with_a_body_keeps_the_client_in_step(
    gw: Gateway, origin: Origin
) -> None:
    origin.stop_listening()
    inner = request("/inner")
    with gw.client() as client:
        assert client.ask(request("/", method="POST", body=inner)).status == 502
        origin.listen()
    ask_until_served(gw, 1.0)
    assert all(m.target != b"/inner" for m in origin.requests)


def test_class_15_next_target_gets_what_the_first_refused(stage: Stage, origin: Origin) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    gw = stage.gateway(proxy_config(dead, origin, timeouts=SHORT))
    with gw.client() as client:
        for number in range(10):
            method = "POST" if number % 2 else "GET"
            assert client.ask(request(f"/{number}", method=method)).status == 200
    assert len(origin.requests) == 10


def test_class_15_unreachable_address_is_502(stage: Stage, origin: Origin) -> None:
    upstreams = {
        "api": {"targets": [origin.url]},
        "far": {"targets": ["http://255.255.255.255:80"]},
    }
    routes = [
        {"name": "far", "match": {"path": "/far"}, "upstream": "far"},
        {"name": "all", "match": {"path": "/*"}, "upstream": "api"},
    ]
    gw = stage.gateway(proxy_config(upstreams=upstreams, routes=routes))
    with gw.client() as client:
        got = client.ask(request("/far"))
        assert got.status == 502
        assert got.error in ("destination_ip_unroutable", "connection_refused")
        assert client.ask(request("/near")).status == 200


@contextlib.contextmanager
def black_hole() -> Iterator[str]:
    """The URL of a listener whose backlog is full: further SYNs are dropped."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_class_16_syn_black_hole_is_504_at_the_connect_timeout(
    stage: Stage, origin: Origin
) -> None:
    with black_hole() as url:
        upstreams = {
            "api": {"targets": [origin.url]},
            "hole": {"targets": [url], "retries": 0},
        }
        routes = [
            {"name": "hole", "match": {"path": "/hole"}, "upstream": "hole"},
            {"name": "all", "match": {"path": "/*"}, "upstream": "api"},
        ]
        gw = stage.fresh(proxy_config(upstreams=upstreams, routes=routes, timeouts=SHORT))
        with gw.client() as client:
            watch = Stopwatch()
            got = client.ask(request("/hole"))
            watch.assert_took(SHORT_S["connect"])
            assert got.status == 504
            assert got.error == "connection_timeout"
            assert client.ask(request("/near")).status == 200
        assert gw.log_entry(status=504)["cause"] == "connect_timeout"


def test_class_16_client_that_leaves_a_black_hole(stage: Stage, origin: Origin) -> None:
    with black_hole() as url:
        upstreams = {"api": {"targets": [origin.url]}, "hole": {"targets": [url]}}
        routes = [
            {"name": "hole", "match": {"path": "/hole"}, "upstream": "hole"},
            {"name": "all", "match": {"path": "/*"}, "upstream": "api"},
        ]
        gw = stage.fresh(proxy_config(upstreams=upstreams, routes=routes))
        client = gw.client()
        client.send(request("/hole"))
        client.expect_silence(0.1)
        client.reset()
        assert gw.log_entries(1)[0]["status"] == 499


def test_class_29_one_dead_target_of_two_costs_no_request_and_is_left_alone(
    stage: Stage, origin: Origin
) -> None:
    """A target that accepts and closes is ejected: most requests never try it."""
    flapping = stage.origin(1)
    flapping.script(*[Served.close] * 500)
    gw = stage.gateway(proxy_config(origin, flapping))
    with gw.client() as client:
        for number in range(60):
            assert client.ask(request(f"/{number}")).status == 200
    assert len(flapping.connections) <= 15, "the dead target was tried again and again"


def test_class_29_ejected_target_is_readmitted(stage: Stage, origin: Origin) -> None:
    other = stage.origin(1)
    gw = stage.gateway(proxy_config(origin, other))
    other.stop_listening()
    with gw.client() as client:
        for number in range(20):
            assert client.ask(request(f"/{number}")).status == 200
        other.listen()
        watch = Stopwatch()
        while not other.requests:
            assert client.ask(request("/back")).status == 200
            assert watch.seconds < 10.0, "never tried again"


def test_class_29_last_target_is_never_ejected(gw: Gateway, origin: Origin) -> None:
    for _ in range(3):
        origin.stop_listening()
        origin.end_idle()
        with gw.client() as client:
            for _ in range(20):
                assert client.ask(request("/down")).status == 502
        origin.listen()
        assert ask_until_served(gw, 1.0) < 1.0


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_class_29_retries_are_bounded_when_every_target_fails(stage: Stage, retries: int) -> None:
    first, second = stage.origin(0), stage.origin(1)
    gw = stage.gateway(proxy_config(first, second, upstream={"retries": retries}))

    def leave(served: Served) -> None:
        served.read_request()

    for each in (first, second):
        each.script(*[leave] * 20)
    with gw.client() as client:
        got = client.ask(request())
        assert got.status in (502, 503)
    assert len(first.requests) + len(second.requests) <= retries + 1
