"""A worker process whose data plane is a stand-in on asyncio streams.

It answers every request with a JSON object that names its process (`/wait` only after one more
byte), writes what it is told to the access log, and misbehaves on request: the plan's `via` names
how. Started like `pygw.worker`.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import struct
import sys
import time
from typing import Any

from pygw import worker

PAGE_BYTES = 4096


class Double:
    """The interface of the data plane, as far as a supervisor can see it."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, index: int, shared_fd: int, log_fd: int
    ) -> None:
        self.loop = loop
        self.index = index
        self.shared_bytes = os.fstat(shared_fd).st_size
        self.log_fd = os.dup(log_fd) if log_fd >= 0 else -1
        self.mode = ""
        self.servers: dict[int, asyncio.Task[asyncio.Server]] = {}
        self.plan: Any = None
        self.prepared: Any = None
        self.running = 0
        self.idle = asyncio.Event()
        self.idle.set()
        self.writers: set[asyncio.StreamWriter] = set()
        self.shared_fd = os.dup(shared_fd)
        self.beat()

    def beat(self) -> None:
        """A sign of life at the head of this worker's page."""
        os.pwrite(self.shared_fd, struct.pack("=d", time.monotonic()), self.index * PAGE_BYTES)
        self.loop.call_later(0.2, self.beat)

    def compile(self, plan_json: bytes) -> object:
        plan = json.loads(plan_json)
        if self.mode:
            self.note("compile")
        if self.mode and plan["via"] == "compile-dies":
            os._exit(9)
        if self.mode and plan["via"] == "compile-slow":
            time.sleep(1)
        return plan

    def prepare(self, made: Any) -> None:
        mode = made["via"]
        if self.mode == "":
            self.mode = mode
            self.note("start")
        if mode == "bad-plan" or (mode == "late-bad-plan" and self.index == 1):
            raise ValueError(f"routes[0].path: made to fail in worker {self.index}")
        if mode == "bug":
            raise ZeroDivisionError("made to fail")
        if mode == "die" or (mode == "die-1" and self.index == 1 and self.plan):
            os._exit(9)
        if mode == "die-again-1" and self.index == 1 and self.log_lines() > 3:
            os._exit(9)
        if mode == "mute":
            time.sleep(60)
        if mode == "slow-start":
            time.sleep(0.5)
        self.prepared = made

    def commit(self) -> None:
        assert self.prepared is not None
        self.plan, self.prepared = self.prepared, None
        self.note("commit")
        if self.plan["via"] == "commit-fails" and self.plan["generation"] > 1:
            raise OSError("made to fail")

    def drop(self) -> None:
        self.prepared = None
        self.note("drop")

    def listen(self, fd: int, listener: str, key: int) -> None:
        assert listener in [one["name"] for one in self.plan["listeners"]]
        sock = socket.socket(fileno=os.dup(fd))
        sock.listen(128)
        self.servers[key] = self.loop.create_task(self._listen(sock, listener))
        self.note("listen")

    def unlisten(self, key: int) -> None:
        self.servers.pop(key).add_done_callback(lambda task: task.result().close())
        self.note("unlisten")

    def reopen_log(self, fd: int) -> None:
        os.close(self.log_fd)
        self.log_fd = os.dup(fd)
        self.note("reopened")

    async def drain(self, timeout_s: float, idle_s: float, last: bool) -> bool:
        self.note(f"drain-{idle_s:g}-{last}")
        self.note("drain")
        if self.mode == "stuck":
            # Deaf to everything but SIGKILL, like a loop that spins with the GIL held.
            signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
            time.sleep(60)
        for key in list(self.servers):
            self.unlisten(key)
        try:
            await asyncio.wait_for(self.idle.wait(), timeout_s)
        except TimeoutError:
            self.note("cut")
            return False
        self.note("drained")
        return True

    async def stop(self) -> None:
        self.note("stop")
        for key in list(self.servers):
            self.unlisten(key)
        for writer in self.writers:
            writer.transport.abort()

    async def _listen(self, sock: socket.socket, listener: str) -> asyncio.Server:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.writers.add(writer)
            try:
                await self._serve(reader, writer, listener)
            except (OSError, asyncio.IncompleteReadError):
                pass
            finally:
                self.writers.discard(writer)
                writer.close()

        if sock.family == socket.AF_UNIX:
            return await asyncio.start_unix_server(serve, sock=sock)
        return await asyncio.start_server(serve, sock=sock)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, listener: str
    ) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.running += 1
        self.idle.clear()
        try:
            if head.startswith(b"GET /wait"):
                self.note("waiting")
                await reader.readexactly(1)
            if head.startswith(b"GET /hang"):
                self.note("hanging")
                hang()
            facts: dict[str, Any] = {
                "pid": os.getpid(),
                "index": self.index,
                "generation": self.plan["generation"],
                "listener": listener,
                "shared_bytes": self.shared_bytes,
                "argv": sys.argv[1:],
                "descriptors": len(os.listdir("/proc/self/fd")),
            }
            body = json.dumps(facts).encode()
            writer.write(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            await writer.drain()
        finally:
            self.running -= 1
            if self.running == 0:
                self.idle.set()

    def log_lines(self) -> int:
        """How many starts the access log tells of."""
        with open(f"/proc/self/fd/{self.log_fd}") as file:
            return file.read().count("start ")

    def note(self, what: str) -> None:
        """One line in the access log: what, worker index, pid."""
        if self.log_fd >= 0:
            os.write(self.log_fd, f"{what} {self.index} {os.getpid()}\n".encode())


def hang() -> None:
    """Deaf to TERM too, like code that never comes back to the loop."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    while True:
        time.sleep(60)


if __name__ == "__main__":
    worker.main(Double)
