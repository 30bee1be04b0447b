"""`python -m benchmarks.reload`: many reloads under an open-loop load; results as a table and JSON.

Measures how many requests a second one gateway can answer here, sends a third of that at fixed
times, and reloads again and again meanwhile. Latency runs from when a request was due. Exits with 1
when a request failed, a reload was refused, or the p99 around reloads is above the bound.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import machine, process
from benchmarks.macro import native

SOURCES = Path(__file__).parent
RESULTS = SOURCES.parent / "results"
PATHS = 16
CONNECTIONS = 64
WINDOW_NS = 200_000_000
P99_RATIO_MAX = 1.5
COLUMNS = (("requests", 9), ("p50_us", 7), ("p99_us", 7), ("p999_us", 7), ("max_us", 7))
SAID = re.compile(rb"^\d\d:\d\d:\d\d reload (ok in (\d+) ms|refused)", re.MULTILINE)


@dataclass
class Reloads:
    """When each was asked for and done (monotonic, ns), and what it said of its time."""

    asked_ns: list[int] = field(default_factory=list)
    done_ns: list[int] = field(default_factory=list)
    took_ms: list[int] = field(default_factory=list)
    refused: int = 0


def config_write(path: Path, port: int, origin: int, routes: int, workers: int, turn: int) -> None:
    """Write a configuration with so many routes; each turn's differs from the one before."""
    # The first ones lead to the origin, the others are there to be carried over.
    upstreams = "".join(
        f"  u{n}: {{targets: ['http://127.0.0.1:{origin if n < PATHS else 1024 + n}']}}\n"
        for n in range(max(PATHS, routes // 20))
    )
    headers = f"{{headers: {{request: {{set: {{X-Turn: t{turn}}}}}}}}}"
    served = "".join(
        f"  - {{match: {{path: /r{n}}}, middleware: [{headers}, {{body_limit: 1MiB}}],"
        f" upstream: u{n % max(PATHS, routes // 20)}}}\n"
        for n in range(routes)
    )
    fresh = path.with_suffix(".new")
    fresh.write_text(
        f"workers: {workers}\naccess_log: off\nlisteners: [{{bind: '127.0.0.1:{port}'}}]\n"
        f"upstreams:\n{upstreams}routes:\n{served}"
    )
    fresh.rename(path)


def load_run(
    port: int, rate: float, seconds: float, directory: Path, core: int | None
) -> array[int]:
    """Run the load to its end and return its records, three numbers each."""
    output = directory / "records"
    command = [
        str(load_build(directory)),
        *(str(port), str(CONNECTIONS), str(rate), str(seconds), str(PATHS), str(output)),
    ]
    with process.child_run(
        "load", command, core=core, directory=directory, stdout=subprocess.PIPE
    ) as child:
        child.popen.wait(seconds + 30)
        if child.popen.returncode != 0:
            raise process.StartError(f"load failed:\n{child.describe_log()}")
    records = array("Q")
    records.frombytes(output.read_bytes())
    return records


def load_build(directory: Path) -> Path:
    """Compile load.c into the directory, once."""
    program = directory / "load"
    if not program.exists():
        command = ["gcc", "-O2", "-std=gnu11", "-Wall", "-Wextra", "-o", str(program)]
        subprocess.run([*command, str(SOURCES / "load.c")], check=True, timeout=60)
    return program


def reload_often(
    child: process.Child, write: Callable[[int], None], count: int, every_s: float, into: Reloads
) -> None:
    """Ask for a reload at each beat, and note when it was asked for and when it was done."""
    started = time.monotonic()
    for turn in range(1, count + 1):
        write(turn)
        time.sleep(max(0.0, started + turn * every_s - time.monotonic()))
        into.asked_ns.append(time.monotonic_ns())
        child.popen.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 20
        while len(said := SAID.findall(child.log.read_bytes())) < turn:
            if time.monotonic() > deadline:
                raise process.StartError(f"reload {turn} was not done within 20 s")
            time.sleep(0.001)
        into.done_ns.append(time.monotonic_ns())
        into.took_ms.append(int(said[-1][1] or 0))
        into.refused += said[-1][0] == b"refused"


def percentile(values: list[int], share: float) -> int:
    """The value below which so large a share lies."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else 0


def summarise(records: array[int], reloads: Reloads) -> dict[str, Any]:
    """Latencies around reloads and in quiet, in microseconds."""
    windows = {
        "from asking": [(at, at + WINDOW_NS) for at in reloads.asked_ns],
        "around the change": [(at - WINDOW_NS // 2, at + WINDOW_NS // 2) for at in reloads.done_ns],
        "whole reload": list(zip(reloads.asked_ns, reloads.done_ns, strict=True)),
    }
    busy = sorted(
        (min(a, d - WINDOW_NS // 2), max(a + WINDOW_NS, d + WINDOW_NS // 2))
        for a, d in zip(reloads.asked_ns, reloads.done_ns, strict=True)
    )
    latencies: dict[str, list[int]] = {"quiet": [], **{name: [] for name in windows}}
    failed = 0
    for at in range(0, len(records), 3):
        due, done, status = records[at : at + 3]
        if not done or status != 200:
            failed += 1
            continue
        latency = (done - due) // 1000
        for name, spans in windows.items():
            if any(low <= due < high for low, high in spans):
                latencies[name].append(latency)
        if not any(low <= due < high for low, high in busy):
            latencies["quiet"].append(latency)
    table = {
        name: {
            "requests": len(values),
            "p50_us": percentile(values, 0.5),
            "p99_us": percentile(values, 0.99),
            "p999_us": percentile(values, 0.999),
            "max_us": max(values, default=0),
        }
        for name, values in latencies.items()
    }
    return {"requests": len(records) // 3, "failed": failed, "latency": table}


def main() -> int:
    """Run it; see the module."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reload", description=__doc__)
    parser.add_argument("--reloads", type=int, default=50)
    parser.add_argument("--routes", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--every", type=float, default=0.6, help="seconds between two reloads")
    parser.add_argument("--share", type=float, default=1 / 3, help="of capacity, that is sent")
    parser.add_argument("--cores", help="gateway's, load's and origin's, such as 0,1,1")
    parser.add_argument("--no-record", action="store_true", help="leave results/ alone")
    options = parser.parse_args()
    cores = [int(c) for c in options.cores.split(",")] if options.cores else [None] * 3
    with tempfile.TemporaryDirectory(prefix="pygw-reload-") as name:
        report, reloads = measure(options, cores, Path(name))
    report["reloads"] = {
        "count": len(reloads.done_ns),
        "refused": reloads.refused,
        "median_ms": percentile(reloads.took_ms, 0.5),
        "max_ms": max(reloads.took_ms, default=0),
    }
    report = {"machine": machine.machine_facts(), "options": vars(options), **report}
    if not options.no_record:
        (RESULTS / "reload.json").write_text(json.dumps(report, indent=2) + "\n")
    return judge(report)


def measure(
    options: argparse.Namespace, cores: Sequence[int | None], directory: Path
) -> tuple[dict[str, Any], Reloads]:
    """Start origin and gateway, find the capacity, then load and reload."""
    answers = [f"/r{n}=100" for n in range(PATHS)]
    reloads = Reloads()
    with native.program_run("origin", answers, core=cores[2], directory=directory) as started:
        origin = started[1]
        config, port = directory / "pygw.yaml", process.port_find()

        def write(turn: int) -> None:
            config_write(config, port, origin, options.routes, options.workers, turn)

        write(0)
        with process.child_run(
            "pygw",
            [machine.python_command(), "-m", "pygw", "run", str(config)],
            core=cores[0],
            directory=directory,
            env=machine.python_environment(),
        ) as gateway:
            process.port_wait(gateway, port)
            capacity = capacity_find(port, directory, cores[1])
            seconds = options.reloads * options.every + 2
            beat = threading.Thread(
                target=reload_often,
                args=(gateway, write, options.reloads, options.every, reloads),
            )
            beat.start()
            rate = capacity * options.share
            records = load_run(port, rate, seconds, directory, cores[1])
            beat.join(60)
    result = summarise(records, reloads)
    return {"capacity": round(capacity), "rate": round(rate), **result}, reloads


def capacity_find(port: int, directory: Path, core: int | None) -> float:
    """Requests a second when each answer is followed by the next request."""
    load_run(port, 0, 1, directory, core)
    records = load_run(port, 0, 2, directory, core)
    done = [records[at + 1] for at in range(0, len(records), 3) if records[at + 1]]
    return len(done) / ((max(done) - records[0]) / 1e9)


def judge(report: dict[str, Any]) -> int:
    """Print the report; 1 if it breaks a promise."""
    latency, reloads = report["latency"], report["reloads"]
    print(
        f"{reloads['count']} reloads of {report['options']['routes']} routes, "
        f"{reloads['refused']} refused, median {reloads['median_ms']} ms, "
        f"longest {reloads['max_ms']} ms"
    )
    print(
        f"{report['requests']} requests at {report['rate']}/s, a share of "
        f"{report['options']['share']:.2f} of {report['capacity']}/s; {report['failed']} failed"
    )
    print(f"{'':18} {'requests':>9} {'p50':>7} {'p99':>7} {'p99.9':>7} {'max':>7}  us")
    for name, row in latency.items():
        print(f"{name:18} " + " ".join(f"{row[key]:>{w}}" for key, w in COLUMNS))
    quiet = latency["quiet"]["p99_us"] or 1
    ratios = {name: row["p99_us"] / quiet for name, row in latency.items() if name != "quiet"}
    print("p99 against quiet: " + ", ".join(f"{name} {r:.2f}" for name, r in ratios.items()))
    wanted = max(ratios["from asking"], ratios["around the change"]) <= P99_RATIO_MAX
    good = wanted and not report["failed"] and not reloads["refused"]
    return 0 if good and reloads["count"] == report["options"]["reloads"] else 1


if __name__ == "__main__":
    sys.exit(main())
