"""The listening sockets: opened once by the supervisor, inherited by every worker.

Owns: how an address becomes sockets, and what a person is told when it cannot.
Runs in: the supervisor, before any worker exists.
Never does: accept; a client waits in the kernel's queue until a worker takes it.
Read next: `supervisor`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from dataclasses import dataclass, replace

from .config.values import Bind

BACKLOG = 4096
"""Clients that may wait per socket; the kernel lowers it to net.core.somaxconn."""

_REASONS = {
    errno.EADDRINUSE: "the address is in use by another process",
    errno.EADDRNOTAVAIL: "no interface of this machine has this address",
    errno.EAFNOSUPPORT: "this machine does not speak this kind of address",
}


class ListenError(Exception):
    """An address cannot be listened on; the text names it and says why."""

    def __init__(self, bind: Bind, why: str) -> None:
        super().__init__(f"cannot listen on {bind}: {why}")


@dataclass(frozen=True)
class OpenListener:
    """A listener's sockets: one SO_REUSEPORT socket per worker, or one that all share.

    `bind` holds the real port, `wanted` what was asked for. `inode` identifies a unix socket's file
    as ours. `slot` is the listener's place in plans, which it keeps for life.
    """

    name: str
    bind: Bind
    sockets: tuple[socket.socket, ...]
    inode: tuple[int, int] | None = None
    wanted: Bind | None = None
    slot: int = 0

    @property
    def is_shared(self) -> bool:
        """Whether all workers accept from one socket."""
        return self.bind.family == "unix"

    def sockets_of(self, worker: int, workers: int) -> list[socket.socket]:
        """What the worker with this index accepts from when there are so many.

        A socket that was opened for a worker that is no more has a client's connection in its
        queue now and then, so it stays open, and is dealt to those that are left.
        """
        if self.is_shared:
            return list(self.sockets)
        return [sock for n, sock in enumerate(self.sockets) if n % workers == worker]

    def close(self) -> None:
        """Close our copies, and remove a unix socket's file if it is still ours."""
        for sock in self.sockets:
            sock.close()
        if self.inode is not None:
            with contextlib.suppress(OSError):
                if _inode(self.bind.path) == self.inode:
                    os.unlink(self.bind.path)


def open_listener(name: str, bind: Bind, workers: int, beside_ours: bool = False) -> OpenListener:
    """Bind and listen; ListenError says why not.

    `beside_ours`: the port is one of ours already, at another address, and may be shared.
    """
    try:
        if bind.family == "unix":
            return _open_unix(name, bind)
        return _open_tcp(name, bind, workers, beside_ours)
    except OSError as error:
        raise ListenError(bind, _why(error, bind)) from None


def grow_listener(listener: OpenListener, workers: int) -> list[socket.socket]:
    """Further sockets, so that each of so many workers has one; they are bound and do not listen.

    A worker lets its own listen: from then on the kernel sends clients there.
    """
    missing = 0 if listener.is_shared else workers - len(listener.sockets)
    with contextlib.ExitStack() as undo:
        try:
            made = [undo.enter_context(_bind_tcp(listener.bind, True)) for _ in range(missing)]
        except OSError as error:
            raise ListenError(listener.bind, _why(error, listener.bind)) from None
        undo.pop_all()
    return made


def _open_tcp(name: str, bind: Bind, workers: int, beside_ours: bool) -> OpenListener:
    with contextlib.ExitStack() as undo:
        first = undo.enter_context(_bind_tcp(bind, beside_ours))
        real = replace(bind, port=first.getsockname()[1])
        rest = [undo.enter_context(_bind_tcp(real, True)) for _ in range(workers - 1)]
        sockets = (first, *rest)
        for sock in sockets:
            sock.listen(BACKLOG)
        undo.pop_all()
    return OpenListener(name, real, sockets, wanted=bind)


def _bind_tcp(bind: Bind, shared: bool) -> socket.socket:
    family = socket.AF_INET6 if bind.family == "v6" else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if bind.family == "v6":
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        address = socket.getaddrinfo(
            bind.host, bind.port, family, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST
        )[0][4]
        # WHY: the first socket binds before it may share. With SO_REUSEPORT set at once, a second
        # pygw of the same user would silently join the group and take half of the clients.
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(address)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except BaseException:
        sock.close()
        raise
    return sock


def _open_unix(name: str, bind: Bind) -> OpenListener:
    _remove_stale(bind)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.bind(bind.path)
        inode = _inode(bind.path)
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return OpenListener(name, bind, (sock,), inode, wanted=bind)


def _remove_stale(bind: Bind) -> None:
    """Remove the socket file of a process that is gone; refuse anything else at the path."""
    try:
        mode = os.lstat(bind.path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ListenError(bind, "the path exists and is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(bind.path)
        except ConnectionRefusedError:
            os.unlink(bind.path)
            return
        except BlockingIOError:
            pass
    raise ListenError(bind, "another process listens on this socket")


def _inode(path: str) -> tuple[int, int]:
    status = os.lstat(path)
    return status.st_dev, status.st_ino


def _why(error: OSError, bind: Bind) -> str:
    if error.errno in (errno.EACCES, errno.EPERM):
        low = bind.family != "unix" and bind.port < 1024
        hint = "; a port below 1024 needs CAP_NET_BIND_SERVICE" if low else ""
        return f"permission denied{hint}"
    return _REASONS.get(error.errno or 0, error.strerror or str(error))
