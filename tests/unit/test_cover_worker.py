"""What the worker's own door refuses, and that a refusal leaves it as it was. On real sockets."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from pygw._core.memory_worker import allocations, fail_allocations
from pygw._core.part import PlanError
from pygw._core.worker import Worker

from pygw._core import variant
from tests.unit.test_worker import GET, listen, on_loop, plan_to, until

needs_debug = pytest.mark.skipif(not variant.DEBUG, reason="allocations fail in debug builds only")


def files_open() -> int:
    """Descriptors of this process."""
    return len(os.listdir("/proc/self/fd"))


def refused(fails: Callable[[], object]) -> int:
    """How often `fails` says that memory is short, as each allocation in turn fails."""
    for good in range(1000):
        fail_allocations(good)
        try:
            fails()
        except (MemoryError, PlanError):
            assert allocations() > good
        else:
            return good
        finally:
            fail_allocations(-1)
    raise AssertionError("memory never sufficed")


def test_listening_needs_a_plan() -> None:
    async def check(worker: Worker, service: socket.socket) -> None:
        with pytest.raises(RuntimeError, match="no plan was published"):
            listen(worker)
        worker.publish(plan_to(service))
        socket.create_connection(listen(worker)).close()

    on_loop(check)


def test_listener_that_the_plan_does_not_name_is_refused() -> None:
    async def check(worker: Worker, service: socket.socket) -> None:
        worker.publish(plan_to(service))
        listen(worker)  # the loop keeps a descriptor of its own from now on
        before = files_open()
        with pytest.raises(LookupError, match="the plan has no listener 'htt'"):
            worker.listen(service.fileno(), "htt")
        assert files_open() == before

    on_loop(check)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
def test_socket_that_cannot_listen_is_refused_and_closed_again(family: int) -> None:
    async def check(worker: Worker, service: socket.socket) -> None:
        worker.publish(plan_to(service))
        listen(worker)  # the loop keeps a descriptor of its own from now on
        before = files_open()
        with (
            socket.socket(family, socket.SOCK_DGRAM) as datagrams,
            pytest.raises(OSError, match="listener 'http': Operation not supported"),
        ):
            worker.listen(datagrams.fileno(), "http")
        await until(lambda: files_open() == before)
        with socket.create_connection(listen(worker)):
            await until(lambda: worker.stats()["accepted"] == 1)

    on_loop(check)


def test_descriptor_that_is_no_socket_is_refused(tmp_path: Path) -> None:
    async def check(worker: Worker, service: socket.socket) -> None:
        worker.publish(plan_to(service))
        with (tmp_path / "file").open("wb") as file, pytest.raises(OSError, match="non-socket"):
            worker.listen(file.fileno(), "http")

    on_loop(check)


def test_shared_block_that_cannot_be_mapped_is_refused() -> None:
    async def check(worker: Worker, service: socket.socket) -> None:
        reader, writer = os.pipe()
        try:
            with pytest.raises(OSError, match="the shared block can not be mapped"):
                Worker(asyncio.get_running_loop(), 0, reader)
        finally:
            os.close(reader)
            os.close(writer)

    on_loop(check)


def test_shared_block_of_a_worker_is_at_its_index() -> None:
    async def check(worker: Worker, service: socket.socket) -> None:
        from pygw._core.stats import SHARED_BYTES_PER_WORKER, stats_read

        with open(os.memfd_create("counters"), "r+b", buffering=0) as shared:
            shared.truncate(3 * SHARED_BYTES_PER_WORKER)
            second = Worker(asyncio.get_running_loop(), 1, shared.fileno())
            try:
                second.publish(plan_to(service))
                with socket.create_connection(listen(second)):
                    await until(lambda: second.stats()["accepted"] == 1)
                    shared.seek(0)
                    page = shared.read()
                    block = page[SHARED_BYTES_PER_WORKER : 2 * SHARED_BYTES_PER_WORKER]
                    assert stats_read(block, 1)["accepted"] == 1
                    assert page.count(0) == len(page) - len(block) + block.count(0)
            finally:
                await second.stop()

    on_loop(check)


@needs_debug
def test_listening_without_memory_is_refused_and_closes_its_copy() -> None:
    async def check(worker: Worker, service: socket.socket) -> None:
        worker.publish(plan_to(service))
        listen(worker)  # the loop keeps a descriptor of its own from now on
        before = files_open()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            fail_allocations(0)
            try:
                with pytest.raises(OSError, match="listener 'http': Cannot allocate memory"):
                    worker.listen(listener.fileno(), "http")
            finally:
                fail_allocations(-1)
        assert files_open() == before

    on_loop(check)


@needs_debug
def test_plan_without_memory_is_refused_and_the_current_one_serves_on() -> None:
    async def check(worker: Worker, service: socket.socket) -> None:
        text = plan_to(service)
        worker.publish(text)
        where = listen(worker)
        # Another target than before, so that its pool has to be made too.
        with socket.create_server(("127.0.0.1", 0)) as other:
            later = plan_to(other)
            assert refused(lambda: worker.publish(later)) > 2
            assert worker.stats()["live_plans"] == 1
            with socket.create_connection(where) as client:
                client.sendall(GET)
                await until(lambda: worker.stats()["attempts"] == 1)
                other.settimeout(10)
                accepted, _ = other.accept()
                accepted.close()

    on_loop(check)
