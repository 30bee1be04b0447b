"""Lua hooks for tests: their entries in a plan.

Owns: the defaults of an entry.
Runs in: tests.
Never does: run Lua.
Read next: `test_lua`.
"""

from __future__ import annotations

from typing import Any

import pytest

from pygw._core.libs import luajit

Json = dict[str, Any]
needs_lua = pytest.mark.skipif(luajit.info is None, reason=f"no LuaJIT: {luajit.problem}")


def lua(code: str, **changes: Any) -> Json:
    """A Lua hook of a file's text, in a plan."""
    return {
        "filter": "hook",
        "runtime": "lua",
        "name": "h1",
        "file": "hook.lua",
        "code": code,
        "config": None,
        "phases": None,
        "deadline_ms": 50,
        "on_error": "fail",
        "body": "none",
        "body_max": 1 << 20,
    } | changes


def request(body: str, **changes: Any) -> Json:
    """A hook of one request function."""
    return lua(f"return function(req, resp) {body} end", **changes)
