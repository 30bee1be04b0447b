"""Classes 4 to 7: clients that reset, half-close, do not read, or leave in the middle."""

from __future__ import annotations

import threading
import time

import pytest

from tests.peers.fleet import Stage
from tests.peers.gateway import Gateway
from tests.peers.link import Stopwatch, until
from tests.peers.origin import Origin
from tests.peers.payload import answer, body_of, chunk, head, request
from tests.peers.served import Served
from tests.peers.settings import SHORT, SHORT_S, proxy_config
from tests.peers.volume import PeakMemory


def test_class_04_answer_for_a_client_that_reset_goes_to_nobody(
    gw: Gateway, origin: Origin
) -> None:
    origin.manual()
    gone = gw.client()
    gone.send(request("/secret"))
    served = origin.accept()
    served.read_request()
    gone.reset()
    assert served.wait_gone(1.0) < 1.0
    served.send(answer(b"the secret"))
    served.close()
    assert gw.log_entries(1)[0]["status"] == 499
    origin.serve()
    for number in range(3):
        with gw.client() as client:
            assert client.ask(request(f"/{number}")).text.startswith(f"GET /{number}")


def test_class_04_reset_behind_pipelined_requests_ends_the_running_one(
    gw: Gateway, origin: Origin
) -> None:
    origin.manual()
    gone = gw.client()
    gone.send(request("/1") + request("/2") + request("/3"))
    served = origin.accept()
    served.read_request()
    gone.reset()
    served.wait_gone(1.0)
    origin.expect_no_connection()
    assert gw.log_entries(1)[0]["target"] == "/1"


@pytest.mark.parametrize("how", ["abort", "answer"])
def test_class_05_half_close_after_a_request(stage: Stage, origin: Origin, how: str) -> None:
    listeners = [{"name": "http", "bind": "127.0.0.1:0", "half_close": how}]
    gw = stage.gateway(proxy_config(origin, listeners=listeners))
    origin.manual()
    with gw.client() as client:
        client.send(request("/half"))
        served = origin.accept()
        served.read_request()
        client.half_close()
        if how == "abort":
            assert served.wait_gone(1.0) < 1.0
            client.expect_close(1.0)
            assert gw.log_entries(1)[0]["cause"] == "client_closed"
            assert gw.log_entries()[0]["status"] == 499
        else:
            served.expect_silence(0.2)
            served.send(answer(b"still yours"))
            assert client.recv_response().text == "still yours"
            client.expect_close(1.0)
            assert gw.log_entries(1)[0]["cause"] == "-"


def test_class_05_half_close_with_answer_delivers_all_pipelined_answers(
    stage: Stage, origin: Origin
) -> None:
    listeners = [{"name": "http", "bind": "127.0.0.1:0", "half_close": "answer"}]
    gw = stage.gateway(proxy_config(origin, listeners=listeners))
    with gw.client() as client:
        client.send(request("/1") + request("/2") + request("/3"))
        client.half_close()
        assert [client.recv_response().text[:6] for _ in range(3)] == ["GET /1", "GET /2", "GET /3"]
        client.expect_close(1.0)


def test_class_05_half_close_between_requests_is_a_quiet_end(gw: Gateway) -> None:
    with gw.client() as client:
        assert client.ask(request()).status == 200
        client.half_close()
        client.expect_close(1.0)
    assert len(gw.log_entries(1)) == 1


class Flood:
    """An origin script: an answer of 256 MiB as fast as it is taken."""

    SIZE = 256 << 20

    def __init__(self) -> None:
        self.taken = 0
        self.last_s = 0.0  # when bytes were taken last
        self.gone_s = 0.0  # when the gateway ended the connection

    def __call__(self, served: Served) -> None:
        served.read_request()
        served.send(head("200 OK", f"Content-Length: {self.SIZE}"))
        served.recording = False
        piece = body_of(1 << 16)
        try:
            while self.taken < self.SIZE:
                self.taken += served.sock.send(piece)
                self.last_s = time.monotonic()
        except OSError:
            self.gone_s = time.monotonic()


