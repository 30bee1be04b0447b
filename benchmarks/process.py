"""Child processes of a benchmark: started on one core, awaited, and always ended.

Runs in the main thread of the benchmark. It never ends a process that it did not start, and never
selects processes by name. Read next: cpu.py for what these processes cost.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import cpu

START_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 5.0
POLL_S = 0.02
# Below the range that Linux takes for outgoing connections, so that none is in the way.
PORTS = range(20000, 32000)

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


class StartError(Exception):
    """A process did not start; the text ends with what it wrote."""


@dataclass
class Child:
    """A started process and the file that holds what it printed to stderr."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """Process id of the root of the child's process tree."""
        return self.popen.pid

    def describe_log(self) -> str:
        """Return the last lines that the process wrote to stderr."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-10:]) or "(it wrote nothing)"


def core_pin(core: int | None) -> None:
    """Pin the calling process to one core; None leaves it alone."""
    if core is not None:
        os.sched_setaffinity(0, {core})


def port_find() -> int:
    """Return a free TCP port of 127.0.0.1, for servers that cannot choose one themselves."""
    for port in random.sample(PORTS, 200):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise StartError(f"no free port among 200 tried in {PORTS.start}-{PORTS.stop}")


@contextlib.contextmanager
def child_run(
    name: str,
    command: Sequence[str],
    *,
    core: int | None,
    directory: Path,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.DEVNULL,
    env: dict[str, str] | None = None,
) -> Iterator[Child]:
    """Run `command` on `core` for the time of the context, then end its whole tree.

    The child gets TERM when the benchmark itself is killed, so that nothing stays behind.
    """

    def prepare() -> None:
        core_pin(core)
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    log = directory / f"{name}.stderr"
    with log.open("wb") as stderr:
        popen = subprocess.Popen(
            list(command),
            cwd=directory,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=env,
            start_new_session=True,
            preexec_fn=prepare,
        )
    try:
        yield Child(name, popen, log)
    finally:
        _tree_stop(popen)


def _tree_stop(popen: subprocess.Popen[bytes]) -> None:
    """End the process and every descendant it had: TERM to the root, then KILL to what is left."""
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        reaped = popen.poll() is not None
        tree = cpu.tree_processes(popen.pid)
        if reaped and any(each.pid == popen.pid for each in tree):
            tree = []  # the id belongs to another process by now: nothing is left of ours
        popen.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            popen.wait(STOP_TIMEOUT_S)
        for each in tree:
            if cpu.process_lives(each):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(each.pid, signal.SIGKILL)
        popen.wait()
        for stream in (popen.stdin, popen.stdout):
            if stream is not None:
                stream.close()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def port_wait(child: Child, port: int, timeout_s: float = START_TIMEOUT_S) -> None:
    """Wait until `port` accepts; StartError when the child ends first or time is up."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if child.popen.poll() is not None:
            break
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1.0).close()
            return
        time.sleep(POLL_S)
    raise StartError(f"{child.name} does not listen on port {port}:\n{child.describe_log()}")


def line_read(child: Child, timeout_s: float = START_TIMEOUT_S) -> str:
    """Return the next line of the child's stdout (a pipe); StartError if none comes in time."""
    stdout = child.popen.stdout
    if stdout is None:
        raise ValueError(f"{child.name} was started without a pipe for stdout")
    line = bytearray()
    deadline = time.monotonic() + timeout_s
    os.set_blocking(stdout.fileno(), False)
    while time.monotonic() < deadline:
        try:
            byte = os.read(stdout.fileno(), 1)
        except BlockingIOError:
            time.sleep(POLL_S)
            continue
        if byte in (b"", b"\n"):
            break
        line += byte
    if not line:
        raise StartError(f"{child.name} printed no line:\n{child.describe_log()}")
    return line.decode()
