"""What the gateway tells the origin of the client: X-Forwarded-*, Via, ids, traceparent."""

from __future__ import annotations

import re
import time
import uuid

import pytest

from tests.peers.fleet import Stage
from tests.peers.gateway import Gateway, free_port
from tests.peers.origin import Origin
from tests.peers.payload import request
from tests.peers.settings import VIA, proxy_config
from tests.peers.wire import Message

TRACEPARENT = re.compile(rb"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})\Z")
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def ask(gw: Gateway, origin: Origin, *fields: str, target: str = "/") -> tuple[Message, Message]:
    """The request as the origin got it, and the answer."""
    with gw.client() as client:
        got = client.ask(request(target, *fields))
    return origin.requests[-1], got


def trusting(stage: Stage, origin: Origin, *networks: str, **more: object) -> Gateway:
    """A gateway that believes the forwarding fields of these networks."""
    forwarding = {"trusted_proxies": list(networks), "via": VIA, **more}
    return stage.gateway(proxy_config(origin, forwarding=forwarding))


SPOOFED = (
    "X-Forwarded-For: 10.9.8.7",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: evil.example",
)


def test_forwarding_fields_of_a_stranger_are_replaced(gw: Gateway, origin: Origin) -> None:
    asked, _ = ask(gw, origin, *SPOOFED)
    assert asked.one("X-Forwarded-For") == b"127.0.0.1"
    assert asked.one("X-Forwarded-Proto") == b"http"
    assert asked.one("X-Forwarded-Host") == b"test.example"


def test_forwarding_fields_are_made_when_absent(gw: Gateway, origin: Origin) -> None:
    asked, _ = ask(gw, origin)
    assert asked.one("X-Forwarded-For") == b"127.0.0.1"
    assert asked.one("X-Forwarded-Proto") == b"http"
    assert asked.one("X-Forwarded-Host") == b"test.example"


def test_forwarding_fields_of_a_trusted_proxy_are_kept_and_appended(
    stage: Stage, origin: Origin
) -> None:
    asked, _ = ask(trusting(stage, origin, "127.0.0.0/8"), origin, *SPOOFED)
    assert b", ".join(asked.all("X-Forwarded-For")) == b"10.9.8.7, 127.0.0.1"
    assert asked.one("X-Forwarded-Proto") == b"https"
    assert asked.one("X-Forwarded-Host") == b"evil.example"


def test_several_forwarded_for_lines_stay_in_order(stage: Stage, origin: Origin) -> None:
    gw = trusting(stage, origin, "127.0.0.0/8")
    fields = ("X-Forwarded-For: 1.1.1.1, 2.2.2.2", "X-Forwarded-For: 3.3.3.3")
    asked, _ = ask(gw, origin, *fields)
    want = b"1.1.1.1, 2.2.2.2, 3.3.3.3, 127.0.0.1"
    assert b", ".join(asked.all("X-Forwarded-For")) == want


def test_client_address_is_the_rightmost_untrusted(stage: Stage, origin: Origin) -> None:
    gw = trusting(stage, origin, "127.0.0.0/8", "10.0.0.0/8")
    ask(gw, origin, "X-Forwarded-For: 6.6.6.6, 9.9.9.9, 10.0.0.1")
    assert gw.log_entries(1)[0]["client"] == "9.9.9.9"


def test_client_address_of_a_stranger_is_its_own(gw: Gateway, origin: Origin) -> None:
    ask(gw, origin, "X-Forwarded-For: 6.6.6.6")
    assert gw.log_entries(1)[0]["client"] == "127.0.0.1"


@pytest.mark.parametrize("junk", ["unknown", "999.1.1.1", "9.9.9.9:1x", "'", "a" * 300, ","])
def test_junk_in_a_trusted_forwarded_for_harms_nothing(
    stage: Stage, origin: Origin, junk: str
) -> None:
    gw = trusting(stage, origin, "127.0.0.0/8")
    _, got = ask(gw, origin, f"X-Forwarded-For: {junk}")
    assert got.status == 200


def test_underscore_lookalike_is_not_read(stage: Stage, origin: Origin) -> None:
    gw = trusting(stage, origin, "127.0.0.0/8")
    ask(gw, origin, "X_Forwarded_For: 6.6.6.6")
    assert gw.log_entries(1)[0]["client"] == "127.0.0.1"


def test_forwarded_is_written_on_request(stage: Stage, origin: Origin) -> None:
    """RFC 7239."""
    gw = trusting(stage, origin, "10.0.0.0/8", forwarded=True)
    asked, _ = ask(gw, origin, "Forwarded: for=6.6.6.6")
    value = (asked.one("Forwarded") or b"").lower()
    assert b"for=127.0.0.1" in value and b"proto=http" in value and b"test.example" in value
    assert b"6.6.6.6" not in value


def test_via_is_appended(gw: Gateway, origin: Origin) -> None:
    """RFC 9110 7.6.3."""
    asked, _ = ask(gw, origin, "Via: 1.0 fred, 1.1 other")
    assert asked.listed("Via") == [b"1.0 fred", b"1.1 other", f"1.1 {VIA}".encode()]


def test_via_tells_the_version_received(gw: Gateway, origin: Origin) -> None:
    with gw.client() as client:
        client.ask(request("/", version="HTTP/1.0"))
    assert origin.requests[0].listed("Via") == [f"1.0 {VIA}".encode()]


