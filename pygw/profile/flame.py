"""A profile as a flame graph in speedscope's file format.

Owns: the file's form: stacks and weights.
Runs in: the process of the command.
Never does: measure.
Read next: `svg` for a graph that needs no program but a browser.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from .spent import Spent

SCHEMA = "https://www.speedscope.app/file-format-schema.json"


def speedscope_text(spent: Sequence[Spent], name: str) -> str:
    """JSON that https://www.speedscope.app shows: one profile of the gateway's own time, one of
    whole requests."""
    frames: dict[str, int] = {}
    own = [one for one in spent if not one.waits]
    profiles = [
        _sampled("the gateway's own time", own, frames),
        _sampled("requests", spent, frames),
    ]
    document = {
        "$schema": SCHEMA,
        "shared": {"frames": [{"name": frame} for frame in frames]},
        "profiles": profiles,
        "name": name,
        "activeProfileIndex": 0,
        "exporter": "pygw profile",
    }
    return json.dumps(document, indent=1) + "\n"


def _sampled(name: str, spent: Sequence[Spent], frames: dict[str, int]) -> dict[str, Any]:
    return {
        "type": "sampled",
        "name": name,
        "unit": "nanoseconds",
        "startValue": 0,
        "endValue": sum(one.ns for one in spent),
        "samples": [[frames.setdefault(f, len(frames)) for f in one.stack] for one in spent],
        "weights": [one.ns for one in spent],
    }
