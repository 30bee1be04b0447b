"""Class 33: TERM stops accepting, lets what runs end, and ends by a deadline."""

from __future__ import annotations

import os
import signal
import socket
import threading

import pytest

from tests.peers.fleet import Stage
from tests.peers.gateway import Gateway
from tests.peers.link import Stopwatch, until
from tests.peers.origin import Origin
from tests.peers.payload import answer, chunk, head, request
from tests.peers.settings import proxy_config
from tests.peers.wire import Message


@pytest.fixture(autouse=True)
def canary(stage: Stage) -> None:
    """A gateway that has been told to end serves no canary."""
    stage.canary_due = False


SOON_S = 5.0
"""A quarter of the deadline: who waits for it is found out, and a busy machine is not."""


@pytest.fixture
def draining(stage: Stage, origin: Origin) -> Gateway:
    """A gateway of the test's own that drains for at most 20 s, which no test waits for."""
    return stage.fresh(proxy_config(origin, drain="20s"))


@pytest.fixture
def hurried(stage: Stage, origin: Origin) -> Gateway:
    """A gateway of the test's own that drains for at most 2 s."""
    return stage.fresh(proxy_config(origin, drain="2s"))


def refuses(gw: Gateway) -> bool:
    """Does nobody listen any more?"""
    try:
        socket.create_connection(("127.0.0.1", gw.port), timeout=1).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_class_33_running_request_ends_with_connection_close(
    draining: Gateway, origin: Origin, number: signal.Signals
) -> None:
    origin.manual()
    with draining.client() as client:
        client.send(request("/running"))
        served = origin.accept()
        served.read_request()
        draining.signal(number)
        until(lambda: refuses(draining), "accepting has stopped", SOON_S)
        served.send(answer(b"finished"))
        got = client.recv_response()
        assert got.text == "finished"
        assert got.closes
        client.expect_close(SOON_S)
    watch = Stopwatch()
    assert draining.wait_exit() == 0
    assert watch.seconds < SOON_S
    assert draining.log_entries(1)[0]["status"] == 200


@pytest.mark.parametrize("workers", [1, 2])
def test_class_33_worker_that_gets_term_by_itself_keeps_nobody_waiting(
    stage: Stage, origin: Origin, workers: int
) -> None:
    started, over = threading.Event(), threading.Event()

    def serve(asked: Message) -> bytes:
        if asked.target == b"/running":
            started.set()
            over.wait(10)
        return answer(asked.target)

    origin.serve(serve)
    gw = stage.fresh(proxy_config(origin, drain="10s", workers=workers))
    before = gw.workers
    with gw.client() as client:
        client.send(request("/running"))
        assert started.wait(10)
        for pid in before:
            os.kill(pid, signal.SIGTERM)
        seen, asked = set(before), 0
        while len(seen) < 2 * workers or asked < 40:  # nobody is refused, nobody hangs
            with gw.client() as other:
                assert other.ask(request(f"/{asked}")).text == f"/{asked}"
            asked += 1
            seen |= set(gw.workers)
        over.set()
        assert client.recv_response().text == "/running"
    until(lambda: not set(before) & set(gw.workers), "those that were told are gone")
    gw.signal()
    assert gw.wait_exit() == 0


def test_class_33_idle_connections_do_not_hold_the_drain(draining: Gateway) -> None:
    clients = [draining.client() for _ in range(5)]
    for client in clients:
        assert client.ask(request()).status == 200
    fresh = draining.client()
    until(lambda: draining.sockets >= draining.born_sockets + 6, "all accepted")
    watch = Stopwatch()
    draining.signal()
    for client in (*clients, fresh):
        client.expect_close(SOON_S)
    assert draining.wait_exit() == 0
    assert watch.seconds < SOON_S


