"""A configuration that is being written.

Owns: `Draft`, which importers fill, and the remarks that say what they could not carry over.
Runs in: the process of the command.
Never does: know the language that it is filled from.
Read next: `write`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

REMARKS_MAX = 10_000
"""Most remarks of one import; a longer list helps nobody."""

_UNNAMABLE = re.compile(r"[^A-Za-z0-9_.-]+")


class ImportFailed(Exception):
    """The input cannot be read; the text says where and why."""


@dataclass(frozen=True, order=True)
class Place:
    """Where something stands in the input; line 0 is the whole file."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True)
class Remark:
    """What a person must know. `lost` was not carried over; otherwise it was, with a difference."""

    place: Place
    message: str
    lost: bool = True

    def __str__(self) -> str:
        return f"{self.place}: {'not carried over' if self.lost else 'note'}: {self.message}"


@dataclass
class Draft:
    """Settings, listeners, upstreams and routes as plain data, in the order they are written."""

    settings: Json = field(default_factory=dict)
    listeners: list[Json] = field(default_factory=list)
    upstreams: dict[str, Json] = field(default_factory=dict)
    routes: list[Json] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    origins: dict[int, Place] = field(default_factory=dict)
    """Where each route comes from, by `id` of the route."""

    def lose(self, place: Place, message: str) -> None:
        """Remark on something that was not carried over."""
        self._remark(Remark(place, message))

    def note(self, place: Place, message: str) -> None:
        """Remark on a difference to what was carried over."""
        self._remark(Remark(place, message, lost=False))

    def _remark(self, remark: Remark) -> None:
        if remark not in self.remarks and len(self.remarks) < REMARKS_MAX:
            self.remarks.append(remark)

    def add_route(self, route: Json, place: Place) -> None:
        """A further route; a name that is taken gets a number."""
        if "name" in route:
            taken = {one.get("name") for one in self.routes}
            route["name"] = unused_name(str(route["name"]), taken)
        self.routes.append(route)
        self.origins[id(route)] = place

    def data(self) -> Json:
        """The whole configuration as plain data."""
        out: Json = dict(self.settings)
        out["listeners"] = self.listeners
        if self.upstreams:
            out["upstreams"] = self.upstreams
        out["routes"] = self.routes
        return out


def to_name(text: str, otherwise: str) -> str:
    """The text as a name of a route or upstream: at most 64 letters, digits and inner `. _ -`."""
    name = _UNNAMABLE.sub("-", text).strip(".-")[:64].strip(".-")
    return name or otherwise


def unused_name(name: str, taken: set[Any] | dict[str, Any]) -> str:
    """The name, or the name with the first free number behind it."""
    number, out = 2, name
    while out in taken:
        out = f"{name[:58]}-{number}"
        number += 1
    return out
