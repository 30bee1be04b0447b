"""A fast origin in its own process, for tests that need volume and not scripts.

`python -m tests.peers.fast_origin` prints its port and answers every request without a body
with the same small response until its stdin ends. It parses nothing but the end of heads.
Read next: `volume`.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n<end>"


class FastOrigin(asyncio.Protocol):
    """One connection: an answer for each end of a head."""

    def __init__(self) -> None:
        self.tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Answer as many requests as have ended."""
        data = self.tail + data
        ends = data.count(b"\r\n\r\n")
        if ends:
            self.transport.write(ANSWER * ends)
        self.tail = data[data.rfind(b"\r\n\r\n") + 4 :] if ends else data


async def main() -> None:
    """Serve until stdin ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(FastOrigin, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
