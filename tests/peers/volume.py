"""Many requests and very large bodies, moved by the kernel where it can.

Used by the tests on memory and leaks; the bytes are counted, not kept or linted.
Read next: tests/proxy/test_volume.py.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from pygw._core import variant
from tests.peers.gateway import ROOT, Gateway
from tests.peers.payload import request

BATCH = 50
MARK = b"<end>"


@contextlib.contextmanager
def fast_origin() -> Iterator[str]:
    """The URL of a running `fast_origin` process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.peers.fast_origin"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdin and process.stdout
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.stdin.close()
        process.wait(5)
        process.stdout.close()


def ask_many(gateway: Gateway, total: int, connections: int = 8) -> None:
    """`total` requests over keep-alive connections, in pipelined batches."""
    failed: list[BaseException] = []

    def run(share: int) -> None:
        try:
            _ask_share(gateway, share)
        except BaseException as error:  # reported by the test's own thread
            failed.append(error)

    threads = [
        threading.Thread(target=run, args=(total // connections,)) for _ in range(connections)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


def _ask_share(gateway: Gateway, share: int) -> None:
    with gateway.client() as client:
        client.judged = False
        client.recording = False
        batch = request("/volume") * BATCH
        for _ in range(share // BATCH):
            client.sock.sendall(batch)
            seen, tail = 0, b""
            while seen < BATCH:
                piece = client.sock.recv(1 << 16)
                assert piece, f"closed after {seen} of {BATCH} answers"
                data = tail + piece
                seen += data.count(MARK)
                tail = data[-len(MARK) + 1 :]


def sparse_file(path: Path, size: int) -> Path:
    """A file of zeros that takes no disk."""
    with open(path, "wb") as file:
        os.truncate(file.fileno(), size)
    return path


def assert_growth(growth: float, limit: float) -> None:
    """Memory grew by at most `limit` bytes. AddressSanitizer keeps freed memory: no figure then."""
    assert variant.NAME == "asan" or growth <= limit, f"{growth:.0f} bytes, at most {limit}"


class PeakMemory:
    """Watches the workers' resident memory while its block runs."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.before = gateway.rss_bytes
        self.peak = self.before
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def assert_below(self, limit: int) -> None:
        """The worst moment seen was less than `limit` bytes above the start."""
        assert_growth(self.peak - self.before, limit)

    def _watch(self) -> None:
        while not self._done.wait(0.01):
            self.peak = max(self.peak, self.gateway.rss_bytes)
