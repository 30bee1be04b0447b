"""Bounds that only the worker's own door keeps: descriptors and plans. On real sockets."""

from __future__ import annotations

import asyncio
import json
import resource
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest
import uvloop
from pygw._core.worker import Worker

from tests.unit.plans import plan

RESERVED_FILES = 64
PLANS_MAX = 8
HELD = rf"{PLANS_MAX} plans are still in use .*; route r1: {PLANS_MAX - 1}, the oldest since \d+ s$"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
WITHIN_S = 10.0


async def until(holds: Callable[[], bool]) -> None:
    """Lets the loop turn until the condition holds."""
    async with asyncio.timeout(WITHIN_S):
        while not holds():
            await asyncio.sleep(0.001)


def on_loop(check: Callable[[Worker, socket.socket], Awaitable[None]]) -> None:
    """Runs `check(worker, service)`; the service is where its plans lead, and accepts nothing."""

    async def main() -> None:
        worker = Worker(asyncio.get_running_loop(), 0)
        try:
            with socket.create_server(("127.0.0.1", 0)) as service:
                await check(worker, service)
        finally:
            await worker.stop()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def plan_to(service: socket.socket) -> bytes:
    """A plan that leads to the service."""
    text = plan()
    port = service.getsockname()[1]
    text["upstreams"][0]["targets"][0] |= {"url": f"http://127.0.0.1:{port}", "port": port}
    text["upstreams"][0]["timeouts"] |= {"connect_ms": 10_000, "response_ms": 60_000}
    return json.dumps(text).encode()


def listen(worker: Worker) -> tuple[str, int]:
    """A listener of the worker: where clients connect to."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        worker.listen(listener.fileno(), "http")
        host, port = listener.getsockname()
        return host, port


@contextmanager
def file_limit(soft: int) -> Iterator[None]:
    """This process may open descriptors below `soft` only."""
    before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, hard))


@pytest.mark.parametrize(("files", "most"), [(RESERVED_FILES + 9, 4), (RESERVED_FILES - 1, 1)])
def test_clients_leave_descriptors_for_all_else(files: int, most: int) -> None:
    async def check(worker: Worker, service: socket.socket) -> None:
        with file_limit(files):
            worker.publish(plan_to(service))
        where = listen(worker)
        clients = [socket.create_connection(where) for _ in range(most + 3)]
        try:
            await until(lambda: worker.stats()["connections"] == most)
            for client in clients[:most]:
                client.close()
            # The next ones come in only now that some have left.
            await until(lambda: worker.stats()["accepted"] == min(2 * most, most + 3))
        finally:
            for client in clients:
                client.close()

    on_loop(check)


def test_plans_that_exchanges_still_use_are_bounded_and_the_current_one_stays() -> None:
    async def check(worker: Worker, service: socket.socket) -> None:
        text = plan_to(service)
        worker.publish(text)
        where = listen(worker)
        clients = []
        for number in range(1, PLANS_MAX + 1):
            if number > 1:
                worker.publish(text)
            clients.append(socket.create_connection(where))
            clients[-1].sendall(GET)
            await until(lambda number=number: worker.stats()["attempts"] == number)
            assert worker.stats()["live_plans"] == number
        with pytest.raises(RuntimeError, match=HELD):
            worker.publish(text)
        clients[0].close()
        await until(lambda: worker.stats()["live_plans"] < PLANS_MAX)
        worker.publish(text)
        for client in clients:
            client.close()
        await until(lambda: worker.stats()["live_plans"] == 1)

    on_loop(check)


def test_listener_that_closes_keeps_whom_it_has_and_takes_who_was_announced() -> None:
    """At the bound libuv holds one more client, which nobody else could answer."""

    async def check(worker: Worker, service: socket.socket) -> None:
        text = json.loads(plan_to(service))
        text["limits"]["max_connections"] = 1
        worker.publish(json.dumps(text).encode())
        with socket.create_server(("127.0.0.1", 0)) as listener:
            worker.listen(listener.fileno(), "http", 7)
            where = listener.getsockname()
        clients = [socket.create_connection(where) for _ in range(2)]
        await until(lambda: worker.stats()["accept_paused"] == 1)
        worker.unlisten(8)  # nobody's key
        assert worker.stats()["accepted"] == 1
        worker.unlisten(7)
        await until(lambda: worker.stats()["accepted"] == 2)
        for client in clients:
            client.sendall(GET)
        await until(lambda: worker.stats()["attempts"] == 2)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(where)
        for client in clients:
            client.close()

    on_loop(check)


def test_two_steps_are_taken_in_their_order() -> None:
    async def check(worker: Worker, service: socket.socket) -> None:
        text = plan_to(service)
        worker.publish(text)
        with pytest.raises(RuntimeError, match="no plan was prepared"):
            worker.commit()
        worker.drop()
        made = worker.compile(text)
        worker.prepare(made)
        with pytest.raises(RuntimeError, match="one plan after the other"):
            worker.prepare(worker.compile(text))
        with pytest.raises(RuntimeError, match="one plan after the other"):
            worker.prepare(made)
        worker.drop()
        assert worker.stats()["live_plans"] == 1
        worker.prepare(worker.compile(text))
        assert worker.stats()["live_plans"] == 2  # and `stop` gives it back

    on_loop(check)


def test_plans_compile_on_another_thread_while_requests_run() -> None:
    async def check(worker: Worker, service: socket.socket) -> None:
        text = plan_to(service)
        worker.publish(text)
        where = listen(worker)
        loop = asyncio.get_running_loop()
        for number in range(1, 6):
            with socket.create_connection(where) as client:
                compiling = loop.run_in_executor(None, worker.compile, text)
                client.sendall(GET)
                await until(lambda number=number: worker.stats()["attempts"] == number)
                worker.prepare(await compiling)
                worker.commit()
        await until(lambda: worker.stats()["live_plans"] == 1)

    on_loop(check)
