"""One connection as the origin sees it: a link that reads requests strictly and answers bytes.

A script is a function of one `Served`; it runs in that connection's thread, or the test's own
thread plays the origin through `Origin.accept`. Read next: `origin`.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable

from tests.peers.link import PATIENCE_S, Link, until
from tests.peers.wire import Cut, Message, read_body, read_request_head

Script = Callable[["Served"], object]  # what it returns means nothing
Handler = Callable[[Message], bytes]


class Served(Link):
    """One accepted connection. `requests` are those read whole; `heads` also the unfinished."""

    def __init__(self, sock: socket.socket, index: int, handler: Handler) -> None:
        super().__init__(sock)
        self.index = index
        self.handler = handler
        self.heads: list[Message] = []
        self.requests: list[Message] = []
        self.error: BaseException | None = None
        self.thread: threading.Thread | None = None
        self.idle = False  # between two requests, nothing of the next has come
        self.closing = threading.Event()  # the test is over
        self.tunnel_at: int | None = None  # from here the received bytes are no HTTP

    def __enter__(self) -> Served:
        return self

    def read_head(self) -> Message:
        """The head of the next request."""
        self.idle = not self.source.buffer
        message = read_request_head(self.source)
        self.idle = False
        self.heads.append(message)
        return message

    def read_body(self, message: Message) -> bytes:
        """The body that belongs to the head."""
        read_body(self.source, message)
        self.requests.append(message)
        return message.body

    def read_request(self) -> Message:
        """Head and body of the next request."""
        message = self.read_head()
        self.read_body(message)
        return message

    def send_pieces(self, pieces: Iterable[bytes], gap_s: float = 0.0) -> None:
        """Send pieces with a pace between them."""
        for number, piece in enumerate(pieces):
            if number and gap_s:
                time.sleep(gap_s)
            self.send(piece)

    def start_tunnel(self, head: bytes) -> None:
        """Answer 101; from here on the bytes are the tunnel's."""
        self.tunnel_at = self.source.offset
        self.send(head)

    def stall(self, seconds: float = PATIENCE_S) -> None:
        """Neither read nor write, until the peer has gone, the test is over or time is up."""
        end = time.monotonic() + seconds
        poll = select.poll()
        poll.register(self.sock, select.POLLRDHUP)
        while not self.closing.is_set() and time.monotonic() < end:
            if poll.poll(10):
                return

    def stall_until(self, event: threading.Event, seconds: float = PATIENCE_S) -> None:
        """Wait for a condition of the test."""
        assert event.wait(seconds), "the test never let the origin go on"

    def wait_gone(self, within_s: float) -> float:
        """Wait until the gateway has ended this connection; seconds it took."""
        started = time.monotonic()
        if self.thread not in (None, threading.current_thread()):  # its script is reading
            what = f"the gateway lets go of origin connection {self.index}"
            until(lambda: self.ended != "open", what, within_s)
            return time.monotonic() - started
        poll = select.poll()
        poll.register(self.sock, select.POLLRDHUP)
        events = poll.poll(within_s * 1000)
        assert events, f"the gateway still holds origin connection {self.index}"
        took = time.monotonic() - started
        self.recv_within(0.2)
        return took

    def serve(self, handler: Handler | None = None) -> None:
        """Answer request after request until the gateway ends the connection."""
        answer = handler or self.handler
        with contextlib.suppress(Cut):
            while not self.closing.is_set():
                request = self.read_request()
                response = answer(request)
                self.send(response)
                if request.closes or b"connection: close" in response.lower():
                    break

    def finish(self) -> None:
        """FIN, then wait for the gateway's own end, so that nobody reuses this by mistake."""
        if self.left:
            return
        self.half_close()
        self.sock.settimeout(1.0)
        with contextlib.suppress(OSError):
            while self._fill():
                pass
        self.close()

    def run(self, script: Script) -> None:
        """Run a script to its end, keep its failure for the test, then finish."""
        try:
            script(self)
        except Cut:
            pass  # the gateway left: what that means is the test's business
        except (OSError, AssertionError) as error:
            if not self.closing.is_set():
                self.error = error
        finally:
            self.finish()
