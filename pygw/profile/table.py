"""A profile as text.

Owns: the table that `pygw profile` prints.
Runs in: the process of the command.
Never does: write a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .spent import Spent

if TYPE_CHECKING:
    from .rehearsal import Told

_HEAD = ("share", "count", "mean", "p99", "where")


def time_text(ns: float) -> str:
    """A time with a unit that fits: `82 ns`, `1.24 us`, `3.10 ms`, `2.00 s`."""
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if ns >= size:
            return f"{ns / size:.2f} {unit}"
    return f"{ns:.0f} ns"


def table_text(spent: Sequence[Spent], cpu_s: float) -> str:
    """What the gateway did itself, then what it waited for; shares are of each part."""
    own = [one for one in spent if not one.waits]
    waits = [one for one in spent if one.waits]
    out = _part("the gateway's own time", own) + _part("waiting for others", waits)
    known_s = sum(one.ns for one in own) / 1e9
    out += f"workers took {cpu_s:.2f} s of processor time, {known_s:.2f} s of it are above;"
    return out + " the rest is the event loop, reading and writing sockets\n"


def rehearsal_text(spent: Sequence[Spent], told: Sequence[Told], seconds: float) -> str:
    """What the gateway did itself, what hooks waited, and what requests came to."""
    own = [one for one in spent if not one.waits]
    waits = [one for one in spent if one.waits and one.stack[-1] == "waiting"]
    out = _part("the gateway's own time", own)
    if waits:
        out += _part("hooks that waited", waits)
    rows = [("count", "answer", "route", "request")]
    for one in told:
        for status, count in sorted(one.statuses.items()):
            answer = str(status) if status else "cut"
            rows.append((str(count), answer, one.asked.route or "-", one.asked.told))
    widths = [max(len(row[n]) for row in rows) for n in range(3)]
    out += "".join(
        "  ".join(
            (row[0].rjust(widths[0]), row[1].ljust(widths[1]), row[2].ljust(widths[2]), row[3])
        )
        + "\n"
        for row in rows
    )
    count = sum(sum(one.statuses.values()) for one in told)
    mean = time_text(sum(one.ns for one in own) / count) if count else "-"
    return (
        f"{out}\n{count} requests in {seconds:g} s, {mean} of the gateway's own time each;"
        " reading and writing sockets is not in it\n"
    )


def _part(title: str, spent: Sequence[Spent]) -> str:
    whole = sum(one.ns for one in spent)
    rows = [_HEAD]
    for one in spent:
        share = f"{100 * one.ns / whole:.1f} %" if whole else "-"
        p99 = time_text(one.p99_ns) if one.p99_ns else "-"
        where = " > ".join(one.stack)
        rows.append((share, str(one.count), time_text(one.mean_ns), p99, where))
    widths = [max(len(row[n]) for row in rows) for n in range(4)]
    lines = [
        "  ".join([*(row[n].rjust(widths[n]) for n in range(4)), row[4]]).rstrip() for row in rows
    ]
    return f"{title}: {time_text(whole)}\n" + "\n".join(lines) + "\n\n"
