"""Hooks as a person meets them: checked, served, replaced while they run, found by name."""

from __future__ import annotations

import os
import urllib.error
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.commands import Run, call, environment, get
from tests.peers.link import until
from tests.unit.installed_hooks import install
from tests.unit.lua_hooks import needs_lua
from tests.unit.native_hooks import built, plugin


def reply(text: str) -> bytes:
    """A shared object that answers every request with this text."""
    body = f'H->reply(C, 200, "text/plain", 10, "{text}", {len(text)}); return PYGW_REPLY;'
    return built(plugin(request=body)).read_bytes()


def write(path: Path, content: bytes) -> None:
    """Another file in its place, at once."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content)
    fresh.rename(path)


def test_a_changed_hook_is_served_and_a_broken_one_is_refused_while_the_old_one_stays(
    run: Callable[..., Run], tmp_path: Path
) -> None:
    config, hook = tmp_path / "pygw.yaml", tmp_path / "answer.so"
    config.write_text(
        "access_log: off\nlisteners: [{bind: 127.0.0.1:0}]\n"
        "routes: [{match: {path: /*}, middleware: [{native: answer.so}]}]\n"
    )
    write(hook, reply("one"))
    checked = call("check", str(config), cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr
    started = run(str(config), "--workers", "2", "--watch")
    url = started.wait_url()
    assert {get(url) for _ in range(20)} == {"one"}
    write(hook, b"no shared object")
    until(lambda: "reload refused" in started.err.read_text(), "the refusal", 20)
    refused = started.err.read_text()
    assert f"{config}:3:44  error  routes[0].middleware[0].native: {hook}: cannot be" in refused
    assert {get(url) for _ in range(20)} == {"one"}
    write(hook, reply("two"))
    until(lambda: get(url) == "two", "the new hook", 20)
    assert {get(url) for _ in range(20)} == {"two"}
    assert started.end() == 0


def test_a_start_that_a_hook_refuses_says_where_in_the_file(
    run: Callable[..., Run], tmp_path: Path
) -> None:
    (tmp_path / "key.py").write_text("def check(req): pass\n")
    config = tmp_path / "pygw.yaml"
    config.write_text(
        "listeners: [{bind: 127.0.0.1:0}]\nroutes:\n  - match: {path: /*}\n    middleware:\n"
        "      - python:\n          object: key.py:check\n          config: {a: 1}\n"
    )
    started = run("pygw.yaml")
    assert started.process.wait(20) == 1
    told = started.err.read_text()
    assert "pygw.yaml:5:9  error  routes[0].middleware[0].python: key.py:check: takes" in told


@needs_lua
def test_hooks_of_an_installed_package_are_served_by_their_names(
    run: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = install(tmp_path / "site")
    ours = environment()["PYTHONPATH"]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), ours]))
    (tmp_path / "pygw.yaml").write_text(
        "access_log: off\nlisteners: [{bind: 127.0.0.1:0}]\nroutes:\n"
        "  - {match: {path: /tag}, middleware: [{lua: acme-tag}, {echo: {}}]}\n"
        "  - {match: {path: /auth}, middleware: [{python: acme-auth}]}\n"
        "  - {match: {path: /only}, middleware: [{python: acme-only}]}\n"
    )
    url = run("pygw.yaml").wait_url()
    assert "x-tag: acme" in get(f"{url}/tag")
    for path in ("/auth", "/only"):
        with pytest.raises(urllib.error.HTTPError, match="401"):
            get(url + path)
