"""What the rules share.

Owns: calm reading of data of any shape, and the search for repeated values.
Runs in: the control plane, on plain data that may be malformed.
Never does: judge a single value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..errors import Path, show_path

Finding = tuple[Path, str]

HOOKS = frozenset({"lua", "python", "native"})
"""Filters that are user code, which may answer."""


def repeated(
    path: Path, tail: Path, values: Sequence[Any], what: str, normal: Callable[[Any], Any]
) -> Iterator[Finding]:
    """The later of two values with the same normal form; values without one are skipped."""
    seen: dict[Any, int] = {}
    for index, value in enumerate(values):
        form = attempt(normal, value)
        if form is None:
            continue
        first = seen.setdefault(form, index)
        if first != index:
            yield (*path, index, *tail), f"duplicate {what}; {show_path((*path, first))} has it"


def same_name(path: Path, fields: Mapping[str, Any]) -> Iterator[Finding]:
    """The later of two field names that differ by case only."""
    seen: dict[str, str] = {}
    for name in fields:
        first = seen.setdefault(name.lower(), name)
        if first != name:
            yield (*path, name), f"the same header as {first}: names ignore case; take one out"


def attempt(parse: Callable[[Any], Any], value: Any) -> Any:
    """The parsed value, or None for one that is not there or not good."""
    try:
        return None if value is None else parse(value)
    except ValueError:
        return None


def mapping(value: Any) -> Mapping[str, Any]:
    """The mapping, or an empty one."""
    return value if isinstance(value, Mapping) else {}


def items(value: Any) -> Sequence[Any]:
    """The list, or an empty one."""
    return value if isinstance(value, list) else ()
