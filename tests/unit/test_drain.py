"""A worker that drains serves what is on its way, says so in each answer, and ends soon."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

import pytest
from pygw._core.worker import Worker

from tests.unit.memory import GET, OK, serving
from tests.unit.test_worker import listen, on_loop, plan_to, until

IDLE_MS = 500


@pytest.mark.parametrize("kept", [False, True], ids=["fresh", "kept"])
@pytest.mark.parametrize("idle_ms", [0, IDLE_MS])
def test_request_that_lies_unread_is_answered_and_not_reset(kept: bool, idle_ms: int) -> None:
    with serving() as gate:
        client = gate.client(GET if kept else b"")
        if kept:
            gate.origin.send(OK)
        client.sent += GET
        client.end.send(GET)  # nobody has read it yet
        gate.worker.drain(idle_ms)
        gate.worker.settle()
        gate.origin.send(OK)
        assert client.statuses == [200] * (1 + kept)
        assert client.answers()[-1].closes
        assert client.closed and client.ended == "fin"


@pytest.mark.parametrize("kept", [False, True], ids=["fresh", "kept"])
def test_connection_at_rest_may_bring_one_more_request(kept: bool) -> None:
    with serving() as gate:
        client = gate.client(GET if kept else b"")
        if kept:
            gate.origin.send(OK)
        gate.worker.drain(IDLE_MS)
        gate.advance(IDLE_MS - 100)
        client.send(GET)
        gate.origin.send(OK)
        assert client.statuses == [200] * (1 + kept)
        assert client.answers()[-1].closes
        assert client.closed


@pytest.mark.parametrize("idle_ms", [0, IDLE_MS])
def test_connection_that_stays_at_rest_is_closed(idle_ms: int) -> None:
    with serving() as gate:
        clients = gate.client(), gate.client(GET)
        gate.origin.send(OK)
        gate.worker.drain(idle_ms)
        if idle_ms:
            gate.advance(idle_ms - 100)
            assert not any(client.closed for client in clients)
        gate.advance(200)
        assert all(client.closed and client.ended == "fin" for client in clients)


def test_answer_that_promised_to_keep_the_connection_keeps_it_for_one_request() -> None:
    """Its head left before the drain, so the client does not know of it."""
    with serving() as gate:
        client = gate.client(GET)
        gate.origin.send(OK[:-1])
        gate.worker.drain(IDLE_MS)
        gate.advance(5 * IDLE_MS)
        gate.origin.send(OK[-1:])
        assert not client.closed
        client.send(GET)
        gate.origin.send(OK)
        assert [one.closes for one in client.answers()] == [False, True]
        assert client.closed


def test_keep_alive_that_runs_out_does_not_reset_who_was_in_time() -> None:
    with serving(timeouts={"keepalive_ms": 1000}) as gate:
        client = gate.client(GET)
        gate.origin.send(OK)
        client.sent += GET
        client.end.send(GET)
        gate.worker.expire(2000)  # time passes before the bytes are looked at
        gate.worker.settle()
        gate.origin.send(OK)
        assert client.statuses == [200, 200]


def test_request_in_the_socket_is_answered_though_the_drain_comes_first() -> None:
    async def check(worker: Worker, service: socket.socket) -> None:
        worker.publish(plan_to(service))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            worker.listen(listener.fileno(), "http")
            client = socket.create_connection(listener.getsockname())
            await until(lambda: worker.stats()["accepted"] == 1)
            client.sendall(GET)
            drain = worker.drain(0.2, 0, False)
            drain.send(None)  # at once: the loop has not turned since
            await until(lambda: worker.stats()["attempts"] == 1)
            drain.close()
        client.close()

    on_loop(check)


@pytest.mark.parametrize("last", [False, True])
def test_who_waits_in_the_queue_is_left_to_others_or_taken_by_the_last(last: bool) -> None:
    async def check(worker: Worker, service: socket.socket) -> None:
        worker.publish(plan_to(service))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            worker.listen(listener.fileno(), "http")
            where = listener.getsockname()
            clients = [socket.create_connection(where) for _ in range(5)]
            draining = asyncio.ensure_future(worker.drain(10, 0.2, last))
            await until(lambda: worker.stats()["connections"] == 5 * last)
            taken = worker.stats()["accepted"]
            listener.setblocking(False)
            left = 0
            for _ in range(5 - taken):
                listener.accept()[0].close()
                left += 1
            with pytest.raises(BlockingIOError):
                listener.accept()
            assert (taken, left) == ((5, 0) if last else (0, 5))
        for client in clients:
            client.close()
        assert await draining

    on_loop(check)


def test_who_waits_in_a_unix_socket_is_taken_by_the_last(tmp_path: Path) -> None:
    path = str(tmp_path / "s")

    async def check(worker: Worker, service: socket.socket) -> None:
        worker.publish(plan_to(service))
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(16)
            worker.listen(listener.fileno(), "http")
        client = socket.socket(socket.AF_UNIX)
        client.connect(path)
        client.sendall(GET)
        draining = asyncio.ensure_future(worker.drain(0.2, 0, True))
        await until(lambda: worker.stats()["attempts"] == 1)
        await draining
        client.close()

    on_loop(check)


def test_the_last_takes_no_more_than_the_bound_on_connections() -> None:
    async def check(worker: Worker, service: socket.socket) -> None:
        text = json.loads(plan_to(service))
        text["limits"]["max_connections"] = 2
        worker.publish(json.dumps(text).encode())
        with socket.create_server(("127.0.0.1", 0)) as listener:
            worker.listen(listener.fileno(), "http")
            where = listener.getsockname()
        clients = [socket.create_connection(where) for _ in range(5)]
        await worker.drain(0.2, 0.1, True)
        assert worker.stats()["accepted"] == 2
        for client in clients:
            client.close()

    on_loop(check)


def test_client_that_was_announced_at_the_bound_is_served_by_the_drain() -> None:
    async def check(worker: Worker, service: socket.socket) -> None:
        text = json.loads(plan_to(service))
        text["limits"]["max_connections"] = 1
        worker.publish(json.dumps(text).encode())
        with socket.create_server(("127.0.0.1", 0)) as listener:
            worker.listen(listener.fileno(), "http")
            where = listener.getsockname()
        clients = [socket.create_connection(where) for _ in range(2)]
        await until(lambda: worker.stats()["accept_paused"] == 1)
        for client in clients:
            client.sendall(GET)
        await worker.drain(0.2, 0.1, False)
        assert worker.stats()["attempts"] == 2
        for client in clients:
            client.close()

    on_loop(check)


def test_answer_to_an_unread_upload_is_not_cut_by_the_drain() -> None:
    """A connection that lingers has its answer still on the way: the drain waits for it."""

    async def check(worker: Worker, service: socket.socket) -> None:
        worker.publish(plan_to(service))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            worker.listen(listener.fileno(), "http")
            where = listener.getsockname()
        client = socket.create_connection(where)
        client.sendall(b"GET / HTTP/9.9\r\n\r\nmore")
        await until(lambda: worker.stats()["requests"] == 1)
        draining = asyncio.ensure_future(worker.drain(10, 0, False))
        await asyncio.sleep(0.05)
        assert not draining.done()
        client.sendall(b"still more")
        assert client.recv(4096).startswith(b"HTTP/1.1 505 ")
        client.close()
        assert await draining

    on_loop(check)


@pytest.mark.parametrize(
    ("timeout_ms", "drain_s", "faults"),
    [(200, 10, 1), (60_000, 0.2, 1)],
    ids=["the copy's", "the drain's"],
)
def test_copies_are_waited_for_until_a_timeout_ends(
    timeout_ms: int, drain_s: float, faults: int
) -> None:
    """The service has answered and its client is gone; the mirror is silent."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await reader.read()
        writer.close()

    async def check(worker: Worker, shadow: socket.socket) -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        text = json.loads(plan_to(server.sockets[0]))
        side = json.loads(plan_to(shadow))["upstreams"][0]
        text["upstreams"].append(side | {"name": "shadow"})
        one = {"to": "shadow", "share": 10000, "max_bytes": 100, "timeout_ms": timeout_ms}
        text["routes"][0]["mirrors"] = [one]
        worker.publish(json.dumps(text).encode())
        reader, writer = await asyncio.open_connection(*listen(worker))
        writer.write(GET)
        await reader.readuntil(b"ok")
        writer.close()
        await until(lambda: worker.stats()["connections"] == 0)
        draining = asyncio.ensure_future(worker.drain(drain_s, 0, False))
        await asyncio.sleep(0.05)
        assert not draining.done()
        assert worker.stats()["live_mirrors"] == 1
        async with asyncio.timeout(5):
            assert await draining
        assert worker.stats()["live_mirrors"] == 0
        assert worker.stats()["mirror_faults"] == faults
        server.close()

    on_loop(check)
