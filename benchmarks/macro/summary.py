"""From rounds to figures: medians of per-round values and ratios, with their spread.

Pure functions. A ratio is taken within one round, where both sides met the same noise, and only
then are the ratios of all rounds put together. Read next: report.py.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.macro.cases import Case
from benchmarks.macro.rounds import Round

FLOOR = "relay"
RIVALS = ("nginx", "haproxy")
HOOK_RIVAL = "nginx-lua"


@dataclass(frozen=True)
class Figure:
    """A median with the smallest and the largest value it came from."""

    median: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float]:
        """Return plain values for JSON."""
        return {
            "median": round(self.median, 3),
            "low": round(self.low, 3),
            "high": round(self.high, 3),
        }


@dataclass(frozen=True)
class Line:
    """The figures of one peer in one case; None where the case or a missing peer has none."""

    case: str
    peer: str
    cpu_us: Figure | None
    user_us: Figure | None
    system_us: Figure | None
    to_floor: Figure | None
    to_better_rival: Figure | None
    to_hook_rival: Figure | None
    requests_per_s: Figure
    p50_us: Figure
    p99_us: Figure
    proxy_share: Figure
    foreign_share: Figure
    problems: tuple[str, ...]


def figure(values: Iterable[float]) -> Figure | None:
    """Return the median and spread of the values, None if there are none."""
    kept = list(values)
    return Figure(statistics.median(kept), min(kept), max(kept)) if kept else None


def _figure_of(rounds: Sequence[Round], value: Callable[[Round], float]) -> Figure:
    """Return the figure of one value over rounds, of which there is at least one."""
    found = figure(value(each) for each in rounds)
    assert found is not None
    return found


def _ratios(rounds: Sequence[Round], base: Mapping[int, float]) -> Figure | None:
    """Return CPU over a base by round, for the rounds that have one."""
    return figure(each.cpu_us / base[each.index] for each in rounds if each.index in base)


def _cpu_by_round(rounds: Iterable[Round], peer: str) -> dict[int, float]:
    """Map the index of each valid round of a peer to its CPU per request."""
    return {each.index: each.cpu_us for each in rounds if each.peer == peer and not each.problems}


def _better_rival(rounds: Sequence[Round]) -> dict[int, float]:
    """Map each round to the CPU of the rival that was cheaper in it; both must be there."""
    first, second = (_cpu_by_round(rounds, rival) for rival in RIVALS)
    return {index: min(first[index], second[index]) for index in first.keys() & second.keys()}


def case_lines(case: Case, rounds: Sequence[Round]) -> list[Line]:
    """Return one line per peer for the rounds of one case."""
    of_case = [each for each in rounds if each.case == case.name]
    floor, rival = _cpu_by_round(of_case, FLOOR), _better_rival(of_case)
    hooked = _cpu_by_round(of_case, HOOK_RIVAL)
    lines = []
    for peer in dict.fromkeys(each.peer for each in of_case):
        mine = [each for each in of_case if each.peer == peer]
        counts = case.cpu_counts
        lines.append(
            Line(
                case=case.name,
                peer=peer,
                cpu_us=_figure_of(mine, lambda each: each.cpu_us) if counts else None,
                user_us=_figure_of(mine, lambda each: each.user_us) if counts else None,
                system_us=_figure_of(mine, lambda each: each.system_us) if counts else None,
                to_floor=_ratios(mine, floor) if counts else None,
                to_better_rival=_ratios(mine, rival) if counts else None,
                to_hook_rival=_ratios(mine, hooked) if counts and case.hooks else None,
                requests_per_s=_figure_of(mine, lambda each: each.requests_per_s),
                p50_us=_figure_of(mine, lambda each: each.p50_us),
                p99_us=_figure_of(mine, lambda each: each.p99_us),
                proxy_share=_figure_of(mine, lambda each: each.proxy_share),
                foreign_share=_figure_of(mine, lambda each: each.foreign_share),
                problems=tuple(dict.fromkeys(text for each in mine for text in each.problems)),
            )
        )
    return lines


@dataclass(frozen=True)
class Goal:
    """A bound on pygw's CPU per request in one case, against the floor, the better rival or the
    rival with a hook."""

    case: str
    against: str
    at_most: float
    peer: str = "pygw"


GOALS = (
    Goal("keepalive-64", "floor", 1.25),
    Goal("keepalive-64", "better rival", 0.85),
    Goal("keepalive-512", "floor", 1.35),
    Goal("body-1m", "floor", 1.25),
    Goal("hooks-64", HOOK_RIVAL, 0.75, "pygw-lua"),
)


def goal_figure(goal: Goal, lines: Sequence[Line]) -> Figure | None:
    """Return the ratio that a goal bounds; None if it was not measured or is invalid."""
    for line in lines:
        if (line.case, line.peer) == (goal.case, goal.peer) and not line.problems:
            if goal.against == HOOK_RIVAL:
                return line.to_hook_rival
            return line.to_floor if goal.against == "floor" else line.to_better_rival
    return None
