"""The results as files: figures as JSON, and as a Markdown table.

Pure but for `report_write`. Read next: README.md of benchmarks, which explains the columns.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Part:
    """What one part costs: nanoseconds of one operation over the rounds."""

    name: str
    median_ns: float
    low_ns: float
    high_ns: float
    rounds: int
    operations: int


def parts_of(document: Mapping[str, Any]) -> list[Part]:
    """The figures in what pytest-benchmark wrote; low and high are the quartiles."""
    parts = []
    for one in document["benchmarks"]:
        stats, operations = one["stats"], int(one["extra_info"]["operations"])
        low, median, high = (stats[key] * 1e9 / operations for key in ("q1", "median", "q3"))
        name = one["name"].removeprefix("test_").replace("_", " ").replace("[", " (")
        parts.append(
            Part(name.replace("]", ")"), median, low, high, int(stats["rounds"]), operations)
        )
    return parts


def markdown(started: str, facts: Mapping[str, object], parts: Sequence[Part]) -> str:
    """The table of one run."""
    rows = [
        "# Micro benchmark",
        "",
        f"Written by `python -m benchmarks.micro`, started {started}.",
        "The method is described in benchmarks/README.md.",
        "",
        f"- machine: {', '.join(f'{key} {value}' for key, value in facts.items())}",
        f"- {parts[0].rounds} rounds of {parts[0].operations} operations each",
        "",
        "| part | ns, median | quartiles |",
        "|---|---:|---:|",
    ]
    for part in parts:
        spread = f"{part.low_ns:.1f}-{part.high_ns:.1f}"
        rows.append(f"| {part.name} | {part.median_ns:.1f} | {spread} |")
    return "\n".join([*rows, ""])


def report_write(
    started: str,
    facts: Mapping[str, object],
    versions: Mapping[str, str | None],
    parts: Sequence[Part],
    folder: Path,
) -> list[Path]:
    """Write micro.json and micro.md; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        "started": started,
        "machine": facts,
        "versions": versions,
        "parts": [asdict(part) for part in parts],
    }
    paths = [folder / "micro.json", folder / "micro.md"]
    paths[0].write_text(json.dumps(document, indent=1) + "\n")
    paths[1].write_text(markdown(started, facts, parts))
    return paths
