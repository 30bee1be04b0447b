"""Where the instructions of a request go, by function, from the files of the instruction count.

Reads callgrind's files only. callgrind_annotate is no help here: it counts what callers that were
on the stack at a mark had spent as their own. Read next: __main__.py.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from benchmarks.gate.drive import LONG, REPEATS, SCENARIOS
from benchmarks.gate.instructions import parts_marked

_COST_LINE = re.compile(r"[0-9+*-]")
_MODULE = re.compile(r"(\d+)")


def function_name(symbol: str) -> str:
    """Return `module.function` for a Cython function of pygw, any other symbol as it is."""
    mangled = symbol.removeprefix("__pyx_f_")
    if mangled == symbol:
        return symbol
    modules = []
    while found := _MODULE.match(mangled):  # each module name stands behind its length
        start, length = found.end(), int(found.group())
        modules.append(mangled[start : start + length])
        mangled = mangled[start + length + 1 :]
    return f"{modules[-1]}.{mangled}" if modules else mangled


def costs_read(path: Path) -> Counter[str]:
    """Return the instructions that each function itself took in one callgrind file."""
    found: Counter[str] = Counter()
    name, inclusive = "", False
    with path.open(errors="replace") as lines:
        for line in lines:
            if line.startswith("fn="):
                name = function_name(line[3:].strip())
            elif line.startswith("calls="):
                inclusive = True  # the next line is what the callee took
            elif _COST_LINE.match(line):
                if not inclusive:
                    found[name] += int(line.split()[-1])
                inclusive = False
    return found


def profile_lines(directory: Path, count: int, scenarios: Iterable[str] = SCENARIOS) -> list[str]:
    """Return the `count` dearest functions of each scenario, as instructions per request."""
    parts = parts_marked(directory)[1:]
    lines = []
    for index, scenario in enumerate(scenarios):
        costs = costs_read(parts[index * (REPEATS + 1) + 1])  # the first of the long intervals
        total = costs.total()
        lines.append(f"{scenario}: {total / LONG:.0f} instructions per request, marks included")
        lines += [
            f"{cost / LONG:8.0f} {cost / total:6.1%}  {name}"
            for name, cost in costs.most_common(count)
        ]
    return lines
