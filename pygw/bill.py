"""What filters and hooks cost, added up over the workers.

Owns: the rows of the shared block as values: merged by name, subtracted, with shares and quantiles.
Runs in: the control plane, any process that maps a gateway's shared block.
Never does: touch a worker.
Read next: `pygw/_core/types/bill.pxd`, where the counting is described.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

FAILED, LATE = 4, 8
"""What a failure, or a passed deadline, adds to the number of a verdict."""

NEXT, REPLY, WAIT, ABORT = range(4)


@dataclass(frozen=True)
class Row:
    """One filter in one phase on one route, or, with the phase `route`, a whole route.

    Times are in ns. `ns` and `buckets` are of all runs, made of the `timed` ones; waits are all
    timed. `part_ns` belongs to routes: what their timed exchanges spent outside of filters.
    """

    route: str
    name: str
    kind: str
    phase: str
    nth: int
    counts: tuple[int, ...]
    cancelled: int
    timed: int
    ns: int
    max_ns: int
    waits: int
    wait_ns: int
    wait_max_ns: int
    buckets: tuple[int, ...]
    wait_buckets: tuple[int, ...]
    part_ns: tuple[int, ...]

    @property
    def key(self) -> tuple[str, str, str, str, int]:
        """What names it in every worker and through every reload."""
        return self.route, self.phase, self.kind, self.name, self.nth

    @property
    def outcomes(self) -> dict[str, int]:
        """How many runs came to what; those that still wait are in none of them."""
        c = self.counts
        return {
            "next": c[NEXT],
            "reply": c[REPLY],
            "abort": c[ABORT],
            "failed": c[FAILED + REPLY] + c[FAILED + ABORT],
            "skipped": c[FAILED + NEXT],
            "deadline": c[LATE + NEXT] + c[LATE + REPLY] + c[LATE + ABORT],
            "cancelled": self.cancelled,
        }

    @property
    def runs(self) -> int:
        """Runs that came to an end; of a route: exchanges that were timed."""
        return self.timed if self.phase == "route" else sum(self.outcomes.values())

    @property
    def mean_ns(self) -> float:
        """Of the time on the loop; 0 without runs."""
        weight = sum(self.buckets)
        return self.ns / weight if weight else 0.0


def row_of(fields: Mapping[str, Any]) -> Row:
    """A row as `bills_read` tells it."""
    made: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in fields.items()}
    return Row(**made)


def _joined(one: Row, other: Row, sign: int) -> Row:
    def each(a: Sequence[int], b: Sequence[int]) -> tuple[int, ...]:
        return tuple(max(x + sign * y, 0) for x, y in zip(a, b, strict=True))

    summed = {
        name: max(getattr(one, name) + sign * getattr(other, name), 0)
        for name in ("cancelled", "timed", "ns", "waits", "wait_ns")
    }
    lists = {
        name: each(getattr(one, name), getattr(other, name))
        for name in ("counts", "buckets", "wait_buckets", "part_ns")
    }
    most = {
        name: max(getattr(one, name), getattr(other, name)) if sign > 0 else getattr(one, name)
        for name in ("max_ns", "wait_max_ns")
    }
    changed: dict[str, Any] = {**summed, **lists, **most}
    return replace(one, **changed)


def rows_merged(rows: Iterable[Row]) -> list[Row]:
    """One row for each name: the sum over workers."""
    out: dict[tuple[str, str, str, str, int], Row] = {}
    for row in rows:
        out[row.key] = _joined(out[row.key], row, 1) if row.key in out else row
    return list(out.values())


def rows_since(now: Iterable[Row], before: Iterable[Row]) -> list[Row]:
    """What was added since `before`; rows in which nothing ran are left out. The largest times stay
    those of the whole life: they cannot be taken apart."""
    old = {row.key: row for row in before}
    rows = [_joined(row, old[row.key], -1) if row.key in old else row for row in now]
    return [row for row in rows if row.runs or row.waits or row.timed]


def quantile(buckets: Sequence[int], q: float) -> float:
    """The time in ns below which a share `q` of the runs lies, within a bucket's width (41 % or
    less); 0 without runs."""
    starts = import_module("pygw._core.bill_read").bucket_starts()
    wanted = q * sum(buckets)
    seen = 0.0
    for place, count in enumerate(buckets):
        if count and seen + count >= wanted:
            low = starts[place]
            high = starts[place + 1] if place + 1 < len(starts) else 2 * low
            return float(low + (high - low) * max(wanted - seen, 0) / count)
        seen += count
    return 0.0


def bucket_of(ns: int) -> int:
    """The bucket in which a time is counted."""
    starts: list[int] = import_module("pygw._core.bill_read").bucket_starts()
    return bisect_right(starts, ns) - 1
