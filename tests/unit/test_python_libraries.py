"""Libraries for asyncio inside of hooks: httpx over real sockets, anyio's scopes, asyncio's own."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest

from pygw.hooks import Reply, Request
from pygw.testing import HookFailed, MakeHook

anyio = pytest.importorskip("anyio")
httpx = pytest.importorskip("httpx")


class Handler(http.server.BaseHTTPRequestHandler):
    """Says what was asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    """The URL of a service outside of the gateway."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as service:
        thread = threading.Thread(target=service.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{service.server_address[1]}"
        service.shutdown()
        thread.join(10)


def test_a_hook_asks_by_httpx_and_keeps_its_connections(server: str, pygw_hook: MakeHook) -> None:
    class Ask:
        def __init__(self, url: str) -> None:
            self.client = httpx.AsyncClient(base_url=url, trust_env=False)

        async def request(self, req: Request) -> Reply:
            found = await self.client.get(req.path)
            return Reply(found.status_code, found.text)

    gateway = pygw_hook(Ask, {"url": server})
    answers = [gateway.start("GET", f"/{n}") for n in range(5)]
    assert [one.answer().text for one in answers] == [f"/{n}" for n in range(5)]
    assert gateway.get("/again").hooks[0].waited


def test_scopes_of_anyio_and_asyncio_end_what_takes_too_long(pygw_hook: MakeHook) -> None:
    async def scoped(req: Request) -> Reply:
        with anyio.move_on_after(0.01) as scope:
            await anyio.sleep(60)
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep, 0.001)
        found = await anyio.to_thread.run_sync(lambda: "from a thread")
        return Reply(200, f"{scope.cancelled_caught} {found}")

    async def late(req: Request) -> None:
        with anyio.fail_after(0.01):
            await anyio.sleep(60)

    assert pygw_hook(scoped).get().text == "True from a thread"
    with pytest.raises(HookFailed, match="TimeoutError"):
        pygw_hook(late).get()


def test_a_run_that_its_deadline_ends_ends_its_children(pygw_hook: MakeHook) -> None:
    ended: list[str] = []

    async def child() -> None:
        try:
            await anyio.sleep(60)
        finally:
            ended.append("child")

    async def parent(req: Request) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(child)

    gateway = pygw_hook(parent, deadline="20ms", raise_errors=False)
    answer = gateway.get()
    assert (answer.outcome(), answer.hooks[0].fault) == ("failed", "late")
    gateway.close()
    assert ended == ["child"]
