"""JSON (RFC 8259), with the place of every value.

Owns: a walk over the tokens of a text that the standard library has found valid; it yields the same
data, and lines and columns beside it.
Runs in: the control plane.
Never does: accept more than JSON: no comments, no NaN, no key twice.
Read next: `toml`.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator

from ..document import (
    DEPTH_MAX,
    NO_VALUE,
    NOT_UNICODE,
    TOO_DEEP,
    VALUES_MAX,
    Document,
    Entry,
    shown,
)
from ..errors import Mark, Path, Problem
from ..interpolate import Sources

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[][{}:,]|[^][{}:,"\s]+')

_TRAILING = re.compile(r",\s*[}\]]")
_LONE = re.compile("[\ud800-\udfff]")

Token = tuple[str, int]


def read_json(text: str, file: str, sources: Sources) -> Document:
    """As `read_document`."""
    document = Document(file, text)
    lines = [0, *(found.end() for found in re.finditer("\n", text))]

    depth = 0
    for found in _TOKEN.finditer(text):
        depth += (found[0] in "[{") - (found[0] in "]}")
        if depth > DEPTH_MAX:
            raise document.fail(TOO_DEEP, _mark(lines, found.start()))
    try:
        json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        reason, at = _reason(error)
        raise document.fail(f"not valid JSON: {reason}", _mark(lines, at)) from None
    except ValueError as error:
        # Python's own bound on the digits of a number.
        raise document.fail(f"not valid JSON: {error}") from None
    walk = _Walk(document, sources, text, lines)
    document.locate = walk.locate
    document.data = walk.read((), None)
    return document


class _Walk:
    """One pass over the tokens."""

    def __init__(self, document: Document, sources: Sources, text: str, lines: list[int]) -> None:
        self.document = document
        self.sources = sources
        self.lines = lines
        self.tokens: Iterator[Token] = (
            (found[0], found.start()) for found in _TOKEN.finditer(text)
        )
        self.values_left = VALUES_MAX
        self.entries: dict[Path, tuple[int, int, object]] = {}

    def locate(self, path: Path) -> Entry | None:
        if path not in self.entries:
            return None
        key, at, value = self.entries[path]
        return Entry(self.mark(key), self.mark(at), shown(value))

    def mark(self, at: int) -> Mark:
        return _mark(self.lines, at)

    def read(self, path: Path, key: int | None, token: Token | None = None) -> object:
        """The next value; `key` is where its key stands, `token` its first token if that is
        known."""
        text, at = token if token is not None else next(self.tokens)
        self.values_left -= 1
        if self.values_left < 0:
            raise self.document.fail("too many values", self.mark(at))
        value = {} if text == "{" else [] if text == "[" else json.loads(text)
        self.entries[path] = (at if key is None else key, at, value)
        if text == "{":
            return self._mapping(path)
        return self._sequence(path) if text == "[" else self._scalar(value, path)

    def _mapping(self, path: Path) -> dict[str, object]:
        out: dict[str, object] = {}
        for text, at in self.tokens:
            if text == "}":
                break
            if text == ",":
                continue
            key = json.loads(text)
            mark = self.mark(at)
            next(self.tokens)
            if key in out:
                line = self.mark(self.entries[(*path, key)][0]).line
                message = f"duplicate key; it stands in line {line} already"
                problem = Problem((*path, key), message, mark, mark)
                self.document.problems.append(problem)
                self._skip()
            elif _LONE.search(key):
                self.document.problems.append(Problem(path, f"a key {NOT_UNICODE}", mark, mark))
                self._skip()
            else:
                out[key] = self.read((*path, key), at)
        return out

    def _sequence(self, path: Path) -> list[object]:
        out: list[object] = []
        for token in self.tokens:
            if token[0] == "]":
                break
            if token[0] != ",":
                out.append(self.read((*path, len(out)), None, token))
        return out

    def _skip(self) -> None:
        """Pass over a value."""
        depth = 0
        for text, _ in self.tokens:
            depth += (text in "[{") - (text in "]}")
            if depth == 0:
                return

    def _scalar(self, value: object, path: Path) -> object:
        if value is None:
            self.document.refuse(path, NO_VALUE)
            return None
        if not isinstance(value, str):
            return value
        if _LONE.search(value):
            self.document.refuse(path, NOT_UNICODE)
            return None
        return self.document.replace(path, value, self.sources)


def _mark(lines: list[int], at: int) -> Mark:
    """The place of a character; `lines` are the places where lines begin."""
    line = bisect_right(lines, at)
    return Mark(line, at - lines[line - 1] + 1)


def _reason(error: json.JSONDecodeError) -> tuple[str, int]:
    """What is wrong and what to do, and where."""
    text, at = error.doc, error.pos
    trailing = _TRAILING.search(text, text.rfind(",", 0, at + 1) if "," in text[: at + 1] else at)
    if trailing is not None and trailing.start() <= at <= trailing.end():
        return "a comma stands behind the last entry; take it out", trailing.start()
    reason = f"{error.msg[:1].lower()}{error.msg[1:]}"
    if text.startswith(("//", "/*", "#"), at):
        reason += "; JSON has no comments"
    elif error.msg == "Extra data":
        reason += "; the configuration ends before it"
    return reason, at


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number of JSON")