@pytest.mark.parametrize("via", [f"1.1 {VIA}", f"1.0 a, 1.1 {VIA}, 1.1 b", f"HTTP/1.1 {VIA} (x)"])
def test_loop_is_refused(gw: Gateway, origin: Origin, via: str) -> None:
    with gw.client() as client:
        got = client.ask(request("/", f"Via: {via}"))
        assert got.status == 508
        assert got.error == "proxy_loop_detected"
    assert origin.requests == []
    assert gw.log_entry(status=508)["cause"] == "loop"


@pytest.mark.parametrize("via", [f"1.1 x{VIA}", f"1.1 {VIA}x", f"1.1 other ({VIA})"])
def test_similar_name_is_no_loop(gw: Gateway, via: str) -> None:
    with gw.client() as client:
        assert client.ask(request("/", f"Via: {via}")).status == 200


def test_two_gateways_in_a_row_serve(stage: Stage, origin: Origin) -> None:
    inner = stage.gateway(proxy_config(origin))
    outer = stage.fresh(
        proxy_config(f"http://{inner.authority}", forwarding={"via": "gw-outer"}),
    )
    with outer.client() as client:
        assert client.ask(request("/through")).text.startswith("GET /through")
    inner.held_sockets = outer.held_sockets = 1
    names = origin.requests[0].listed("Via")
    assert names == [b"1.1 gw-outer", f"1.1 {VIA}".encode()]


def test_gateway_in_front_of_itself_is_stopped_at_the_first_return(stage: Stage) -> None:
    """With the default pseudonym too: it is the same in every request of one instance."""
    here = f"127.0.0.1:{free_port()}"
    listeners = [{"name": "http", "bind": here}]
    gw = stage.fresh(proxy_config(f"http://{here}", listeners=listeners, forwarding={}))
    with gw.client() as client:
        assert client.ask(request()).status == 508
    assert len(gw.log_entries(2)) == 2
    gw.held_sockets = 2


def test_request_id_is_a_fresh_uuid7_and_echoed(gw: Gateway, origin: Origin) -> None:
    seen = set()
    for _ in range(5):
        before = time.time_ns() // 1_000_000
        asked, got = ask(gw, origin)
        after = time.time_ns() // 1_000_000
        text = (asked.one("X-Request-ID") or b"").decode()
        assert (got.one("X-Request-ID") or b"").decode() == text
        made = uuid.UUID(text)
        assert made.version == 7 and made.variant == uuid.RFC_4122
        assert before - 1000 <= made.int >> 80 <= after + 1000
        seen.add(text)
    assert len(seen) == 5


def test_request_id_of_a_stranger_is_replaced(gw: Gateway, origin: Origin) -> None:
    asked, _ = ask(gw, origin, "X-Request-ID: mine")
    assert asked.one("X-Request-ID") != b"mine"


def test_sane_request_id_of_a_trusted_proxy_is_kept(stage: Stage, origin: Origin) -> None:
    gw = trusting(stage, origin, "127.0.0.0/8")
    asked, got = ask(gw, origin, "X-Request-ID: abc-123_DEF.4")
    assert asked.one("X-Request-ID") == b"abc-123_DEF.4"
    assert got.one("X-Request-ID") == b"abc-123_DEF.4"


@pytest.mark.parametrize("value", ["", "a b", 'a"b', "x" * 300, "\xe9", "a,b"])
def test_odd_request_id_of_a_trusted_proxy_is_replaced(
    stage: Stage, origin: Origin, value: str
) -> None:
    gw = trusting(stage, origin, "127.0.0.0/8")
    asked, _ = ask(gw, origin, f"X-Request-ID: {value}")
    assert uuid.UUID((asked.one("X-Request-ID") or b"").decode()).version == 7


def test_traceparent_is_started_when_absent(gw: Gateway, origin: Origin) -> None:
    """W3C Trace Context level 1, 3.2."""
    first, _ = ask(gw, origin)
    second, _ = ask(gw, origin)
    traces = []
    for asked in (first, second):
        found = TRACEPARENT.match(asked.one("traceparent") or b"")
        assert found
        assert set(found.group(1)) != {48} and set(found.group(2)) != {48}
        traces.append(found.group(1))
    assert traces[0] != traces[1]


def test_traceparent_is_continued(gw: Gateway, origin: Origin) -> None:
    asked, _ = ask(gw, origin, f"traceparent: {PARENT}", "tracestate: a=b")
    found = TRACEPARENT.match(asked.one("traceparent") or b"")
    assert found
    assert found.group(1) == PARENT.split("-")[1].encode()
    assert found.group(2) != PARENT.split("-")[2].encode()
    assert found.group(3) == b"01"
    assert asked.one("tracestate") == b"a=b"


@pytest.mark.parametrize(
    "value",
    [
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-0af7-b7ad6b7169203331-01",
        "junk",
    ],
)
def test_bad_traceparent_is_replaced(gw: Gateway, origin: Origin, value: str) -> None:
    """W3C Trace Context 3.2.2.3: an invalid one is ignored and a new trace started."""
    asked, _ = ask(gw, origin, f"traceparent: {value}")
    found = TRACEPARENT.match(asked.one("traceparent") or b"")
    assert found
    assert found.group(0) != value.encode()
    assert found.group(1).decode() not in value
