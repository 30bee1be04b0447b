"""What is generated is what is committed: `make docs` writes it anew."""

from __future__ import annotations

import importlib.util
import inspect
import re
import typing

import pytest

from pygw import Gateway, keys
from pygw.cli import COMMANDS
from pygw.config.schema import config_schema
from pygw.config.typed import OWN
from tests.tidy.tree import ROOT

_spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
assert _spec is not None and _spec.loader is not None
generate = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(generate)

GENERATED = generate.generated()


@pytest.mark.parametrize("name", GENERATED)
def test_committed_file_is_the_generated_one(name: str) -> None:
    assert (ROOT / name).read_text("utf-8") == GENERATED[name], "run make docs"


def test_types_can_be_evaluated_and_name_every_key() -> None:
    schema = config_schema()
    parts = {**schema["$defs"], "Settings": schema}
    del parts["Reference"]
    there = {name for name, one in inspect.getmembers(keys, typing.is_typeddict)}
    assert there == {*parts, "HookOptions"}  # what the entries of hooks have in common
    for name, part in parts.items():
        names = set(typing.get_type_hints(getattr(keys, name)))
        assert names == set(part.get("properties", ())) - (
            set(OWN) if name == "Settings" else set()
        )


def test_programs_in_the_readme_make_good_configurations() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    programs = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert programs
    for program in programs:
        names: dict[str, object] = {}
        exec(program, names)
        gateway = names["gateway"]
        assert isinstance(gateway, Gateway)
        gateway.check()


def test_every_command_is_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    block = text.split("## Commands", 1)[1].split("```console\n", 1)[1].split("```", 1)[0]
    told = {line.split()[2] for line in block.splitlines()}
    assert told - {"--version"} == set(COMMANDS)
