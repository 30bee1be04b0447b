"""Class 34: a log that can not be written stops no request."""

from __future__ import annotations

import json
import os
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.fleet import Stage
from tests.peers.gateway import Gateway
from tests.peers.link import Stopwatch
from tests.peers.origin import Origin
from tests.peers.payload import request
from tests.peers.settings import proxy_config
from tests.peers.volume import assert_growth

LONG_TARGET = "/" + "p" * 3000
ENOUGH = 600  # lines of LONG_TARGET: far more than pipe and log buffers hold


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A named pipe and its open reading end."""
    path = tmp_path / "log.pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    yield path, reader
    try:
        os.close(reader)
    except OSError:
        return  # the test closed it


def ask_many(gw: Gateway, count: int, target: str = LONG_TARGET) -> None:
    """Requests one after another; none may fail, none may wait."""
    with gw.client() as client:
        client.recording = False
        for _ in range(count):
            watch = Stopwatch()
            client.send(request(target))
            assert client.recv_response(b"GET").status == 200
            assert watch.seconds < 0.5, "a request waited for the log"


def test_class_34_blocked_log_pipe_stops_no_request(
    stage: Stage, origin: Origin, pipe: tuple[Path, int]
) -> None:
    path, reader = pipe
    gw = stage.fresh(proxy_config(origin), access_log=str(path))
    gw.allow_stderr("(?i)access log|dropped")
    before = gw.rss_bytes
    ask_many(gw, ENOUGH)
    assert_growth(gw.rss_bytes - before, 3 << 20)  # lines do not pile up
    cpu = gw.cpu_s
    with gw.client() as client:
        client.expect_silence(0.5)
    assert gw.cpu_s - cpu < 0.15, "busy loop at a full pipe"
    drain_pipe(reader)
    ask_many(gw, 3, "/after")
    lines = wait_for_line(reader, b'"/after"')
    assert [json.loads(line)["target"] for line in lines.splitlines()] == ["/after"] * 3


def read_pipe(reader: int) -> bytes:
    """All that is in the pipe."""
    data = b""
    try:
        while piece := os.read(reader, 1 << 20):
            data += piece
    except BlockingIOError:
        pass
    return data


def drain_pipe(reader: int) -> None:
    """Read until nothing has come for longer than a batch of lines is held."""
    watch = Stopwatch()
    while watch.seconds < 0.6:
        if select.select([reader], [], [], 0.05)[0] and read_pipe(reader):
            watch = Stopwatch()


def wait_for_line(reader: int, wanted: bytes) -> bytes:
    """Read whole lines until one contains `wanted`."""
    data, watch = b"", Stopwatch()
    while wanted not in data or not data.endswith(b"\n"):
        data += read_pipe(reader)
        assert watch.seconds < 5, "no lines after the pipe was free again"
    return data


def test_class_34_closed_log_pipe_stops_no_request(
    stage: Stage, origin: Origin, pipe: tuple[Path, int]
) -> None:
    """EPIPE, and no SIGPIPE either."""
    path, reader = pipe
    gw = stage.fresh(proxy_config(origin), access_log=str(path))
    gw.allow_stderr("(?i)access log|dropped|pipe")
    ask_many(gw, 5)
    os.close(reader)
    ask_many(gw, 300)
    assert len(gw.stderr_text().splitlines()) <= 3, "one line says it, not one each"


def test_class_34_full_disk_stops_no_request(stage: Stage, origin: Origin) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    gw = stage.fresh(proxy_config(origin), access_log="/dev/full")
    gw.allow_stderr("(?i)access log|dropped|space")
    ask_many(gw, 300)
    cpu = gw.cpu_s
    with gw.client() as client:
        client.expect_silence(0.5)
    assert gw.cpu_s - cpu < 0.15, "busy loop at a full disk"
    assert len(gw.stderr_text().splitlines()) <= 3, "one line says it, not one each"
