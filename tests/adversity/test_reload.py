"""Class 31: a bad configuration is refused whole, and no reload costs anybody a connection."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from tests.peers.fleet import Stage
from tests.peers.gateway import Gateway
from tests.peers.link import until
from tests.peers.origin import Origin
from tests.peers.payload import answer, body_of, chunk, head, request
from tests.peers.settings import Config, proxy_config

PLANS_MAX = 8
ECHO = {"name": "echo", "match": {"path": "/echo"}, "middleware": [{"echo": {}}]}
SWITCH = head("101 Switching Protocols", "Connection: Upgrade", "Upgrade: toy")


@pytest.fixture
def gw(stage: Stage, origin: Origin) -> Gateway:
    """A gateway of the test's own, with two workers."""
    return stage.fresh(proxy_config(origin, workers=2))


def good(origin: Origin, **changes: Any) -> Config:
    """A configuration that differs from what runs."""
    return proxy_config(origin, **{"workers": 2, "drain": "4s", **changes})


def broken_text(_: Origin) -> Config | str:
    return "listeners: [{bind: 127.0.0.1:0}\nroutes: [[[\n"


def not_text(_: Origin) -> Config | str:
    return "\x00\x01 routes"


def empty(_: Origin) -> Config | str:
    return ""


def unknown_key(origin: Origin) -> Config | str:
    return good(origin, nonsense=1)


def unknown_upstream(origin: Origin) -> Config | str:
    config = good(origin)
    config["routes"][0]["upstream"] = "absent"
    return config


def foreign_address(origin: Origin) -> Config | str:
    both = [{"name": "http", "bind": "127.0.0.1:0"}, {"name": "b", "bind": "192.0.2.1:80"}]
    return good(origin, listeners=both)


def log_without_a_folder(origin: Origin) -> Config | str:
    return good(origin, access_log={"path": "/absent/folder/a.log"})


@pytest.mark.parametrize(
    "bad",
    [
        broken_text,
        not_text,
        empty,
        unknown_key,
        unknown_upstream,
        foreign_address,
        log_without_a_folder,
    ],
)
def test_class_31_bad_config_is_refused_whole_and_the_old_one_goes_on(
    gw: Gateway, origin: Origin, bad: Callable[[Origin], Config | str]
) -> None:
    gw.allow_stderr(r"error|refused")
    origin.manual()
    with gw.client() as client:
        client.send(request("/running"))
        served = origin.accept()
        served.read_request()
        descriptors = gw.descriptors
        assert gw.reload(bad(origin)).startswith("reload refused: ")
        assert "(still serving plan 1)" in gw.stderr_text()
        assert gw.descriptors == descriptors
        served.send(answer(b"as before"))
        assert client.recv_response().text == "as before"
        client.send(request("/next"))
        served.read_request()  # on the same connection to the service
        served.send(answer(b"and on"))
        assert client.recv_response().text == "and on"
    assert gw.reload(good(origin)).startswith("reload ok")


def test_class_31_address_in_use_is_refused(gw: Gateway, origin: Origin) -> None:
    gw.allow_stderr("refused")
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        both = [{"name": "http", "bind": "127.0.0.1:0"}, {"name": "b", "bind": taken}]
        said = gw.reload(good(origin, listeners=both))
    assert said == (
        f"reload refused: cannot listen on {taken}: the address is in use by another process"
        " (still serving plan 1)"
    )


def test_class_31_reload_keeps_every_kind_of_connection(gw: Gateway, origin: Origin) -> None:
    """A tunnel, an event stream, a download, an upload, and one that rests, over three reloads."""
    origin.manual()

    def begin(data: bytes) -> Any:
        client = gw.client()
        client.send(data)
        served = origin.accept()
        return client, served

    tunnel, far = begin(request("/ws", "Connection: Upgrade", "Upgrade: toy"))
    far.read_request()
    far.start_tunnel(SWITCH)
    assert tunnel.recv_response().status == 101
    events, source = begin(request("/events"))
    source.read_request()
    source.send(head("200 OK", "Transfer-Encoding: chunked"))
    events.recv_head()
    download, store = begin(request("/file"))
    store.read_request()
    whole = body_of(400_000)
    store.send(head("200 OK", f"Content-Length: {len(whole)}") + whole[:1000])
    loading = download.recv_head()
    upload, sink = begin(request("/put", "Content-Length: 9", method="PUT") + b"one")
    rests = gw.client()

    for number in range(3):
        config = good(origin, drain=f"{number + 10}s")
        config["routes"].append(ECHO)
        assert gw.reload(config).startswith("reload ok")
        tunnel.send(b"up %d" % number)
        assert far.recv_exactly(4) == b"up %d" % number
        far.send(b"down %d" % number)
        assert tunnel.recv_exactly(6) == b"down %d" % number
        source.send(chunk(b"event %d" % number))
        assert events.recv_exactly(12) == b"7\r\nevent %d\r\n" % number
        store.send(whole[1000 + number * 1000 : 2000 + number * 1000])
        if number < 2:
            upload.send(b"two" if number == 0 else b"end")
    store.send(whole[4000:])
    assert download.recv_body(loading) == whole
    asked = sink.read_request()
    assert asked.body == b"onetwoend"
    sink.send(answer(b"stored"))
    assert upload.recv_response().text == "stored"
    source.send(b"0\r\n\r\n")
    assert events.recv_exactly(5) == b"0\r\n\r\n"
    tunnel.close()
    assert rests.ask(request("/echo")).status == 200


def test_class_31_plans_in_use_are_bounded_and_their_holders_named(
    stage: Stage, origin: Origin
) -> None:
    gw = stage.fresh(proxy_config(origin))
    gw.allow_stderr("refused")
    origin.manual()
    waiting = []
    for number in range(PLANS_MAX):
        client = gw.client()
        client.send(request("/slow"))
        served = origin.accept()
        served.read_request()
        waiting.append((client, served))
        said = gw.reload(proxy_config(origin, drain=f"{number + 10}s"))
    assert said.startswith(f"reload refused: {PLANS_MAX} plans are still in use")
    assert f"route all: {PLANS_MAX - 1}, the oldest since " in said
    assert said.endswith(f"(still serving plan {PLANS_MAX})")
    for client, served in waiting:
        served.send(answer(b"late"))
        assert client.recv_response().text == "late"
    until(lambda: gw.reload(proxy_config(origin)).startswith("reload ok"), "room again", 10)


def test_class_31_removed_service_answers_what_it_began(gw: Gateway, origin: Origin) -> None:
    """The route and its upstream are gone; the running request is answered, the next is 404."""
    origin.manual()
    with gw.client() as client:
        client.send(request("/x"))
        served = origin.accept()
        served.read_request()
        mine = [{"name": "mine", "match": {"path": "/mine"}, "middleware": [{"echo": {}}]}]
        config = good(origin, routes=mine)
        del config["upstreams"]
        assert "-1 upstream" in gw.reload(config)
        served.send(answer(b"begun"))
        assert client.recv_response().text == "begun"
        assert client.ask(request("/x")).status == 404
        assert client.ask(request("/mine")).status == 200
    assert gw.reload(good(origin)).startswith("reload ok")
    origin.serve()
