"""Line coverage of the data plane by the test suite: `make coverage`, or this file by itself.

``python tests/tools/coverage.py [--floor 90] [--report-only] [-- PYTEST ARGUMENTS]`` builds the
variant ``coverage``, runs the suite on it, then ``tests/unit`` on ``coverage-release`` for what a
debug build leaves out, and prints one row a file with the lines that never ran.
``build/coverage/coverage.json`` says the same. Exit 1 if the total is below the floor, or if a test
failed.

gcov counts lines of C. Cython writes above the C of each statement which line of which .pyx or .pxd
it comes from, and that is how counts are given back. What counts are the statements inside
functions of `pygw/_core`: not declarations, not a module's initialisation, not `probe/`, which
belongs to the tests. A statement ran if any of its C ran, in whichever process: the counters are
written when a process exits, so that of one which is killed is lost.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
# Each variant of the core that counts, and the tests it runs; all when there are none.
RUNS: dict[str, list[str]] = {"coverage": [], "coverage-release": ["tests/unit"]}
REPORT = BUILD / "coverage" / "coverage.json"
CORE = "pygw/_core/"
LEFT_OUT = "pygw/_core/probe/"

SECTION = re.compile(r"/\* #### Code section: (\w+) ### \*/")
FUNCTIONS = "module_code"
POSITION = re.compile(r'\s*/\* "([^"]+\.(?:pyx|pxd))":(\d+)$')
# A declaration, or the head of a function or class: nothing to run, whatever C stands for it.
HEAD = re.compile(
    r"\s*(?:@|(?:async\s+)?def\b|class\b|cdef\s+(?:class|readonly|public)\b|cdef\b[^=]*\w\()"
)

Counts = dict[int, int]


@dataclass
class Source:
    """What is known of one .pyx or .pxd: how often each statement ran, by line."""

    counts: Counts = field(default_factory=dict)

    @property
    def uncovered(self) -> list[int]:
        """The lines that never ran."""
        return sorted(line for line, count in self.counts.items() if not count)

    @property
    def covered(self) -> int:
        """How many lines ran."""
        return len(self.counts) - len(self.uncovered)


def percent(covered: int, lines: int) -> float:
    """A share in percent; nothing to cover is all covered."""
    return round(100 * covered / lines, 1) if lines else 100.0


def build(variant: str) -> None:
    """Compile what changed, and forget what was counted so far."""
    command = [sys.executable, "setup.py", "--quiet", "build"]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYGW_BUILD": variant})
    if done.returncode:
        sys.exit(f"the build {variant} failed")
    for counters in (BUILD / variant / "objects").rglob("*.gcda"):
        counters.unlink()


def run_suite(variant: str, arguments: list[str]) -> bool:
    """Whether the tests pass on the package just built, its worker processes included."""
    command = [sys.executable, "-m", "pytest", "-p", "pygw", *arguments]
    paths = {"PYTHONSAFEPATH": "1", "PYTHONPATH": f"{BUILD / variant}{os.pathsep}{ROOT}"}
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **paths}).returncode == 0


def positions(c_text: str) -> Iterator[tuple[int, str, int]]:
    """Each line of C that belongs to a function: its number, and the file and line it is for."""
    section = name = ""
    line = 0
    for number, text in enumerate(c_text.splitlines(), 1):
        if match := SECTION.match(text):
            section, name = match.group(1), ""
        elif section == FUNCTIONS and (match := POSITION.match(text)):
            name, line = match.group(1), int(match.group(2))
        elif name:
            yield number, name, line


def c_counts(unit: Path, wanted: str) -> Counts:
    """How often each line of the C file ran that a compilation unit (.gcno) was made from."""
    gcov = [os.environ.get("GCOV", "gcov"), "--json-format", "--stdout", str(unit)]
    done = subprocess.run(gcov, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(gcov)}\n{done.stderr}")
    counts: Counts = {}
    for file in json.loads(done.stdout)["files"]:
        if file["file"] == wanted:
            for line in file["lines"]:
                number = line["line_number"]
                counts[number] = counts.get(number, 0) + line["count"]
    if not counts:
        sys.exit(f"gcov knows no line of {wanted}")
    return counts


def statements(name: str) -> set[int]:
    """The lines of a source that are not the head of a function or class."""
    text = (ROOT / name).read_text("utf-8").splitlines()
    return {number for number, line in enumerate(text, 1) if not HEAD.match(line)}


def units() -> Iterator[tuple[Path, str]]:
    """Each compilation unit whose .pyx is still there, and its C file."""
    for variant in RUNS:
        objects = BUILD / variant / "objects"
        for unit in sorted(objects.rglob("*.gcno")):
            c_name = unit.relative_to(objects).with_suffix(".c")
            if (ROOT / c_name.relative_to("build/c")).with_suffix(".pyx").exists():
                yield unit, str(c_name)


def collect() -> dict[str, Source]:
    """All sources of the data plane, counted in all builds."""
    sources: dict[str, Source] = {}
    wanted: dict[str, set[int]] = {}
    for unit, c_name in units():
        counts = c_counts(unit, c_name)
        for number, name, line in positions((ROOT / c_name).read_text("utf-8")):
            if number not in counts or not name.startswith(CORE) or name.startswith(LEFT_OUT):
                continue
            if name not in wanted:
                wanted[name] = statements(name)
            if line in wanted[name]:
                source = sources.setdefault(name, Source())
                source.counts[line] = source.counts.get(line, 0) + counts[number]
    return dict(sorted(sources.items()))


def summary(sources: dict[str, Source], floor: float) -> dict[str, Any]:
    """The figures as they go into the report."""
    files = {
        name: {
            "lines": len(source.counts),
            "covered": source.covered,
            "percent": percent(source.covered, len(source.counts)),
            "uncovered": source.uncovered,
        }
        for name, source in sources.items()
    }
    lines = sum(len(source.counts) for source in sources.values())
    covered = sum(source.covered for source in sources.values())
    total = {"lines": lines, "covered": covered, "percent": percent(covered, lines)}
    return {"floor": floor, "total": total, "files": files}


def ranges(numbers: list[int]) -> str:
    """`3, 7-9` for 3, 7, 8, 9."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def table(figures: dict[str, Any]) -> str:
    """The figures for a reader."""
    row = "{:<44} {:>6} {:>8} {:>6}  {}"
    rows = [row.format("file", "lines", "covered", "%", "lines that never ran")]
    for name, file in figures["files"].items():
        missed = ranges(file["uncovered"])
        rows.append(row.format(name, file["lines"], file["covered"], file["percent"], missed))
    total = figures["total"]
    rows.append(row.format("total", total["lines"], total["covered"], total["percent"], ""))
    return "\n".join(line.rstrip() for line in rows)


def main() -> int:
    """Build, run, report; the exit code."""
    parser = argparse.ArgumentParser(description="Line coverage of pygw/_core by the test suite.")
    parser.add_argument("--floor", type=float, default=90.0, help="least total in percent")
    parser.add_argument("--report-only", action="store_true", help="of what was counted before")
    parser.add_argument("pytest", nargs="*", help="arguments for pytest, after --")
    options = parser.parse_args()
    passed = True
    for variant, tests in RUNS.items():
        if not options.report_only:
            build(variant)
            passed &= run_suite(variant, [*options.pytest, *tests])
    figures = summary(collect(), options.floor)
    if not figures["files"]:
        sys.exit("nothing was counted; run without --report-only")
    REPORT.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    print(table(figures))
    if not passed:
        print("a test failed", file=sys.stderr)
    if 100 * figures["total"]["covered"] < options.floor * figures["total"]["lines"]:
        print(f"below the floor of {options.floor:g} %", file=sys.stderr)
        passed = False
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
