"""Texts with values of the request in them: `/v2/{id}`, `https://{host}/new`.

Owns: their grammar, the names of values there are, and the form in which a plan holds them.
`{name}` is a value when `name` looks like one. `{{` is a plain `{`, and the `}}` that belongs to it
a plain `}`. Any other brace stands for itself, so that a JSON body needs no escapes; so does what
stands behind a `$`.
Runs in: the control plane.
Never does: encode a value; `pygw/_core/template.pxd` says what becomes of it.
Read next: `semantics.templates`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

VALUES = {
    "host": "host",
    "authority": "authority",
    "path": "path",
    "path_and_query": "asked",
    "query": "query",
    "method": "method",
    "scheme": "scheme",
    "client_ip": "client_ip",
    "request_id": "request_id",
    "status": "status",
}
"""Values without a name of their own, and what a plan calls them."""

NAMED = {"query": "pair", "header": "header", "cookie": "cookie"}
"""`{query.NAME}` and the like, and what a plan calls them."""

PIECES_MAX = 32
"""Most texts and values of one template, as in the data plane's limits."""

_BRACES = re.compile(r"\{\{|\}\}|(?<!\$)\{([A-Za-z_][A-Za-z0-9_.~-]*)\}")
_PARAM = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Value:
    """A value within a template, by the name it is written with."""

    name: str


Piece = str | Value
PlanTemplate = list[str | list[str | int]]


def split_template(text: str) -> list[Piece]:
    """Texts and values from left to right; escapes are resolved, empty texts left out."""
    out: list[Piece] = []
    literal, at, opened = "", 0, 0
    for match in _BRACES.finditer(text):
        literal += text[at : match.start()]
        at = match.end()
        if match[1] is not None:
            out += (literal, Value(match[1]))
            literal = ""
        elif match[0] == "{{":
            literal, opened = literal + "{", opened + 1
        elif opened:
            literal, opened = literal + "}", opened - 1
        else:
            literal += "}"
            at -= 1
    out.append(literal + text[at:])
    return [piece for piece in out if piece != ""]


def values_in(text: str) -> Iterator[str]:
    """The names of the values in a text."""
    return (piece.name for piece in split_template(text) if isinstance(piece, Value))


def has_values(text: str) -> bool:
    """Whether there is a value in a text."""
    return any(isinstance(piece, Value) for piece in split_template(text))


def fill_template(text: str, value: str = "x") -> str:
    """The text with `value` in the place of every value; path and scheme get one of their kind."""
    special = {"path": f"/{value}", "path_and_query": f"/{value}", "scheme": "http"}
    return "".join(
        piece if isinstance(piece, str) else special.get(piece.name, value)
        for piece in split_template(text)
    )


def path_params(path: object) -> tuple[str, ...]:
    """The names in a route's path, from left to right: `/{a}/{b:int}/{rest*}`."""
    if not isinstance(path, str):
        return ()
    names, at = [], 0
    while (start := path.find("{", at)) >= 0:
        match = _PARAM.match(path, start + 1)
        if match is not None:
            names.append(match[0])
        at, depth = start + 1, 1
        while at < len(path) and depth:
            depth += {"{": 1, "}": -1}.get(path[at], 0)
            at += 1
    return tuple(names)


def plan_template(text: str, params: Sequence[str]) -> PlanTemplate:
    """The template as a plan holds it; a name in the path comes before a value of that name."""
    return [_planned(piece, params) for piece in split_template(text)]


def plan_text(text: str, params: Sequence[str]) -> str | PlanTemplate:
    """The same, but plain text where there is no value in it."""
    pieces = plan_template(text, params)
    if all(isinstance(piece, str) for piece in pieces):
        return "".join(piece for piece in pieces if isinstance(piece, str))
    return pieces


def _planned(piece: Piece, params: Sequence[str]) -> str | list[str | int]:
    if isinstance(piece, str):
        return piece
    if piece.name in params:
        return ["param", params.index(piece.name)]
    if piece.name in VALUES:
        return [VALUES[piece.name]]
    kind, _, name = piece.name.partition(".")
    return [NAMED[kind], name]
