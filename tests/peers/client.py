"""The scripted client: sends exactly the bytes it is told, reads with the strict reader.

It never retries, never reorders, adds no field. Read next: `origin`.
"""

from __future__ import annotations

import contextlib
import socket

from tests.peers.link import PATIENCE_S, READ_SIZE, Link
from tests.peers.wire import (
    Cut,
    Message,
    WireError,
    read_body,
    read_request,
    read_response,
    read_response_head,
    source_of,
)

Address = tuple[str, int] | str  # host and port, or the path of a unix socket


class Client(Link):
    """One client connection to the gateway."""

    def __init__(
        self,
        address: Address,
        *,
        patience_s: float = PATIENCE_S,
        receive_buffer: int | None = None,
        source_host: str | None = None,
    ) -> None:
        sock = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        if receive_buffer is not None:  # before connect, so that the window is small at once
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source_host is not None:
            sock.bind((source_host, 0))
        sock.settimeout(patience_s)
        sock.connect(address)
        super().__init__(sock, patience_s)
        self._answered = 0
        self.methods: list[bytes] | None = None  # set by a test where `sent` is no HTTP

    def __enter__(self) -> Client:
        return self

    @property
    def port(self) -> int:
        """Our own port, as the gateway sees it."""
        return int(self.sock.getsockname()[1])

    def ask(self, data: bytes) -> Message:
        """Send one request and read its response."""
        self.send(data)
        return self.recv_response()

    def recv_response(self, method: bytes | None = None) -> Message:
        """The next final response; the method is that of the request it answers."""
        message = read_response(self.source, method or self._next_method())
        self._answered += 1
        return message

    def recv_head(self) -> Message:
        """The next head alone, interim or final; read its body with `recv_body`."""
        return read_response_head(self.source, self._next_method())

    def recv_body(self, message: Message) -> bytes:
        """The body that belongs to a head read before."""
        read_body(self.source, message)
        self._answered += 1
        return message.body

    def recv_cut(self) -> Message:
        """A response that must not come to its end; returns what came of it."""
        message = self.recv_response_or_cut()
        assert not message.complete, f"complete, but had to be cut: {message}"
        return message

    def recv_response_or_cut(self) -> Message:
        """A response that may be cut: `complete` says whether it was."""
        self.cut_allowed = True
        try:
            return self.recv_response()
        except Cut as cut:
            return cut.message or Message()

    def recv_refusal(self, *statuses: int) -> Message:
        """An own error answer with one of the statuses, then the end of the connection."""
        message = self.recv_response()
        assert message.status in statuses, f"{message.status}: {message.text}"
        assert message.closes, f"no Connection: close on {message.head!r}"
        self.expect_close(2.0)
        return message

    def drain(self) -> None:
        """Read what is left so that the recording is whole, without waiting."""
        if self.left or self.ended != "open" or not self.recording:
            return
        self.sock.settimeout(0.0)
        with contextlib.suppress(OSError):
            while piece := self.sock.recv(READ_SIZE):
                self.received += piece
            self.ended = "fin"

    def _next_method(self) -> bytes:
        methods = self.methods if self.methods is not None else methods_of(bytes(self.sent))
        return methods[self._answered] if self._answered < len(methods) else b"GET"


def methods_of(sent: bytes) -> list[bytes]:
    """The methods of the requests in `sent`; the first malformed one counts, nothing after it."""
    source = source_of(sent)
    methods: list[bytes] = []
    while True:
        at = source.offset
        try:
            if source.idle():
                return methods
            methods.append(read_request(source).method)
            if methods[-1] == b"CONNECT":
                return methods
        except (Cut, WireError):
            words = sent[at:].lstrip(b"\r\n").split(b" ", 1)
            return [*methods, words[0]]
