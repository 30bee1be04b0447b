"""Hooks that a configuration names: where their code is.

Owns: the forms of a hook's place, reading its file within a bound, and its configuration as JSON.
Runs in: the control plane, when a configuration is read; workers get the text with the plan.
Never does: run a line of it; the data plane judges it when it compiles the plan.
Read next: `model.hooks`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from . import hook_points
from .files import read_file, read_text
from .semantics.tools import items, mapping

SOURCE_MAX_BYTES = 4 << 20
"""Largest script."""

PLUGIN_MAX_BYTES = 64 << 20
"""Largest shared object, as in the data plane."""

CONFIG_MAX_BYTES = 64 << 10
"""Longest configuration of one hook as JSON, as in the data plane's limits."""

KEYS = {"lua": "file", "native": "file", "python": "object"}
"""The key of each kind of hook that says where its code is."""

_OBJECT = re.compile(r"(?P<place>[^:]+):(?P<name>[A-Za-z_][A-Za-z0-9_.]*)\Z")
_MODULE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*\Z")


@dataclass(frozen=True)
class HookCode:
    """Where a hook's code is, as messages name it, and what the data plane loads it by."""

    file: str
    code: str
    name: str | None = None
    """Of a hook that an installed package offers: what it is called."""


def read_script(value: object) -> HookCode:
    """The text of a script: at the path `value`, or offered by a package under that name;
    ValueError says why there is none."""
    path, name = _path(value, "lua")
    return HookCode(path, read_text(path, SOURCE_MAX_BYTES), name)


def read_plugin(value: object) -> HookCode:
    """A shared object: its path and the digest of what is there now."""
    path, name = _path(value, "native")
    digest = hashlib.sha256(read_file(path, PLUGIN_MAX_BYTES)).hexdigest()
    return HookCode(path, f"{digest} {os.path.abspath(path)}", name)


def read_object(value: object) -> HookCode:
    """`module:name`, `path/file.py:name` with the text of that file, or the name of a hook that a
    package offers."""
    if isinstance(value, str) and hook_points.NAME.match(value):
        place = hook_points.find_offer(value, "python").place
        return HookCode(place if ":" in place else value, "", value)
    match = _OBJECT.match(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(
            "must be module:name, path/file.py:name, or the name of a hook that a package offers"
        )
    place = match["place"]
    if place.endswith(".py"):
        return HookCode(match[0], read_text(place, SOURCE_MAX_BYTES))
    if _MODULE.match(place) is None:
        raise ValueError(f"{place} is neither the name of a module nor the path of a .py file")
    return HookCode(match[0], "")


def parse_hook_config(value: object) -> Any:
    """What JSON can carry."""
    if not isinstance(value, dict):
        raise ValueError("must be a mapping")
    try:
        size = len(json.dumps(value, allow_nan=False).encode())
    except (TypeError, ValueError):
        raise ValueError("must hold text, numbers, booleans, lists and mappings only") from None
    if size > CONFIG_MAX_BYTES:
        raise ValueError(f"must be at most {CONFIG_MAX_BYTES >> 10}KiB as JSON")
    return value


def place_hook_files(data: Mapping[str, Any], directory: str) -> Iterator[str]:
    """The paths of hooks in a configuration that may be malformed, seen from the working directory:
    in `data` they are seen from the configuration's, and are changed there."""
    for route in items(data.get("routes")):
        for entry in items(mapping(route).get("middleware")):
            if isinstance(entry, dict):
                for kind in KEYS.keys() & entry.keys():
                    yield from _place(entry, kind, directory)


def _place(entry: dict[str, Any], kind: str, directory: str) -> Iterator[str]:
    holder, key = entry, kind
    if isinstance(entry[kind], dict):
        holder, key = entry[kind], KEYS[kind]
    value = holder.get(key)
    if not isinstance(value, str) or not value:
        return
    if hook_points.NAME.match(value) and not os.path.exists(os.path.join(directory, value)):
        return
    path, colon, name = value.rpartition(":") if kind == "python" else (value, "", "")
    if kind == "python" and not path.endswith(".py"):
        return
    path = os.path.normpath(os.path.join(directory, path))
    holder[key] = path + colon + name
    yield path


def _path(value: object, language: str) -> tuple[str, str | None]:
    """The path, and the name by which a package offers it."""
    if not isinstance(value, str) or not value:
        raise ValueError("must be the path of a file, or the name of a hook that a package offers")
    if hook_points.NAME.match(value) and not os.path.exists(value):
        return hook_points.file_of(hook_points.find_offer(value, language)), value
    return value, None
