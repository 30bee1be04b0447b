"""The gateway under test: a real `pygw run` process on a free port.

It owns the process, its config file, its log files and the waiting for them. It judges how
the process ends: exit code 0 after TERM and nothing bad on stderr. Read next: `fleet`.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.peers import process
from tests.peers.client import Address, Client
from tests.peers.link import until
from tests.peers.payload import request
from tests.peers.settings import VIA, Config

ROOT = Path(__file__).resolve().parents[2]
START_S = 20.0
ALARMING = re.compile(
    r"Traceback|\berror\b|\bcritical\b|\balert\b|BUG_ON|assert|Sanitizer|runtime error"
    r"|exception|Segmentation|double free|corrupt|leaked",
    re.IGNORECASE,
)
BANNER = re.compile(r"proxy\s+(?:http://)?(unix:\S+|\[[0-9a-f:]+\]:\d+|[\w.-]+:\d+)")

RELOADED = re.compile(r"^\d\d:\d\d:\d\d (reload (?:ok|refused).*)$", re.MULTILINE)


def command_line(config: Path) -> list[str]:
    """How the gateway is started."""
    return [sys.executable, "-m", "pygw", "run", str(config)]


class Gateway:
    """One running gateway. `since` methods speak of what came after the last `mark`."""

    def __init__(
        self,
        folder: Path,
        config: Config,
        *,
        env: dict[str, str] | None = None,
        descriptors: int | None = None,
        access_log: str | None = None,
    ) -> None:
        self.folder = folder
        self.log_path = folder / "access.log"
        self.stderr_path = folder / "stderr.txt"
        self.allowed: list[str] = []
        self.clients: list[Client] = []  # of the test that runs now
        self.held_sockets = 0  # that another gateway's pool keeps open after the test
        self.stopped = False
        self.used = False  # by a test, in the fleet
        self._marks = 0
        self._stderr_at = 0
        self.access_log = access_log or str(self.log_path)
        self.config_path = folder / "pygw.yaml"
        self.configure(config)
        self.log_path.touch()
        with open(folder / "stdout.txt", "wb") as out, open(self.stderr_path, "wb") as err:
            self.process = subprocess.Popen(
                command_line(self.config_path),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=ROOT,
                env={**os.environ, "NO_COLOR": "1", **(env or {})},
                preexec_fn=_limiter(descriptors),
            )
        self.addresses: list[Address] = self._wait_listening(len(config["listeners"]))
        self._stderr_at = self.stderr_path.stat().st_size
        self.born_with = self.workers
        self.born_sockets = self.sockets

    def configure(self, config: Config | str) -> None:
        """Write the config file: the next reload reads it."""
        if not isinstance(config, str):
            log = {"path": self.access_log, "format": "json"}
            config = yaml.safe_dump({"access_log": log, **config}, sort_keys=False)
        self.config_path.write_text(config)

    def reload(self, config: Config | str) -> str:
        """Write the config file and send HUP; what is said of the reload."""
        before = len(RELOADED.findall(self.stderr_path.read_text("utf-8")))
        self.configure(config)
        self.signal(signal.SIGHUP)
        said: list[str] = []

        def look() -> bool:
            said[:] = RELOADED.findall(self.stderr_path.read_text("utf-8"))
            return len(said) > before

        until(look, "the reload", START_S)
        return said[before]

    @property
    def port(self) -> int:
        """The TCP port of the first listener."""
        return int(self.addresses[0][1])

    @property
    def authority(self) -> str:
        """Host and port of the first listener."""
        return f"127.0.0.1:{self.port}"

    def client(self, listener: int = 0, **options: Any) -> Client:
        """A new client connection."""
        made = Client(self.addresses[listener], **options)
        self.clients.append(made)
        return made

    @property
    def pid(self) -> int:
        """The process we started."""
        return self.process.pid

    @property
    def workers(self) -> list[int]:
        """The processes that carry traffic: the children, or the one process itself."""
        return process.descendants_of(self.pid) or [self.pid]

    @property
    def rss_bytes(self) -> int:
        """Resident memory of the workers."""
        return sum(process.rss_bytes(pid) for pid in self.workers)

    @property
    def sockets(self) -> int:
        """Open sockets of the workers."""
        return sum(process.socket_count(pid) for pid in self.workers)

    @property
    def descriptors(self) -> int:
        """Open descriptors of the workers."""
        return sum(len(process.fd_links(pid)) for pid in self.workers)

    @property
    def cpu_s(self) -> float:
        """CPU seconds of the whole tree."""
        return sum(process.cpu_s(pid) for pid in {self.pid, *self.workers})

    def mark(self) -> None:
        """Forget what was logged so far.

        The log is written in batches, so the place in it is marked by a line: that of a request
        which the gateway refuses as its own loop, before any route or origin.
        """
        self._marks += 1
        with Client(self.addresses[0]) as client:
            client.ask(request(self._mark_target, f"Via: 1.1 {VIA}", "Connection: close"))
        self._stderr_at = self.stderr_path.stat().st_size
        self.allowed = []
        self.clients = []

    @property
    def _mark_target(self) -> str:
        return f"/mark-{self._marks}"

    def log_entries(self, count: int = 0, within_s: float = 3.0) -> list[dict[str, Any]]:
        """Access log entries since the mark; waits until there are `count` of them."""
        end = time.monotonic() + within_s
        while len(entries := self._entries_since_mark()) < count:
            assert time.monotonic() < end, f"{len(entries)} log entries, want {count}: {entries}"
            time.sleep(0.01)
        return entries

    def log_entry(self, **wanted: Any) -> dict[str, Any]:
        """The one entry whose keys have these values; waits for it."""
        found: list[dict[str, Any]] = []

        def look() -> bool:
            entries = self.log_entries()
            found[:] = [e for e in entries if all(e.get(k) == v for k, v in wanted.items())]
            return bool(found)

        try:
            until(look, f"log entry {wanted}", 3.0)
        except AssertionError as missing:
            raise AssertionError(f"{missing}; the log has {self.log_entries()}") from None
        assert len(found) == 1, f"{wanted} was logged {len(found)} times: {found}"
        return found[0]

    def stderr_text(self) -> str:
        """What stderr got since the mark."""
        with open(self.stderr_path, "rb") as file:
            file.seek(self._stderr_at)
            return file.read().decode("utf-8", "replace")

    def allow_stderr(self, pattern: str) -> None:
        """Lines matching this are expected until the next mark."""
        self.allowed.append(pattern)

    def complaints(self) -> list[str]:
        """What is wrong right now: a dead or replaced process, alarming lines."""
        wrong = []
        if self.stopped:
            pass
        elif self.process.poll() is not None:
            wrong.append(f"pygw ended with {self.process.returncode}")
        elif self.workers != self.born_with:
            wrong.append(f"workers were {self.born_with}, are {self.workers}")
        for line in self.stderr_text().splitlines():
            if ALARMING.search(line) and not any(re.search(p, line) for p in self.allowed):
                wrong.append(f"stderr: {line}")
        return wrong

    def signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal to the process we started."""
        self.process.send_signal(number)

    def wait_exit(self, within_s: float = 10.0) -> int:
        """Wait for the end that the test has asked for; the exit code."""
        code = self.process.wait(within_s)
        self.stopped = True
        return code

    def stop(self) -> list[str]:
        """TERM, then what was wrong with the end."""
        wrong = self.complaints()
        if self.process.poll() is None:
            self.signal()
            try:
                code = self.wait_exit()
            except subprocess.TimeoutExpired:
                wrong.append("still running 10 s after TERM")
                self.process.kill()
                code = self.process.wait()
            if code != 0:
                wrong.append(f"exit code {code} after TERM")
            self.stopped = True
            wrong += [text for text in self.complaints() if text not in wrong]
        return wrong

    def _entries_since_mark(self) -> list[dict[str, Any]]:
        data = self.log_path.read_bytes()
        lines = data[: data.rfind(b"\n") + 1].decode("utf-8").splitlines()
        entries = [json.loads(line) for line in lines]
        if not self._marks:
            return entries
        marks = [n for n, e in enumerate(entries) if e["target"] == self._mark_target]
        return entries[marks[0] + 1 :] if marks else []

    def _wait_listening(self, count: int) -> list[Address]:
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            text = self.stderr_path.read_text("utf-8", "replace")
            found = BANNER.findall(text)
            if len(found) >= count:
                return [_address_of(word) for word in found[:count]]
            if self.process.poll() is not None:
                raise AssertionError(f"pygw ended with {self.process.returncode}:\n{text}")
            time.sleep(0.01)
        self.process.kill()
        raise AssertionError(f"pygw did not listen within {START_S} s:\n{text}")


def _address_of(word: str) -> Address:
    if word.startswith("unix:"):
        return word[5:]
    host, _, port = word.rpartition(":")
    return host.strip("[]"), int(port)


def _limiter(descriptors: int | None) -> Callable[[], None] | None:
    if descriptors is None:
        return None
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))


def free_port() -> int:
    """A TCP port that nobody listens on just now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
