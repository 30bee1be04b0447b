"""Command line of the micro benchmark: `python -m benchmarks.micro`.

Runs the parts under pytest-benchmark, prints their table on stderr and writes micro.json and
micro.md. Exit status: 0 measured, 1 not, 2 usage.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import machine
from benchmarks.micro.report import markdown, parts_of, report_write

RESULTS = Path(__file__).parents[1] / "results"
PARTS = [str(Path(__file__).with_name(f"test_{name}.py")) for name in ("parts", "codecs")]


def _say(text: str) -> None:
    """Print to stderr."""
    print(text, file=sys.stderr, flush=True)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.micro", description=__doc__)
    parser.add_argument("--only", default="", metavar="EXPRESSION", help="as pytest's -k")
    parser.add_argument("--out", type=Path, default=RESULTS, help="directory of the results")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and return the exit status."""
    options = _arguments(arguments)
    if importlib.util.find_spec("pytest_benchmark") is None:
        _say("the micro benchmark needs pytest-benchmark, not installed here")
        return 1
    started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    with tempfile.TemporaryDirectory(prefix="pygw-micro-") as folder:
        measured = Path(folder, "measured.json")
        command = [
            *(sys.executable, "-m", "pytest", "-p", "pygw", *PARTS, "-q", "-k", options.only),
            *("-p", "no:cacheprovider", "--benchmark-quiet", f"--benchmark-json={measured}"),
        ]
        done = subprocess.run(
            command, capture_output=True, text=True, env=machine.python_environment(), check=False
        )
        if done.returncode != 0 or not measured.exists() or not measured.read_text():
            _say(done.stdout + done.stderr)
            _say("not measured")
            return 1
        parts = parts_of(json.loads(measured.read_text()))
    facts, versions = machine.machine_facts(), machine.program_versions()
    _say(markdown(started, facts, parts))
    for path in report_write(started, facts, versions, parts, options.out):
        _say(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
