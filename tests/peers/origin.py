"""The scripted origin: a service behind the gateway that does exactly what the test says.

It owns a listening socket and one thread per connection. Connections take the queued scripts
in order, then the handler; or the test takes them itself with `accept`. It records everything.
Read next: `gateway`.
"""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import threading

from tests.peers.link import PATIENCE_S, until
from tests.peers.payload import answer_echo
from tests.peers.served import Handler, Script, Served
from tests.peers.wire import Message


class Origin:
    """Listens on 127.0.0.1 port 0, or on a unix socket path. Reset between two tests."""

    def __init__(self, path: str | None = None, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.path = path
        self.host = host
        self._bound_port = port
        self.connections: list[Served] = []
        self.handler: Handler = answer_echo
        self._scripts: queue.SimpleQueue[Script] = queue.SimpleQueue()
        self._manual = False
        self._otherwise: Script = Served.serve
        self._accepted: queue.SimpleQueue[Served] = queue.SimpleQueue()
        self._listener: socket.socket | None = None
        self._lock = threading.Lock()  # a connection is listed and started, or neither
        self.listen()

    @property
    def url(self) -> str:
        """The target as the config writes it."""
        return f"unix:{self.path}" if self.path else f"http://{self.authority}"

    @property
    def port(self) -> int:
        """The bound TCP port; stays the same over `stop_listening` and `listen`."""
        return self._bound_port

    @property
    def authority(self) -> str:
        """Host and port."""
        return f"{self.host}:{self.port}"

    @property
    def listening(self) -> bool:
        """Does it take new connections?"""
        return self._listener is not None

    def listen(self, backlog: int = 1024) -> None:
        """Start accepting, on the same address as before."""
        if self.path:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)
            sock = socket.socket(socket.AF_UNIX)
            sock.bind(self.path)
        else:
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((self.host, self._bound_port))
            self._bound_port = sock.getsockname()[1]
        sock.listen(backlog)
        self._listener = sock
        threading.Thread(target=self._accept_loop, args=(sock,), daemon=True).start()

    def stop_listening(self) -> None:
        """New connections are refused from now on; the open ones stay."""
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def script(self, *scripts: Script) -> None:
        """The next connections run these scripts, one each, in order."""
        for script in scripts:
            self._scripts.put(script)

    def serve(self, handler: Handler = answer_echo) -> None:
        """Connections without a script answer each request with `handler(request)`."""
        self.handler = handler
        self.serve_script(Served.serve)

    def serve_script(self, script: Script) -> None:
        """Every connection without a script of its own runs this one."""
        self._otherwise = script
        self._manual = False

    def manual(self) -> None:
        """The test plays the origin itself: it takes each new connection with `accept`."""
        self._manual = True

    def accept(self, within_s: float = PATIENCE_S) -> Served:
        """The next connection, in manual mode."""
        try:
            return self._accepted.get(timeout=within_s)
        except queue.Empty:
            raise AssertionError(f"no connection reached the origin in {within_s} s") from None

    def expect_no_connection(self, for_s: float = 0.15) -> None:
        """In manual mode: nobody connects."""
        with contextlib.suppress(queue.Empty):
            served = self._accepted.get(timeout=for_s)
            raise AssertionError(f"connection {served.index} reached the origin")

    @property
    def requests(self) -> list[Message]:
        """Requests read whole, by connection."""
        return [request for served in self.connections for request in served.requests]

    @property
    def open(self) -> list[Served]:
        """Connections that neither side has ended."""
        return [c for c in self.connections if c.ended == "open" and not c.left]

    def wait_connections(self, count: int, within_s: float = PATIENCE_S) -> list[Served]:
        """Wait until `count` connections have been accepted."""
        until(lambda: len(self.connections) >= count, f"{count} origin connections", within_s)
        return self.connections

    def wait_all_gone(self, within_s: float) -> None:
        """Every connection has been ended by one side or the other."""
        until(lambda: not self.open, f"{len(self.open)} origin connections open", within_s)

    def release(self) -> None:
        """Hand connections that the test took by `accept` to the handler; accept no more."""
        self._manual = False
        for served in self.connections:
            if served.thread is None and not served.left and served.ended == "open":
                self._start(served, Served.serve)

    def end_idle(self) -> None:
        """End the connections that wait for a request, and see the gateway notice."""
        self.settle()
        for served in self.open:
            if served.idle:
                served.half_close()
        until(lambda: not any(c.idle for c in self.open), "idle connections to end", 2.0)

    def forget_scripts(self) -> None:
        """Scripts that no connection has taken yet are not played any more."""
        while not self._scripts.empty():
            self._scripts.get()

    def settle(self, within_s: float = 2.0) -> None:
        """Wait for running scripts; connections idle in `serve` may stay."""
        until(
            lambda: all(c.thread is None or c.left or c.idle for c in self.connections),
            "scripts of the origin to end",
            within_s,
        )

    def clear(self) -> None:
        """End every connection and forget scripts and handler: the next test starts empty."""
        with self._lock:
            connections = self.connections
            self.connections = []
        for served in connections:
            served.closing.set()
            served.half_close()
        for served in connections:
            if served.thread is not None:
                served.thread.join(3.0)
            served.finish()
        self.forget_scripts()
        while not self._accepted.empty():
            self._accepted.get()
        self.serve()
        if self._listener is None:
            self.listen()

    def close(self) -> None:
        """The end of the origin."""
        self.stop_listening()
        for served in self.connections:
            served.closing.set()
            served.close()
        if self.path:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)

    def _accept_loop(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                self._take(Served(sock, len(self.connections), lambda m: self.handler(m)))

    def _take(self, served: Served) -> None:
        self.connections.append(served)
        if not self._scripts.empty():
            self._start(served, self._scripts.get())
        elif self._manual:
            self._accepted.put(served)
        else:
            self._start(served, self._otherwise)

    def _start(self, served: Served, script: Script) -> None:
        served.thread = threading.Thread(target=served.run, args=(script,), daemon=True)
        served.thread.start()
