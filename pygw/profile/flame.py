"""A profile as a flame graph.

Owns: the two forms: speedscope's file format, and an SVG that needs nothing else.
Runs in: the process of the command.
Never does: measure.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from .spent import Spent
from .table import time_text

SCHEMA = "https://www.speedscope.app/file-format-schema.json"
_WIDTH, _ROW, _TOP = 1200, 20, 34


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


@dataclass
class _Node:
    name: str
    ns: int = 0
    below: dict[str, _Node] = field(default_factory=dict)


def svg_text(spent: Sequence[Spent], title: str) -> str:
    """An icicle: a row a level, width is time; what is pointed at says its name and time."""
    root = _Node("all")
    depth = 1
    for one in spent:
        node = root
        node.ns += one.ns
        depth = max(depth, len(one.stack) + 1)
        for name in one.stack:
            node = node.below.setdefault(name, _Node(name))
            node.ns += one.ns
    height = _TOP + depth * _ROW + 10
    boxes: list[str] = []
    if root.ns:
        _draw(root, 10.0, 0, (_WIDTH - 20) / root.ns, root.ns, boxes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}"'
        f' viewBox="0 0 {_WIDTH} {height}" font-family="monospace" font-size="12">\n'
        f'<rect width="100%" height="100%" fill="#fffdf8"/>\n'
        f'<text x="10" y="22" font-size="15">{escape(title)}</text>\n' + "".join(boxes) + "</svg>\n"
    )


def _draw(node: _Node, x: float, level: int, scale: float, whole: int, boxes: list[str]) -> None:
    width = node.ns * scale
    if width < 0.2:
        return
    y = _TOP + level * _ROW
    share = 100 * node.ns / whole
    hue = sum(node.name.encode()) * 37 % 50 + 10
    letters = int((width - 6) / 7.3)
    label = node.name if len(node.name) <= letters else node.name[: max(letters - 1, 0)] + "…"
    text = f'<text x="{x + 3:.1f}" y="{y + 14}">{escape(label)}</text>' if letters > 2 else ""
    boxes.append(
        f"<g><title>{escape(node.name)}: {time_text(node.ns)}, {share:.1f} %</title>"
        f'<rect x="{x:.1f}" y="{y}" width="{max(width - 0.5, 0.2):.1f}" height="{_ROW - 1}"'
        f' rx="2" fill="hsl({hue},85%,70%)"/>{text}</g>\n'
    )
    for child in sorted(node.below.values(), key=lambda one: -one.ns):
        _draw(child, x, level + 1, scale, whole, boxes)
        x += child.ns * scale
