"""A configuration as plain data, with the place of every value remembered where there is one.

Owns: `Document`, the bounds of what is read in any format, and the walk that fills a document from
data that has no places (TOML, a Python object).
Runs in: the control plane.
Never does: know which keys the configuration has; that is `model`.
Read next: `formats`, which has a reader for each kind of text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from .errors import ConfigError, Mark, Path, Problem, printable
from .interpolate import InterpolationError, Sources

DEPTH_MAX = 32
"""Deepest nesting; parsers recurse on the C stack, so this is checked before or within them."""

VALUES_MAX = 500_000
"""Most values in one document, aliases followed: 10 000 routes with predicates and three filters
each have about 300 000."""

SHOWN_MAX = 60
"""Longest value repeated in a message, in characters."""

NOT_UNICODE = "must be text in Unicode, without lone surrogates"
NO_VALUE = "has no value; write one or take the key out"

TOO_DEEP = f"nested too deeply; at most {DEPTH_MAX} levels"


@dataclass(frozen=True, slots=True)
class Entry:
    """Where one value stands, if that is known, and how its author wrote it (references not
    replaced)."""

    at: Mark | None
    caret: Mark | None
    shown: str


@dataclass
class Document:
    """A text read as far as it can be read: data, marks and what was wrong on the way.

    `locate` finds the entry at a path; what is good is never located, so it need not be fast.
    `broken` holds the paths whose data is only a stand-in because their problem is already known.
    `references` holds what replaced a text that was one reference and nothing else, in formats
    where a reference can only be written as text: it may stand for a number or a boolean.
    """

    file: str
    text: str
    data: object = None
    locate: Callable[[Path], Entry | None] = lambda path: None
    problems: list[Problem] = field(default_factory=list)
    broken: set[Path] = field(default_factory=set)
    references: dict[Path, str] = field(default_factory=dict)

    def nearest(self, path: Path) -> Path:
        """The longest beginning of `path` that the text really has."""
        while path and self.locate(path) is None:
            path = path[:-1]
        return path

    def problem(self, path: Path, message: str, of_key: bool = False) -> Problem:
        """A problem at `path`, or at the nearest place the text has; `of_key` blames the key."""
        entry = self.locate(self.nearest(path))
        if entry is None:
            return Problem(path, message)
        return Problem(path, message, entry.at, entry.at if of_key else entry.caret)

    def refuse(self, path: Path, message: str) -> None:
        """Report the value at `path` and leave None in its place."""
        self.broken.add(path)
        self.problems.append(self.problem(path, message))

    def fail(self, message: str, mark: Mark | None = None) -> ConfigError:
        """The error of a text that cannot be read at all."""
        return ConfigError([Problem((), message, mark)], self.file, self.text)

    def replace(self, path: Path, text: str, sources: Sources) -> str | None:
        """The text with its references replaced; None, and a problem, where that cannot be."""
        if "${" not in text:
            return text
        try:
            replaced = sources.interpolate(text)
        except InterpolationError as error:
            self.refuse(path, str(error))
            return None
        if text.startswith("${") and text.find("}") == len(text) - 1:
            self.references[path] = replaced
        return replaced


class Walk:
    """One walk over data without places. Without `sources`, `${` in it has no meaning."""

    def __init__(self, document: Document, sources: Sources | None) -> None:
        self.document = document
        self.sources = sources
        self.values_left = VALUES_MAX

    def walk(self, root: object) -> None:
        """Read all of `root` into the document."""
        self.document.locate = lambda path: _locate(root, path)
        self.document.data = self.read(root, ())

    def read(self, value: object, path: Path) -> object:
        """The value as plain data; what has no place in a configuration is reported."""
        self.values_left -= 1
        if self.values_left < 0 or len(path) > DEPTH_MAX:
            raise self.document.fail("too many values" if self.values_left < 0 else TOO_DEEP)
        if isinstance(value, Mapping):
            return {
                key: self.read(inner, (*path, key))
                for key, inner in value.items()
                if self._is_key(key, path)
            }
        if isinstance(value, (list, tuple)):
            return [self.read(inner, (*path, index)) for index, inner in enumerate(value)]
        if isinstance(value, str):
            return self._text(value, path)
        if value is None:
            self.document.refuse(path, NO_VALUE)
        elif not isinstance(value, (bool, int, float)):
            what = "must be text, a number, true, false, a list or a mapping"
            self.document.refuse(path, f"{what}, got {type(value).__name__}; write it as text")
            return None
        return value

    def _text(self, value: str, path: Path) -> str | None:
        if any("\ud800" <= c <= "\udfff" for c in value):
            self.document.refuse(path, NOT_UNICODE)
            return None
        return value if self.sources is None else self.document.replace(path, value, self.sources)

    def _is_key(self, key: object, path: Path) -> bool:
        if not isinstance(key, str):
            self.document.problems.append(
                Problem(path, "a key must be text; write a name before the colon")
            )
        return isinstance(key, str)


def _locate(root: object, path: Path) -> Entry | None:
    for part in path:
        is_there = (isinstance(root, Mapping) and part in root) or (
            isinstance(root, (list, tuple)) and isinstance(part, int) and part < len(root)
        )
        if not is_there:
            return None
        root = cast(Any, root)[part]
    return Entry(None, None, shown(root))


def shown(value: object) -> str:
    """A value as a message names it."""
    if isinstance(value, str):
        return f'"{shortened(value)}"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return shortened(repr(value))
    return "a mapping" if isinstance(value, Mapping) else "nothing" if value is None else "a list"


def shortened(text: str) -> str:
    """A text fit for a message."""
    text = printable(text[: SHOWN_MAX + 1])
    if len(text) > SHOWN_MAX:
        text = text[:SHOWN_MAX] + "\N{HORIZONTAL ELLIPSIS}"
    return text
