"""Rules on the values within templates.

Owns: which values there are where, with a hint for those there are not.
Runs in: the control plane, on plain data that may be malformed.
Never does: judge the text around a value; `values` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import Path, hint
from ..template import NAMED, PIECES_MAX, VALUES, split_template, values_in
from .tools import HOOKS, Finding, mapping

ORIGIN_VALUES = frozenset({"host", "authority", "scheme"})
"""Values that may stand before the path of a redirect, beside names in the route's path."""


def template_problems(
    path: Path, entry: Mapping[str, Any], params: Sequence[str]
) -> Iterator[Finding]:
    """Unknown values in the templates of one entry."""
    for place, text, has_status in templates_in(entry):
        if len(split_template(text)) > PIECES_MAX:
            yield (*path, *place), f"must have at most {PIECES_MAX} texts and values"
        for name in dict.fromkeys(values_in(text)):
            message = _unknown(name, params, has_status)
            if message is not None:
                yield (*path, *place), message


def templates_in(entry: Mapping[str, Any]) -> Iterator[tuple[Path, str, bool]]:
    """Place and text of each template of an entry, and whether it may hold `{status}`."""
    for place, text, has_status in _places(entry):
        if isinstance(text, str):
            yield place, text, has_status


def _places(entry: Mapping[str, Any]) -> Iterator[tuple[Path, object, bool]]:
    for side in ("request", "response"):
        edits = mapping(mapping(entry.get("headers")).get(side))
        for key in ("set", "add", "default"):
            for name, text in mapping(edits.get(key)).items():
                yield ("headers", side, key, name), text, side == "response"
    for key in ("path", "query"):
        yield ("rewrite", key), mapping(entry.get("rewrite")).get(key), False
    for key in ("set", "add"):
        for name, text in mapping(mapping(entry.get("query")).get(key)).items():
            yield ("query", key, name), text, False
    for kind in sorted(HOOKS & entry.keys()):
        cache = mapping(mapping(entry[kind]).get("cache"))
        yield (kind, "cache", "key"), cache.get("key"), False
    yield ("redirect", "to"), mapping(entry.get("redirect")).get("to"), False
    respond = mapping(entry.get("respond"))
    yield ("respond", "body"), respond.get("body"), False
    for name, text in mapping(respond.get("headers")).items():
        yield ("respond", "headers", name), text, False


def _unknown(name: str, params: Sequence[str], has_status: bool) -> str | None:
    if name in params:
        return None
    if name == "status" and not has_status:
        return "{status} is known in headers.response only"
    if name in VALUES:
        return None
    kind, dot, rest = name.partition(".")
    if kind in NAMED and dot and rest:
        return None
    if kind in NAMED:
        return f"{{{name}}} needs a name, such as {{{kind}.X}}"
    known = [*params, *VALUES, *(f"{kind}.NAME" for kind in NAMED)]
    return f"unknown value {{{name}}}; {hint(name, known, 'values')}"
