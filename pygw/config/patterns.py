"""The paths of routes: literals, parameters and wildcards between slashes.

Owns: `PathMatch` and its grammar. `/v1/users` is one path; `{name}` takes one segment, `{name:int}`
digits, `{name:expression}` what the expression takes; a final `*` or `{name*}` takes all that
follows. Only a path with one reading is taken: origins differ on `;` and on encoded slashes. The
normal form decodes unreserved characters (RFC 3986 §6.2.2), so that equal paths are equal.
Runs in: the control plane.
Never does: compare two routes; that is `pygw.config.semantics`.
Read next: `pygw.config.predicates`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal
from urllib.parse import unquote

from .expressions import SEGMENT, Expression, compile_expression, overlap

PATH_MAX = 8190
"""Longest path of a route, in bytes: no request line that holds more is ever routed."""

SEGMENTS_MAX = 64
"""Most segments of a path, as in the data plane's limits."""

PARAMS_MAX = 16
"""Most names and wildcards of a path, as in the data plane's limits."""

_LITERAL = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()+,;=:@]|%[0-9A-Fa-f]{2})*\Z")
_TRIPLET = re.compile(r"%[0-9A-Fa-f]{2}")
_SECOND_READING = re.compile(r";|%(?:00|2F|3B|5C)")
_UNRESERVED = re.compile(r"[A-Za-z0-9\-._~]\Z")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}\Z")
_WORD = re.compile(r"[A-Za-z_]+\Z")

Kind = Literal["literal", "int", "expression", "param", "rest"]

INTEGER = compile_expression("[0-9]{1,19}")
ANYTHING = compile_expression(".+")


@dataclass(frozen=True)
class Segment:
    """What stands between two slashes; the name is empty where there is none.

    `text` is a literal, an expression, or of a wildcard the beginning of its first segment.
    """

    kind: Kind
    text: str = ""
    name: str = ""

    @property
    def decoded(self) -> str:
        """The literal as an origin that decodes all triplets reads it."""
        return unquote(self.text, errors="surrogateescape")

    @property
    def expression(self) -> Expression:
        """What a parameter takes."""
        if self.kind == "expression":
            return compile_expression(self.text)
        return INTEGER if self.kind == "int" else ANYTHING

    def __str__(self) -> str:
        if self.kind == "rest":
            return f"{{{self.name}*}}" if self.name else f"{self.text}*"
        if self.kind == "literal":
            return self.text
        kind = {"int": ":int", "param": ""}.get(self.kind, f":{self.text}")
        return f"{{{self.name}{kind}}}"


@dataclass(frozen=True)
class PathMatch:
    """A route's path predicate."""

    segments: tuple[Segment, ...]

    @property
    def kind(self) -> Literal["exact", "prefix"]:
        """Whether what follows may be anything."""
        return "prefix" if self.segments[-1].kind == "rest" else "exact"

    @property
    def path(self) -> str:
        """The text without a final star."""
        return str(self).removesuffix("*")

    @property
    def names(self) -> tuple[str, ...]:
        """The names that a request's path gives values to, from left to right."""
        return tuple(one.name for one in self.segments if one.name)

    def __str__(self) -> str:
        return "".join(f"/{segment}" for segment in self.segments)


@lru_cache(1 << 16)
def _parse(value: str) -> PathMatch:
    pieces = list(_split(value))
    segments = [_segment(piece, i == len(pieces)) for i, piece in enumerate(pieces, 1)]
    literals = [one.text for one in segments if one.kind in ("literal", "rest")]
    if any(_SECOND_READING.search(text) for text in literals):
        raise ValueError("must have one reading: no semicolon, no encoded / \\ semicolon or NUL")
    empty = any(one.kind == "literal" and not one.text for one in segments[:-1])
    if empty or any(text in (".", "..") for text in literals):
        raise ValueError("must be a normal path, without //, /./ or /../")
    if len(segments) > SEGMENTS_MAX:
        raise ValueError(f"must have at most {SEGMENTS_MAX} segments")
    if len([one for one in segments if one.kind != "literal"]) > PARAMS_MAX:
        raise ValueError(f"must have at most {PARAMS_MAX} names and wildcards")
    match = PathMatch(tuple(segments))
    twice = next((name for name in match.names if match.names.count(name) > 1), None)
    if twice:
        raise ValueError(f"must have each name once; {twice} is there twice")
    return match


def parse_path_match(value: object) -> PathMatch:
    """`/x` matches exactly, `/x/*` all below; ValueError for what is no path of a route."""
    if not isinstance(value, str) or not value.startswith("/"):
        raise ValueError("must be a path that begins with /, such as /v1/*")
    if len(value.encode("utf-8", "surrogatepass")) > PATH_MAX:
        raise ValueError(f"must be at most {PATH_MAX} bytes long")
    return _parse(value)


def _split(path: str) -> Iterator[str]:
    """The text between slashes; slashes within braces do not count."""
    depth = start = 0
    escaped = False
    for at, c in enumerate(path[1:], 1):
        if escaped:
            escaped = False
        elif depth and c == "\\":
            escaped = True
        elif c == "{":
            depth += 1
        elif c == "}":
            depth -= 1
            if depth < 0:
                raise ValueError("must open every } with {")
        elif c == "/" and not depth:
            yield path[start + 1 : at]
            start = at
    if depth:
        raise ValueError("must close every { with }; write \\{ for a brace in an expression")
    yield path[start + 1 :]


def _segment(piece: str, last: bool) -> Segment:
    if piece.startswith("{"):
        return _parameter(piece, last)
    if "{" in piece:
        raise ValueError("must have its {name} as a whole segment, such as /{name}/")
    kind: Kind = "literal"
    if last and piece.endswith("*"):
        piece, kind = piece[:-1], "rest"
    if "*" in piece:
        raise ValueError("may hold * only as its last character")
    if not _LITERAL.match(piece):
        raise ValueError("must be a path as it stands in a URL, without query or spaces")
    return Segment(kind, _TRIPLET.sub(_to_normal, piece))


def _parameter(piece: str, last: bool) -> Segment:
    if not piece.endswith("}") or piece.startswith("{}"):
        raise ValueError("must have its {name} as a whole segment, such as /{name}/")
    name, colon, kind = piece[1:-1].partition(":")
    if not colon and name.endswith("*"):
        if not last:
            raise ValueError("may hold {name*} only at its end")
        return Segment("rest", name=_named(name[:-1]))
    if not colon:
        return Segment("param", name=_named(name))
    if kind == "int":
        return Segment("int", name=_named(name))
    if _WORD.match(kind):
        raise ValueError(
            f"must have a known type; write {{{name}:int}}, {{{name}}}, or an expression such as"
            f" {{{name}:[a-z]+}}"
        )
    if not overlap(compile_expression(kind), ANYTHING, SEGMENT):
        raise ValueError("must have an expression that some segment of a path fits")
    return Segment("expression", kind, _named(name))


def _named(name: str) -> str:
    if not _NAME.match(name):
        raise ValueError("must have names of letters, digits and _ within its braces")
    return name


def _to_normal(triplet: re.Match[str]) -> str:
    character = chr(int(triplet[0][1:], 16))
    return character if _UNRESERVED.match(character) else triplet[0].upper()
