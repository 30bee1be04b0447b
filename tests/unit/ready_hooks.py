"""The ready-made Lua hooks for their tests: where they are, and how a wrong configuration is told.

Owns: names.
Runs in: tests.
Never does: run Lua.
Read next: `test_ready_lua`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Unpack

import pytest

from pygw.testing import ConfigError, HookOptions, MakeHook

FOLDER = Path(__file__).parents[2] / "hooks" / "lua"


def place(name: str) -> str:
    """What a test asks `pygw_hook` for."""
    return f"lua:{FOLDER / name}.lua"


def refused(
    make: MakeHook, hook: str, config: Mapping[str, object], **options: Unpack[HookOptions]
) -> str:
    """What is told of a configuration that the hook must not take."""
    with pytest.raises(ConfigError) as error:
        make(place(hook), config=config, **options)
    return str(error.value)
