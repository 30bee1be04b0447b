"""A supervisor with stand-in workers as its own process, for tests.

Owns: the process, its files, and waiting for what they say.
Runs in: tests; `supervisor_runner` is the process, `worker_double` its workers.
Never does: judge.
Read next: `test_supervisor`, `test_reload`.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RUNNER = Path(__file__).with_name("supervisor_runner.py")
PATIENCE_S = 15.0


class Running:
    """A supervisor process, its files, and waiting for what they say."""

    def __init__(self, folder: Path, config: str, **options: float) -> None:
        folder = Path(tempfile.mkdtemp(dir=folder))
        self.log = folder / "access.log"
        self.errors = folder / "stderr.txt"
        self.path = folder / "pygw.yaml"
        self.configure(config)
        places = os.pathsep.join([*filter(None, [os.environ.get("PYTHONPATH")]), str(ROOT)])
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, str(RUNNER), str(self.path), json.dumps(options)],
                stdin=subprocess.DEVNULL,
                stderr=errors,
                env={**os.environ, "PYTHONPATH": places},
            )

    def configure(self, config: str) -> None:
        """Write the configuration; what it does not say is small and plain."""
        text = f"access_log: {{path: {self.log}}}\n" if "access_log" not in config else ""
        if "listeners" not in config:
            text += 'listeners: [{bind: "127.0.0.1:0"}]\n'
        if "routes" not in config:
            text += "routes: [{match: {path: /*}, middleware: [{echo: {}}]}]\n"
        self.path.write_text(text + config)

    def reload(self, config: str) -> str:
        """Another configuration and HUP; what the log says of it."""
        said = self.said()
        self.configure(config)
        self.signal(signal.SIGHUP)
        self.wait_for(lambda: len(self.said()) > len(said), "the reload")
        return self.said()[len(said)]

    def said(self) -> list[str]:
        """Everything that was said of reloads."""
        return re.findall(r"^\d\d:\d\d:\d\d ((?:reload |nothing to).*)$", self.text(), re.MULTILINE)

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        """End it, and check that no worker outlives it."""
        pids = self.pids("start")
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.wait_for(lambda: not any(map(alive, pids)), "workers gone")

    def wait_for(self, condition: Callable[[], object], what: str) -> None:
        end = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end, f"waited in vain for {what}:\n{self.text()}"
            time.sleep(0.005)

    def text(self) -> str:
        return self.errors.read_text()

    def notes(self, what: str) -> list[str]:
        """Lines of the access log with this first word."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line for line in lines if line.split()[0] == what]

    def wait_for_notes(self, what: str, count: int) -> None:
        self.wait_for(lambda: len(self.notes(what)) == count, f"{count} times {what}")

    def pids(self, what: str) -> list[int]:
        return [int(line.split()[2]) for line in self.notes(what)]

    def ready(self) -> Running:
        self.wait_for(lambda: "ready" in self.text() or self.process.poll() is not None, "ready")
        assert "ready" in self.text(), self.text()
        return self

    @property
    def binds(self) -> list[str]:
        line: str = re.findall(r"^ready (.*)$", self.text(), re.MULTILINE)[0]
        return line.split()

    @property
    def port(self) -> int:
        return int(self.binds[0].rpartition(":")[2])

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)

    def ask(self, path: str = "/") -> dict[str, Any]:
        with self.connect() as sock:
            return ask_on(sock, path)

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def code(self) -> int:
        return self.process.wait(PATIENCE_S)


def ask_on(sock: socket.socket, path: str = "/") -> dict[str, Any]:
    sock.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    return answer_on(sock)


def answer_on(sock: socket.socket) -> dict[str, Any]:
    data = b""
    while chunk := sock.recv(65536):
        data += chunk
    facts: dict[str, Any] = json.loads(data.partition(b"\r\n\r\n")[2])
    return facts


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


Start = Callable[..., Running]


@contextlib.contextmanager
def waiting_client(run: Running) -> Iterator[socket.socket]:
    """A client whose request runs and waits for one more byte."""
    with run.connect() as sock:
        sock.sendall(b"GET /wait HTTP/1.0\r\n\r\n")
        run.wait_for(lambda: run.notes("waiting"), "the request to run")
        yield sock


def refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False
