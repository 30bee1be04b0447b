"""Listening sockets: shared ports, unix sockets and their stale files, clear refusals."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from pygw.config.values import parse_bind
from pygw.listeners import ListenError, OpenListener, open_listener


def opened(bind: str, workers: int = 1) -> OpenListener:
    return open_listener("x", parse_bind(bind), workers)


def descriptors() -> list[str]:
    return sorted(os.listdir("/proc/self/fd"))


def test_each_worker_has_its_own_socket_on_one_port() -> None:
    listener = opened("127.0.0.1:0", 3)
    try:
        names = {listener.sockets[index].getsockname() for index in range(3)}
        assert names == {("127.0.0.1", listener.bind.port)}
        assert len({listener.sockets[index].fileno() for index in range(3)}) == 3
        assert not any(sock.get_inheritable() for sock in listener.sockets)
    finally:
        listener.close()


def test_clients_spread_over_the_sockets() -> None:
    listener = opened("127.0.0.1:0", 2)
    clients = [socket.create_connection(("127.0.0.1", listener.bind.port)) for _ in range(64)]
    taken = [0, 0]
    for index in range(2):
        while True:
            try:
                listener.sockets[index].accept()[0].close()
            except BlockingIOError:
                break
            taken[index] += 1
    for client in clients:
        client.close()
    listener.close()
    assert sum(taken) == 64
    assert min(taken) > 0


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_port_of_another_gateway_of_the_same_user_is_refused(host: str) -> None:
    first = opened("127.0.0.1:0", 2)
    before = descriptors()
    try:
        with pytest.raises(ListenError, match="in use by another process"):
            opened(f"{host}:{first.bind.port}", 2)
        assert descriptors() == before
    finally:
        first.close()


def test_port_can_be_taken_again_while_old_connections_linger() -> None:
    first = opened("127.0.0.1:0")
    client = socket.create_connection(("127.0.0.1", first.bind.port))
    first.sockets[0].accept()[0].close()
    client.close()
    first.close()
    opened(str(first.bind)).close()


def test_ipv6_wildcard_leaves_the_port_free_for_ipv4() -> None:
    six = opened("[::]:0")
    try:
        opened(f"0.0.0.0:{six.bind.port}").close()
    finally:
        six.close()


def test_address_of_no_interface_is_refused() -> None:
    with pytest.raises(ListenError, match=r"192\.0\.2\.1:80: no interface of this machine"):
        opened("192.0.2.1:80")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become someone else")
def test_low_port_without_permission_is_explained() -> None:
    floor = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    if floor <= 1:
        pytest.skip("every port may be bound by anyone here")
    pid = os.fork()
    if pid == 0:
        os.setuid(65534)
        try:
            opened("127.0.0.1:1")
        except ListenError as error:
            os._exit(0 if "permission denied; a port below 1024 needs" in str(error) else 2)
        os._exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_stale_socket_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(path))
        old.listen()
    listener = opened(f"unix:{path}", 4)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    assert len(listener.sockets) == 1
    listener.close()
    assert not path.exists()


def test_socket_that_is_in_use_is_refused_and_left(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen(0)
        other.setblocking(False)
        with pytest.raises(ListenError, match="another process listens on this socket"):
            opened(f"unix:{path}")
        clients = []
        # A full queue answers EAGAIN, which is no sign of a dead process either.
        with pytest.raises(BlockingIOError):
            for _ in range(10):
                clients.append(socket.socket(socket.AF_UNIX))
                clients[-1].setblocking(False)
                clients[-1].connect(str(path))
        with pytest.raises(ListenError, match="another process listens on this socket"):
            opened(f"unix:{path}")
        for client in clients:
            client.close()
        assert path.exists()


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_what_is_no_socket_is_never_removed(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "s"
    if kind == "file":
        path.write_text("precious")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ListenError, match="the path exists and is not a socket"):
        opened(f"unix:{path}")
    assert os.path.lexists(path)


def test_socket_file_that_someone_else_put_there_is_left(tmp_path: Path) -> None:
    path = tmp_path / "s"
    first = opened(f"unix:{path}")
    path.unlink()
    second = opened(f"unix:{path}")
    first.close()
    assert path.exists()
    second.close()
    assert not path.exists()
