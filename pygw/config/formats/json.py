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
from collections.abc import Callable, Iterator

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
        json.loads(text)
    except json.JSONDecodeError as error:
        reason, at = _reason(error)
        raise document.fail(f"not valid JSON: {reason}", _mark(lines, at)) from None
    except ValueError:
        # Python's own bound on the digits of a number.
        found = max(_TOKEN.finditer(text), key=lambda one: len(one[0]) * (one[0][0] != '"'))
        reason = "a number has too many digits; write a shorter one"
        raise document.fail(f"not valid JSON: {reason}", _mark(lines, found.start())) from None
    for found in _TOKEN.finditer(text):
        if found[0] in _CONSTANTS:
            reason = f"{found[0]} is no number of JSON; write digits, or text in double quotes"
            raise document.fail(f"not valid JSON: {reason}", _mark(lines, found.start()))
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
    reason = next(say for start, say in _SAYINGS if error.msg.startswith(start))(text, at)
    return reason, min(at, len(text.rstrip()))


def _seen(text: str, at: int) -> str:
    """What stands there: a text, a word, a number or a sign."""
    found = _WORD.match(text, at)
    seen = "the end" if found is None else found[0]
    return seen if len(seen) <= _SEEN_MAX else f"{seen[:_SEEN_MAX]}..."


def _common(text: str, at: int) -> str | None:
    """What may be wrong anywhere between two tokens."""
    if text.startswith(("//", "/*", "#"), at):
        return "a comment; JSON has none, take it out or write YAML or TOML"
    if not text.strip():
        return 'the text is empty; write a mapping: {"listeners": [...], "routes": [...]}'
    if _WORD.match(text, at) is None:
        return "the text ends too early; is a closing } or ] missing?"
    if text[at] == "'":
        return "text in single quotes; write it in double quotes"
    return None


def _no_key(text: str, at: int) -> str:
    seen = _seen(text, at)
    if seen == ",":
        return "a comma without an entry before it; take it out"
    if seen in ("{", "["):
        return f'{seen} where a key must stand; write "key": {seen} ...'
    return _common(text, at) or f'a key without quotes; write "{seen}" in double quotes'


def _no_colon(text: str, at: int) -> str:
    said = _common(text, at)
    return said or f'{_seen(text, at)} behind a key; write "key": value, with a colon'


def _no_comma(text: str, at: int) -> str:
    seen, before = _seen(text, at), text[at - 1 : at]
    if before.isdigit() and (seen[0].isalnum() or seen[0] in "_."):
        digits = re.search(r"[-\w.]*\Z", text[max(0, at - _SEEN_MAX) : at])
        number = f"{digits[0] if digits else ''}{seen}"
        if whole := re.fullmatch(r"(-?)0*([0-9]+)", number):
            return f"a zero in front of a number; write {whole[1]}{whole[2]}"
        return f'{number} is no number; write digits, or "{number}" in double quotes'
    if seen == ":":
        return "a key in a list; write [{ }] for a list of mappings, or { } for a mapping"
    if seen in ("}", "]"):
        opened = "[" if seen == "}" else "{"
        return f"{seen} where {opened} is open; close that first, with {'}]'[opened == '[']}"
    said = f"{seen} behind an entry; write a comma between two entries"
    if before == '"' and seen[0] != '"':
        said += ', and \\" for a quote in text'
    return _common(text, at) or said


def _no_value(text: str, at: int) -> str:
    seen = _seen(text, at)
    if seen in (",", "}", "]", ":"):
        return f"{seen} where a value must stand; write one before it"
    if seen.lower() in _WORDS_OF_JSON:
        return f"{seen} is no value of JSON; write {_WORDS_OF_JSON[seen.lower()]}"
    if seen[0] in "+.-":
        return f"{seen} is no number of JSON; write digits, such as 0.5 or -1"
    found = _PLAIN.match(text, at)
    plain = found[0] if found is not None and len(found[0]) <= _SEEN_MAX else seen
    return _common(text, at) or f'text without quotes; write "{plain}" in double quotes'


_CONSTANTS = ("NaN", "Infinity", "-Infinity")
_SEEN_MAX = 40
_WORD = re.compile(r'"(?:[^"\\\n]|\\.)*"|[^][{}:,"\'\s]+|\S')
_PLAIN = re.compile(r'[^]},"\s]+')
_WORDS_OF_JSON = {"true": "true", "false": "false", "yes": "true", "no": "false"}
_WORDS_OF_JSON["none"] = "a value, or take the key out"

# By how the library's message begins.
_SAYINGS: tuple[tuple[str, Callable[[str, int], str]], ...] = (
    ("Expecting property name", _no_key),
    ("Expecting ':'", _no_colon),
    ("Expecting ','", _no_comma),
    ("Expecting value", _no_value),
    ("Unterminated string", lambda text, at: 'text without an end; is its closing " missing?'),
    (
        "Invalid control character",
        lambda text, at: (
            'a line break or other control character in text; write \\n, or close the "'
        ),
    ),
    ("Invalid \\u", lambda text, at: "a broken escape; write \\u and 4 hex digits"),
    ("Invalid \\", lambda text, at: "an unknown escape; write \\\\ for a backslash"),
    (
        "Extra data",
        lambda text, at: f"{_seen(text, at)} behind the end; the configuration ends before it",
    ),
    ("Unexpected UTF-8 BOM", lambda text, at: "a byte order mark; save the text without it"),
    ("", lambda text, at: f"{_seen(text, at)} cannot stand here; compare it with RFC 8259"),
)
