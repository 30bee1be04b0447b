"""The native filters, seen from outside: headers, ip, body_limit, respond, redirect, echo."""

from __future__ import annotations

from typing import Any

import pytest

from tests.peers.fleet import Stage
from tests.peers.gateway import Gateway
from tests.peers.origin import Origin
from tests.peers.payload import answer, body_of, chunk, chunked_request, request
from tests.peers.settings import VIA, proxy_config


def with_filters(stage: Stage, origin: Origin, *filters: dict[str, Any]) -> Gateway:
    """A gateway whose one route has these filters."""
    return stage.gateway(proxy_config(origin, middleware=list(filters)))


EDITS = {
    "headers": {
        "request": {"set": {"X-Set": "s"}, "add": {"X-Add": "a"}, "remove": ["X-Remove"]},
        "response": {"set": {"Server": "s"}, "add": {"X-Add": "a"}, "remove": ["X-Remove"]},
    }
}


def test_headers_filter_edits_the_request(stage: Stage, origin: Origin) -> None:
    gw = with_filters(stage, origin, EDITS)
    fields = ("X-Set: old", "X-Keep: k", "x-set: older", "X-Add: first", "x-REMOVE: r")
    with gw.client() as client:
        assert client.ask(request("/", *fields)).status == 200
    (asked,) = origin.requests
    assert asked.all("X-Set") == [b"s"]
    assert asked.all("X-Add") == [b"first", b"a"]
    assert asked.all("X-Remove") == []
    assert asked.one("X-Keep") == b"k"


def test_headers_filter_edits_the_response(stage: Stage, origin: Origin) -> None:
    gw = with_filters(stage, origin, EDITS)
    origin.serve(lambda _: answer(b"ok", "server: old", "X-Add: first", "X-Remove: r", "X-K: k"))
    with gw.client() as client:
        got = client.ask(request())
    assert got.all("Server") == [b"s"]
    assert got.all("X-Add") == [b"first", b"a"]
    assert got.all("X-Remove") == []
    assert got.one("X-K") == b"k"


def test_headers_filter_can_set_host(stage: Stage, origin: Origin) -> None:
    gw = with_filters(stage, origin, {"headers": {"request": {"set": {"Host": "inner.example"}}}})
    with gw.client() as client:
        assert client.ask(request()).status == 200
    (asked,) = origin.requests
    assert asked.one("Host") == b"inner.example"
    assert asked.one("X-Forwarded-Host") == b"test.example"


def by_address(stage: Stage, origin: Origin, **rules: list[str]) -> Gateway:
    """A gateway with an ip filter that believes its neighbour's X-Forwarded-For."""
    return stage.gateway(
        proxy_config(
            origin,
            middleware=[{"ip": rules}],
            forwarding={"trusted_proxies": ["127.0.0.0/8"], "via": VIA},
        )
    )


@pytest.mark.parametrize(
    ("address", "status"),
    [("10.2.0.1", 200), ("10.1.255.255", 403), ("11.0.0.1", 403), ("::ffff:10.2.0.1", None)],
)
def test_ip_filter_allows_and_denies(
    stage: Stage, origin: Origin, address: str, status: int | None
) -> None:
    """Deny wins over allow; who is in no list of allowed networks stays outside."""
    gw = by_address(stage, origin, allow=["10.0.0.0/8", "2001:db8::/32"], deny=["10.1.0.0/16"])
    with gw.client() as client:
        got = client.ask(request("/", f"X-Forwarded-For: {address}"))
    assert got.status in ([status] if status else [200, 403])
    if got.status == 403:
        assert got.error == "http_request_denied"
        assert gw.log_entries(1)[0]["cause"] == "denied"


@pytest.mark.parametrize(("address", "status"), [("2001:db8::1", 200), ("2001:db9::1", 403)])
def test_ip_filter_knows_ipv6(stage: Stage, origin: Origin, address: str, status: int) -> None:
    gw = by_address(stage, origin, allow=["10.0.0.0/8", "2001:db8::/32"], deny=["10.1.0.0/16"])
    with gw.client() as client:
        assert client.ask(request("/", f"X-Forwarded-For: {address}")).status == status


def test_denied_request_with_a_body_keeps_framing(stage: Stage, origin: Origin) -> None:
    """CVE-2025-4366: a body not drained after a local answer becomes the next request."""
    gw = by_address(stage, origin, deny=["10.0.0.0/8"])
    inner = request("/inner")
    with gw.client() as client:
        client.send(request("/", "X-Forwarded-For: 10.0.0.1", method="POST", body=inner))
        got = client.recv_response()
        assert got.status == 403
        if not got.closes:
            assert client.ask(request("/own")).text.startswith("GET /own")
    assert all(m.target != b"/inner" for m in origin.requests)


