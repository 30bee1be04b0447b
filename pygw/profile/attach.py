"""Gateways that run here, and the memory they share with us.

Owns: the search for a gateway's shared block, and the lease under which it times every exchange.
Runs in: the process of the command.
Never does: write anything but the lease; the kernel lets only the gateway's own user (and root)
open the block, and a lease that is not renewed ends by itself.
Read next: `spent`.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module

from ..bill import Row, row_of, rows_merged

LEASE_S = 2.0
"""How long exchanges are timed after the last renewal."""

RENEW_S = 0.5
_MEMFD = "/memfd:pygw-shared"


class AttachError(Exception):
    """There is no gateway to look at, or not one alone; the text is for the user."""


@dataclass(frozen=True)
class Gateway:
    """A gateway: its supervisor, its processes, and where its shared block can be opened."""

    pid: int
    pids: frozenset[int]
    path: str


def gateways() -> list[Gateway]:
    """Every gateway whose memory we may open, by the process id of its supervisor."""
    holders: dict[int, dict[int, str]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            for inode, path in _blocks_of(int(name)):
                holders.setdefault(inode, {})[int(name)] = path
    found = []
    for paths in holders.values():
        for pid, path in paths.items():
            if pid != os.getpid() and _parent_of(pid) not in paths:
                found.append(Gateway(pid, frozenset(paths), path))
    return sorted(found, key=lambda one: one.pid)


def _blocks_of(pid: int) -> Iterator[tuple[int, str]]:
    with contextlib.suppress(OSError):
        for fd in os.listdir(f"/proc/{pid}/fd"):
            path = f"/proc/{pid}/fd/{fd}"
            with contextlib.suppress(OSError):
                if os.readlink(path).startswith(_MEMFD):
                    yield os.stat(path).st_ino, path


def _stat_of(pid: int) -> list[str]:
    """The fields of /proc/PID/stat behind the name, which may hold blanks; [] for a pid that is
    gone (proc(5))."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []


def _parent_of(pid: int) -> int:
    fields = _stat_of(pid)
    return int(fields[1]) if fields else 0


def choose(pid: int | None) -> Gateway:
    """The gateway with that supervisor, or the only one; AttachError."""
    found = gateways()
    if pid is not None:
        found = [one for one in found if one.pid == pid]
    if not found:
        whose = "is no gateway of yours" if pid is not None else "of yours runs here"
        raise AttachError(f"process {pid} {whose}" if pid is not None else f"no gateway {whose}")
    if len(found) > 1:
        pids = ", ".join(str(one.pid) for one in found)
        raise AttachError(f"several gateways run here; name one with --pid: {pids}")
    return found[0]


class Attached:
    """A gateway's shared block, mapped. Use it as a context; OSError when it is gone."""

    def __init__(self, gateway: Gateway) -> None:
        self._read = import_module("pygw._core.bill_read")
        self._share = int(import_module("pygw._core.stats").SHARED_BYTES_PER_WORKER)
        self._gateway = gateway
        fd = os.open(gateway.path, os.O_RDWR | os.O_CLOEXEC)
        try:
            size = os.fstat(fd).st_size
            if size < self._share or size % self._share:
                raise AttachError("that gateway is of another version; use its own pygw")
            self._block = mmap.mmap(fd, size)
        finally:
            os.close(fd)

    def __enter__(self) -> Attached:
        return self

    def __exit__(self, *error: object) -> None:
        self._block.close()

    def workers(self) -> dict[int, int]:
        """The living workers: number and process id."""
        out = {}
        for number in range(len(self._block) // self._share):
            told = self._read.bills_read(self._block, number)
            if told["layout"] not in (0, self._read.bill_layout()):
                raise AttachError("that gateway is of another version; use its own pygw")
            if told["pid"] in self._gateway.pids:
                out[number] = told["pid"]
        return out

    def rows(self) -> list[Row]:
        """What filters cost since the gateway began, over all workers."""
        told = [self._read.bills_read(self._block, n) for n in self.workers()]
        return rows_merged(row_of(row) for one in told for row in one["rows"])

    def cpu_s(self) -> float:
        """Processor time that the living workers took, in seconds."""
        ticks = 0
        for pid in self.workers().values():
            fields = _stat_of(pid)
            ticks += int(fields[11]) + int(fields[12]) if fields else 0
        return ticks / os.sysconf("SC_CLK_TCK")

    def time_all(self, seconds: float) -> None:
        """Let every exchange be timed for so long, and return then."""
        end = time.monotonic() + seconds
        try:
            while (left := end - time.monotonic()) > 0:
                self._lease(time.monotonic_ns() + int(LEASE_S * 1e9))
                time.sleep(min(left, RENEW_S))
        finally:
            self._lease(0)

    def _lease(self, until_ns: int) -> None:
        for number in self.workers():
            at = number * self._share + self._read.EXACT_OFFSET
            struct.pack_into("=Q", self._block, at, until_ns)
