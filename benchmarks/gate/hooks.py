"""What a hook adds to the user instructions of a request: `python -m benchmarks.gate.hooks`.

The request of the macro case hooks-64 on three routes of one subject: without a hook, and with the
request and response hook of benchmarks/macro/hook_peers.py in Lua and in Python. Exit status: 0
within `GOALS`, 1 not, or it could not be measured. Read next: instructions.py.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.gate.drive import HOOK_SCENARIOS, Cost, ToolError
from benchmarks.gate.instructions import instructions_count
from benchmarks.gate.peers import PeerError
from benchmarks.gate.profile import profile_lines
from benchmarks.macro.cases import Case
from benchmarks.macro.hook_peers import LUA_HOOK, PYTHON_HOOK

RESULT = Path(__file__).parents[1] / "results" / "gate-hooks.json"
# A request with the hook may take so many times the instructions of one without.
GOALS = {"lua": 1.15, "python": 1.6}


def hooks_count(directory: Path, more: Mapping[str, Case] | None = None) -> dict[str, Cost]:
    """Return the instructions per request without and with hooks, and of `more` scenarios.

    `directory` must be empty; callgrind's files stay in its folder `counts`.
    """
    (directory / "hook.lua").write_text(LUA_HOOK)
    (directory / "hook.py").write_text(PYTHON_HOOK)
    counts = directory / "counts"
    counts.mkdir()
    files = {"lua": directory / "hook.lua", "python": Path(f"{directory}/hook.py:Hook")}
    return instructions_count(counts, {**(more or {}), **HOOK_SCENARIOS}, files)


def ratios(measured: Mapping[str, Cost]) -> dict[str, float]:
    """Return by language what a request with the hook costs beside one without."""
    return {name: measured[name].median / measured["none"].median for name in GOALS}


def _measure(directory: Path, profile: int) -> bool:
    measured = hooks_count(directory)
    found = ratios(measured)
    print(f"none   {measured['none'].median:7.0f} instructions per request")
    for name, ratio in found.items():
        count, goal = measured[name].median, GOALS[name]
        print(f"{name:6} {count:7.0f} instructions per request, {ratio:.3f} (at most {goal})")
    if profile:
        print("\n".join(profile_lines(directory / "counts", profile, HOOK_SCENARIOS)))
    costs = {name: asdict(cost) for name, cost in measured.items()}
    RESULT.write_text(json.dumps({"instructions": costs, "ratios": found}, indent=1) + "\n")
    return all(found[name] <= GOALS[name] for name in GOALS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Count, print, write results/gate-hooks.json; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gate.hooks", description=__doc__)
    parser.add_argument(
        "--profile", type=int, default=0, metavar="N", help="show the N dearest functions"
    )
    options = parser.parse_args(arguments)
    if shutil.which("valgrind") is None:
        print("not measured: valgrind is not installed", file=sys.stderr)
        return 1
    try:
        with tempfile.TemporaryDirectory(prefix="pygw-gate-") as scratch:
            return 0 if _measure(Path(scratch), options.profile) else 1
    except (ToolError, PeerError) as error:
        print(f"not measured: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