def test_class_33_pipelined_requests_are_answered_or_visibly_not(
    draining: Gateway, origin: Origin
) -> None:
    """What comes behind the answer with Connection: close was not served, and the client sees."""
    origin.manual()
    with draining.client() as client:
        client.send(request("/1") + request("/2"))
        served = origin.accept()
        served.read_request()
        draining.signal()
        until(lambda: refuses(draining), "accepting has stopped", SOON_S)
        served.send(answer(b"one"))
        got = client.recv_response()
        if not got.closes:
            assert served.read_request().target == b"/2"
            served.send(answer(b"two"))
            assert client.recv_response().closes
        client.expect_close(SOON_S)
    assert draining.wait_exit() == 0


def test_class_33_deadline_cuts_what_still_runs(hurried: Gateway, origin: Origin) -> None:
    origin.manual()
    with hurried.client() as client:
        client.send(request("/endless"))
        served = origin.accept()
        served.read_request()
        served.send(head("200 OK", "Transfer-Encoding: chunked") + chunk(b"first"))
        client.recv_head()
        hurried.signal()
        watch = Stopwatch()
        client.cut_allowed = True
        client.recv_until_close()
        watch.assert_took(2.0)
        assert not bytes(client.received).endswith(b"0\r\n\r\n")
        served.wait_gone(1.0)
    assert hurried.wait_exit() == 0
    assert hurried.log_entries(1)[0]["cause"] == "stopped"


def test_class_33_deadline_answers_503_to_who_has_no_answer_yet(
    hurried: Gateway, origin: Origin
) -> None:
    origin.manual()
    with hurried.client() as client:
        client.send(request("/waiting"))
        origin.accept().read_request()
        hurried.signal()
        watch = Stopwatch()
        client.cut_allowed = True
        data = client.recv_until_close()
        watch.assert_took(2.0)
        assert data == b"" or data.startswith(b"HTTP/1.1 503 ")
    assert hurried.wait_exit() == 0


def test_class_33_second_signal_stops_now(draining: Gateway, origin: Origin) -> None:
    origin.manual()
    with draining.client() as client:
        client.cut_allowed = True
        client.send(request("/running"))
        origin.accept().read_request()
        draining.signal()
        until(lambda: refuses(draining), "accepting has stopped", SOON_S)
        watch = Stopwatch()
        draining.signal()
        assert draining.wait_exit() == 0
        assert watch.seconds < SOON_S
        client.recv_until_close()


def test_class_33_running_upload_may_end(draining: Gateway, origin: Origin) -> None:
    with draining.client() as client:
        client.send(request("/", "Content-Length: 10", method="POST") + b"12345")
        until(lambda: any(c.heads for c in origin.connections), "the head at the origin")
        draining.signal()
        until(lambda: refuses(draining), "accepting has stopped", SOON_S)
        client.send(b"67890")
        got = client.recv_response()
        assert got.status == 200
        assert got.closes
        client.expect_close(SOON_S)
    assert draining.wait_exit() == 0
    assert origin.requests[0].body == b"1234567890"


def test_class_33_term_under_load_loses_no_request_that_was_taken(
    draining: Gateway, origin: Origin
) -> None:
    """A client gets its whole answer, or a close before a byte of one."""
    wrong: list[str] = []

    def ask_on() -> None:
        try:
            while True:
                with draining.client() as client:
                    client.send(request())
                    data = client.recv_until_close() if refuses(draining) else b""
                    if not data and not client.received:
                        got = client.recv_response_or_cut()
                        if got.status and not got.complete:
                            wrong.append(f"cut: {got}")
        except (ConnectionRefusedError, ConnectionResetError):
            return

    threads = [threading.Thread(target=ask_on) for _ in range(4)]
    for thread in threads:
        thread.start()
    until(lambda: len(draining.log_entries()) > 20, "load")
    draining.signal()
    for thread in threads:
        thread.join(5)
    assert not any(thread.is_alive() for thread in threads)
    assert not wrong, wrong
    assert draining.wait_exit() == 0
