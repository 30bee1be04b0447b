"""Each exchange is a JSON line in a file, written by a thread: the loop never waits for a disk.

Owns: a bounded queue of lines, the thread that writes them, and the file with its older ones.
Runs in: workers, in the phase log; several workers may write one file.
Never does: hold up a request: a line that finds the queue full is dropped, and the next tells it.
Read next: `docs/ready-python.md`.

    middleware:
      - python: {object: "audit_log.py:AuditLog", config: {file: /var/log/pygw/audit.jsonl}}
"""

from __future__ import annotations

import fcntl
import json
import os
import queue
import re
import threading
import time

from pydantic import BaseModel, ConfigDict, Field

from pygw.hooks import Request, Response

SECRET = re.compile(r"auth|cookie|token|secret|passw|key|session|signature|credential|code", re.I)
TEXT_MAX = 2048
BATCH_MAX = 256
CLOSE_S = 5.0


class Config(BaseModel):
    """Where lines go, and what is in them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str = Field(pattern="^/", max_length=4096)
    headers: list[str] = Field(default=[], max_length=32)
    """Fields of the request that are told; those named like secrets are told as ***."""
    queue_max: int = Field(default=10_000, ge=1, le=1_000_000)
    size_max: int = Field(default=100 << 20, ge=4096)
    """Bytes after which the file becomes FILE.1, and so on."""
    keep: int = Field(default=5, ge=1, le=100)
    """Older files."""


class AuditLog:
    """The hook."""

    def __init__(self, config: Config) -> None:
        folder = os.path.dirname(config.file)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise ValueError(f"file: {folder} is no folder that can be written to")
        self._config = config
        self._lines: queue.Queue[dict[str, object] | None] = queue.Queue(config.queue_max)
        self._dropped = 0
        self._thread: threading.Thread | None = None

    def log(self, req: Request, resp: Response) -> None:
        """Queues the line of an exchange."""
        line: dict[str, object] = {
            "time": time.time(), "id": req.id, "client": req.client, "method": req.method,
            "path": req.path[:TEXT_MAX], "query": _masked(req.query[:TEXT_MAX]),
            "route": req.route, "status": resp.status,
        }  # fmt: skip
        for name in self._config.headers:
            if (value := req.headers.get(name)) is not None:
                line[f"header.{name}"] = "***" if SECRET.search(name) else value[:TEXT_MAX]
        if self._dropped:
            line["dropped"] = self._dropped
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._dropped += 1
            return
        self._dropped = 0
        if self._thread is None:  # not before: `pygw check` makes hooks too
            self._thread = threading.Thread(target=self._write_all, name="audit_log", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Lets the thread write what is queued, for some seconds at most."""
        if self._thread is not None:
            try:
                self._lines.put(None, timeout=CLOSE_S)
            except queue.Full:
                return
            self._thread.join(CLOSE_S)

    def _write_all(self) -> None:
        lost = 0
        last = False
        while not last:
            batch = [self._lines.get()]
            while len(batch) < BATCH_MAX and not self._lines.empty():
                batch.append(self._lines.get())
            last = None in batch
            lines = [line for line in batch if line is not None]
            if lines and lost:
                lines[0]["lost"] = lost
            try:
                self._write("".join(json.dumps(line) + "\n" for line in lines).encode())
                lost = 0
            except OSError:  # a full disk: told when there is room again
                lost += len(lines)

    def _write(self, data: bytes) -> None:
        """Appends to the file of this name, whoever has moved the one before."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        for _ in range(3):
            file = os.open(self._config.file, flags, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                mine = os.fstat(file)
                if not os.path.samestat(mine, os.stat(self._config.file)):
                    continue  # another worker has moved it meanwhile
                if mine.st_size and mine.st_size + len(data) > self._config.size_max:
                    self._move()
                    continue
                while data:
                    data = data[os.write(file, data) :]
                return
            finally:
                os.close(file)
        raise OSError("the file is moved again and again")

    def _move(self) -> None:
        name = self._config.file
        for n in range(self._config.keep - 1, 0, -1):
            if os.path.exists(f"{name}.{n}"):
                os.replace(f"{name}.{n}", f"{name}.{n + 1}")
        os.replace(name, f"{name}.1")


def _masked(query: str) -> str:
    pairs = (pair.partition("=") for pair in query.split("&"))
    return "&".join(
        f"{name}=***" if is_pair and SECRET.search(name) else name + is_pair + value
        for name, is_pair, value in pairs
    )
