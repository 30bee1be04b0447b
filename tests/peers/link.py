"""One end of a connection in a test: a socket, its recording, and how it ended.

`Client` and the origin's `Served` are links. A link is used by one thread at a time; blocking
calls carry a timeout, so that a gateway which never answers fails a test and not the run.
It never interprets bytes: that is `wire`. Read next: `client`, `origin`.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
from collections.abc import Callable

from tests.peers.wire import Cut, Ended, Source

PATIENCE_S = 8.0
READ_SIZE = 1 << 16
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Link:
    """A socket that remembers every byte of both directions until `recording` is turned off."""

    def __init__(self, sock: socket.socket, patience_s: float = PATIENCE_S) -> None:
        self.sock = sock
        self.sent = bytearray()
        self.received = bytearray()
        self.recording = True
        self.ended: Ended = "open"  # how the peer ended its direction
        self.left = False  # we ended it ourselves, by close or reset
        self.cut_allowed = False  # the last message may be incomplete
        self.judged = True  # False: these bytes are no HTTP (a test's own choice)
        self.source = Source(self._fill, lambda: self.ended)
        self.sock.settimeout(patience_s)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Link:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, data: bytes) -> None:
        """Send all of it; a peer that has gone is remembered in `ended`, not raised."""
        if self.recording:
            self.sent += data
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            if self.ended == "open":
                self.ended = "rst"

    def send_bytewise(self, data: bytes, size: int = 1, gap_s: float = 0.0) -> None:
        """Send in pieces of `size` bytes, each its own segment, `gap_s` apart."""
        for at in range(0, len(data), size):
            self.send(data[at : at + size])
            if gap_s:
                time.sleep(gap_s)  # the pace is what the test is about

    def send_until_blocked(self, piece: bytes, limit: int, quiet_s: float = 0.3) -> int:
        """Send pieces until the peer takes no more for `quiet_s`; returns the bytes taken."""
        total = 0
        patience = self.sock.gettimeout()
        self.sock.settimeout(0.0)
        try:
            while total < limit and select.select([], [self.sock], [], quiet_s)[1]:
                with contextlib.suppress(BlockingIOError):
                    taken = self.sock.send(piece[: limit - total])
                    if self.recording:
                        self.sent += piece[:taken]
                    total += taken
        except (BrokenPipeError, ConnectionResetError):
            self.ended = "rst"
        finally:
            self.sock.settimeout(patience)
        return total

    def recv_raw(self, size: int = READ_SIZE) -> bytes:
        """What is there, at least one byte, or b"" when the peer ended."""
        if self.source.buffer:
            held = bytes(self.source.buffer[:size])
            del self.source.buffer[:size]
            self.source.offset += len(held)
            return held
        return self._fill()

    def recv_exactly(self, size: int) -> bytes:
        """Exactly `size` bytes, whatever they mean."""
        into = bytearray()
        self.source.exactly(size, into)
        return bytes(into)

    def recv_until_close(self) -> bytes:
        """Everything up to the end of the connection."""
        into = bytearray()
        with contextlib.suppress(Cut):
            self.source.rest(into)
        return bytes(into)

    def swallow(self, size: int) -> int:
        """Read and count up to `size` bytes without keeping them: for bodies of gigabytes."""
        self.recording = False
        room = memoryview(bytearray(1 << 20))
        total = len(self.source.buffer)
        self.source.buffer.clear()
        while total < size:
            count = self.sock.recv_into(room[: min(len(room), size - total)])
            if not count:
                self.ended = "fin"
                break
            total += count
        return total

    def expect_close(self, within_s: float) -> float:
        """The peer must end the connection with nothing more to say; returns seconds waited."""
        started = time.monotonic()
        rest = self.recv_within(within_s)
        assert self.ended != "open", f"still open after {within_s} s"
        assert not rest, f"bytes before the close: {rest[:200]!r}"
        return time.monotonic() - started

    def expect_silence(self, for_s: float) -> None:
        """Nothing comes and the connection stays for that long."""
        rest = self.recv_within(for_s)
        assert not rest and self.ended == "open", f"{self.ended} after {rest[:200]!r}"

    def recv_within(self, seconds: float) -> bytes:
        """Everything that comes until the end or until the time is over."""
        until = time.monotonic() + seconds
        into = bytearray(self.source.buffer)
        self.source.buffer.clear()
        self.source.offset += len(into)
        while (left := until - time.monotonic()) > 0:
            if not select.select([self.sock], [], [], left)[0]:
                break
            piece = self._fill()
            if not piece:
                break
            into += piece
            self.source.offset += len(piece)
        return bytes(into)

    def half_close(self) -> None:
        """FIN: we send no more, we still read."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """RST at once."""
        self.left = True
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self.sock.close()

    def close(self) -> None:
        """Close both directions."""
        self.left = True
        self.sock.close()

    def _fill(self) -> bytes:
        if self.ended != "open":
            return b""
        try:
            piece = self.sock.recv(READ_SIZE)
        except ConnectionResetError:
            self.ended = "rst"
            return b""
        if not piece:
            self.ended = "fin"
        elif self.recording:
            self.received += piece
        return piece


def until(holds: Callable[[], object], what: str, within_s: float = PATIENCE_S) -> None:
    """Wait for a condition; fail by name when it does not come."""
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end, f"not within {within_s} s: {what}"
        time.sleep(0.004)


class Stopwatch:
    """Seconds since it was made, and the one tolerance all timeouts are held to."""

    def __init__(self) -> None:
        self.started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    def assert_took(self, want_s: float) -> None:
        """Within 10 % or 100 ms of the setting, whichever is more; never early beyond that."""
        took, slack = self.seconds, max(want_s * 0.1, 0.1)
        assert want_s - slack <= took <= want_s + slack, f"took {took:.3f} s, want {want_s} s"
