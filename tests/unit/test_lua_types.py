"""The annotations of the Lua API: all of it, nothing else, and in a form that editors read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pygw.cli.hook_files import TYPES
from pygw.gen.lua_types import PRELUDE, Member, read_members, render_lua_types
from pygw.testing import MakeHook
from tests.unit.lua_hooks import needs_lua

DUMP = """
return function(req)
  local out = {}
  local function walk(name, value)
    for key, member in pairs(value) do
      local path = name .. "." .. key
      out[#out + 1] = path .. " " .. type(member)
      if type(member) == "table" and member ~= gw.null and member ~= gw.json.array
        and path ~= "gw.var" and path ~= "gw.config" then walk(path, member) end
    end
  end
  walk("gw", gw)
  walk("req", req)
  gw.reply(200, table.concat(out, "\\n"))
end
"""


def members() -> dict[str, Member]:
    """By name."""
    return {one.name: one for one in read_members()}


@needs_lua
def test_every_function_of_the_api_is_annotated_and_none_that_is_not_there(
    tmp_path: Path, pygw_hook: MakeHook
) -> None:
    (tmp_path / "dump.lua").write_text(DUMP)
    lines = pygw_hook("dump.lua", base=tmp_path).get().text.splitlines()
    there = {name: kind for name, _, kind in (line.partition(" ") for line in lines)}
    there = {name.replace("req.", "head."): kind for name, kind in there.items()}
    groups = {"gw.base64", "gw.json", "gw.kv"}
    told = members()
    heads = {one for one in told if one.startswith(("gw.", "head."))}
    assert set(there) - groups == heads
    assert groups <= set(there)
    functions = {name for name, kind in there.items() if kind == "function"}
    assert functions == {name for name in heads if told[name].parameters is not None}


def test_every_property_of_a_head_is_annotated() -> None:
    source = (PRELUDE / "api.lua").read_text()
    listed = re.search(r"for _, name in pairs \{ (.*?) \} do\n  GET\[name\]", source)
    assert listed is not None
    names = set(re.findall(r'"(\w+)"', listed[1])) | set(re.findall(r"function GET\.(\w+)", source))
    told = members()
    assert {f"req.{name}" for name in names} == {one for one in told if one.startswith("req.")}
    got = re.search(r"local RESP_GET = \{\n(.*?)\n\}\n", source, re.S)
    assert got is not None
    names = set(re.findall(r"^  (\w+) = ", got[1], re.M))
    assert {f"resp.{name}" for name in names} == {one for one in told if one.startswith("resp.")}
    for table, side in (("SET", "req"), ("RESP_SET", "resp")):
        block = re.search(rf"local {table} = \{{\n(.*?)\n\}}\n", source, re.S)
        assert block is not None
        written = {f"{side}.{name}" for name in re.findall(r"^  (\w+) = ", block[1], re.M)}
        assert written == {
            name
            for name, one in told.items()
            if name.startswith(f"{side}.") and one.text.startswith("Written too")
        }


def test_the_page_for_people_has_every_name() -> None:
    page = (Path(__file__).parents[2] / "docs" / "lua-hooks.md").read_text()
    words = set(re.findall(r"[a-z_0-9]+", page))
    assert {name.rpartition(".")[2] for name in members()} <= words


@needs_lua
def test_the_file_for_editors_is_lua(tmp_path: Path, pygw_hook: MakeHook) -> None:
    source = TYPES.read_text()
    assert source.startswith("---@meta\n")
    hook = tmp_path / "meta.lua"
    hook.write_text(source + "\nreturn function() end\n")
    assert pygw_hook("meta.lua", base=tmp_path).get().status == 200
    tags = {"class", "field", "param", "return", "type", "meta", "overload"}
    assert set(re.findall(r"^---@(\w+)", source, re.M)) == tags


def test_names_of_annotations_are_declared() -> None:
    source = TYPES.read_text()
    declared = set(re.findall(r"^---@class (pygw\.\w+)", source, re.M))
    assert set(re.findall(r"\bpygw\.[A-Z]\w+", source)) == declared


def test_a_line_that_tells_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.lua").write_text("--: gw.x(a: string)\n")
    with pytest.raises(ValueError, match=r"a\.lua:1: tells nothing of the API"):
        read_members(tmp_path)


def test_a_member_becomes_what_editors_read() -> None:
    sleep = Member("gw.sleep", "Waits.", None, (("seconds", "number"), ("more?", "boolean")))
    text = render_lua_types([sleep, Member("req.path", "The path.", "string", None)])
    assert "---Waits.\n---@param seconds number\n---@param more? boolean\n" in text
    assert "function gw.sleep(seconds, more) end" in text
    assert "---@class pygw.Request: pygw.Head\n---@field path string The path.\n" in text
