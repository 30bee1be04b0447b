"""Command line of the gate: `python -m benchmarks.gate`.

Prints a line for each figure on stderr and writes gate.json. Exit status: 0 within all bounds, 1
not, or it could not be measured, 2 usage.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks import machine
from benchmarks.gate import baseline, instructions, profile, syscalls
from benchmarks.gate.drive import LONG, SHORT, ToolError
from benchmarks.gate.peers import PeerError

RESULTS = Path(__file__).parents[1] / "results"


def _say(text: str) -> None:
    """Print to stderr."""
    print(text, file=sys.stderr, flush=True)


def _instructions_run(options: argparse.Namespace, directory: Path) -> tuple[dict[str, Any], bool]:
    """Count instructions; return what to write and whether they are within the tolerance."""
    measured = instructions.instructions_count(directory)
    if options.profile:
        for line in profile.profile_lines(directory, options.profile):
            _say(line)
    if options.record:
        baseline.baseline_write(measured)
        _say(f"recorded {baseline.BASELINE.name}")
    expected, recorded = baseline.baseline_read()
    good = True
    for comparison in baseline.compare(measured, expected):
        advice = ": record the baseline again" if comparison.better else ""
        _say(comparison.sentence() + advice)
        good = good and not comparison.worse
    if not good:
        for change in baseline.toolchain_changes(recorded):
            _say(f"the toolchain differs from the baseline's: {change}")
    return {name: asdict(cost) for name, cost in measured.items()}, good


def _syscalls_run(directory: Path) -> tuple[dict[str, Any], bool]:
    """Count system calls; return what to write and whether they are within the limits."""
    calls = syscalls.syscalls_count(directory)
    for name, kinds in calls.items():
        _say(f"{name}: " + ", ".join(f"{count:g} {kind}" for kind, count in kinds.items()))
    problems = syscalls.problems(calls)
    for problem in problems:
        _say(problem)
    return dict(calls), not problems


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gate", description=__doc__)
    parser.add_argument("--record", action="store_true", help="make this run the baseline")
    parser.add_argument("--only", choices=("instructions", "syscalls"))
    parser.add_argument("--out", type=Path, default=RESULTS, help="directory of gate.json")
    parser.add_argument(
        "--profile", type=int, default=0, metavar="N", help="show the N dearest functions"
    )
    return parser.parse_args(arguments)


def _stop(number: int, frame: FrameType | None) -> None:
    """Turn TERM into the same orderly end as Ctrl-C."""
    raise KeyboardInterrupt


def _measure(options: argparse.Namespace, directory: Path) -> tuple[dict[str, Any], bool]:
    """Run what was asked for, each part in its own directory."""
    document: dict[str, Any] = {"requests_per_interval": [SHORT, LONG]}
    good = True
    for part, tool in (("instructions", "valgrind"), ("syscalls", "strace")):
        if options.only not in (None, part):
            continue
        if shutil.which(tool) is None:
            raise ToolError(f"{tool} is not installed")
        own = directory / part
        own.mkdir()
        if part == "instructions":
            document[part], fine = _instructions_run(options, own)
        else:
            document[part], fine = _syscalls_run(own)
        good = good and fine
    return document, good


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the gate and return the exit status."""
    options = _arguments(arguments)
    signal.signal(signal.SIGTERM, _stop)
    try:
        with tempfile.TemporaryDirectory(prefix="pygw-gate-") as scratch:
            document, good = _measure(options, Path(scratch))
    except (ToolError, PeerError, baseline.BaselineError) as error:
        _say(f"not measured: {error}")
        return 1
    except KeyboardInterrupt:
        _say("stopped; every started process has been ended")
        return 1
    options.out.mkdir(parents=True, exist_ok=True)
    document["versions"] = machine.program_versions()
    path = options.out / "gate.json"
    path.write_text(json.dumps(document, indent=1) + "\n")
    _say(f"wrote {path}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
