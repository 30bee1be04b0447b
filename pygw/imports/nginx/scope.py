"""Where a directive holds: nginx's levels, and what a level inherits.

Owns: `Scope`, the look-up of directives with inheritance, and the record of which were used, so
that those that nobody asked for can be listed; and nginx's units of time and size.
Runs in: the process of the command.
Never does: know what a directive means.
Read next: `servers`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from .syntax import Directive

_TIME = re.compile(r"([0-9]+)\s*(ms|[smhdwMy]?)\s*")
_SIZE = re.compile(r"([0-9]+)([kKmMgG]?)\Z")
_MS = {
    "ms": 1,
    "": 1000,
    "s": 1000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 604_800_000,
    "M": 2_592_000_000,
    "y": 31_536_000_000,
}
_BYTES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


@dataclass(frozen=True)
class Scope:
    """The levels around a place, outermost first; each is the inside of one block."""

    levels: tuple[tuple[Directive, ...], ...]
    used: set[int] = field(default_factory=set)
    """`id` of every directive that was asked for, shared by all scopes of an import."""

    def inner(self, block: tuple[Directive, ...] | None) -> Scope:
        """One level further in."""
        return Scope((*self.levels, block or ()), self.used)

    def here(self, *names: str) -> list[Directive]:
        """Those of the innermost level, in order."""
        found = [one for one in self.levels[-1] if one.name in names]
        self.used.update(id(one) for one in found)
        return found

    def nearest(self, *names: str) -> list[Directive]:
        """Those of the innermost level that has any: nothing is merged with an outer level."""
        chosen: list[Directive] = []
        for level in self.levels:
            found = [one for one in level if one.name in names]
            self.used.update(id(one) for one in found)
            chosen = found or chosen
        return chosen

    def last(self, name: str) -> Directive | None:
        """The one that holds: the last of the innermost level that has any."""
        found = self.nearest(name)
        return found[-1] if found else None


def unused(block: Sequence[Directive], used: set[int]) -> Iterator[Directive]:
    """What nobody asked for, outermost only."""
    for one in block:
        if id(one) not in used:
            yield one
        elif one.block is not None:
            yield from unused(one.block, used)


def read_ms(text: str) -> int | None:
    """Milliseconds of `60`, `60s`, `1m30s` or `500ms`; None for anything else."""
    at, total = 0, 0
    while at < len(text):
        match = _TIME.match(text, at)
        if match is None:
            return None
        total += int(match[1]) * _MS[match[2]]
        at = match.end()
    return total if text else None


def read_bytes(text: str) -> int | None:
    """Bytes of `8192`, `8k`, `1m` or `1g`; None for anything else."""
    match = _SIZE.match(text)
    return None if match is None else int(match[1]) * _BYTES[match[2].lower()]
