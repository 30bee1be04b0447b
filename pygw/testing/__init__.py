"""Tests of hooks without a server: the real data plane in the test's own process, in milliseconds.

Owns: the names that tests import.
Runs in: tests of hooks, under pytest (fixtures `pygw_hook` and `pygw_gateway`) or without it.
Never does: load before it is used: the plugin that pytest finds imports nothing of it.
Read next: `docs/testing.md`.

    from pygw.testing import Gateway

    with Gateway.of_hook("lua:limit.lua", config={"header": "x-key"}) as gateway:
        assert gateway.get("/x").status == 401
        assert gateway.get("/x", headers={"x-key": "1"}).origin is not None
"""

from __future__ import annotations

from ..config.errors import ConfigError
from .cost import Cost
from .gateway import Gateway
from .hook_config import HookOptions
from .making import MakeGateway, MakeHook
from .messages import Answer, Fields, Headers, Message, Seen
from .origin import Origin
from .pending import Pending, RequestParts
from .response import Response
from .runs import HookFailed, HookRun, LogLine

__all__ = [
    "Answer",
    "ConfigError",
    "Cost",
    "Fields",
    "Gateway",
    "Headers",
    "HookFailed",
    "HookOptions",
    "HookRun",
    "LogLine",
    "MakeGateway",
    "MakeHook",
    "Message",
    "Origin",
    "Pending",
    "RequestParts",
    "Response",
    "Seen",
]
