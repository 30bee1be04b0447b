"""What a hook costs, measured call by call.

Owns: the repetition of a request, and the medians of what its hooks took.
Runs in: tests of hooks.
Never does: measure waits: a call that waits is timed until it first does.
Read next: `gateway`.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .runs import HookRun

if TYPE_CHECKING:
    from .gateway import Gateway

WARM_UP = 200
"""Calls before those that count: LuaJIT compiles what is hot, Python specialises it."""

CALLS_MAX = 1000
TIME_MAX_S = 0.3
"""Calls that count, and the time that all may take together."""


@dataclass(frozen=True)
class Cost:
    """What one call of a hook took in a phase."""

    hook: str
    phase: str
    runtime: str
    ns: float
    """Median of the calls, in nanoseconds, the clock's own cost taken off."""
    calls: int
    waited: bool

    def __str__(self) -> str:
        until = " until it waits" if self.waited else ""
        return f"{self.hook} {self.phase} {shown(self.ns)}{until}"


def shown(ns: float) -> str:
    """A time as people read it: 84 ns, 1.2 µs, 3.4 ms."""
    for size, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if ns >= size:
            return f"{ns / size:.2g} {unit}" if ns < 10 * size else f"{ns / size:.0f} {unit}"
    return f"{ns:.0f} ns"


def summed_up(runs: Iterable[HookRun], clock_ns: float) -> list[Cost]:
    """The medians by hook and phase, in the order of the first call."""
    by_place: dict[tuple[str, str, str], list[HookRun]] = {}
    for run in runs:
        by_place.setdefault((run.hook, run.phase, run.runtime), []).append(run)
    return [
        Cost(
            hook,
            phase,
            runtime,
            max(0.0, statistics.median(run.seconds for run in calls) * 1e9 - clock_ns),
            len(calls),
            any(run.waited for run in calls),
        )
        for (hook, phase, runtime), calls in by_place.items()
    ]


def table(costs: Sequence[Cost]) -> list[str]:
    """Lines for people, one a hook: its phases with their costs."""
    hooks = dict.fromkeys((cost.hook, cost.runtime) for cost in costs)
    lines = []
    for hook, runtime in hooks:
        phases = [
            f"{cost.phase} {shown(cost.ns)}{' until it waits' if cost.waited else ''}"
            for cost in costs
            if (cost.hook, cost.runtime) == (hook, runtime)
        ]
        lines.append(f"{hook} ({runtime}): {' · '.join(phases)}")
    return lines


def costs_of(gateways: Sequence[Gateway], known: Sequence[Cost] = ()) -> list[Cost]:
    """What the hooks of gateways cost, each phase by the last request that passed through it;
    without what is known."""
    found: list[Cost] = []
    for gateway in reversed(gateways):
        seen = {(cost.hook, cost.phase) for cost in (*known, *found)}
        if gateway.called - seen:
            found += [one for one in gateway.costs() if (one.hook, one.phase) not in seen]
    return found


class Budget:
    """How long a measurement goes on."""

    def __init__(self) -> None:
        self._calls = 0
        self._began = time.monotonic()

    def more(self) -> bool:
        """Whether one more call may be made."""
        self._calls += 1
        return self._calls <= CALLS_MAX + WARM_UP and self._passed_s < TIME_MAX_S

    @property
    def counts(self) -> bool:
        """Whether the call at hand counts: on a slow machine from half the time on."""
        return self._calls > WARM_UP or self._passed_s > TIME_MAX_S / 2

    @property
    def _passed_s(self) -> float:
        return time.monotonic() - self._began
