"""`pygw profile` as a person meets it: a gateway that serves, and a configuration alone."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from pygw.cli.profile import command
from tests.e2e.commands import Run, call, get

SVG = "{http://www.w3.org/2000/svg}"
CONFIG = """
access_log: off
listeners: [{bind: 127.0.0.1:0}]
routes:
  - name: api
    match: {path: /api/*}
    middleware: [{headers: {response: {set: {X-A: b}}}}, {python: "tag.py:tag"}, echo: {}]
"""
HOOK = "def tag(req): req.headers['x-user'] = 'anna'\n"
ROW = re.compile(
    r"^ *\d+\.\d %  +\d+  +[\d.]+ (?:ns|us|ms)  .* > request > tag.tag \(python\)$", re.M
)


def folder_with(path: Path) -> Path:
    (path / "pygw.yaml").write_text(CONFIG)
    (path / "tag.py").write_text(HOOK)
    return path


def stacks_of(path: Path) -> set[tuple[str, ...]]:
    """What a speedscope file has stacks of, its structure looked at."""
    made: dict[str, Any] = json.loads(path.read_text())
    assert made["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    names = [frame["name"] for frame in made["shared"]["frames"]]
    found = set()
    for one in made["profiles"]:
        assert (one["type"], one["unit"]) == ("sampled", "nanoseconds")
        assert len(one["samples"]) == len(one["weights"]) > 0
        assert sum(one["weights"]) == one["endValue"]
        found |= {tuple(names[frame] for frame in stack) for stack in one["samples"]}
    return found


def boxes_of(path: Path) -> set[str]:
    """The names of an SVG's boxes."""
    root = ElementTree.fromstring(path.read_text())
    assert root.tag == f"{SVG}svg"
    return {group.attrib["data-n"] for group in root.iter(f"{SVG}g")}


def test_a_configuration_is_profiled_without_a_gateway(tmp_path: Path) -> None:
    folder_with(tmp_path)
    outputs = ("-o", "a.svg", "-o", "a.json")
    done = call("profile", "pygw.yaml", "--seconds", "0.1", *outputs, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert ROW.search(done.stdout), done.stdout
    assert re.search(r"^ *\d+  200     api    GET /api/$", done.stdout, re.M), done.stdout
    assert ("api", "request", "tag.tag (python)") in stacks_of(tmp_path / "a.json")
    assert {"all", "api", "request", "tag.tag (python)", "headers"} <= boxes_of(tmp_path / "a.svg")
    given = ("-r", "GET /api/1", "-r", "/other", "-o", "b.svg")
    done = call("profile", "pygw.yaml", "--seconds", "0.05", *given, cwd=tmp_path)
    assert re.search(r"^ *\d+  200     api    GET /api/1$", done.stdout, re.M), done.stdout
    assert re.search(r"^ *\d+  404     -      GET /other$", done.stdout, re.M), done.stdout


def test_a_gateway_that_serves_is_profiled(run: Callable[..., Run], tmp_path: Path) -> None:
    folder_with(tmp_path)
    started = run("pygw.yaml", "--workers", "1")
    url, over = started.wait_url(), threading.Event()

    def ask() -> None:
        while not over.is_set():
            get(f"{url}/api/x")

    asking = threading.Thread(target=ask)
    asking.start()
    pid = ("--pid", str(started.process.pid))
    outputs = ("-o", "a.svg", "-o", "a.json")
    try:
        done = call("profile", *pid, "--seconds", "0.3", *outputs, cwd=tmp_path)
    finally:
        over.set()
        asking.join()
    assert done.returncode == 0, done.stderr
    assert ROW.search(done.stdout), done.stdout
    assert "waiting for others" in done.stdout
    assert "of processor time" in done.stdout
    assert {("api", "request", "tag.tag (python)"), ("api", "flush")} <= stacks_of(
        tmp_path / "a.json"
    )
    assert {"all", "api", "request", "tag.tag (python)", "headers"} <= boxes_of(tmp_path / "a.svg")
    assert started.end() == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-r", "GET /"], "name one"),
        (["pygw.yaml", "--pid", "1"], "either CONFIG"),
        (["pygw.yaml", "-o", "x.png"], "a .json or a .svg"),
        (["pygw.yaml", "--seconds", "0"], "a gateway that runs"),
        (["pygw.yaml", "-r", "GET ftp://x"], "must begin with http://"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(folder_with(tmp_path))
    done = CliRunner().invoke(command, arguments)
    assert (done.exit_code, said in done.stderr) == (2, True), done.stderr
