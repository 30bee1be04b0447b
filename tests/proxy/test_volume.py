"""Gigabytes and hundreds of thousands of requests in bounded memory, and all of it given back."""

from __future__ import annotations

import contextlib
import resource
import socket
import threading
from pathlib import Path

import pytest

from tests.peers.fleet import Stage
from tests.peers.gateway import Gateway
from tests.peers.link import until
from tests.peers.origin import Origin
from tests.peers.payload import answer, head, request
from tests.peers.served import Served
from tests.peers.settings import proxy_config
from tests.peers.volume import PeakMemory, ask_many, assert_growth, fast_origin, sparse_file

GIB = 1 << 30
MIB = 1 << 20


def send_file(sock: socket.socket, path: Path) -> None:
    """Let the kernel send the file."""
    with open(path, "rb") as file:
        sock.sendfile(file)


@pytest.mark.slow
def test_one_gib_down_grows_memory_by_less_than_8_mib(
    stage: Stage, origin: Origin, tmp_path: Path
) -> None:
    gw = stage.fresh(proxy_config(origin))
    path = sparse_file(tmp_path / "big", GIB)

    def big(served: Served) -> None:
        served.read_request()
        served.send(head("200 OK", f"Content-Length: {GIB}"))
        send_file(served.sock, path)

    with gw.client() as client:
        assert client.ask(request()).status == 200
        origin.end_idle()
        origin.script(big)
        with PeakMemory(gw) as memory:
            client.send(request("/big"))
            got = client.recv_head()
            assert got.one("Content-Length") == str(GIB).encode()
            assert client.swallow(GIB) == GIB
        memory.assert_below(8 * MIB)


@pytest.mark.slow
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_one_gib_up_grows_memory_by_less_than_8_mib(
    stage: Stage, origin: Origin, tmp_path: Path, framing: str
) -> None:
    gw = stage.fresh(proxy_config(origin))
    path = sparse_file(tmp_path / "big", GIB)
    swallowed: list[int] = []

    def eat(served: Served) -> None:
        served.read_head()
        swallowed.append(served.swallow(GIB))
        served.send(answer(b"eaten", "Connection: close"))

    with gw.client() as client:
        assert client.ask(request()).status == 200
        origin.end_idle()
        origin.script(eat)
        client.methods = [b"GET", b"POST"]
        with PeakMemory(gw) as memory:
            if framing == "length":
                client.send(request("/up", f"Content-Length: {GIB}", method="POST"))
                send_file(client.sock, path)
            else:
                client.send(request("/up", "Transfer-Encoding: chunked", method="POST"))
                client.sock.sendall(b"%x\r\n" % GIB)
                send_file(client.sock, path)
                client.sock.sendall(b"\r\n0\r\n\r\n")
            assert client.recv_response(b"POST").text == "eaten"
        assert swallowed == [GIB]
        memory.assert_below(8 * MIB)


@pytest.mark.slow
def test_hundred_thousand_requests_leak_nothing(stage: Stage) -> None:
    """At most 1 MiB per 10^6 requests: here 10^5, with 256 KiB allowed for the pages' grain."""
    with fast_origin() as url:
        gw = stage.fresh(proxy_config(url))
        ask_many(gw, 20_000)
        until(lambda: gw.sockets <= gw.born_sockets + 8, "clients of the warm-up gone")
        rss, descriptors = gw.rss_bytes, gw.descriptors
        ask_many(gw, 100_000)
        until(lambda: gw.descriptors <= descriptors, "descriptors back to baseline")
        growth = gw.rss_bytes - rss
    assert_growth(growth, 256 << 10)


@pytest.mark.slow
def test_idle_connections_cost_at_most_one_kib_each(stage: Stage, origin: Origin) -> None:
    count = 3000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count + 500:
        pytest.skip(f"needs {count + 500} descriptors, the limit is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count + 500), hard))
    gw = stage.fresh(proxy_config(origin, limits={"max_connections": count + 100}))
    for _ in range(200):  # warm the freelists with connections that come and go
        with gw.client() as client:
            assert client.ask(request()).status == 200
    clients = [_ask_once(gw) for _ in range(500)]
    before = gw.rss_bytes
    clients += [_ask_once(gw) for _ in range(count - 500)]
    each = (gw.rss_bytes - before) / (count - 500)
    for sock in clients:
        sock.close()
    assert_growth(each, 1024)


def _ask_once(gw: Gateway) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", gw.port))
    sock.sendall(request())
    assert sock.recv(4096).startswith(b"HTTP/1.1 200")
    return sock


def test_body_of_many_small_chunks_does_not_grow_memory(stage: Stage, origin: Origin) -> None:
    gw = stage.fresh(proxy_config(origin))
    pieces = b"5\r\nhello\r\n" * 400_000

    def parrot(served: Served) -> None:
        served.read_head()
        served.send(head("200 OK", "Transfer-Encoding: chunked"))
        sender = threading.Thread(target=lambda: served.sock.sendall(pieces + b"0\r\n\r\n"))
        sender.start()
        with contextlib.suppress(ConnectionResetError):  # the client leaves within its body
            served.swallow(2 * len(pieces))
        sender.join()

    with gw.client() as client:
        assert client.ask(request()).status == 200
        origin.end_idle()
        origin.script(parrot)
        client.cut_allowed = True
        client.methods = [b"GET", b"POST"]
        with PeakMemory(gw) as memory:
            asked = request("/", "Transfer-Encoding: chunked", method="POST")
            sender = threading.Thread(target=lambda: client.sock.sendall(asked + pieces))
            sender.start()
            client.recv_head()
            assert client.swallow(400_000 * 5) >= 400_000 * 5
            sender.join()
        memory.assert_below(8 * MIB)