def test_body_limit_refuses_an_announced_length_at_once(stage: Stage, origin: Origin) -> None:
    gw = with_filters(stage, origin, {"body_limit": "1KiB"})
    with gw.client() as client:
        client.send(request("/", "Content-Length: 1025", method="POST"))
        got = client.recv_response()
        assert got.status == 413
    assert gw.log_entry(status=413)["cause"] == "body_too_large"
    assert origin.requests == []


def test_body_limit_lets_the_limit_itself_pass(stage: Stage, origin: Origin) -> None:
    gw = with_filters(stage, origin, {"body_limit": "1KiB"})
    body = body_of(1024)
    with gw.client() as client:
        assert client.ask(request("/", method="POST", body=body)).status == 200
        assert client.ask(chunked_request("/", [body[:1000], body[1000:]])).status == 200
    assert [m.body for m in origin.requests] == [body, body]


def test_body_limit_counts_chunks(stage: Stage, origin: Origin) -> None:
    gw = with_filters(stage, origin, {"body_limit": "1KiB"})
    with gw.client() as client:
        client.methods = [b"POST"]
        client.send(request("/", "Transfer-Encoding: chunked", method="POST"))
        for _ in range(3):
            client.send(chunk(b"x" * 400))
        got = client.recv_response()
        assert got.status == 413
        client.recv_until_close()
    for served in origin.connections:
        served.cut_allowed = True
    assert origin.requests == []  # never a complete message


def test_respond_answers_without_an_origin(stage: Stage) -> None:
    filters = [
        {
            "respond": {
                "status": 418,
                "body": "short and stout",
                "content_type": "text/tea",
                "headers": {"X-Pot": "1"},
            }
        }
    ]
    gw = stage.gateway(proxy_config(middleware=filters))
    with gw.client() as client:
        for _ in range(2):
            got = client.ask(request())
            assert (got.status, got.text) == (418, "short and stout")
            assert got.one("Content-Type") == b"text/tea"
            assert got.one("X-Pot") == b"1"
        assert client.ask(request("/", method="HEAD")).one("Content-Length") == b"15"
        assert client.ask(request("/", method="POST", body=b"x" * 5000)).status == 418
        assert client.ask(chunked_request("/", [b"x" * 5000])).status == 418
        assert client.ask(request()).status == 418


def test_respond_204_has_no_body(stage: Stage) -> None:
    gw = stage.gateway(proxy_config(middleware=[{"respond": {"status": 204}}]))
    with gw.client() as client:
        for _ in range(2):
            assert client.ask(request()).status == 204


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_sends_the_client_away(stage: Stage, status: int) -> None:
    filters = [{"redirect": {"to": "https://example.com/new", "status": status}}]
    gw = stage.gateway(proxy_config(middleware=filters))
    with gw.client() as client:
        got = client.ask(request("/old"))
        assert got.status == status
        assert got.one("Location") == b"https://example.com/new"


def test_echo_tells_the_request(stage: Stage) -> None:
    gw = stage.gateway(proxy_config(middleware=[{"echo": {}}]))
    with gw.client() as client:
        got = client.ask(request("/some/path?q=1", "X-Mine: yes"))
        assert got.status == 200
        assert "/some/path" in got.text and "X-Mine" in got.text and "yes" in got.text
        got = client.ask(request("/post", method="POST", body=b"the body"))
        assert got.status == 200 and "POST" in got.text
        assert client.ask(request("/next")).text.count("/next") >= 1


def test_echo_with_a_large_body_stays_in_bounds(stage: Stage) -> None:
    gw = stage.gateway(proxy_config(middleware=[{"echo": {}}]))
    with gw.client() as client:
        got = client.ask(request("/", method="POST", body=body_of(3_000_000)))
        assert got.status in (200, 413)


def test_filters_run_in_the_order_of_the_list(stage: Stage, origin: Origin) -> None:
    gw = with_filters(
        stage,
        origin,
        {"headers": {"request": {"set": {"X-N": "1"}}}},
        {"headers": {"request": {"add": {"X-N": "2"}}}},
    )
    with gw.client() as client:
        assert client.ask(request("/", "X-N: 0")).status == 200
    assert origin.requests[0].all("X-N") == [b"1", b"2"]


def test_response_filters_see_our_own_answers_and_count_one_log_line(stage: Stage) -> None:
    gw = stage.gateway(proxy_config(middleware=[EDITS, {"respond": {"body": "mine"}}]))
    with gw.client() as client:
        got = client.ask(request())
        assert got.all("X-Add") == [b"a"]
    assert len(gw.log_entries(1)) == 1
