"""What a service manager hears: datagrams to a socket that the test holds."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pygw.notify import Manager
from tests.unit.supervised import Running, Start


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts supervisors in the test's folder and ends them after it."""
    with contextlib.ExitStack() as stack:
        yield lambda config="", **options: stack.enter_context(Running(tmp_path, config, **options))


@pytest.fixture
def hears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The manager's end, at a path."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(15)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield sock


def told(sock: socket.socket) -> list[str]:
    return sock.recv(4096).decode().split("\n")


def test_manager_hears_of_the_start_of_reloads_and_of_the_end(
    hears: socket.socket, start: Start
) -> None:
    run = start("workers: 2\ndrain: 7s\n")
    assert told(hears) == ["READY=1", "STATUS=serving plan 1 with 2 workers"]
    run.ready()
    run.configure("workers: 1\n")
    before_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    run.signal(signal.SIGHUP)
    began = told(hears)
    assert began[0] == "RELOADING=1"
    assert int(began[1].removeprefix("MONOTONIC_USEC=")) >= before_us
    assert told(hears) == ["READY=1", "STATUS=serving plan 2 with 1 worker"]
    run.configure("wrokers: 1\n")
    run.signal(signal.SIGHUP)
    assert told(hears)[0] == "RELOADING=1"
    assert told(hears)[0] == "READY=1"  # refused, and serving
    run.signal()
    assert told(hears) == ["STOPPING=1", "STATUS=draining, at most 30 s"]
    assert run.code() == 0


def test_watchdog_has_its_sign_within_half_its_time_and_workers_know_of_neither(
    hears: socket.socket, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "400000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    run = start("workers: 1\n").ready()
    assert told(hears)[0] == "READY=1"
    assert told(hears) == ["WATCHDOG=1"]
    began_s = time.monotonic()
    for _ in range(3):
        assert told(hears) == ["WATCHDOG=1"]
    # Its period is 0.2 s, not the 0.6 s of the workers' heartbeat; a busy machine adds to it.
    assert time.monotonic() - began_s < 1.8
    (worker,) = run.pids("start")
    assert not re.search("NOTIFY|WATCHDOG", Path(f"/proc/{worker}/environ").read_text())


def test_abstract_addresses_are_written_with_an_at_sign() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        name = f"pygw-test-{os.getpid()}"
        sock.bind("\0" + name)
        sock.settimeout(5)
        manager = Manager({"NOTIFY_SOCKET": "@" + name})
        manager.alive()
        assert told(sock) == ["WATCHDOG=1"]
        manager.close()


@pytest.mark.parametrize("path", ["", "relative", "/nowhere/at/all", "@nobody-listens"])
def test_nobody_to_tell_is_no_error(path: str) -> None:
    manager = Manager({"NOTIFY_SOCKET": path})
    manager.ready("x")
    manager.close()
    manager.stopping("x")


@pytest.mark.parametrize(
    ("usec", "pid", "seconds"),
    [("30000000", None, 30.0), ("30000000", "1", None), ("x", None, None), ("0", None, None)],
)
def test_watchdog_of_another_process_or_without_a_time_is_none_of_ours(
    usec: str, pid: str | None, seconds: float | None
) -> None:
    environment = {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": usec}
    manager = Manager(environment if pid is None else {**environment, "WATCHDOG_PID": pid})
    assert manager.watchdog_s == seconds
    manager.close()
