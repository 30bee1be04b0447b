"""Memory runs out at any single moment of a worker on real sockets: it serves on, nothing leaks.

`test_exchange_shortage` shows the same of exchanges in memory; here it is the sockets' own
allocations that fail: accepting, connecting, writing and closing. Needs a debug build.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from pygw._core.memory_worker import allocations, fail_allocations
from pygw._core.worker import Worker

from pygw._core import variant
from tests.unit.plans import plan, unix_target
from tests.unit.test_worker import listen, on_loop, plan_to, until

pytestmark = pytest.mark.skipif(not variant.DEBUG, reason="allocations fail in debug builds only")

LONG = 400_000  # bytes: more than a socket takes in one write
ASK = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
IDLE = ("live_exchanges", "live_buffers", "live_slices", "live_connections")


@contextmanager
def shortage(good: int) -> Iterator[None]:
    """After so many good ones, one allocation of the core fails."""
    fail_allocations(good)
    try:
        yield
    finally:
        fail_allocations(-1)


@asynccontextmanager
async def service_at(place: str | socket.socket, size: int) -> AsyncIterator[None]:
    """A service that answers each request with `size` bytes and closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(HEAD % size + b"x" * size)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the gateway left
        finally:
            writer.close()

    if isinstance(place, str):
        server = await asyncio.start_unix_server(serve, place)
    else:
        server = await asyncio.start_server(serve, sock=place)
    async with server:
        yield


async def ask(where: tuple[str, int]) -> bytes:
    """All bytes that answer a request; nothing after a reset."""
    reader, writer = await asyncio.open_connection(*where)
    try:
        writer.write(ASK)
        return await asyncio.wait_for(reader.read(), 20)
    except ConnectionError:
        return b""
    finally:
        writer.close()


def plan_to_path(path: str) -> bytes:
    """A plan that leads to a unix socket."""
    text = plan()
    text["upstreams"][0]["targets"] = [unix_target(path)]
    text["upstreams"][0]["timeouts"] |= {"connect_ms": 10_000, "response_ms": 60_000}
    return json.dumps(text).encode()


async def endure(worker: Worker, size: int) -> None:
    """Fails each allocation in turn while one client is served, then serves the next in full."""
    where = listen(worker)
    seen = set()
    for good in itertools.count():
        with shortage(good):
            answer = await ask(where)
            asked = allocations()
        seen.add(answer[9:12])
        whole = await ask(where)
        assert whole.startswith(b"HTTP/1.1 200 ") and whole.endswith(b"x" * size), (good, whole)
        await until(lambda: not any(worker.stats()[name] for name in IDLE))
        if good >= asked:
            break
    assert seen <= {b"", b"200", b"500", b"502", b"503"}
    assert seen >= {b"200", b"503"}


@pytest.mark.parametrize("size", [2, LONG])
def test_worker_outlives_any_failed_allocation_with_a_tcp_service(size: int) -> None:
    async def check(worker: Worker, service: socket.socket) -> None:
        worker.publish(plan_to(service))
        async with service_at(service, size):
            await endure(worker, size)

    on_loop(check)


def test_worker_outlives_any_failed_allocation_with_a_unix_service(tmp_path: Path) -> None:
    async def check(worker: Worker, service: socket.socket) -> None:
        path = str(tmp_path / "service")
        worker.publish(plan_to_path(path))
        async with service_at(path, 2):
            await endure(worker, 2)

    on_loop(check)
