"""The results as files: everything as JSON, the figures as a Markdown table.

Pure but for `report_write`. Read next: README.md of benchmarks, which explains the columns.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.macro.cases import Case
from benchmarks.macro.rounds import Method, Outcome
from benchmarks.macro.summary import GOALS, Figure, Line, case_lines, goal_figure

_HEADER = (
    "| peer | CPU us/request | user | system | to relay | to better of nginx, haproxy "
    "| requests/s | p50 us | p99 us | core used | by others |"
)
_RULE = "|---" + "|---:" * 10 + "|"


@dataclass(frozen=True)
class Facts:
    """What does not come from the rounds: when, where and with what."""

    started: str  # UTC, ISO 8601
    machine: Mapping[str, object]
    versions: Mapping[str, str | None]
    cpu_source: str


def _spread(value: Figure | None, digits: int = 2) -> str:
    """Return `median (low-high)`, or a dash where there is no figure."""
    if value is None:
        return "-"
    return f"{value.median:.{digits}f} ({value.low:.{digits}f}-{value.high:.{digits}f})"


def _median(value: Figure | None, digits: int = 2) -> str:
    """Return the median alone, or a dash."""
    return "-" if value is None else f"{value.median:.{digits}f}"


def _row(line: Line) -> str:
    """Return the table row of one peer; an invalid one shows why instead of figures."""
    if line.problems:
        return f"| {line.peer} | invalid: {'; '.join(line.problems)} |" + " |" * 9
    cells = (
        line.peer,
        _spread(line.cpu_us),
        _median(line.user_us),
        _median(line.system_us),
        _spread(line.to_floor),
        _spread(line.to_better_rival),
        _median(line.requests_per_s, 0),
        _median(line.p50_us, 0),
        _median(line.p99_us, 0),
        f"{line.proxy_share.median:.0%}",
        f"{line.foreign_share.median:.0%}",
    )
    return "| " + " | ".join(cells) + " |"


def _goal_rows(lines: Sequence[Line]) -> list[str]:
    """Return the table of goals, or nothing where pygw was not measured."""
    if all(line.peer != "pygw" for line in lines):
        return []
    rows = ["## Goals for pygw", "", "| case | against | at most | median (low-high) | met |"]
    rows.append("|---|---|---:|---:|---|")
    for goal in GOALS:
        found = goal_figure(goal, lines)
        met = "not measured" if found is None else "yes" if found.median <= goal.at_most else "no"
        what = f"{goal.case}: {goal.peer} | {goal.against} | {goal.at_most:.2f}"
        rows.append(f"| {what} | {_spread(found)} | {met} |")
    return [*rows, ""]


def _case_rows(case: Case, lines: Sequence[Line], outcome: Outcome) -> list[str]:
    """Return heading and table of one case."""
    rows = [f"## {case.name}: {case.says}", "", _HEADER, _RULE]
    rows += [_row(line) for line in lines if line.case == case.name]
    for (name, peer), problems in outcome.broken.items():
        if name == case.name:
            rows.append(f"| {peer} | left out: {'; '.join(problems)} |" + " |" * 9)
    return [*rows, ""]


def markdown(
    facts: Facts, method: Method, cases: Sequence[Case], outcome: Outcome, lines: Sequence[Line]
) -> str:
    """Return the report as Markdown."""
    versions = ", ".join(f"{name} {value}" for name, value in facts.versions.items() if value)
    rows = [
        "# Macro benchmark",
        "",
        f"Written by `python -m benchmarks.macro`, started {facts.started}.",
        "The method is described in benchmarks/README.md.",
        "",
        f"- machine: {', '.join(f'{key} {value}' for key, value in facts.machine.items())}",
        f"- versions: {versions}",
        f"- rounds: {method.rounds} of {method.seconds:g} s, interleaved",
        f"- cores: proxies on {method.proxy_core}, origin and wrk on {method.load_core}",
        f"- CPU: {facts.cpu_source}, whole process tree; ratios are taken within each round",
        "- figures: median (low-high) over the rounds",
    ]
    rows += [f"- skipped: {peer}: {reason}" for peer, reason in outcome.skipped.items()]
    rows.append("")
    rows += _goal_rows(lines)
    for case in cases:
        rows += _case_rows(case, lines, outcome)
    return "\n".join(rows)


def _line_json(line: Line) -> dict[str, object]:
    """Return a summary line as plain values."""
    return {
        name: value.as_dict() if isinstance(value, Figure) else value
        for name, value in vars(line).items()
    }


def report_write(
    facts: Facts, method: Method, cases: Sequence[Case], outcome: Outcome, directory: Path
) -> list[Path]:
    """Write macro.json and macro.md into `directory` and return their paths."""
    lines = [line for case in cases for line in case_lines(case, outcome.rounds)]
    document = {
        "started": facts.started,
        "machine": facts.machine,
        "versions": facts.versions,
        "cpu_source": facts.cpu_source,
        "method": asdict(method),
        "cases": [{"name": case.name, "says": case.says} for case in cases],
        "skipped": outcome.skipped,
        "left_out": [
            {"case": case, "peer": peer, "problems": problems}
            for (case, peer), problems in outcome.broken.items()
        ],
        "summary": [_line_json(line) for line in lines],
        "rounds": [each.as_dict() for each in outcome.rounds],
    }
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / "macro.json", directory / "macro.md"]
    paths[0].write_text(json.dumps(document, indent=1) + "\n")
    paths[1].write_text(markdown(facts, method, cases, outcome, lines))
    return paths
