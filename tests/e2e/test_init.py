"""`pygw init`: a configuration that passes `pygw check`, serves, and tells the truth."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from pygw.cli.init import SCHEMA_NAME, TEMPLATE
from pygw.config import parse_config
from pygw.config.formats.yaml import Loader
from pygw.config.interpolate import Sources
from pygw.config.schema import config_schema

from .test_cli import pygw, running


def test_file_passes_check_and_serves(tmp_path: Path) -> None:
    done = pygw("init", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "wrote pygw.yaml\n" in done.stdout
    checked = pygw("check", "--strict", cwd=tmp_path)
    assert (checked.returncode, checked.stderr) == (0, "")
    with running(tmp_path, "--listen", "127.0.0.1:0") as gateway:
        assert gateway.get("/health") == (200, "ok")
        status, body = gateway.get("/other")
        assert (status, body.splitlines()[0]) == (200, "GET /other HTTP/1.1")


def test_first_line_names_the_schema_beside_it(tmp_path: Path) -> None:
    assert pygw("init", "conf.yaml", cwd=tmp_path).returncode == 0
    first = (tmp_path / "conf.yaml").read_text().splitlines()[0]
    assert first == f"# yaml-language-server: $schema={SCHEMA_NAME}"
    assert json.loads((tmp_path / SCHEMA_NAME).read_text()) == config_schema()


def test_schema_accepts_the_file() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.validate(yaml.load(TEMPLATE, Loader), config_schema())


def test_file_that_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "pygw.yaml").write_text("mine")
    done = pygw("init", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "pygw.yaml is there already; nothing was written\n"
    assert (tmp_path / "pygw.yaml").read_text() == "mine"
    assert not (tmp_path / SCHEMA_NAME).exists()
    (tmp_path / SCHEMA_NAME).write_text("mine")
    assert pygw("init", "other.yaml", cwd=tmp_path).returncode == 0
    assert (tmp_path / SCHEMA_NAME).read_text() == "mine"


def test_place_that_cannot_be_written_is_exit_code_1(tmp_path: Path) -> None:
    done = pygw("init", "none/pygw.yaml", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == "cannot write none/pygw.yaml: No such file or directory\n"


def test_lines_that_tell_defaults_tell_them() -> None:
    told = parse_config(TEMPLATE, "x.yaml", Sources({}))
    active = re.sub(r"^# (\w+: .*)$", r"\1", TEMPLATE, flags=re.MULTILINE)
    assert len(yaml.load(active, Loader)) == len(yaml.load(TEMPLATE, Loader)) + 6
    assert parse_config(active, "x.yaml", Sources({})) == told
