"""What two servers could read differently is refused, over real sockets.

Thirty cases stand for the corpus in tests/corpus: each gets its status, its cause in the log
and a closed connection, and none of its bytes reaches the origin.
"""

from __future__ import annotations

import pytest

from tests.peers.fleet import Stage
from tests.peers.gateway import Gateway
from tests.peers.origin import Origin
from tests.peers.payload import request

H = b"Host: test.example\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\n" + H + b"\r\n"

CASES = {
    "cl_te": (
        400,
        "bad_framing",
        b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\n\r\n" + SMUGGLED,
    ),
    "te_cl": (
        400,
        "bad_framing",
        b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"
        b"0\r\n\r\n" + SMUGGLED,
    ),
    "two_lengths": (
        400,
        "bad_framing",
        b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    ),
    "length_list": (
        400,
        "bad_framing",
        b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 5, 5\r\n\r\nhello",
    ),
    "length_plus": (
        400,
        "bad_framing",
        b"POST / HTTP/1.1\r\n" + H + b"Content-Length: +5\r\n\r\nhello",
    ),
    "length_hex": (
        400,
        "bad_framing",
        b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 0x5\r\n\r\nhello",
    ),
    "length_empty": (
        400,
        "bad_framing",
        b"POST / HTTP/1.1\r\n" + H + b"Content-Length:\r\n\r\n" + SMUGGLED,
    ),
    "length_wraps": (
        400,
        "bad_framing",
        b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 18446744073709551621\r\n\r\nhello",
    ),
    "te_unknown": (
        501,
        "unknown_coding",
        b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
    ),
    "te_list": (
        (400, 501),
        None,
        b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    ),
    "te_empty_member": (
        (400, 501),
        None,
        b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n",
    ),
    "te_vertical_tab": (
        (400, 501),
        None,
        b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    ),
    "te_twice": (
        (400, 501),
        None,
        b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\n"
        b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    ),
    "te_in_1_0": (
        400,
        None,
        b"POST / HTTP/1.0\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    "space_before_colon": (
        400,
        "bad_header",
        b"POST / HTTP/1.1\r\n" + H + b"Content-Length : 5\r\n\r\nhello",
    ),
    "fold": (
        400,
        "bad_header",
        b"GET / HTTP/1.1\r\n" + H + b"X-A: 1\r\n Content-Length: 5\r\n\r\n",
    ),
    "empty_name": (400, "bad_header", b"GET / HTTP/1.1\r\n" + H + b": x\r\n\r\n"),
    "nul_in_value": (400, "bad_header", b"GET / HTTP/1.1\r\n" + H + b"X-A: a\x00b\r\n\r\n"),
    "bare_cr_in_value": (400, "bad_header", b"GET / HTTP/1.1\r\n" + H + b"X-A: a\rb\r\n\r\n"),
    "bare_lf": (400, None, b"GET / HTTP/1.1\n" + H + b"\r\n"),
    "bare_lf_after_field": (400, None, b"GET / HTTP/1.1\r\nHost: test.example\nX: y\r\n\r\n"),
    "no_host": (400, "bad_host", b"GET / HTTP/1.1\r\n\r\n"),
    "two_hosts": (400, "bad_host", b"GET / HTTP/1.1\r\n" + H + b"Host: b\r\n\r\n"),
    "bad_host": (400, "bad_host", b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    "host_with_user": (400, "bad_host", b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"),
    "two_spaces": (400, "bad_request_line", b"GET  / HTTP/1.1\r\n" + H + b"\r\n"),
    "control_in_target": (400, None, b"GET /\x01 HTTP/1.1\r\n" + H + b"\r\n"),
    "fragment_in_target": (400, "bad_target", b"GET /a#b HTTP/1.1\r\n" + H + b"\r\n"),
    "http_0_9": ((400, 505), None, b"GET /\r\n\r\n"),
    "http_2_0": (505, "bad_version", b"GET / HTTP/2.0\r\n" + H + b"\r\n"),
    "http_1_2": (505, "bad_version", b"GET / HTTP/1.2\r\n" + H + b"\r\n"),
    "rtsp": ((400, 505), None, b"OPTIONS * RTSP/1.0\r\n" + H + b"\r\n"),
    "h2_preface": ((400, 505, 501), None, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "unknown_method": (501, "unknown_method", b"FROBNICATE / HTTP/1.1\r\n" + H + b"\r\n"),
    "lower_case_method": ((400, 501), None, b"get / HTTP/1.1\r\n" + H + b"\r\n"),
    "tls_hello": ((400,), None, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 40),
    "junk": ((400,), None, b"\xff\xfe\x00junk\r\n\r\n"),
}


@pytest.fixture(autouse=True)
def canary(stage: Stage) -> None:
    """Two ordinary requests get their own answers after each refusal."""
    stage.canary_due = True


@pytest.mark.parametrize("name", CASES)
def test_ambiguous_request_is_refused_and_closed(gw: Gateway, origin: Origin, name: str) -> None:
    statuses, cause, data = CASES[name]
    statuses = statuses if isinstance(statuses, tuple) else (statuses,)
    with gw.client() as client:
        client.methods = [b"GET"]
        client.send(data)
        got = client.recv_refusal(*statuses)
        assert got.error == "http_request_error"
    assert origin.requests == []
    (entry,) = gw.log_entries(1)
    assert entry["status"] in statuses
    assert cause is None or entry["cause"] == cause


CHUNK_CASES = {
    "size_plus": b"+5\r\nhello\r\n0\r\n\r\n",
    "size_minus": b"-5\r\nhello\r\n0\r\n\r\n",
    "size_0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "size_underscore": b"1_0\r\nhello\r\n0\r\n\r\n",
    "size_empty": b"\r\nhello\r\n0\r\n\r\n",
    "size_wraps": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "bare_lf": b"5\nhello\r\n0\r\n\r\n",
    "bare_lf_in_extension": b"5;a\nhello\r\n0\r\n\r\n",
    "bare_cr_in_extension": b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    "no_crlf_after_data": b"5\r\nhello0\r\n\r\n",
    "long_data": b"5\r\nhello!\r\n0\r\n\r\n",
    "bad_trailer": b"5\r\nhello\r\n0\r\nbad trailer\r\n\r\n",
    "folded_trailer": b"5\r\nhello\r\n0\r\nX: a\r\n b\r\n\r\n",
}


@pytest.mark.parametrize("name", CHUNK_CASES)
def test_bad_chunk_framing_never_completes_at_the_origin(
    gw: Gateway, origin: Origin, name: str
) -> None:
    with gw.client() as client:
        client.methods = [b"POST"]
        client.send(request("/", "Transfer-Encoding: chunked", method="POST"))
        client.send(CHUNK_CASES[name] + SMUGGLED)
        client.recv_refusal(400)
    for served in origin.connections:
        served.cut_allowed = True
        if served.received:  # a connection that has carried nothing may wait for its first use
            served.wait_gone(1.0)
    assert origin.requests == []
    (entry,) = gw.log_entries(1)
    assert entry["cause"] in ("bad_chunk", "bad_trailer")


RESPONSE_CASES = {
    "both_framings": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"0\r\n\r\n",
    "two_lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!",
    "bad_length": b"HTTP/1.1 200 OK\r\nContent-Length: 2x\r\n\r\nok",
    "negative_length": b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
    "te_unknown": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok",
    "te_in_1_0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "nul_in_value": b"HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 2\r\n\r\nok",
    "nul_in_reason": b"HTTP/1.1 200 O\x00K\r\nContent-Length: 2\r\n\r\nok",
    "bare_cr": b"HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 2\r\n\r\nok",
    "fold": b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
    "space_before_colon": b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
    "bad_name": b"HTTP/1.1 200 OK\r\nX Y: a\r\nContent-Length: 2\r\n\r\nok",
    "status_two_digits": b"HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok",
    "status_four_digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok",
    "status_600": b"HTTP/1.1 600 Over\r\nContent-Length: 2\r\n\r\nok",
    "status_099": b"HTTP/1.1 099 Under\r\nContent-Length: 2\r\n\r\nok",
    "http_2": b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "bare_lf": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
}


@pytest.mark.parametrize("name", RESPONSE_CASES)
def test_ambiguous_response_is_502(gw: Gateway, origin: Origin, name: str) -> None:
    origin.serve(lambda _: RESPONSE_CASES[name])
    with gw.client() as client:
        got = client.ask(request())
        assert got.status == 502
        assert got.error in ("http_protocol_error", "http_response_transfer_coding")
    (entry,) = gw.log_entries(1)
    assert entry["status"] == 502
    assert entry["cause"].startswith(("bad_response", "response_"))
    assert origin.connections[0].wait_gone(1.0) < 1.0  # and never used again
