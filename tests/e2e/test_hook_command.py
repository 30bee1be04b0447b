"""`pygw hook`: what it writes works at once, and what its tests come to is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pygw.cli import main
from pygw.cli.hook_files import TYPES
from tests.e2e.commands import call
from tests.unit.installed_hooks import install
from tests.unit.lua_hooks import needs_lua


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def hook(*arguments: str) -> Result:
    """`pygw hook ...` in this process."""
    return CliRunner().invoke(main, ["hook", *arguments])


@needs_lua
def test_a_new_lua_hook_passes_its_tests_and_the_check() -> None:
    done = hook("new", "--lua", "limit", "-o", "hooks")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "wrote hooks/limit.lua, the hook",
        "wrote hooks/limit_spec.lua, its tests",
        "wrote hooks/limit.yaml, a configuration that serves it",
        "wrote hooks/pygw_meta.lua, what editors know of the API",
        "wrote hooks/.luarc.json, settings of LuaLS",
        "test:  pygw hook test hooks",
        "serve: pygw run hooks/limit.yaml",
    ]
    assert Path("hooks/pygw_meta.lua").read_text() == TYPES.read_text()
    checked = CliRunner().invoke(main, ["check", "--strict", "hooks/limit.yaml"])
    assert (checked.exit_code, checked.stderr) == (0, "")
    for path in ("hooks", "hooks/limit.lua", "hooks/limit_spec.lua"):
        tested = hook("test", path)
        assert tested.exit_code == 0, tested.output
    lines = tested.stdout.splitlines()
    assert lines[:3] == [
        "hooks/limit_spec.lua",
        "  ok    limit refuses who brings no key",
        "  ok    limit tells the service who asks",
    ]
    assert lines[3].startswith("  cost  limit (lua): request ")
    assert lines[4].startswith("2 passed, 0 failed in ")


def test_a_new_python_hook_and_a_native_one_pass_their_tests() -> None:
    assert hook("new", "--python", "my-auth").exit_code == 0
    assert sorted(os.listdir()) == ["my-auth.yaml", "my_auth.py", "test_my_auth.py"]
    done = hook("new", "--native", "fast")
    assert done.exit_code == 0
    assert "build: cc -O2 -shared -fPIC $(python -m pygw.native) -o fast.so fast.c" in done.stdout
    checked = CliRunner().invoke(main, ["check", "--strict", "my-auth.yaml"])
    assert (checked.exit_code, checked.stderr) == (0, "")
    tested = call("hook", "test", cwd=Path())
    assert tested.returncode == 0, tested.stdout
    assert "4 passed" in tested.stdout
    assert "my_auth.MyAuth (python): request " in tested.stdout
    assert "fast (native): request " in tested.stdout


@needs_lua
def test_what_is_there_stays_and_then_nothing_is_written() -> None:
    Path("limit_spec.lua").write_text("mine")
    done = hook("new", "limit")
    assert (done.exit_code, done.stderr) == (
        1,
        "limit_spec.lua is there already; nothing was written\n",
    )
    assert os.listdir() == ["limit_spec.lua"]
    Path(".luarc.json").write_text("mine")
    Path("pygw_meta.lua").write_text("old")
    assert hook("new", "other").exit_code == 0
    assert Path("pygw_meta.lua").read_text() == "old"
    assert hook("types").stdout == "wrote pygw_meta.lua, what editors know of the API\n"
    assert Path("pygw_meta.lua").read_text() == TYPES.read_text()
    assert Path(".luarc.json").read_text() == "mine"


@pytest.mark.parametrize("name", ["", "1a", "a b", "../a", "a.lua", "é", "x" * 41])
def test_a_name_that_can_be_no_files_is_wrong_usage(name: str) -> None:
    done = hook("new", "--", name)
    assert done.exit_code == 2
    assert "is no name for a hook" in done.output
    assert os.listdir() == []


def test_a_word_of_pythons_is_no_name_for_a_hook_in_python() -> None:
    assert "no module can have this name" in hook("new", "--python", "class").output


def test_a_folder_that_cannot_be_written_is_told() -> None:
    Path("file").write_text("")
    done = hook("new", "x", "-o", "file/below")
    assert done.exit_code == 1
    assert "cannot write file" in done.stderr
    assert "cannot write file" in hook("types", "-o", "file/below").stderr


@needs_lua
def test_a_failed_case_is_told_and_is_exit_code_1() -> None:
    Path("a_spec.lua").write_text('it("is so", function() assert.equal(1, 2) end)\n')
    Path("b_spec.lua").write_text("")
    done = hook("test", "--no-cost")
    assert done.exit_code == 1
    assert "  FAIL  is so\n        a_spec.lua:1: expected 1, got 2\n" in done.stdout
    assert "b_spec.lua\n  has no case: " in done.stdout
    assert "0 passed, 1 failed in " in done.stdout


def test_where_no_tests_are_is_wrong_usage() -> None:
    Path("test_other.py").write_text("def test(): pass\n")
    Path("venv").mkdir()
    Path("venv/pyvenv.cfg").write_text("")
    Path("venv/x_spec.lua").write_text("")
    done = hook("test")
    assert done.exit_code == 2
    assert "there are no tests of hooks here" in " ".join(done.output.split())
    Path("a.lua").write_text("")
    done = hook("test", "a.lua")
    assert done.exit_code == 2
    assert "none beside it: a_spec.lua or test_a.py" in " ".join(done.output.split())


def test_pytest_is_asked_for_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("test_a.py").write_text("import pygw\n")
    monkeypatch.setattr("pygw.cli.hook_tests.find_spec", lambda name: None)
    done = hook("test")
    assert done.exit_code == 1
    assert "pip install pytest (test_a.py)" in done.stderr


def test_installed_hooks_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hook("list").exit_code == 0
    monkeypatch.syspath_prepend(str(install(tmp_path / "site")))
    rows = [line.split() for line in hook("list").stdout.splitlines()]
    assert ["acme-tag", "lua", "acme_hooks:tag.lua", "acme-hooks", "1.2"] in rows
    assert ["acme-auth", "python", "acme_hooks.auth:check", "acme-hooks", "1.2"] in rows
