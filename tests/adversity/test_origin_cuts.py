"""Classes 19, 23 and 25: answers cut short, stalled, or given before the request has ended."""

from __future__ import annotations

import contextlib
import threading

import pytest

from tests.peers.fleet import Stage
from tests.peers.gateway import Gateway
from tests.peers.link import Stopwatch
from tests.peers.origin import Origin
from tests.peers.payload import answer, chunk, chunked_answer, head, request
from tests.peers.served import Script, Served
from tests.peers.settings import SHORT_S, proxy_config
from tests.peers.wire import Cut

LENGTH = head("200 OK", "Content-Length: 100")
CHUNKED = head("200 OK", "Transfer-Encoding: chunked")
CLOSE = head("200 OK", "Connection: close")
CUT_BODIES = {
    "short_length": LENGTH + b"short",
    "no_body": LENGTH,
    "in_chunk": CHUNKED + b"10\r\nhalf",
    "in_chunk_size": CHUNKED + chunk(b"one") + b"1",
    "between_chunks": CHUNKED + chunk(b"one"),
    "before_last_line": CHUNKED + chunk(b"one") + b"0\r\n",
    "in_trailer": CHUNKED + chunk(b"one") + b"0\r\nX-T: y",
}
BAD_CHUNKS = {
    "size": CHUNKED + chunk(b"one") + b"zz\r\nbad\r\n0\r\n\r\n",
    "end": CHUNKED + b"3\r\none!\r\n0\r\n\r\n",
    "bare_lf": CHUNKED + b"3\none\n0\n\n",
    "huge_size": CHUNKED + b"ffffffffffffffffff\r\n",
    "negative": CHUNKED + b"-1\r\n",
}


@pytest.fixture
def short_total(stage: Stage, origin: Origin) -> Gateway:
    """A gateway whose exchanges may take 600 ms in all."""
    return stage.gateway(proxy_config(origin, timeouts={"total": "600ms"}))


def script(data: bytes, how: str) -> Script:
    """Answer with these bytes, then end."""

    def end(served: Served) -> None:
        served.read_request()
        served.send(data)
        if how == "rst":
            served.stall(0.03)
            served.reset()

    return end


def hold(served: Served) -> None:
    """Take a request and say nothing until the gateway goes."""
    served.read_request()
    served.wait_gone(3.0)


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("where", CUT_BODIES)
def test_class_19_answer_cut_by_the_origin_is_cut_for_the_client(
    gw: Gateway, origin: Origin, where: str, how: str
) -> None:
    origin.script(script(CUT_BODIES[where], how))
    with gw.client() as client:
        client.send(request("/", method="POST", body=b"x"))
        got = client.recv_cut()
        assert got.status in (0, 200)
        assert client.ended != "open"
    entry = gw.log_entries(1)[0]
    assert entry["cause"] in ("response_incomplete", "upstream_reset")


@pytest.mark.parametrize("kind", BAD_CHUNKS)
def test_class_19_bad_chunk_is_never_a_complete_answer(
    gw: Gateway, origin: Origin, kind: str
) -> None:
    origin.script(script(BAD_CHUNKS[kind], "fin"))
    with gw.client() as client:
        client.send(request("/", method="POST", body=b"x"))
        got = client.recv_response_or_cut()
        assert got.status == 502 or not got.complete
    assert gw.log_entries(1)[0]["cause"] == "bad_response_chunk"
    assert origin.connections[0].wait_gone(1.0) < 1.0


def test_class_19_reset_of_an_answer_delimited_by_close_is_no_end(
    gw: Gateway, origin: Origin
) -> None:
    origin.script(script(CLOSE + b"some of it", "rst"))
    with gw.client() as client:
        client.send(request("/", method="POST", body=b"x"))
        assert client.recv_cut().body in (b"", b"some of it")


