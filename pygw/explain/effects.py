"""What a filter did, from two pictures of a head.

Owns: the difference of two heads in words.
Runs in: the process of the command.
Never does: know what a filter of some name is meant to do, but for the words of `admission`.
Read next: `report`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True)
class Picture:
    """A start line and the fields of a head."""

    line: str
    fields: tuple[tuple[str, str], ...]

    @classmethod
    def read(cls, data: bytes) -> Picture:
        """From the form in which the data plane takes it."""
        line, *rest = data.decode("utf-8", "backslashreplace").split("\n")
        fields = (field.partition(": ")[::2] for field in rest)
        return cls(line, tuple((name, value) for name, value in fields))


def changes(before: Picture, after: Picture) -> list[str]:
    """Each difference as `sets X: y`, `removes X`, `adds X: y`, `path: /a -> /b`."""
    out = _line_changes(before.line, after.line)
    old, new = _by_name(before), _by_name(after)
    for key in dict.fromkeys([*old, *new]):
        was, now = old.get(key, []), new.get(key, [])
        if was == now:
            continue
        name = (now or was)[0][0]
        if not now:
            out.append(f"removes {name}")
            continue
        kept, values = Counter(value for _, value in was), [value for _, value in now]
        fresh = values[len(was) :] if values[: len(was)] == [v for _, v in was] else None
        if was and fresh:
            out += [f"adds {name}: {value}" for value in fresh]
        else:
            more = [value for value in values if not kept[value]] or values
            out += [f"sets {name}: {value}" for value in more]
    return out


def _by_name(picture: Picture) -> dict[str, list[tuple[str, str]]]:
    out: dict[str, list[tuple[str, str]]] = {}
    for name, value in picture.fields:
        out.setdefault(name.lower(), []).append((name, value))
    return out


def _line_changes(before: str, after: str) -> list[str]:
    if before == after:
        return []
    if " " not in before or " " not in after:
        return [f"status: {before} -> {after}"]
    was, now = before.partition(" ")[2], after.partition(" ")[2]
    old, new = was.partition("?"), now.partition("?")
    out = []
    if old[0] != new[0]:
        out.append(f"path: {old[0]} -> {new[0]}")
    if old[2] != new[2]:
        out.append(f"query: {old[2] or 'none'} -> {new[2] or 'none'}")
    return out
