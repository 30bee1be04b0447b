"""Bounds of limits.pxd that only show on the wire, each reached from both sides."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.peers.client import Client
from tests.peers.fleet import Stage
from tests.peers.gateway import Gateway
from tests.peers.link import Stopwatch, until
from tests.peers.names import Names
from tests.peers.origin import Origin
from tests.peers.payload import answer, head, request
from tests.peers.served import Served
from tests.peers.settings import proxy_config

INFORMATIONAL_MAX = 8
DRAIN_BODY_MAX = 65536
LINGER_S = 10.0  # LINGER_MS
LINGER_IDLE_S = 2.0  # LINGER_IDLE_MS
EJECT_FAULTS = 3
EJECT_S = 0.25  # EJECT_MS
EJECT_MAX_S = 1.0  # EJECT_MS_MAX
TUNNEL_IDLE_S = 3600  # TUNNEL_IDLE_MS
SMALL_BUFFER = 16384


@pytest.mark.parametrize("count", [INFORMATIONAL_MAX, INFORMATIONAL_MAX + 1])
def test_class_24_informational_max(gw: Gateway, origin: Origin, count: int) -> None:
    origin.serve(lambda _: head("103 Early Hints") * count + answer(b"final"))
    with gw.client() as client:
        got = client.ask(request())
        assert got.status == (200 if count <= INFORMATIONAL_MAX else 502)
        assert len(got.interim) == INFORMATIONAL_MAX


@pytest.mark.parametrize("size", [DRAIN_BODY_MAX - 1000, DRAIN_BODY_MAX * 4])
def test_class_25_unread_body_within_drain_body_max_keeps_the_connection(
    stage: Stage, size: int
) -> None:
    gw = stage.gateway(proxy_config(middleware=[{"respond": {"body": "own"}}]))
    stage.canary_due = False  # no origin behind it
    with gw.client() as client:
        got = client.ask(request("/", method="POST", body=b"x" * size))
        assert got.text == "own"
        assert got.closes == (size > DRAIN_BODY_MAX)
        if not got.closes:
            assert client.ask(request()).text == "own"


def test_class_14_refused_client_that_still_sends_can_read_its_answer(gw: Gateway) -> None:
    """Unread bytes would turn our FIN into a reset that destroys the answer on its way."""
    with gw.client() as client:
        client.methods = [b"GET"]
        client.send(b"BAD\r\n\r\n")
        for _ in range(8):
            client.send(b"x" * 65536)
        got = client.recv_response()
        assert got.status == 400
        client.expect_close(LINGER_IDLE_S + 1)
        assert client.ended == "fin"


def test_class_14_answer_survives_an_upload_that_is_sent_whole_before_it_is_read(
    gw: Gateway,
) -> None:
    """Most clients write all of a body first: no number of unread bytes may turn into a reset."""
    with gw.client() as client:
        client.methods = [b"GET"]
        client.recording = False
        client.send(b"BAD\r\n\r\n")
        for _ in range(32):
            client.send(b"x" * (1 << 20))
        assert client.recv_response().status == 400
        client.expect_close(LINGER_IDLE_S + 1)
        assert client.ended == "fin"


def test_class_14_lingering_ends_after_linger_ms(gw: Gateway) -> None:
    """However much comes: a client can not keep a socket by sending for ever."""
    with gw.client() as client:
        client.methods = [b"GET"]
        client.recording = False
        client.send(b"BAD\r\n\r\n")
        watch = Stopwatch()
        until(lambda: not sends(client), "the connection is reset", LINGER_S + 2)
        watch.assert_took(LINGER_S)
        assert client.ended == "rst"


def sends(client: Client) -> bool:
    """Whether a byte still can be sent."""
    client.send_until_blocked(b"x", 1, quiet_s=0.5)
    return client.ended != "rst"


def test_class_01_lingering_ends_after_linger_idle_ms(gw: Gateway) -> None:
    """A client that keeps its side open after the refusal holds a socket no longer than that."""
    with gw.client() as client:
        client.send(b"BAD\r\n\r\n")
        client.recv_refusal(400)
        watch = Stopwatch()
        until(lambda: gw.sockets <= gw.born_sockets, "the socket is given back", 5.0)
        watch.assert_took(LINGER_IDLE_S)


class Refusing:
    """An origin script that closes at once, and remembers when."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def __call__(self, served: Served) -> None:
        self.times.append(time.monotonic())
        served.close()


