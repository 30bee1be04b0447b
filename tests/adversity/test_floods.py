"""Classes 9, 10 and 11: very many clients, no descriptors left, very many requests at once."""

from __future__ import annotations

import re
import resource
import socket
import statistics
import threading
import time

import pytest

from tests.peers.fleet import Stage
from tests.peers.gateway import Gateway
from tests.peers.link import until
from tests.peers.origin import Origin
from tests.peers.payload import answer, request
from tests.peers.settings import proxy_config
from tests.peers.volume import assert_growth
from tests.peers.wire import Message


def raise_descriptor_limit(needed: int) -> None:
    """Let this process, and the gateways it starts, open that many files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < needed:
        pytest.skip(f"needs {needed} descriptors, the limit is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))


def raw_connections(gw: Gateway, count: int, data: bytes) -> list[socket.socket]:
    """Plain sockets that have said `data`; not linted, closed by the caller."""
    made = []
    for _ in range(count):
        sock = socket.create_connection(("127.0.0.1", gw.port), timeout=5)
        if data:
            sock.sendall(data)
        made.append(sock)
    return made


def latencies_s(gw: Gateway, count: int) -> list[float]:
    """Times of ordinary requests, new connection included for every tenth."""
    times = []
    client = gw.client()
    for number in range(count):
        if number % 10 == 0:
            client.close()
            client = gw.client()
        started = time.monotonic()
        assert client.ask(request(f"/{number}")).status == 200
        times.append(time.monotonic() - started)
    client.close()
    return times


@pytest.mark.parametrize(
    "count", [300, pytest.param(5000, marks=pytest.mark.slow)], ids=["300", "5000"]
)
def test_class_09_half_sent_requests_leave_others_served_in_ms(
    stage: Stage, origin: Origin, count: int
) -> None:
    raise_descriptor_limit(count + 1000)
    gw = stage.fresh(proxy_config(origin, limits={"max_connections": count + 500}))
    latencies_s(gw, 20)
    before = gw.rss_bytes
    slow = raw_connections(gw, count, b"POST /half HTTP/1.1\r\nHost: a\r\nX-Half: ")
    until(lambda: gw.sockets >= count, "all slow clients accepted", 10.0)
    times = latencies_s(gw, 100)
    each = (gw.rss_bytes - before) / count
    for sock in slow:
        sock.close()
    assert statistics.median(times) < 0.010
    assert max(times) < 0.25
    assert_growth(each, 8192)


@pytest.mark.parametrize("how", ["fin", "rst", "half_request"])
def test_class_10_connect_and_close_storm(gw: Gateway, how: str) -> None:
    for _ in range(10):
        data = b"GET / HT" if how == "half_request" else b""
        for sock in raw_connections(gw, 150, data):
            if how == "rst":
                linger = b"\1\0\0\0\0\0\0\0"
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            sock.close()
    until(lambda: gw.sockets <= gw.born_sockets, "all sockets given back")


def test_class_10_max_connections_pauses_accepting_and_resumes(
    stage: Stage, origin: Origin
) -> None:
    gw = stage.fresh(proxy_config(origin, limits={"max_connections": 20}))
    held = raw_connections(gw, 20, b"GET / HT")
    until(lambda: gw.sockets >= gw.born_sockets + 20, "twenty clients")
    with gw.client() as waiting:
        waiting.send(request("/waited"))
        waiting.expect_silence(0.3)
        cpu = gw.cpu_s
        waiting.expect_silence(0.5)
        assert gw.cpu_s - cpu < 0.1, "busy loop while accepting is paused"
        held.pop().close()
        assert waiting.recv_response().text.startswith("GET /waited")
    for sock in held:
        sock.close()


def test_class_10_descriptor_exhaustion_pauses_and_resumes_without_a_spin(
    stage: Stage, origin: Origin
) -> None:
    gw = stage.fresh(proxy_config(origin), descriptors=128)
    gw.allow_stderr(r"(?i)descriptor|connections|RLIMIT|nofile|accept")
    held = raw_connections(gw, 300, b"GET / HT")
    time.sleep(0.3)
    cpu = gw.cpu_s
    time.sleep(0.7)
    assert gw.cpu_s - cpu < 0.15, "busy loop without descriptors"
    assert gw.descriptors <= 128
    told = [x for x in gw.stderr_text().splitlines() if re.search("(?i)descriptor|accept", x)]
    assert len(told) <= 1, told
    for sock in held:
        sock.close()
    with gw.client() as client:
        assert client.ask(request("/after")).text.startswith("GET /after")


def test_class_11_two_hundred_pipelined_requests_in_order(gw: Gateway) -> None:
    with gw.client() as client:
        client.send(b"".join(request(f"/{n}", f"X-Canary: {n}") for n in range(200)))
        for number in range(200):
            assert client.recv_response().text == f"GET /{number} {number} "


def test_class_11_pipelining_behind_a_slow_answer_is_bounded(gw: Gateway, origin: Origin) -> None:
    """Requests behind a running one are not read without end."""
    may_answer = threading.Event()

    def held(asked: Message) -> bytes:
        assert may_answer.wait(20)
        return answer(asked.target)

    origin.serve(held)
    one = request("/n", "X-Fill: " + "f" * 900)
    limit = 64 << 20
    before = gw.rss_bytes
    with gw.client() as client:
        client.send(one)
        origin.wait_connections(1)
        client.recording = False
        taken = client.send_until_blocked(one * 64, limit)
        assert taken < limit, "nothing stopped the client"
        assert_growth(gw.rss_bytes - before, 2 << 20)
        client.judged = False
        client.reset()
    may_answer.set()
    assert len(origin.requests) <= 1 + 1


def test_class_11_client_that_leaves_behind_its_pipeline(gw: Gateway, origin: Origin) -> None:
    for _ in range(20):
        client = gw.client()
        client.send(request("/a") * 50)
        client.reset()
    until(lambda: gw.sockets <= gw.born_sockets + len(origin.open), "clients gone")
