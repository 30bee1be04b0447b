"""What is generated from the models and the commands, by `make docs`.

Owns: which file comes from what.
Runs in: a developer's machine.
Never does: run where pygw is installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pygw.cli.manual import render_manual
from pygw.config.reference import render_reference
from pygw.config.schema import config_schema
from pygw.config.typed import render_keys
from pygw.gen.lua_types import read_members, render_lua_types

ROOT = Path(__file__).resolve().parents[1]


def generated() -> Mapping[str, str]:
    """Each generated file's path from the root, and its text."""
    schema = config_schema()
    return {
        "docs/configuration.md": render_reference(schema),
        "docs/cli.md": render_manual(),
        "pygw/keys.py": render_keys(schema),
        "pygw/include/lua/pygw.lua": render_lua_types(read_members()),
    }


if __name__ == "__main__":
    for name, text in generated().items():
        (ROOT / name).write_text(text, "utf-8")
