"""Time by stack: route, then phase, then filter.

Owns: the tree that table and flame graphs show.
Runs in: the process of the command.
Never does: read a gateway.
Read next: `table`, `flame`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module

from ..bill import Row, quantile

WAITS = ("connect", "upstream", "body", "flush")
"""Parts in which the gateway mostly waits for others."""


PARTS_OF_OTHERS = (*WAITS, "head")
"""Parts that say nothing where clients and services are played: they are what those took."""


@dataclass(frozen=True)
class Spent:
    """Time at one place. `waits`: others had the processor meanwhile."""

    stack: tuple[str, ...]
    ns: int
    count: int
    waits: bool
    p99_ns: float = 0.0
    max_ns: int = 0
    kind: str = "part"
    """`part` of a route, `filter`, or the language of a hook."""

    @property
    def mean_ns(self) -> float:
        """0 for nothing."""
        return self.ns / self.count if self.count else 0.0


def spent_of(rows: Iterable[Row]) -> list[Spent]:
    """Every place at which time went."""
    out: list[Spent] = []
    names = import_module("pygw._core.bill_read").PART_NAMES
    for row in rows:
        if row.phase == "route":
            parts = zip(names, row.part_ns, strict=True)
            out += [
                Spent((row.route, name), ns, row.timed, name in WAITS) for name, ns in parts if ns
            ]
            continue
        stack = (row.route or "(others)", row.phase, _name(row))
        if row.ns or row.runs:
            p99 = quantile(row.buckets, 0.99)
            count = sum(row.buckets)
            out.append(Spent(stack, row.ns, count, False, p99, row.max_ns, _kind(row)))
        if row.waits:
            waits = quantile(row.wait_buckets, 0.99)
            place = (*stack, "waiting")
            taken, most = row.wait_ns, row.wait_max_ns
            out.append(Spent(place, taken, row.waits, True, waits, most, _kind(row)))
    return sorted(out, key=lambda one: -one.ns)


def _kind(row: Row) -> str:
    return "filter" if row.name == row.kind or not row.kind else row.kind


def _name(row: Row) -> str:
    if not row.name:
        return "filters without a row"
    name = row.name if row.name == row.kind else f"{row.name} ({row.kind})"
    return f"{name} #{row.nth + 1}" if row.nth else name
