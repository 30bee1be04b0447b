"""The drive: runs of requests through a subject under a tool, with a mark between any two.

Starts the subject under valgrind or strace and plays client and origin. What a tool counts
between two marks is one interval. The cost of a request is the difference between an interval of
`LONG` requests and one of `SHORT` requests over their difference in number: start-up, marks and
whatever else happens once per interval cancel out. Read next: instructions.py, syscalls.py.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import machine, process
from benchmarks.gate.peers import Client, origin_run
from benchmarks.macro.cases import CASES, Case

# The C function, and the system call, that the subject calls at each mark.
MARK = "getpgid"
WARM_UP = 100
SHORT, LONG = 100, 600
REPEATS = 3  # of the long interval
START_TIMEOUT_S = 120.0
LOG_TIMEOUT_S = 30.0

_CASES = {case.name: case for case in CASES}
# Name of a scenario -> the macro case whose request it repeats, on one connection.
SCENARIOS: Mapping[str, Case] = {
    "get": _CASES["keepalive-64"],
    "headers-40": _CASES["headers-40"],
    "post-4k": _CASES["post-4k"],
}
# The same request on three routes of the subject: without a hook, and with one in each language.
HOOK_SCENARIOS: Mapping[str, Case] = {
    name: replace(_CASES["hooks-64"], path=f"/{name}") for name in ("none", "lua", "python")
}


class ToolError(Exception):
    """The tool or the subject did not work; the text says which and how."""


@dataclass(frozen=True)
class Cost:
    """What one request costs in one unit: the median over the repeats, and their spread."""

    median: float
    low: float
    high: float


def schedule(scenarios: Iterable[str] = SCENARIOS) -> list[tuple[str, int]]:
    """Return the intervals in order: scenario and number of requests."""
    return [(name, count) for name in scenarios for count in [SHORT] + [LONG] * REPEATS]


def costs(intervals: Sequence[float], scenarios: Collection[str] = SCENARIOS) -> dict[str, Cost]:
    """Turn what was counted in each interval of `schedule` into the cost by scenario."""
    if len(intervals) != len(schedule(scenarios)):
        raise ToolError(f"{len(intervals)} intervals were seen, not {len(schedule(scenarios))}")
    found: dict[str, Cost] = {}
    for index, name in enumerate(scenarios):
        first = index * (REPEATS + 1)
        short, *longs = intervals[first : first + REPEATS + 1]
        each = sorted((value - short) / (LONG - SHORT) for value in longs)
        found[name] = Cost(each[len(each) // 2], each[0], each[-1])
    return found


def _mark(subject: process.Child) -> None:
    """Let the subject make a mark, and wait until it has."""
    assert subject.popen.stdin is not None
    subject.popen.stdin.write(b"m")
    subject.popen.stdin.flush()
    if process.line_read(subject, START_TIMEOUT_S) != "marked":
        raise ToolError(f"the subject made no mark:\n{subject.describe_log()}")


def _log_wait(access_log: Path) -> None:
    """Wait for the first batch of the access log: what is started on first use is then there."""
    deadline = time.monotonic() + LOG_TIMEOUT_S
    while not (access_log.exists() and access_log.stat().st_size):
        if time.monotonic() > deadline:
            raise ToolError(f"no access log was written within {LOG_TIMEOUT_S:g} s")
        time.sleep(process.POLL_S)


def _play(subject: process.Child, access_log: Path, scenarios: Mapping[str, Case]) -> None:
    """Send the whole schedule through a started subject."""
    port = int(process.line_read(subject, START_TIMEOUT_S))
    client = Client(port)
    requests = {name: case.request(f"127.0.0.1:{port}") for name, case in scenarios.items()}
    for request in requests.values():
        client.repeat(request, WARM_UP)
    _log_wait(access_log)
    _mark(subject)
    for name, count in schedule(scenarios):
        client.repeat(requests[name], count)
        _mark(subject)
    client.close()


def drive(
    tool: Sequence[str],
    directory: Path,
    scenarios: Mapping[str, Case] = SCENARIOS,
    hooks: Mapping[str, Path] | None = None,
) -> None:
    """Run the schedule through a subject under `tool`, which writes its own output files.

    `hooks` are files by language: the subject has a route /LANGUAGE with each.
    """
    program = [sys.executable, str(Path(__file__).with_name("subject.py"))]
    access_log = directory / "access.log"
    with origin_run() as origin_port:
        command = [*tool, *program, str(origin_port), str(access_log)]
        command += [f"{language}={file}" for language, file in (hooks or {}).items()]
        try:
            with process.child_run(
                "subject",
                command,
                core=None,
                directory=directory,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=machine.python_environment() | {"PYTHONHASHSEED": "0"},
            ) as child:
                _play(child, access_log, scenarios)
                assert child.popen.stdin is not None
                child.popen.stdin.close()
                child.popen.wait(START_TIMEOUT_S)
        except (process.StartError, subprocess.TimeoutExpired, OSError) as error:
            raise ToolError(f"{tool[0]} or the subject failed: {error}") from error
    if child.popen.returncode != 0:
        raise ToolError(f"the subject ended with {child.popen.returncode}:\n{child.describe_log()}")
