"""What the choice of a target is worth when one of three is slow: p50 and p99 of each `balance`.

`python -m benchmarks.balance [SECONDS]` starts three services, two that take 2 ms and one that
takes 20 ms and serves one request at a time, and plays wrk with 32 connections through `pygw run`.

Owns: the services, the configuration and the table.
Runs in: a developer's machine, for `SECONDS` a row; it needs wrk.
Never does: decide anything; latencies move with the machine, their order does not.
"""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SERVICE = """
import asyncio, sys
turn = asyncio.Semaphore(int(sys.argv[3]))
async def serve(reader, writer):
    try:
        while True:
            await reader.readuntil(b"\\r\\n\\r\\n")
            async with turn:
                await asyncio.sleep(float(sys.argv[2]))
            writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()
asyncio.run(main())
"""
SERVICES = [("0.002", "1000"), ("0.002", "1000"), ("0.020", "1")]
KINDS = ["round_robin", "random_two", "least_connections"]
CONFIG = """
access_log: off
listeners: [{{bind: "127.0.0.1:{port}"}}]
upstreams: {{api: {{targets: [{targets}], balance: {kind}}}}}
routes: [{{match: {{path: "/*"}}, upstream: api}}]
"""


def free_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def wait_for(port: int) -> None:
    """Returns when somebody listens."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise SystemExit(f"nobody listens on port {port}")


def measure(kind: str, targets: list[int], seconds: int, folder: Path) -> str:
    """One row."""
    port = free_port()
    config = folder / f"{kind}.yaml"
    urls = ", ".join(f'"http://127.0.0.1:{one}"' for one in targets)
    config.write_text(CONFIG.format(port=port, targets=urls, kind=kind))
    gateway = subprocess.Popen([sys.executable, "-m", "pygw", "run", str(config)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        wait_for(port)
        wrk = ["wrk", "-t1", "-c32", f"-d{seconds}s", "--latency", f"http://127.0.0.1:{port}/"]
        out = subprocess.run(wrk, capture_output=True, text=True, timeout=seconds + 30, check=True)
    finally:
        gateway.terminate()
        gateway.wait(40)
    found = dict(re.findall(r"^ +(50|99)% +(\S+)", out.stdout, re.MULTILINE))
    rate = re.search(r"Requests/sec: +(\S+)", out.stdout)
    return f"{kind:20} p50 {found['50']:>9} p99 {found['99']:>9} {rate and rate[1]:>9} requests/s"


def main() -> None:
    """All rows."""
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    ports = [free_port() for _ in SERVICES]
    services = [
        subprocess.Popen([sys.executable, "-c", SERVICE, str(port), *how])
        for port, how in zip(ports, SERVICES, strict=True)
    ]
    try:
        for port in ports:
            wait_for(port)
        with tempfile.TemporaryDirectory() as folder:
            for kind in KINDS:
                print(measure(kind, ports, seconds, Path(folder)), flush=True)
    finally:
        for one in services:
            one.terminate()
            one.wait(10)


if __name__ == "__main__":
    main()
