"""`pygw routes`: what is asked in which order.

Owns: the rows of the table, as data and as text.
Runs in: the process of the command.
Never does: match a request.
Read next: `plan_text`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..config.choices import SHARES
from ..config.model import Config
from ..config.model.middleware import Middleware
from .predicate import Plan, conditions_of, hosts_of, path_of, rank

Row = dict[str, Any]

COLUMNS = ("methods", "host", "path", "conditions", "upstream", "mirrors", "middleware", "route")
TITLES = {"mirrors": "MIRROR"}


def rows_of(config: Config, plan: Plan) -> list[Row]:
    """A row for each host of each route, the first that is asked first."""
    found = []
    for place, (route, planned) in enumerate(zip(config.routes, plan["routes"], strict=True)):
        for host in hosts_of(planned) or ("",):
            row = {
                "route": planned["name"],
                "methods": list(planned["match"].get("methods", ())),
                "host": host or None,
                "path": path_of(planned),
                "conditions": conditions_of(planned),
                "upstream": upstreams_of(planned),
                "mirrors": mirrors_of(planned),
                "middleware": [filter_name(entry) for entry in route.middleware],
            }
            found.append((rank(planned, host), place, row))
    found.sort(key=lambda one: one[:2])
    return [{"order": number} | row for number, (_, _, row) in enumerate(found, 1)]


def upstreams_of(planned: Plan) -> dict[str, int]:
    """The upstreams that get a route's requests, with their weights."""
    upstream = planned["upstream"]
    if upstream is None:
        return {}
    if isinstance(upstream, str):
        return {upstream: 1}
    return {one["to"]: one["weight"] for one in upstream}


def mirrors_of(planned: Plan) -> dict[str, float]:
    """The upstreams that get copies of a route's requests, with the share of them, 1 for all."""
    return {one["to"]: one["share"] / SHARES for one in planned.get("mirrors", ())}


def filter_name(entry: Middleware) -> str:
    """The name of a filter as the configuration writes it."""
    return next(iter(entry.model_fields_set))


def render_rows(rows: Sequence[Row]) -> str:
    """The rows as columns that stand below each other, with a line of titles; no column for
    mirrors where no route has one."""
    columns = [one for one in COLUMNS if one != "mirrors" or any(row[one] for row in rows)]
    cells = [[TITLES.get(one, one.upper()) for one in columns]]
    cells += [[_cell(row, column) for column in columns] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        for line in cells
    )
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _cell(row: Row, column: str) -> str:
    value = row[column]
    if column == "upstream":
        shared = len(value) > 1
        return _listed(f"{name} {weight}" if shared else name for name, weight in value.items())
    if column == "mirrors":
        return _listed(
            name if share == 1 else f"{name} {share * 100:g}%" for name, share in value.items()
        )
    if column in ("methods", "host") and not value:
        return "*"
    if isinstance(value, list):
        return _listed(value, " " if column == "methods" else ", ")
    return str(value)


def _listed(words: Iterable[str], between: str = ", ") -> str:
    return between.join(words) or "-"