def test_class_29_target_is_ejected_after_eject_faults_and_tried_again_with_back_off(
    stage: Stage, origin: Origin
) -> None:
    other = stage.origin(1)
    refusing = Refusing()
    other.serve_script(refusing)
    gw = stage.gateway(proxy_config(origin, other))
    watch = Stopwatch()
    with gw.client() as client:
        while watch.seconds < 3.5:
            assert client.ask(request("/on")).status == 200
            client.expect_silence(0.005)
    times = refusing.times
    first = times[EJECT_FAULTS - 1] - times[0]
    assert first < EJECT_S, "not ejected by the first faults in a row"
    gaps = [b - a for a, b in zip(times[EJECT_FAULTS - 1 :], times[EJECT_FAULTS:], strict=False)]
    rounds = [gap for gap in gaps if gap > EJECT_S * 0.8]
    assert rounds, times
    assert EJECT_S * 0.8 <= rounds[0] <= EJECT_S + 0.15
    assert max(rounds) <= EJECT_MAX_S + 0.15
    assert len(times) <= EJECT_FAULTS * (len(rounds) + 1)


def test_class_29_recovered_target_serves_again_within_eject_ms_max(
    stage: Stage, origin: Origin
) -> None:
    other = stage.origin(1)
    gw = stage.gateway(proxy_config(origin, other))
    other.stop_listening()
    watch = Stopwatch()
    with gw.client() as client:
        while watch.seconds < 2.0:
            assert client.ask(request("/down")).status == 200
            client.expect_silence(0.005)
        other.listen()
        watch = Stopwatch()
        while not other.requests:
            assert client.ask(request("/back")).status == 200
            assert watch.seconds < EJECT_MAX_S + 0.2, "not tried again"
            client.expect_silence(0.005)


def test_tunnel_without_a_byte_ends_after_tunnel_idle_ms(
    stage: Stage, origin: Origin, tmp_path: Path
) -> None:
    clock = Names(tmp_path)
    gw = stage.fresh(proxy_config(origin), env=clock.env)
    stage.canary_due = False
    origin.manual()
    with gw.client() as client:
        client.send(request("/ws", "Connection: Upgrade", "Upgrade: toy"))
        served = origin.accept()
        served.read_request()
        served.start_tunnel(head("101 Switching Protocols", "Connection: Upgrade", "Upgrade: toy"))
        assert client.recv_response().status == 101
        clock.advance(TUNNEL_IDLE_S - 60)
        client.send(b"a")
        assert served.recv_exactly(1) == b"a"
        clock.advance(TUNNEL_IDLE_S - 60)
        client.expect_silence(0.3)
        clock.advance(120)
        with gw.client() as other:  # any event lets the loop see its clock
            other.methods = [b"GET"]
            other.send(b"BAD\r\n\r\n")
            other.recv_response()
        client.expect_close(3.0)
        served.wait_gone(1.0)


def test_class_11_pipelined_bytes_beyond_one_small_buffer_stay_in_the_kernel(
    quick: Gateway, origin: Origin
) -> None:
    """A client may fill its one buffer behind a held request; nothing breaks when it leaves."""
    origin.manual()
    for size in (SMALL_BUFFER // 2, SMALL_BUFFER - 200, SMALL_BUFFER, SMALL_BUFFER * 3):
        client = quick.client()
        client.send(request("/held"))
        served = origin.accept()
        served.read_request()
        fill = request("/fill", "X-Fill: " + "f" * 900)
        client.send(fill * (size // len(fill) + 1))
        served.expect_silence(0.05)
        client.judged = False
        client.reset()
        served.wait_gone(2.0)  # beyond one buffer only a timeout tells that the client has gone