@pytest.mark.parametrize("data", [CHUNKED + chunk(b"one"), CUT_BODIES["short_length"]])
def test_class_19_1_0_client_sees_a_reset_not_an_end(
    gw: Gateway, origin: Origin, data: bytes
) -> None:
    """A FIN would complete a body that only the close delimits."""
    origin.script(script(data, "fin"))
    with gw.client() as client:
        client.send(request("/", version="HTTP/1.0"))
        got = client.recv_cut()
        if got.framing == "close":
            assert client.ended == "rst"


def test_class_23_silent_origin_is_504_at_the_response_timeout(
    quick: Gateway, origin: Origin
) -> None:
    origin.script(hold)
    with quick.client() as client:
        watch = Stopwatch()
        got = client.ask(request())
        watch.assert_took(SHORT_S["response"])
        assert got.status == 504
        assert got.error == "http_response_timeout"
    assert quick.log_entries(1)[0]["cause"] == "response_timeout"
    assert len(origin.requests) == 1  # a slow origin is not asked twice


@pytest.mark.parametrize(
    "part", [b"H", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nX: y\r\nConte"]
)
def test_class_23_stall_in_the_head_is_504(quick: Gateway, origin: Origin, part: bytes) -> None:
    def stall(served: Served) -> None:
        served.read_request()
        served.send(part)
        served.wait_gone(3.0)

    origin.script(stall)
    with quick.client() as client:
        watch = Stopwatch()
        got = client.ask(request())
        watch.assert_took(SHORT_S["between_bytes"])
        assert got.status == 504
    assert quick.log_entries(1)[0]["cause"] in ("response_timeout", "upstream_stalled")


@pytest.mark.parametrize("data", [LENGTH + b"some", CHUNKED + chunk(b"some"), CLOSE + b"some"])
def test_class_23_stall_in_the_body_cuts_at_the_timeout(
    quick: Gateway, origin: Origin, data: bytes
) -> None:
    def stall(served: Served) -> None:
        served.read_request()
        served.send(data)
        served.wait_gone(3.0)

    origin.script(stall)
    with quick.client() as client:
        client.send(request())
        watch = Stopwatch()
        assert client.recv_cut().status == 200
        watch.assert_took(SHORT_S["between_bytes"])
    assert quick.log_entries(1)[0]["cause"] == "upstream_stalled"


def test_class_23_slow_but_steady_body_is_not_timed_out(quick: Gateway, origin: Origin) -> None:
    def steady(served: Served) -> None:
        served.read_request()
        served.send(head("200 OK", "Content-Length: 50"))
        served.send_bytewise(b"s" * 50, size=10, gap_s=SHORT_S["between_bytes"] * 0.5)

    origin.script(steady)
    with quick.client() as client:
        assert client.ask(request()).body == b"s" * 50


def test_class_23_response_timeout_starts_after_the_request_is_sent(
    quick: Gateway, origin: Origin
) -> None:
    with quick.client() as client:
        client.send(request("/", "Content-Length: 50", method="POST"))
        client.send_bytewise(b"s" * 50, size=10, gap_s=SHORT_S["response"] * 0.5)
        assert client.recv_response().status == 200


def test_class_23_total_timeout_covers_the_whole_exchange(
    short_total: Gateway, origin: Origin
) -> None:
    def steady(served: Served) -> None:
        served.read_request()
        served.send(CHUNKED)
        for _ in range(40):
            served.send(chunk(b"s"))
            if served.recv_within(0.05) or served.ended != "open":
                return

    origin.script(steady)
    with short_total.client() as client:
        watch = Stopwatch()
        client.send(request())
        assert client.recv_cut().status == 200
        watch.assert_took(0.6)
    assert short_total.log_entries(1)[0]["cause"] == "total_timeout"


def test_class_23_total_timeout_without_an_answer_is_504(
    short_total: Gateway, origin: Origin
) -> None:
    origin.script(hold)
    with short_total.client() as client:
        watch = Stopwatch()
        got = client.ask(request())
        watch.assert_took(0.6)
        assert got.status == 504
        assert got.error == "http_response_timeout"
    assert short_total.log_entries(1)[0]["cause"] == "total_timeout"


@pytest.mark.parametrize(("path", "limit_s"), [("/", 0.9), ("/up", 0.6), ("/route", 0.3)])
def test_class_23_timeouts_resolve_global_then_upstream_then_route(
    stage: Stage, origin: Origin, path: str, limit_s: float
) -> None:
    upstreams = {
        "plain": {"targets": [origin.url]},
        "own": {"targets": [origin.url], "timeouts": {"response": "600ms"}},
    }
    routes = [
        {"name": "all", "match": {"path": "/*"}, "upstream": "plain"},
        {"name": "up", "match": {"path": "/up"}, "upstream": "own"},
        {
            "name": "route",
            "match": {"path": "/route"},
            "upstream": "own",
            "timeouts": {"response": "300ms"},
        },
    ]
    config = proxy_config(upstreams=upstreams, routes=routes, timeouts={"response": "900ms"})
    gw = stage.gateway(config)
    origin.script(hold)
    with gw.client() as client:
        watch = Stopwatch()
        assert client.ask(request(path)).status == 504
        watch.assert_took(limit_s)


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_class_25_unread_body_after_an_early_answer_never_becomes_a_request(
    gw: Gateway, origin: Origin, framing: str
) -> None:
    inner = request("/inner")
    origin.manual()
    with gw.client() as client:
        client.methods = [b"POST"]
        if framing == "length":
            client.send(request("/", f"Content-Length: {len(inner) * 2}", method="POST") + inner)
        else:
            client.send(request("/", "Transfer-Encoding: chunked", method="POST") + chunk(inner))
        served = origin.accept()
        served.cut_allowed = True
        asked = served.read_head()
        served.send(answer(b"early"))
        assert client.recv_response().text == "early"
        client.send(inner if framing == "length" else chunk(inner))
        client.recv_within(0.2)
        assert bytes(client.received).count(b"HTTP/1.1 ") == 1
        with contextlib.suppress(Cut):  # the gateway may end the body, or the connection
            client.close()
            served.read_body(asked)
    for each in origin.connections:
        assert all(m.target != b"/inner" for m in each.heads)


def test_class_25_early_answer_and_rest_of_the_body_leave_a_clean_connection(
    gw: Gateway, origin: Origin
) -> None:
    """If the connection is kept, what follows the rest of the body is the next request."""
    told = threading.Event()

    def early(served: Served) -> None:
        served.cut_allowed = True
        asked = served.read_head()
        served.send(answer(b"early"))
        told.set()
        served.read_body(asked)
        served.serve()

    origin.script(early)
    with gw.client() as client:
        client.methods = [b"POST", b"GET"]
        client.send(request("/", "Content-Length: 10", method="POST") + b"12345")
        got = client.recv_response()
        assert got.text == "early"
        if not got.closes:
            assert client.ask(b"67890" + request("/next")).text.startswith("GET /next")


def test_class_25_origin_that_answers_early_and_closes(gw: Gateway, origin: Origin) -> None:
    def refuse(served: Served) -> None:
        served.cut_allowed = True
        served.read_head()
        served.send(answer(b"too large", "Connection: close", status="413 Content Too Large"))
        served.half_close()
        served.wait_gone(3.0)

    origin.script(refuse)
    with gw.client() as client:
        client.methods = [b"POST"]
        client.send(request("/", "Content-Length: 50000000", method="POST"))
        client.send(b"x" * 400_000)
        got = client.recv_response()
        assert (got.status, got.text) == (413, "too large")


def test_class_25_early_answer_chunked_while_upload_goes_on(gw: Gateway, origin: Origin) -> None:
    origin.serve(lambda m: chunked_answer([b"got ", b"%d" % len(m.body)]))
    with gw.client() as client:
        got = client.ask(request("/", method="POST", body=b"x" * 100_000))
        assert got.text == "got 100000"
