"""What hooks have against a configuration stands at its place in the user's file, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from pygw.config.errors import ConfigError
from pygw.config.load import load
from pygw.plan.refusal import refusal, told
from pygw.plan.trial import check_plan
from tests.unit.lua_hooks import needs_lua

pytestmark = needs_lua

CONFIG = """\
listeners: [{bind: 127.0.0.1:0}]
routes:
  - match: {path: /a}
    middleware: [{echo: {}}]
  - match: {path: /*}
    middleware:
      - maintenance: {enabled: false}
      - lua:
          file: key.lua
          config:
            users: [a]
            usrs: {}
            levels: [1, x]
      - python:
          object: auth.py:Auth
          config:
            users: {k: 1}
            more: ${SECRET_MORE}
      - lua: broken.lua
      - python: auth.py:Nope
      - lua: key.lua
      - python: {object: "auth.py:plain", config: {a: 1}}
      - python: {object: "auth.py:Refuses", config: {a: 1}}
"""

PLAIN = """
listeners: [{bind: 127.0.0.1:0}]
routes: [{match: {path: /*}, middleware: [{echo: {}}]}]
"""

KEY = """
return { request = function() end, config = {
  users = { type = "map", required = true }, levels = { type = "list", items = "integer" } } }
"""

AUTH = """
class Auth:
    def __init__(self, users: dict[str, str]) -> None: ...
    def request(self, req): ...
def plain(req): ...
class Refuses:
    def __init__(self, config): raise ValueError("a must be even")
    def request(self, req): ...
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file, with its hooks beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SECRET_MORE", "s3cret")
    (tmp_path / "key.lua").write_text(KEY)
    (tmp_path / "auth.py").write_text(AUTH)
    (tmp_path / "broken.lua").write_text("return function( end\n")
    (tmp_path / "pygw.yaml").write_text(CONFIG)
    return tmp_path / "pygw.yaml"


@pytest.mark.usefixtures("config")
def test_everything_that_hooks_have_against_it_is_told_with_line_and_column() -> None:
    with pytest.raises(ConfigError) as caught:
        check_plan(load("pygw.yaml"))
    entry = "routes[1].middleware"
    assert [line for line in str(caught.value).splitlines() if "  error  " in line] == [
        f"pygw.yaml:11:13  error  {entry}[1].lua.config.users: must be a map",
        f"pygw.yaml:12:13  error  {entry}[1].lua.config.usrs: is unknown to key.lua, which declares"
        " levels, users",
        f"pygw.yaml:13:25  error  {entry}[1].lua.config.levels[1]: must be an integer",
        f"pygw.yaml:17:21  error  {entry}[2].python.config.users.k: Input should be a valid string",
        f"pygw.yaml:18:13  error  {entry}[2].python.config.more: Extra inputs are not permitted",
        f"pygw.yaml:19:9   error  {entry}[3].lua.file: broken.lua:1: <name> or '...' expected near"
        " 'end'",
        f"pygw.yaml:20:9   error  {entry}[4].python.object: auth.py:Nope: has no Nope; there is"
        " Auth, plain, Refuses",
        f"pygw.yaml:21:9   error  {entry}[5].lua.config.users: is required by key.lua",
        f"pygw.yaml:22:43  error  {entry}[6].python.config: auth.py:plain takes no config; a class"
        " with __init__(config) does",
        f"pygw.yaml:23:45  error  {entry}[7].python.config: ValueError: a must be even",
    ]


@pytest.mark.usefixtures("config")
def test_a_workers_message_gets_its_place_without_importing_anything() -> None:
    loaded = load("pygw.yaml")
    (Path("auth.py")).write_text("raise SystemExit")
    text = "worker 0 cannot start: routes[1].middleware[0]: config.levels[1] must be an integer"
    shown = told(loaded, text)
    assert shown.startswith(
        "pygw.yaml:13:25  error  routes[1].middleware[1].lua.config.levels[1]: "
    )
    assert "            levels: [1, x]\n" in shown
    assert told(loaded, "the worker is gone") == "the worker is gone"
    other = "routes[0].middleware[0].body: is none, and it is so"
    assert told(loaded, other).startswith("pygw.yaml:4:18  error  routes[0].middleware[0]: is none")


def test_what_is_not_about_a_place_is_told_as_it_was_said(config: Path) -> None:
    config.write_text(PLAIN)
    loaded = load("pygw.yaml")
    check_plan(loaded)

    shown = str(refusal(loaded, ValueError("the plan takes more memory than it may have")))
    assert shown.startswith(
        "pygw.yaml  error  the data plane refuses the plan: the plan takes more"
    )
