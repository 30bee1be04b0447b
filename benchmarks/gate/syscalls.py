"""System calls per request on a warm keep-alive connection, seen by strace.

Runs the drive in a directory and reads strace's file: one line per call, the mark being a call
itself. Read next: baseline.py.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.gate.drive import MARK, SCENARIOS, costs, drive

# Calls by what they are for; all others stand under their own name.
_FAMILIES = {
    "read": ("read", "readv", "recvfrom", "recvmsg"),
    "write": ("write", "writev", "sendto", "sendmsg"),
    "epoll_wait": ("epoll_wait", "epoll_pwait", "epoll_pwait2"),
}
_FAMILY_OF = {call: family for family, calls in _FAMILIES.items() for call in calls}
# "1234  read(5, ..." or, without -f, "read(5, ..."; "resumed" lines repeat a call already counted.
_CALL = re.compile(r"^(?:\d+\s+)?(\w+)\(")
# Below this a call is not made per request: a batch of the access log, a timer.
SELDOM = 0.05

# At most this many per request; what is not named must be seldom.
LIMITS = {"read": 2.0, "write": 2.0, "epoll_wait": 2.0, "epoll_ctl": 0.0}


def intervals_parse(lines: Iterable[str]) -> list[Counter[str]]:
    """Count the calls between the marks; the first mark ends the warm-up, the last the run."""
    intervals: list[Counter[str]] = []
    current: Counter[str] = Counter()
    for line in lines:
        found = _CALL.match(line)
        if found is None:
            continue
        if found.group(1) == MARK:
            intervals.append(current)
            current = Counter()
        else:
            current[_FAMILY_OF.get(found.group(1), found.group(1))] += 1
    return intervals[1:]


def per_request(intervals: Sequence[Counter[str]]) -> dict[str, dict[str, float]]:
    """Return the calls per request by scenario and kind, without those that never happen."""
    found: dict[str, dict[str, float]] = {name: {} for name in SCENARIOS}
    for kind in sorted({call for interval in intervals for call in interval} | LIMITS.keys()):
        for name, cost in costs([interval[kind] for interval in intervals]).items():
            if kind in LIMITS or cost.median > 0.001:
                found[name][kind] = round(cost.median, 3)
    return found


def problems(calls: dict[str, dict[str, float]]) -> list[str]:
    """Return one sentence for each kind of call that a request makes too often."""
    return [
        f"{name}: {count:g} {kind} per request, at most {LIMITS.get(kind, 0.0):g} allowed"
        for name, kinds in calls.items()
        for kind, count in kinds.items()
        if count > LIMITS.get(kind, 0.0) + SELDOM
    ]


def syscalls_count(directory: Path) -> dict[str, dict[str, float]]:
    """Return the system calls per request by scenario; ToolError when it cannot be done."""
    trace = directory / "strace.out"
    drive(["strace", "-f", "-qq", "-s", "0", "-o", str(trace)], directory)
    with trace.open(errors="replace") as lines:
        return per_request(intervals_parse(lines))
