"""The control channel between the supervisor and one worker.

Owns: the framing. A message is one JSON object on one line over a connected unix stream socket;
file descriptors travel beside the message that announces how many there are (SCM_RIGHTS, unix(7)).
Runs in: the supervisor and every worker, on their event loops.
Never does: carry traffic, or know what a message means.
Read next: `supervisor` and `worker`, the two ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from array import array
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

MESSAGE_MAX_BYTES = 64 << 20
"""Longest message; a plan is the only large one."""

FDS_MAX = 64
"""Most descriptors beside one message (the kernel's own bound is 253)."""

_READ_BYTES = 1 << 16
_BESIDE_BYTES = socket.CMSG_SPACE(FDS_MAX * array("i").itemsize)

Message = dict[str, Any]


class ChannelError(Exception):
    """The other end broke the framing: not JSON, too long, or descriptors missing."""


class Channel:
    """One end. Messages arrive in order; `receive` gives None once the other end is gone.

    One task may receive at a time; any may send. Descriptors received belong to the receiver.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._buffer = bytearray()
        self._scanned = 0
        self._fds: deque[int] = deque()
        self._sending = asyncio.Lock()

    async def send(self, message: Message, fds: Sequence[int] = ()) -> None:
        """Send a message and copies of `fds`; OSError when the other end is gone."""
        data = memoryview(json.dumps({**message, "fds": len(fds)}).encode() + b"\n")
        loop = asyncio.get_running_loop()
        async with self._sending:
            while data:
                try:
                    # A byte must go with the descriptors; the rest follows without them.
                    sent = socket.send_fds(self._sock, [data], list(fds))
                except BlockingIOError:
                    await self._ready(loop.add_writer, loop.remove_writer)
                    continue
                data, fds = data[sent:], ()

    async def receive(self) -> tuple[Message, list[int]] | None:
        """The next message and its descriptors, or None at the end; ChannelError on bad framing."""
        loop = asyncio.get_running_loop()
        while (end := self._buffer.find(b"\n", self._scanned)) < 0:
            self._scanned = len(self._buffer)
            try:
                data, beside, _, _ = self._sock.recvmsg(
                    _READ_BYTES, _BESIDE_BYTES, socket.MSG_CMSG_CLOEXEC
                )
            except BlockingIOError:
                await self._ready(loop.add_reader, loop.remove_reader)
                continue
            except ConnectionResetError:
                return None
            self._take_fds(beside)
            if not data:
                return None
            self._buffer += data
            if len(self._buffer) > MESSAGE_MAX_BYTES:
                raise ChannelError("message too long")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._scanned = 0
        return self._decode(line)

    def close(self) -> None:
        """Close the socket and every descriptor that was received and not taken."""
        while self._fds:
            os.close(self._fds.popleft())
        self._sock.close()

    def _take_fds(self, beside: list[tuple[int, int, bytes]]) -> None:
        # WHY: not socket.recv_fds, which drops its flags argument: no MSG_CMSG_CLOEXEC.
        for level, kind, data in beside:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds = array("i")
                fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
                self._fds.extend(fds)

    def _decode(self, line: bytes) -> tuple[Message, list[int]]:
        try:
            message = json.loads(line)
        except ValueError:
            raise ChannelError("message is not JSON") from None
        count = message.pop("fds", 0) if isinstance(message, dict) else -1
        if not isinstance(count, int) or not 0 <= count <= len(self._fds):
            raise ChannelError("message without its descriptors")
        return message, [self._fds.popleft() for _ in range(count)]

    async def _ready(
        self, watch: Callable[..., object], forget: Callable[[socket.socket], object]
    ) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        watch(self._sock, _wake, future)
        try:
            await future
        finally:
            forget(self._sock)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
