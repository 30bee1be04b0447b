"""Request targets in their four forms (RFC 9112 3.2) and routing by path."""

from __future__ import annotations

import pytest

from tests.peers.fleet import Stage
from tests.peers.gateway import Gateway
from tests.peers.origin import Origin
from tests.peers.payload import request
from tests.peers.settings import proxy_config


@pytest.mark.parametrize(
    "target",
    ["/", "/a?c=d&e", "/%7Euser/%41", "/a//b", "/a;p=1/b", "/?", "/x?y=/../z", "/" + "a" * 4000],
)
def test_origin_form_passes_byte_for_byte(gw: Gateway, origin: Origin, target: str) -> None:
    with gw.client() as client:
        assert client.ask(request(target)).status == 200
    assert origin.requests[0].target == target.encode()


@pytest.mark.parametrize("target", ["/a/%2e%2e/b", "/..;/b", "/../b", "/a/%2e./b", "/%", "/%00"])
def test_path_that_origins_read_in_several_ways_takes_no_route(
    gw: Gateway, origin: Origin, target: str
) -> None:
    """The form that decides must be the form the origin sees (router.pxd)."""
    with gw.client() as client:
        assert client.ask(request(target)).status in (400, 404)
    assert origin.requests == []


@pytest.mark.parametrize(
    ("target", "want"),
    [
        ("http://other.example/a?b", b"/a?b"),
        ("http://other.example:8080/a", b"/a"),
        ("http://other.example", b"/"),
        ("HTTP://other.example/x", b"/x"),
        ("http://other.example?q=1", b"/?q=1"),
    ],
)
def test_absolute_form_becomes_origin_form(
    gw: Gateway, origin: Origin, target: str, want: bytes
) -> None:
    """RFC 9112 3.2.2: the authority of the target is the Host."""
    authority = target.split("://")[1].split("/")[0].split("?")[0]
    with gw.client() as client:
        assert client.ask(request(target, host=f"Host: {authority}")).status == 200
    (asked,) = origin.requests
    assert asked.target == want
    assert asked.one("Host") == authority.encode()


@pytest.mark.parametrize("host", ["Host: test.example", "Host: other.example:81", "Host:"])
def test_absolute_form_with_another_host_is_refused(gw: Gateway, origin: Origin, host: str) -> None:
    """Two servers could read it differently: RFC 9112 3.2.2 demands that they are identical."""
    with gw.client() as client:
        client.send(request("http://other.example/", host=host))
        client.recv_refusal(400)
    assert origin.requests == []


def test_options_asterisk_passes(gw: Gateway, origin: Origin) -> None:
    with gw.client() as client:
        assert client.ask(request("*", method="OPTIONS")).status == 200
    assert origin.requests[0].target == b"*"


def test_asterisk_for_another_method_is_refused(gw: Gateway) -> None:
    with gw.client() as client:
        client.send(request("*"))
        client.recv_refusal(400)


@pytest.mark.parametrize("target", ["test.example:443", "127.0.0.1:80"])
def test_connect_is_refused(gw: Gateway, origin: Origin, target: str) -> None:
    with gw.client() as client:
        client.methods = [b"CONNECT"]
        client.send(request(target, method="CONNECT", host=f"Host: {target}"))
        client.recv_refusal(405, 501)
    assert origin.requests == []


def test_host_is_preserved(gw: Gateway, origin: Origin) -> None:
    with gw.client() as client:
        for host in ("a.example", "a.example:8080", "[::1]:81", "127.0.0.1"):
            assert client.ask(request("/", host=f"Host: {host}")).status == 200
    assert [m.one("Host") for m in origin.requests] == [
        b"a.example",
        b"a.example:8080",
        b"[::1]:81",
        b"127.0.0.1",
    ]


def test_longest_path_wins_and_exact_beats_prefix(stage: Stage, origin: Origin) -> None:
    other = stage.origin(1)
    other.serve(lambda m: b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother")

    def said(body: str) -> list[dict[str, object]]:
        return [{"respond": {"status": 200, "body": body}}]

    gw = stage.gateway(
        proxy_config(
            origin,
            routes=[
                {"name": "root", "match": {"path": "/*"}, "upstream": "api"},
                {"name": "v1", "match": {"path": "/v1/*"}, "middleware": said("v1")},
                {"name": "deep", "match": {"path": "/v1/deep/*"}, "middleware": said("deep")},
                {"name": "exact", "match": {"path": "/v1/one"}, "middleware": said("exact")},
            ],
        )
    )
    want = {
        "/v1/": "v1",
        "/v1/x": "v1",
        "/v1/one": "exact",
        "/v1/one?q": "exact",
        "/v1/one/": "v1",
        "/v1/deep/er": "deep",
        "/v1": "GET /v1 - ",
        "/v2": "GET /v2 - ",
    }
    with gw.client() as client:
        assert {path: client.ask(request(path)).text for path in want} == want


def test_path_without_a_route_is_404(stage: Stage, origin: Origin) -> None:
    route = {"name": "api", "match": {"path": "/api/*"}, "upstream": "api"}
    gw = stage.gateway(proxy_config(origin, routes=[route]))
    with gw.client() as client:
        got = client.ask(request("/none"))
        assert got.status == 404
        assert got.error == "destination_not_found"
        assert client.ask(request("/api/x")).status == 200
    assert gw.log_entry(status=404)["cause"] == "no_route"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PURGE"])
def test_methods_pass(gw: Gateway, origin: Origin, method: str) -> None:
    with gw.client() as client:
        assert client.ask(request("/", method=method)).status == 200
    assert origin.requests[0].method == method.encode()
