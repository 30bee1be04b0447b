"""From what a test names to the plan that its worker serves.

Owns: the forms in which a test names a hook, and the configuration with that one hook.
Runs in: tests of hooks.
Never does: judge: `pygw.config` and the data plane do, as for `pygw check`.
Read next: `gateway`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..config.app import plain_data
from ..config.hook_files import KEYS, place_hook_files
from ..config.load import Loaded, check_object, load
from ..keys import HookOptions
from ..plan import build_plan, serialise_plan

__all__ = [
    "Entry",
    "HookOptions",
    "config_of_hook",
    "load_for_test",
    "plan_of",
    "split_hook",
    "upstreams_of",
]

Entry = Mapping[str, Any] | str
"""An entry of a middleware list, as a configuration has it."""

ORIGIN = "127.0.0.1:9000"
"""Where the service of a gateway with one hook is."""

LISTENERS = [{"bind": "127.0.0.1:8080"}]
"""What a mapping without listeners has: nobody binds them."""

SUFFIXES = {".lua": "lua", ".so": "native", ".py": "python"}


Hook = str | os.PathLike[str] | Callable[..., Any]
"""Where a hook is, or the function or class itself."""


def split_hook(hook: str | os.PathLike[str]) -> tuple[str, str]:
    """Language and place of `lua:limit.lua`, `limit.lua`, `auth.py:check`, `package.module:name`;
    ValueError for what names none."""
    text = os.fspath(hook)
    kind, colon, place = text.partition(":")
    if colon and kind in KEYS:
        return kind, place
    path = text.rpartition(":")[0] if ".py:" in text else text
    found = SUFFIXES.get(os.path.splitext(path)[1])
    if found is not None:
        return found, text
    if colon:
        return "python", text
    raise ValueError(
        f"{text!r} names no hook: say lua:PATH.lua, python:PATH.py:NAME, python:MODULE:NAME or"
        " native:PATH.so"
    )


def config_of_hook(
    hook: str | os.PathLike[str],
    config: Mapping[str, Any] | None,
    options: Mapping[str, Any],
    before: Sequence[Entry],
    after: Sequence[Entry],
) -> dict[str, Any]:
    """One route for everything, through one hook, to one service; and upstreams for its fetch."""
    kind, place = split_hook(hook)
    entry: dict[str, Any] = {KEYS[kind]: place, **options}
    if config is not None:
        entry["config"] = dict(config)
    fetched = {
        name: {"targets": [f"http://127.0.0.1:{port}"]}
        for port, name in enumerate(options.get("fetch", ()), 9001)
    }
    return {
        "upstreams": {"origin": {"targets": [f"http://{ORIGIN}"]}, **fetched},
        "routes": [
            {
                "name": "all",
                "match": {"path": "/*"},
                "middleware": [*before, {kind: entry}, *after],
                "upstream": "origin",
            }
        ],
    }


def load_for_test(
    config: str | os.PathLike[str] | Mapping[str, Any], base: str | os.PathLike[str] | None
) -> Loaded:
    """The checked configuration; ConfigError says what is wrong with it."""
    if not isinstance(config, Mapping):
        return load(os.path.join(_shown(base), os.fspath(config)))
    data = plain_data(config)
    if isinstance(data, dict):
        data.setdefault("listeners", LISTENERS)
        list(place_hook_files(data, _shown(base)))
    return check_object(data, "the test's configuration")


def plan_of(loaded: Loaded) -> bytes:
    """The plan of a configuration; the lines of its access log are JSON, whatever it says."""
    plan = build_plan(loaded.config, 1, "pygw-test")
    plan["access_log"] = {"format": "json"}
    return serialise_plan(plan)


def upstreams_of(plan: bytes) -> dict[str, str]:
    """The name of the upstream at each address, as a worker connects to it."""
    return {
        target.get("path") or f"{target['host']}:{target['port']}": upstream["name"]
        for upstream in json.loads(plan)["upstreams"]
        for target in upstream["targets"]
    }


def _shown(base: str | os.PathLike[str] | None) -> str:
    """The directory as messages shall name what is in it: from here, where it is below."""
    if base is None:
        return "."
    near = os.path.relpath(base)
    return os.path.abspath(base) if near.startswith("..") else near
