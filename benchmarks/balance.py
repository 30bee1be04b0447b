"""What the choice of a target is worth when one of three is slow: p50 and p99 of each `balance`.

`python -m benchmarks.balance [--rounds N] [--seconds S]` starts three services, two that take 2 ms
and one that takes 20 ms and serves one request at a time, and one `pygw run` with a route for each
way to balance. wrk with 32 connections plays through the routes in turn, S seconds each, N rounds,
so that all see the same machine. Results go into results/balance.json: the rounds, and of each the
median. Exit status 0 if the p99 of least connections is below that of round robin in every round.

Owns: the services, the configuration, the rounds and the table.
Runs in: a developer's machine; it needs wrk.
Never does: compare with another machine: latencies move with it, their order does not.
"""

from __future__ import annotations

import argparse
import json
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import machine

RESULT = Path(__file__).parent / "results" / "balance.json"
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
UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0}
Row = dict[str, float]


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


def wait_until_idle(port: int) -> None:
    """Returns when a service has worked off what the row before has left with it."""
    with socket.create_connection(("127.0.0.1", port)) as one:
        one.settimeout(30)
        one.sendall(b"GET / HTTP/1.1\r\n\r\n")  # it stands behind all others
        one.recv(1024)


def configuration(port: int, targets: list[int]) -> str:
    """A route and an upstream for each way to balance, all with the same targets."""
    urls = [f"http://127.0.0.1:{one}" for one in targets]
    return json.dumps(
        {
            "access_log": "off",
            "listeners": [{"bind": f"127.0.0.1:{port}"}],
            "upstreams": {kind: {"targets": urls, "balance": kind} for kind in KINDS},
            "routes": [{"match": {"path": f"/{kind}"}, "upstream": kind} for kind in KINDS],
        }
    )


def measure(url: str, seconds: int) -> Row:
    """One row: latencies in ms."""
    wrk = ["wrk", "-t1", "-c32", f"-d{seconds}s", "--latency", url]
    out = subprocess.run(wrk, capture_output=True, text=True, timeout=seconds + 30, check=True)
    found = re.findall(r"^ +(50|99)% +([\d.]+)(us|ms|s) *$", out.stdout, re.MULTILINE)
    row = {f"p{share}_ms": float(value) * UNITS_MS[unit] for share, value, unit in found}
    rate = re.search(r"Requests/sec: +(\S+)", out.stdout)
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", out.stdout)
    row["failed"] = int(failed[1]) if failed else 0
    return row | {"requests_per_s": float(rate[1]) if rate else 0.0}


def play(ports: list[int], rounds: int, seconds: int) -> dict[str, list[Row]]:
    """All rounds, by kind."""
    rows: dict[str, list[Row]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory(prefix="pygw-balance-") as folder:
        port = free_port()
        config = Path(folder) / "pygw.json"
        config.write_text(configuration(port, ports))
        gateway = subprocess.Popen(
            [machine.python_command(), "-m", "pygw", "run", str(config)],
            env=machine.python_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_for(port)
            for _ in range(rounds):
                for kind in KINDS:
                    for service in ports:
                        wait_until_idle(service)
                    rows[kind].append(measure(f"http://127.0.0.1:{port}/{kind}", seconds))
        finally:
            gateway.terminate()
            gateway.wait(40)
    return rows


def main() -> int:
    """Measure, record, tell."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.balance")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="of each way in each round")
    parser.add_argument("--no-record", action="store_true", help="leave results/ alone")
    options = parser.parse_args()
    facts = machine.machine_facts()
    ports = [free_port() for _ in SERVICES]
    services = [
        subprocess.Popen([sys.executable, "-c", SERVICE, str(port), *how])
        for port, how in zip(ports, SERVICES, strict=True)
    ]
    try:
        for port in ports:
            wait_for(port)
        rows = play(ports, options.rounds, options.seconds)
    finally:
        for one in services:
            one.terminate()
            one.wait(10)
    medians = {
        kind: {name: round(statistics.median(row[name] for row in rows[kind]), 3) for name in of[0]}
        for kind, of in rows.items()
    }
    for kind, row in medians.items():
        print(
            f"{kind:20} p50 {row['p50_ms']:8.2f} ms  p99 {row['p99_ms']:8.2f} ms"
            f" {row['requests_per_s']:9.0f} requests/s  {row['failed']:.0f} failed"
        )
    if not options.no_record:
        report = {"machine": facts, "services": SERVICES, "options": vars(options)}
        report |= {"median": medians, "rounds": rows}
        RESULT.write_text(json.dumps(report, indent=1) + "\n")
    pairs = zip(rows["least_connections"], rows["round_robin"], strict=True)
    return 0 if all(least["p99_ms"] < robin["p99_ms"] for least, robin in pairs) else 1


if __name__ == "__main__":
    sys.exit(main())
