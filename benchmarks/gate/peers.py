"""The two sides around the subject: a scripted origin and one keep-alive client.

Both run in the driver's process, in plain blocking sockets; each message leaves in one send, so
that the subject needs one read for it. Read next: drive.py.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Iterator

TIMEOUT_S = 60.0  # the subject may run a hundred times slower than usual
ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: origin\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
    b"Content-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!"
)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_READ_SIZE = 1 << 16


class PeerError(Exception):
    """The subject closed or answered something else than the origin's 200."""


def message_read(connection: socket.socket, start: bytes = b"") -> tuple[bytes, bytes]:
    """Read one message with a Content-Length body (or none); return it and what followed."""
    data = start
    while (end := data.find(b"\r\n\r\n")) < 0:
        data += _chunk(connection)
    length = _LENGTH.search(data, 0, end + 2)
    total = end + 4 + (int(length.group(1)) if length else 0)
    while len(data) < total:
        data += _chunk(connection)
    return data[:total], data[total:]


def _chunk(connection: socket.socket) -> bytes:
    """Read some bytes; PeerError at the end of the connection."""
    data = connection.recv(_READ_SIZE)
    if not data:
        raise PeerError("the connection was closed inside or before a message")
    return data


def _origin_serve(connection: socket.socket) -> None:
    """Answer every request on one connection."""
    rest = b""
    with connection, contextlib.suppress(PeerError, OSError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            _, rest = message_read(connection, rest)
            connection.sendall(ANSWER)


def _origin_accept(listener: socket.socket) -> None:
    """Give each connection a thread, until the listener is closed."""
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_origin_serve, args=(connection,), daemon=True).start()


@contextlib.contextmanager
def origin_run() -> Iterator[int]:
    """Run the origin for the time of the context; yield its port."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listener:
        threading.Thread(target=_origin_accept, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]
        # close() alone would leave the thread in accept.
        listener.shutdown(socket.SHUT_RDWR)


class Client:
    """One keep-alive connection to the subject; requests go out one after the other."""

    def __init__(self, port: int) -> None:
        self._connection = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def repeat(self, request: bytes, count: int) -> None:
        """Send `request` `count` times, reading each answer; PeerError unless all are 200."""
        for _ in range(count):
            self._connection.sendall(request)
            answer, rest = message_read(self._connection)
            if not answer.startswith(b"HTTP/1.1 200 ") or rest:
                raise PeerError(f"unexpected answer: {answer[:200]!r}{rest[:200]!r}")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
