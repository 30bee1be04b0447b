"""One of two targets is killed and started again under load, again and again.

`PYGW_RESTARTS=100` sets how often; the suite does a few. `-s` shows the figures.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.peers.gateway import Gateway

RESTARTS = int(os.environ.get("PYGW_RESTARTS", "4"))
CLIENTS = 12
RETURN_S = 1.0  # twice EJECT_CONNECT_MS, for a busy machine
SERVICE = """
import asyncio, os, sys
log = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
async def serve(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\\r\\n\\r\\n")
            os.write(log, head.split(b" HTTP/", 1)[0].replace(b" ", b":") + b"\\n")
            await asyncio.sleep(0.002)
            writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]), reuse_address=True)
    await server.serve_forever()
asyncio.run(main())
"""


class Service:
    """A service in a process of its own."""

    def __init__(self, folder: Path, name: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.log = folder / f"{name}.txt"
        self.log.touch()
        self.start()

    def start(self) -> None:
        """Starts it, and returns when it takes connections."""
        command = [sys.executable, "-c", SERVICE, str(self.port), str(self.log)]
        self.process = subprocess.Popen(command)
        until = time.monotonic() + 20
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.005)
        raise AssertionError("the service does not start")

    def kill(self) -> None:
        """Ends it as a crash would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    @property
    def requests(self) -> list[str]:
        """Method and path of each request so far."""
        return self.log.read_text().split()


class Load:
    """Clients that ask without pause: GET and, every third time, POST with a number."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.over = threading.Event()
        self.results: Counter[tuple[str, str]] = Counter()
        self.lock = threading.Lock()
        self.threads = [
            threading.Thread(target=self.run, args=(n,), daemon=True) for n in range(CLIENTS)
        ]
        for thread in self.threads:
            thread.start()

    def run(self, number: int) -> None:
        """One client."""
        client = http.client.HTTPConnection(*self.address, timeout=20)
        count = 0
        while not self.over.is_set():
            count += 1
            method = "POST" if count % 3 == 0 else "GET"
            body = b"x" if method == "POST" else None
            try:
                client.request(method, f"/{number}/{count}", body)
                answer = client.getresponse()
                whole = answer.read() == b"ok"
                result = str(answer.status) if answer.status != 200 or whole else "cut"
            except (OSError, http.client.HTTPException) as error:
                result = type(error).__name__
                client.close()
            with self.lock:
                self.results[method, result] += 1

    def stop(self) -> None:
        """Every client ends its last request."""
        self.over.set()
        for thread in self.threads:
            thread.join(30)
            assert not thread.is_alive()


@pytest.mark.timeout(60 + 5 * RESTARTS)
def test_a_killed_target_costs_no_get_doubles_no_post_and_is_back_within_a_second(
    tmp_path: Path,
) -> None:
    steady, victim = Service(tmp_path, "steady"), Service(tmp_path, "victim")
    targets = [f"http://127.0.0.1:{service.port}" for service in (steady, victim)]
    gateway = Gateway(
        tmp_path,
        {
            "listeners": [{"bind": "127.0.0.1:0"}],
            "upstreams": {"api": {"targets": targets}},
            "routes": [{"match": {"path": "/*"}, "upstream": "api"}],
        },
    )
    waits = []
    try:
        load = Load(("127.0.0.1", gateway.port))
        for _ in range(RESTARTS):
            victim.kill()
            time.sleep(0.3)  # the load goes on meanwhile
            seen = len(victim.requests)
            victim.start()
            started = time.monotonic()
            while len(victim.requests) == seen:
                assert time.monotonic() - started < 10, "not back"
                time.sleep(0.005)
            waits.append(time.monotonic() - started)
            time.sleep(0.1)
        load.stop()
    finally:
        gateway.stop()
        steady.kill()
        victim.kill()
    posts = Counter(one for one in steady.requests + victim.requests if one.startswith("POST"))
    print(f"{RESTARTS} restarts, {dict(load.results)}, back after at most {max(waits):.3f} s")
    assert {result for method, result in load.results if method == "GET"} == {"200"}
    assert {result for method, result in load.results if method == "POST"} <= {"200", "502"}
    assert max(posts.values()) == 1
    assert max(waits) <= RETURN_S
