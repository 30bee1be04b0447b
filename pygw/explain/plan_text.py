"""`pygw routes --plan`: a plan as text that two versions can be compared by.

Owns: one fact a line, in a stable order: settings, upstreams by name, routes by name. What differs
from process to process (the generation, a random pseudonym) is left out.
Runs in: the process of the command.
Never does: show a secret: it is given a masked plan.
Read next: `pygw.plan`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

_OWN = ("generation", "version", "expressions")
_NAMED = ("listeners", "upstreams", "routes")


def render_plan(plan: Mapping[str, Any]) -> str:
    """The plan, each line `place = value`; the values are JSON."""
    lines: list[str] = []
    for key in sorted(plan):
        if key not in _OWN and key not in _NAMED:
            lines += _facts(key, plan[key])
    for key in _NAMED:
        singular = key.removesuffix("s")
        for one in sorted(plan[key], key=lambda entry: str(entry["name"])):
            rest = {name: value for name, value in one.items() if name != "name"}
            lines += _facts(f"{singular} {one['name']}", rest, " ")
    return "".join(f"{line}\n" for line in lines)


def _facts(place: str, value: Any, between: str = ".") -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        for key in value:
            yield from _facts(f"{place}{between}{key}", value[key])
    elif isinstance(value, list) and any(isinstance(one, (Mapping, list)) for one in value):
        for number, one in enumerate(value):
            yield from _facts(f"{place}[{number}]", one)
    else:
        yield f"{place} = {json.dumps(value, ensure_ascii=False)}"