def test_class_06_client_that_does_not_read_pauses_the_origin_and_times_out(
    stage: Stage, origin: Origin
) -> None:
    gw = stage.gateway(proxy_config(origin, timeouts={**SHORT, "between_bytes": "20s"}))
    flood = Flood()
    origin.script(flood)
    with gw.client(receive_buffer=4096) as client, PeakMemory(gw) as memory:
        client.cut_allowed = True
        client.send(request())
        until(lambda: flood.gone_s, "the origin let go", 5.0)
        assert flood.taken < 64 << 20, "nothing stopped the origin"
        # The kernel may take bytes for the gateway after the client has stalled: no lower bound.
        waited = flood.gone_s - flood.last_s
        assert waited <= SHORT_S["slow_reader"] + 0.15, waited
        memory.assert_below(1 << 20)
    entry = gw.log_entries(1)[0]
    assert entry["cause"] == "slow_reader"
    assert entry["duration_ms"] >= SHORT_S["slow_reader"] * 1000


def test_class_06_slow_but_reading_client_is_not_timed_out(quick: Gateway, origin: Origin) -> None:
    body = body_of(3_000_000)
    origin.serve(lambda _: answer(body))
    with quick.client(receive_buffer=65536) as client:
        client.send(request())
        got = client.recv_head()
        taken = bytearray()
        for _ in range(12):
            taken += client.recv_exactly(20_000)
            time.sleep(SHORT_S["slow_reader"] / 4)  # slower than the timeout in total
        taken += client.recv_exactly(len(body) - len(taken))
        assert got.status == 200
        assert bytes(taken) == body


def test_class_06_blocked_client_does_not_block_others(gw: Gateway, origin: Origin) -> None:
    origin.script(Flood())
    with gw.client(receive_buffer=4096) as blocked:
        blocked.cut_allowed = True
        blocked.send(request("/flood"))
        origin.wait_connections(1)
        with gw.client() as client:
            watch = Stopwatch()
            for number in range(20):
                assert client.ask(request(f"/{number}")).status == 200
            assert watch.seconds < 1.0
    origin.connections[0].wait_gone(1.0)


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_class_07_client_leaves_in_large_answer_lets_origin_go(
    gw: Gateway, origin: Origin, how: str
) -> None:
    flood = Flood()
    origin.script(flood)
    client = gw.client()
    client.send(request())
    assert client.recv_exactly(1 << 20)
    if how == "fin":
        client.close()
    else:
        client.reset()
    watch = Stopwatch()
    until(lambda: flood.gone_s, "the origin let go", 3.0)
    assert watch.seconds < 1.0
    entry = gw.log_entries(1)[0]
    assert entry["cause"] in ("client_closed", "client_reset")


def test_class_07_client_leaves_between_two_pieces(gw: Gateway, origin: Origin) -> None:
    """Nothing is being written just then: only reading the client tells that it has gone."""
    origin.manual()
    client = gw.client()
    client.send(request())
    served = origin.accept()
    served.read_request()
    served.send(head("200 OK", "Transfer-Encoding: chunked") + chunk(b"first"))
    client.recv_head()
    client.close()
    assert served.wait_gone(1.0) < 1.0


def test_class_07_client_leaves_while_its_upload_and_answer_both_run(
    gw: Gateway, origin: Origin
) -> None:
    started = threading.Event()

    def duplex(served: Served) -> None:
        served.cut_allowed = True
        served.read_head()
        served.send(head("200 OK", "Transfer-Encoding: chunked") + chunk(b"first"))
        started.set()
        served.wait_gone(3.0)

    origin.script(duplex)
    client = gw.client()
    client.send(request("/", "Transfer-Encoding: chunked", method="POST") + chunk(b"some"))
    assert started.wait(3)
    client.recv_head()
    client.reset()
    origin.wait_all_gone(1.5)
    assert gw.log_entries(1)[0]["status"] in (200, 499)
