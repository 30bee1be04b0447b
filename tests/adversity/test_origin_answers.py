"""Classes 17, 18, 20, 21 and 24: answers that break off early, are junk, or are too many."""

from __future__ import annotations

import pytest

from tests.peers.gateway import Gateway
from tests.peers.link import Stopwatch
from tests.peers.origin import Origin
from tests.peers.payload import HOST, answer, head, request
from tests.peers.served import Served
from tests.peers.volume import PeakMemory

EARLY_ENDS = {
    "at_once": b"",
    "in_version": b"HTTP/1",
    "in_status_line": b"HTTP/1.1 200",
    "after_status_line": b"HTTP/1.1 200 OK\r\n",
    "in_field": b"HTTP/1.1 200 OK\r\nContent-Le",
    "before_empty_line": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n",
    "after_interim": b"HTTP/1.1 103 Early Hints\r\n\r\n",
}


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("where", EARLY_ENDS)
def test_class_17_origin_that_ends_before_its_head_is_502(
    gw: Gateway, origin: Origin, where: str, how: str
) -> None:
    def end_early(served: Served) -> None:
        served.read_request()
        served.send(EARLY_ENDS[where])
        if how == "rst":
            served.stall(0.03)  # so that the bytes arrive before the reset
            served.reset()

    origin.script(end_early, end_early)
    with gw.client() as client:
        got = client.ask(request("/", method="POST", body=b"x"))
        assert got.status == 502
        assert got.error in ("connection_terminated", "http_response_incomplete")
    entry = gw.log_entries(1)[0]
    assert entry["cause"] in ("upstream_closed", "upstream_reset", "response_incomplete")


def test_class_17_origin_that_accepts_and_closes_is_502(gw: Gateway, origin: Origin) -> None:
    origin.script(Served.close, Served.close, Served.close)
    with gw.client() as client:
        watch = Stopwatch()
        got = client.ask(request("/", method="POST", body=b"x"))
        assert got.status in (502, 200)  # 200: nothing had been sent, so it was tried again
        assert watch.seconds < 0.5


def test_class_17_origin_that_resets_while_the_body_is_sent_is_502(
    gw: Gateway, origin: Origin
) -> None:
    def reset_in_body(served: Served) -> None:
        served.cut_allowed = True
        served.read_head()
        served.recv_exactly(10_000)
        served.reset()

    origin.script(reset_in_body)
    with gw.client() as client:
        client.methods = [b"POST"]
        client.send(request("/", "Content-Length: 100000000", method="POST"))
        client.send(b"x" * 200_000)
        got = client.recv_response()
        assert got.status == 502
    assert len(origin.connections) == 1


JUNK = {
    "words": b"what is this?\r\n\r\n",
    "ssh": b"SSH-2.0-OpenSSH_9.6\r\n",
    "tls_alert": b"\x15\x03\x01\x00\x02\x02\x46",
    "smtp": b"220 mail.example ESMTP\r\n",
    "http2_settings": b"\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    "nul": b"\x00" * 100,
    "http_0_9": b"<html>hello</html>",
    "bad_version": b"HTTP/3.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "bad_status": b"HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n",
    "status_0": b"HTTP/1.1 000 Zero\r\nContent-Length: 0\r\n\r\n",
    "empty_lines": b"\r\n" * 50,
}


@pytest.mark.parametrize("kind", JUNK)
def test_class_18_junk_is_502_and_the_connection_is_dropped(
    gw: Gateway, origin: Origin, kind: str
) -> None:
    def junk(served: Served) -> None:
        served.read_request()
        served.send(JUNK[kind])
        served.wait_gone(3.0) if kind != "http2_settings" else served.finish()

    origin.script(junk, junk)
    with gw.client() as client:
        got = client.ask(request("/", method="POST", body=b"x"))
        assert got.status == 502
        assert got.error in ("http_protocol_error", "connection_terminated")
    assert gw.log_entries(1)[0]["status"] == 502


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"HTTP/1.1 200 ", b"o" * 4096),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 500),
        (b"HTTP/1.1 200 OK\r\nX: ", b"y" * 4096),
        (b"HTTP/1.1 200 OK\r\n", b"X" * 4096),
    ],
    ids=["reason", "fields", "value", "name"],
)
def test_class_18_endless_head_is_502_in_bounded_memory(
    gw: Gateway, origin: Origin, start: bytes, piece: bytes
) -> None:
    def endless(served: Served) -> None:
        served.read_request()
        served.send(start)
        for _ in range(4000):
            served.send(piece)
            if served.ended != "open":
                break

    origin.script(endless)
    with gw.client() as client, PeakMemory(gw) as memory:
        got = client.ask(request("/", method="POST", body=b"x"))
        assert got.status == 502
        assert got.error in ("http_response_header_section_size", "http_protocol_error")
        memory.assert_below(1 << 20)
    assert gw.log_entries(1)[0]["cause"] in (
        "response_head_too_large",
        "response_too_many_headers",
        "bad_response",
    )


