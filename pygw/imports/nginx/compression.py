"""`gzip` and its settings as the filter of the same name.

Owns: which responses of a location are compressed, and what nginx decides otherwise.
Runs in: the process of the command.
Never does: compress what nginx leaves as it is without a remark.
Read next: `proxy`.
"""

from __future__ import annotations

from ...config.units import show_size
from ...config.values import parse_media_range
from ..draft import Draft, Json
from .scope import Scope, read_bytes
from .syntax import Directive

TYPES_MAX = 128
"""Most types that our filter takes."""

LENGTH = 20
"""nginx's gzip_min_length when it does not stand anywhere."""

TYPE = "text/html"
"""What nginx compresses always, whatever gzip_types names."""


def gzip_of(scope: Scope, draft: Draft) -> list[Json]:
    """The filter of a place, or nothing where gzip is off."""
    switch = scope.last("gzip")
    types, proxied = scope.last("gzip_types"), scope.last("gzip_proxied")
    length, level = scope.last("gzip_min_length"), scope.last("gzip_comp_level")
    if switch is None or switch.args[:1] != ("on",):
        return []
    out: Json = {}
    if level is not None:
        text = level.args[0] if level.args else ""
        if text.isdigit() and 1 <= int(text) <= 9:
            out["level"] = int(text)
        else:
            draft.lose(level.place, f"{level}: a level is from 1 to 9")
    size: int | None = LENGTH
    if length is not None:
        size = read_bytes(length.args[0] if length.args else "")
        if size is None:
            draft.lose(length.place, f"{length}: it is no size")
    out["min_length"] = show_size(LENGTH if size is None else size)
    out["types"] = _types(types, draft)
    draft.note(
        switch.place,
        "gzip: nginx compresses answers of the statuses 200, 403 and 404 only, pygw all but those "
        "without a body",
    )
    if proxied is None or "any" not in proxied.args:
        draft.note(
            (proxied or switch).place,
            "gzip: nginx compresses for clients behind proxies (Via) only what gzip_proxied names, "
            "pygw for all alike",
        )
    return [{"gzip": out}]


def _types(one: Directive | None, draft: Draft) -> list[str]:
    out = [TYPE]
    if one is None:
        return out
    for text in one.args:
        try:
            kind = parse_media_range("*/*" if text == "*" else text)
        except ValueError as error:
            draft.lose(one.place, f"gzip_types {text}: {error}")
            continue
        if kind == "*/*":
            return [kind]
        if kind in out:
            continue
        if len(out) == TYPES_MAX:
            draft.lose(one.place, f"gzip_types {text}: only {TYPES_MAX} types are taken")
        else:
            out.append(kind)
    return out
