"""The committed baseline of instructions per request, and the comparison with it.

Pure but for reading and writing one JSON file. Read next: __main__.py.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from benchmarks import machine
from benchmarks.gate.drive import Cost

BASELINE = Path(__file__).with_name("baseline.json")
TOLERANCE = 0.03
# What decides the instructions besides our source: named in the baseline, for whoever reads it.
_TOOLCHAIN = ("python", "cython", "gcc", "uvloop", "httptools", "valgrind")


class BaselineError(Exception):
    """There is no usable baseline."""


@dataclass(frozen=True)
class Comparison:
    """One scenario against its baseline; `change` is relative, more instructions positive."""

    scenario: str
    measured: float
    expected: float

    @property
    def change(self) -> float:
        """Relative change: 0.03 is three per cent more."""
        return self.measured / self.expected - 1

    @property
    def worse(self) -> bool:
        """Tell whether the request costs more than the tolerance allows."""
        return self.change > TOLERANCE

    @property
    def better(self) -> bool:
        """Tell whether the baseline is out of date because requests became cheaper."""
        return self.change < -TOLERANCE

    def sentence(self) -> str:
        """Say what was compared."""
        return (
            f"{self.scenario}: {self.measured:.0f} instructions per request, baseline "
            f"{self.expected:.0f}, {self.change:+.1%} (tolerance {TOLERANCE:.0%})"
        )


def toolchain() -> dict[str, str | None]:
    """Return the versions that decide how many instructions our source becomes."""
    versions = machine.program_versions()
    return {name: versions[name] for name in _TOOLCHAIN}


def baseline_write(measured: dict[str, Cost], path: Path = BASELINE) -> None:
    """Make the measured instructions the baseline."""
    document = {
        "instructions_per_request": {name: round(cost.median) for name, cost in measured.items()},
        "toolchain": toolchain(),
    }
    path.write_text(json.dumps(document, indent=1) + "\n")


def baseline_read(path: Path = BASELINE) -> tuple[dict[str, float], dict[str, str | None]]:
    """Return instructions by scenario and the toolchain; BaselineError if they are not there."""
    try:
        document = json.loads(path.read_text())
        return document["instructions_per_request"], document["toolchain"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BaselineError(f"{path.name} is not usable ({error!r}): record one") from error


def compare(measured: dict[str, Cost], expected: dict[str, float]) -> list[Comparison]:
    """Set each measured scenario beside its baseline; BaselineError if one has none."""
    missing = measured.keys() - expected.keys()
    if missing:
        raise BaselineError(f"the baseline lacks {', '.join(sorted(missing))}: record it again")
    return [Comparison(name, cost.median, expected[name]) for name, cost in measured.items()]


def toolchain_changes(recorded: dict[str, str | None]) -> list[str]:
    """Say which versions differ from those of the baseline."""
    return [
        f"{name} was {recorded.get(name)}, is {now}"
        for name, now in toolchain().items()
        if recorded.get(name) != now
    ]
