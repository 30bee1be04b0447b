"""Bounds on upstream connections: open, idle, waiting, age (types/upstream.pxd)."""

from __future__ import annotations

import threading
from typing import Any

from tests.peers.client import Client
from tests.peers.fleet import Stage
from tests.peers.gateway import Gateway
from tests.peers.link import Stopwatch, until
from tests.peers.origin import Origin
from tests.peers.payload import answer, request
from tests.peers.settings import proxy_config
from tests.peers.wire import Message


def pooled(stage: Stage, origin: Origin, **pool: Any) -> Gateway:
    """A gateway with these pool settings."""
    return stage.gateway(proxy_config(origin, upstream={"pool": pool}))


class Gate:
    """An origin handler that holds every request until it is opened."""

    def __init__(self) -> None:
        self.opened = threading.Event()

    def __call__(self, asked: Message) -> bytes:
        assert self.opened.wait(10)
        return answer(asked.target)


def hold(gw: Gateway, origin: Origin, count: int) -> tuple[Gate, list[Client]]:
    """`count` clients whose requests are at the origin and held there."""
    gate = Gate()
    origin.serve(gate)
    clients = []
    for number in range(count):
        client = gw.client()
        client.send(request(f"/{number}"))
        clients.append(client)
    until(lambda: sum(len(c.heads) for c in origin.connections) >= count, "held requests")
    return gate, clients


def test_connections_are_bounded_and_the_rest_waits(stage: Stage, origin: Origin) -> None:
    gw = pooled(stage, origin, connections=2)
    gate, clients = hold(gw, origin, 2)
    for number in range(2, 6):
        waiting = gw.client()
        waiting.send(request(f"/{number}"))
        clients.append(waiting)
    clients[-1].expect_silence(0.2)
    assert len(origin.connections) == 2
    gate.opened.set()
    assert [c.recv_response().text for c in clients] == [f"/{n}" for n in range(6)]
    assert len(origin.connections) == 2


def test_queue_that_is_full_refuses_with_503(stage: Stage, origin: Origin) -> None:
    gw = pooled(stage, origin, connections=1, queue=1)
    gate, clients = hold(gw, origin, 1)
    clients.append(gw.client())
    clients[1].send(request("/1"))
    clients[1].expect_silence(0.15)
    with gw.client() as third:
        got = third.ask(request("/2"))
        assert got.status == 503
        assert got.error == "connection_limit_reached"
        assert got.one("Retry-After") is not None
    gate.opened.set()
    assert [c.recv_response().text for c in clients] == ["/0", "/1"]
    assert gw.log_entry(status=503)["cause"] == "queue_full"


def test_queue_timeout_is_503_on_time(stage: Stage, origin: Origin) -> None:
    gw = pooled(stage, origin, connections=1, queue_timeout="300ms")
    gate, clients = hold(gw, origin, 1)
    with gw.client() as second:
        watch = Stopwatch()
        assert second.ask(request("/1")).status == 503
        watch.assert_took(0.3)
        gate.opened.set()
        assert clients[0].recv_response().text == "/0"
        assert second.ask(request("/1")).text == "/1"
    assert gw.log_entry(status=503)["cause"] == "queue_timeout"


def test_client_that_leaves_the_queue_takes_no_connection(stage: Stage, origin: Origin) -> None:
    gw = pooled(stage, origin, connections=1)
    gate, clients = hold(gw, origin, 1)
    gone = gw.client()
    gone.send(request("/gone"))
    gone.expect_silence(0.1)
    gone.reset()
    last = gw.client()
    last.send(request("/last"))
    assert gw.log_entries(1)[0]["status"] == 499
    gate.opened.set()
    assert clients[0].recv_response().text == "/0"
    assert last.recv_response().text == "/last"
    assert all(m.target != b"/gone" for m in origin.requests)


def test_idle_connections_are_bounded(stage: Stage, origin: Origin) -> None:
    gw = pooled(stage, origin, idle=2)
    gate, clients = hold(gw, origin, 6)
    assert len(origin.connections) == 6
    gate.opened.set()
    for client in clients:
        client.recv_response()
    until(lambda: len(origin.open) <= 2, "surplus idle connections closed")
    assert len(origin.open) == 2


def test_idle_connection_is_closed_at_its_timeout(stage: Stage, origin: Origin) -> None:
    gw = pooled(stage, origin, idle_timeout="300ms")
    with gw.client() as client:
        assert client.ask(request()).status == 200
        watch = Stopwatch()
        origin.connections[0].wait_gone(2.0)
        watch.assert_took(0.3)


def test_connection_past_its_lifetime_is_not_reused(stage: Stage, origin: Origin) -> None:
    gw = pooled(stage, origin, lifetime="300ms")
    watch = Stopwatch()
    with gw.client() as client:
        while watch.seconds < 1.0:
            assert client.ask(request()).status == 200
    assert 3 <= len(origin.connections) <= 6


def test_no_idle_connections_when_idle_is_zero(stage: Stage, origin: Origin) -> None:
    gw = pooled(stage, origin, idle=0)
    with gw.client() as client:
        for _ in range(3):
            assert client.ask(request()).status == 200
    assert len(origin.connections) == 3


def test_pool_is_shared_by_routes_of_one_upstream(stage: Stage, origin: Origin) -> None:
    routes = [
        {"name": "a", "match": {"path": "/a/*"}, "upstream": "api"},
        {"name": "b", "match": {"path": "/*"}, "upstream": "api"},
    ]
    gw = stage.gateway(proxy_config(origin, routes=routes))
    with gw.client() as client:
        assert client.ask(request("/a/")).status == 200
        assert client.ask(request("/b")).status == 200
    assert len(origin.connections) == 1
