"""Hooks: user code as an entry of a middleware list.

Owns: a model for each language, and what they have in common.
Runs in: the control plane.
Never does: judge the code; the data plane does when it compiles the plan.
Read next: `middleware`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import Field

from ..hook_fields import FIELD_PATTERN, parse_read, parse_write
from ..hook_files import (
    HookCode,
    parse_hook_config,
    read_object,
    read_plugin,
    read_script,
)
from ..units import Duration, Size
from ..values import parse_field_value
from .base import Name, Parsed, Part, text

DEADLINE_MAX_MS = 3_600_000
"""Longest deadline of a hook, as in the data plane."""

CACHE_TTL_MAX_MS = 86_400_000
"""Longest time that a decision of a hook is kept, as in the data plane."""

BODY_MAX_BYTES = 64 << 20
"""Longest body that a hook may hold, as in the data plane's limits."""

Script = Annotated[HookCode, Parsed(read_script, {"type": "string", "examples": ["auth.lua"]})]
Plugin = Annotated[HookCode, Parsed(read_plugin, {"type": "string", "examples": ["auth.so"]})]
Object = Annotated[
    HookCode,
    Parsed(read_object, text("^([^:]+:[A-Za-z_]|[A-Za-z_][A-Za-z0-9_-]*$)", "auth:check", "limit")),
]
HookConfig = Annotated[dict[str, Any], Parsed(parse_hook_config, {"type": "object"})]
Read = Annotated[str, Parsed(parse_read, text(FIELD_PATTERN, "method", "headers.x-key"))]
Write = Annotated[str, Parsed(parse_write, text(FIELD_PATTERN, "headers.x-user", "reply"))]
Phase = Literal["request", "request_body", "attempt", "response", "response_body", "log"]


class HookCache(Part):
    """Decisions of a pure hook that a worker keeps."""

    key: Annotated[str, Parsed(parse_field_value, {"type": "string", "maxLength": 8192})]
    """What tells requests of one decision from others, a template: it holds all that the hook
    reads."""

    ttl: Annotated[int, Duration(1, CACHE_TTL_MAX_MS)]
    """How long a decision is kept."""


class Hook(Part):
    """What hooks of every language have in common."""

    name: Name | None = None
    """What counters, the log and errors call it; made of the place of its code unless set."""

    deadline: Annotated[int, Duration(0, DEADLINE_MAX_MS, off=True)] = 1_000
    """Longest time that one call may take, or off; native code is never stopped by it."""

    on_error: Literal["fail", "skip"] = "fail"
    """What becomes of a request on which the hook fails: an answer of 500 (502 once the service
    has answered), or it goes on as if the hook had said nothing."""

    body: Literal["none", "buffered", "stream"] = "none"
    """How the hook gets bodies: not at all, whole before their head goes on, or piece by piece."""

    body_max: Annotated[int, Size(0, BODY_MAX_BYTES)] = 1 << 20
    """Longest body held for it; a longer one is answered with 413, of a response with 502."""

    phases: Annotated[list[Phase], Field(min_length=1, max_length=6)] | None = None
    """Only in these phases it is called; in all for which it has code unless set."""

    config: HookConfig = {}
    """What the hook itself is told; what may stand here is the hook's word."""

    reads: Annotated[list[Read], Field(max_length=64)] | None = None
    """All that the hook sees: what is not named is not there for it; everything unless set."""

    writes: Annotated[list[Write], Field(max_length=64)] | None = None
    """All that the hook may change or do: anything else is an error; everything unless set."""

    cache: HookCache | None = None
    """Keep what a pure hook of the phase request decided; off unless set."""

    fetch: Annotated[list[Name], Field(max_length=16)] = []
    """The upstreams to which the hook may send requests of its own; it reaches no others."""


class LuaHook(Hook):
    """Filter: a hook written in Lua."""

    file: Script
    """The script, seen from the configuration's directory, or the name of one that an installed
    package offers; read with the configuration."""


class PythonHook(Hook):
    """Filter: a hook written in Python."""

    object: Object
    """module:name of a function or class, path/file.py:name seen from the configuration's
    directory, or the name of a hook that an installed package offers."""


class NativeHook(Hook):
    """Filter: a hook in a shared object made with pygw_plugin.h."""

    file: Plugin
    """The shared object, seen from the configuration's directory, or the name of one that an
    installed package offers; a copy of it is loaded."""


def from_text(key: str) -> Callable[[Any], Any]:
    """A text alone stands for a mapping with this key."""
    return lambda value: {key: value} if isinstance(value, str) else value
