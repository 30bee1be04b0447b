"""The hooks of a plan.

Owns: an entry of a middleware list that is user code, as the filter `hook` reads it.
Runs in: the supervisor.
Never does: judge the code, or run it.
Read next: `pygw/_core/filters/hook.pxd`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

from ..config.model.hooks import LuaHook, NativeHook, PythonHook
from ..config.template import plan_template

NAME_MAX = 64
Params = Sequence[str]
_NOT_A_NAME = re.compile(r"[^A-Za-z0-9_.-]+")


def plan_hook(
    runtime: str, hook: LuaHook | PythonHook | NativeHook, params: Params = ()
) -> dict[str, Any]:
    """One hook of a route whose path has the names `params`."""
    code = hook.object if isinstance(hook, PythonHook) else hook.file
    said: dict[str, Any] = {
        "deadline_ms": hook.deadline or None,
        "on_error": hook.on_error,
        "body": hook.body,
    }
    if isinstance(hook, PythonHook):  # what the entry does not say, its code may: @hook(...)
        said["deadline_ms"] = hook.deadline
        for key, field in (("deadline_ms", "deadline"), ("on_error", "on_error"), ("body", "body")):
            if field not in hook.model_fields_set:
                said[key] = None
    return {
        "filter": "hook",
        "runtime": runtime,
        "name": hook.name or code.name or hook_name(code.file),
        "file": code.file,
        "code": code.code,
        "config": hook.config,
        "phases": list(hook.phases) if hook.phases is not None else None,
        **said,
        "body_max": hook.body_max,
        **_bounds(hook, params),
    }


def _bounds(hook: LuaHook | PythonHook | NativeHook, params: Params) -> dict[str, Any]:
    """What it may reach and what is kept of it; what is not set is left out."""
    out: dict[str, Any] = {}
    if hook.fetch:
        out["fetch"] = list(hook.fetch)
    for key, names in (("reads", hook.reads), ("writes", hook.writes)):
        if names is not None:
            out[key] = list(names)
    if hook.cache is not None:
        parts = plan_template(hook.cache.key, params)
        out["cache"] = {"key": parts, "ttl_ms": hook.cache.ttl}
    return out


def hook_name(place: str) -> str:
    """What a hook is called by the place of its code: `auth` for `hooks/auth.lua`, `auth.check`
    for `hooks/auth.py:check` and `auth:check`."""
    path, colon, name = place.partition(":")
    stem = os.path.basename(path).removesuffix(".py") if colon else os.path.basename(path)
    stem = stem if colon else os.path.splitext(stem)[0]
    whole = f"{stem}.{name}" if colon else stem
    return _NOT_A_NAME.sub("-", whole)[:NAME_MAX] or "hook"
