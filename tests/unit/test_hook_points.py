"""Hooks that installed packages offer by name, in every language, and what messages say."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pygw.cli.hook_files import copy_offer
from pygw.config.hook_points import offers
from pygw.config.load import check_object
from pygw.testing import ConfigError, MakeHook
from tests.unit.installed_hooks import install
from tests.unit.lua_hooks import needs_lua


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package is installed."""
    place = install(tmp_path / "site")
    monkeypatch.syspath_prepend(str(place))
    return place


@pytest.mark.usefixtures("acme")
def test_a_python_hook_is_found_by_its_name(pygw_hook: MakeHook) -> None:
    gateway = pygw_hook("python:acme-auth")
    assert gateway.get().status == 401
    answer = gateway.get(headers={"x-key": "1"})
    assert (answer.status, answer.hooks[0].hook) == (200, "acme-auth")
    assert pygw_hook("python:acme-only").get().status == 401


@needs_lua
@pytest.mark.usefixtures("acme")
def test_a_lua_file_of_a_package_is_found_by_its_name(pygw_hook: MakeHook) -> None:
    answer = pygw_hook("lua:acme-tag").get()
    assert answer.origin is not None
    assert (answer.origin.headers["x-tag"], answer.hooks[0].hook) == ("acme", "acme-tag")


@pytest.mark.usefixtures("acme")
def test_what_is_not_offered_is_answered_with_what_is(pygw_hook: MakeHook) -> None:
    found = {offer.name: (offer.language, offer.package) for offer in offers()}
    assert found["acme-tag"] == ("lua", "acme-hooks 1.2")
    with pytest.raises(ConfigError) as caught:
        pygw_hook("python:acme-aut")
    told = str(caught.value)
    assert "no installed package offers a hook acme-aut for python" in told
    assert 'did you mean "acme-auth"? (installed: acme-auth, acme-only, audit_log, ' in told
    assert "code of your own is module:name or path/file.py:name" in told
    with pytest.raises(
        ConfigError, match=r"of acme-hooks 1\.2 is one for lua: write lua: acme-tag"
    ):
        pygw_hook("python:acme-tag")
    with pytest.raises(ConfigError, match=r"acme_hooks:lost\.lua, but no such file is installed"):
        pygw_hook("lua:acme-lost")


def test_naming_a_hook_imports_nothing_of_its_package(
    acme: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("acme_hooks")]:
        monkeypatch.delitem(sys.modules, name)
    (acme / "acme_hooks" / "__init__.py").write_text("raise SystemExit('imported')")
    entries = [{"python": "acme-auth"}, {"lua": "acme-tag"}, {"echo": {}}]
    routes = [{"match": {"path": "/*"}, "middleware": entries}]
    check_object({"listeners": [{"bind": "127.0.0.1:0"}], "routes": routes}, "x")
    assert not [name for name in sys.modules if name.startswith("acme_hooks")]


@needs_lua
def test_a_file_without_a_suffix_goes_before_a_package(
    acme: Path, tmp_path: Path, pygw_hook: MakeHook
) -> None:
    (tmp_path / "acme-tag").write_text("return function() gw.reply(202) end")
    assert pygw_hook("lua:acme-tag", base=tmp_path).get().status == 202
    assert acme.exists()


def test_without_packages_the_message_says_how_to_name_a_file(pygw_hook: MakeHook) -> None:
    with pytest.raises(ConfigError, match=r"sign_request\); code of your own is a path such as"):
        pygw_hook("lua:limit")


@needs_lua
def test_every_ready_made_hook_is_there_by_its_name(pygw_hook: MakeHook, tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    own = {one.name: one for one in offers() if one.package.startswith("pygw ")}
    files = [*root.glob("hooks/lua/*.lua"), *root.glob("hooks/python/[!_]*.py")]
    assert sorted(own) == sorted(file.stem for file in files)
    assert pygw_hook("lua:maintenance", config={"enabled": True}).get().status == 503
    log = tmp_path / "audit.jsonl"
    assert pygw_hook("python:audit_log", config={"file": str(log)}).get().status == 200
    for file in files:
        assert Path(copy_offer(file.stem, str(tmp_path))).read_bytes() == file.read_bytes()
    with pytest.raises(FileExistsError):
        copy_offer("api_key", str(tmp_path))


def test_a_ready_made_hook_is_found_before_its_package_is_imported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in [name for name in sys.modules if name.startswith("pygw.hooks")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [one for one in sys.path if "site-packages" in one])
    assert Path(copy_offer("audit_log", str(tmp_path))).name == "audit_log.py"
    assert Path(copy_offer("api_key", str(tmp_path))).name == "api_key.lua"


@needs_lua
def test_a_package_may_take_the_name_of_a_ready_made_hook(acme: Path, pygw_hook: MakeHook) -> None:
    points = acme / "acme_hooks-1.2.dist-info" / "entry_points.txt"
    points.write_text("[pygw.hooks]\nmaintenance = acme_hooks:tag.lua\n")
    answer = pygw_hook("lua:maintenance").get()
    assert answer.sent.headers["x-tag"] == "acme"