BAD_FRAMING = {
    "both": b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "duplicate": b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    "list": b"Content-Length: 2, 2\r\n\r\nok",
    "invalid": b"Content-Length: two\r\n\r\nok",
    "coding_twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding_list": b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("kind", BAD_FRAMING)
def test_class_20_doubtful_framing_is_502(gw: Gateway, origin: Origin, kind: str) -> None:
    origin.serve(lambda _: b"HTTP/1.1 200 OK\r\n" + BAD_FRAMING[kind])
    with gw.client() as client:
        got = client.ask(request())
        assert got.status == 502
        assert got.error in ("http_protocol_error", "http_response_transfer_coding")
    assert gw.log_entries(1)[0]["cause"] in ("bad_response_framing", "response_unknown_coding")
    assert origin.connections[0].wait_gone(1.0) < 1.0


BAD_FIELDS = {
    "cr": b"X: a\rb\r\n",
    "nul": b"X: a\0b\r\n",
    "fold": b"X: a\r\n b\r\n",
    "fold_tab": b"X: a\r\n\tb\r\n",
    "del": b"X: a\x7fb\r\n",
    "space_in_name": b"X Y: a\r\n",
    "no_colon": b"X\r\n",
    "empty_name": b": a\r\n",
}


@pytest.mark.parametrize("kind", BAD_FIELDS)
def test_class_21_control_bytes_in_fields_are_502(gw: Gateway, origin: Origin, kind: str) -> None:
    data = b"HTTP/1.1 200 OK\r\n" + BAD_FIELDS[kind] + b"Content-Length: 2\r\n\r\nok"
    origin.serve(lambda _: data)
    with gw.client() as client:
        got = client.ask(request())
        assert got.status == 502
        assert got.error == "http_protocol_error"
    assert gw.log_entries(1)[0]["cause"].startswith("bad_response")
    assert origin.connections[0].wait_gone(1.0) < 1.0


def test_class_24_flood_of_interim_answers_is_bounded(gw: Gateway, origin: Origin) -> None:
    def flood(served: Served) -> None:
        served.read_request()
        for _ in range(5000):
            served.send(head("103 Early Hints", "Link: <a>") * 20)
            if served.ended != "open":
                return

    origin.script(flood)
    with gw.client() as client, PeakMemory(gw) as memory:
        got = client.ask(request("/", method="POST", body=b"x"))
        assert got.status == 502
        assert len(got.interim) <= 8
        memory.assert_below(1 << 20)
    assert gw.log_entries(1)[0]["cause"] == "informational_flood"


def test_class_24_flood_of_100_is_bounded_too(gw: Gateway, origin: Origin) -> None:
    def flood(served: Served) -> None:
        served.read_request()
        for _ in range(5000):
            served.send(head("100 Continue") * 50)
            if served.ended != "open":
                return

    origin.script(flood)
    with gw.client() as client:
        assert client.ask(request("/", method="POST", body=b"x")).status == 502


def test_class_24_unasked_101_is_refused(gw: Gateway, origin: Origin) -> None:
    """CVE class: a tunnel that nobody asked for swallows the next client's requests."""

    def switch(served: Served) -> None:
        served.read_request()
        served.send(head("101 Switching Protocols", "Connection: Upgrade", "Upgrade: toy"))
        served.send(b"tunnel bytes")
        served.wait_gone(3.0)

    origin.script(switch)
    with gw.client() as client:
        got = client.ask(request())
        assert got.status == 502
        assert got.error == "http_upgrade_failed"
    assert gw.log_entries(1)[0]["cause"] == "upgrade_unasked"


def test_class_24_switch_to_another_protocol_than_asked_is_refused(
    gw: Gateway, origin: Origin
) -> None:
    def switch(served: Served) -> None:
        served.read_request()
        served.send(head("101 Switching Protocols", "Connection: Upgrade", "Upgrade: other"))
        served.wait_gone(3.0)

    origin.script(switch)
    with gw.client() as client:
        got = client.ask(request("/", "Connection: Upgrade", "Upgrade: toy"))
        assert got.status == 502


def test_class_24_relayed_and_swallowed_1xx_keep_the_order(gw: Gateway, origin: Origin) -> None:
    hints = head("103 Early Hints", "Link: <a>")
    origin.serve(lambda m: hints + head("100 Continue") + hints + answer(m.target))
    with gw.client() as client:
        client.send(request("/1") + request("/2"))
        for target in ("/1", "/2"):
            got = client.recv_response()
            assert [m.status for m in got.interim] == [103, 103]
            assert got.text == target


def test_class_24_framing_on_a_1xx_is_refused_or_dropped(gw: Gateway, origin: Origin) -> None:
    """RFC 9110 8.6: no Content-Length on a 1xx; a body behind it would be the next answer."""
    odd = b"HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n"
    origin.serve(lambda _: odd + answer(b"final"))
    with gw.client() as client:
        client.send(f"GET / HTTP/1.1\r\n{HOST}\r\n\r\n".encode())
        assert client.recv_response().status in (200, 502)
