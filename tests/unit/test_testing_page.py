"""docs/testing.md: its examples pass, in both languages, for the hook that they are about."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest

from pygw.testing import Answer, Gateway, MakeHook
from pygw.testing.spec import run_spec
from tests.unit.lua_hooks import needs_lua

PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text("utf-8")

HOOK = """
return {
  config = { header = { type = "string", required = true } },
  request = function(req)
    local who = req.header(gw.config.header)
    if not who then return gw.reply(401, "no key\\n") end
    req.set_header("x-user", who)
  end,
}
"""


def blocks(language: str) -> list[str]:
    """The page's examples in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """Where the hook is."""
    (tmp_path / "limit.lua").write_text(HOOK)
    return tmp_path


@needs_lua
def test_the_example_in_python_passes(beside: Path, pygw_hook: MakeHook) -> None:
    names: dict[str, object] = {}
    exec(blocks("python")[0], names)
    tests = [value for name, value in names.items() if name.startswith("test_")]
    assert len(tests) == 2
    for test in tests:
        assert callable(test)
        test(partial(pygw_hook, base=beside))


@needs_lua
def test_the_example_in_lua_passes(beside: Path) -> None:
    (spec,) = blocks("lua")
    (beside / "limit_spec.lua").write_text(spec)
    report = run_spec(beside / "limit_spec.lua", measure=False)
    assert [case.problem for case in report.cases] == [None, None]


@needs_lua
def test_what_it_says_of_services_can_be_said(beside: Path) -> None:
    said = blocks("python")[1]
    with Gateway.of_hook("limit.lua", {"header": "x-key"}, base=beside) as gateway:
        for line in said.splitlines():
            exec(line, {"gateway": gateway, "Answer": Answer})
            gateway.get("/x", headers={"x-key": "anna"})
    assert len(said.splitlines()) == 9


def test_every_name_of_an_answer_that_it_tells_of_is_there() -> None:
    rows = re.findall(r"^\| (`.*?) \|", PAGE.split("| of an answer |")[1], re.MULTILINE)
    names = {name for row in rows for name in re.findall(r"`(\w+)", row)}
    assert {"status", "origin", "sent", "hooks", "vars", "access"} <= names
    with Gateway({"routes": [{"match": {"path": "/*"}, "middleware": [{"echo": {}}]}]}) as gateway:
        answer = gateway.get()
    assert not {name for name in names if name not in dir(answer)}
