"""`pygw check` and `pygw schema` as a person, an editor and a script meet them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pygw.config import ConfigError
from pygw.config.load import check_object
from pygw.plan import build_plan
from pygw.plan.trial import check_plan

from .test_cli import GOOD, pygw

WRONG = (
    'listeners: [{bind: "127.0.0.1:0"}]\n'
    "upstreams:\n"
    "  api:\n"
    '    targets: [{url: "http://127.0.0.1:9001"}]\n'
    "    replay_body: -3\n"
    "    timout: 3s\n"
    "routes: [{match: {path: /*}, upstream: api}]\n"
)


def test_good_configuration_is_exit_code_0(tmp_path: Path) -> None:
    (tmp_path / "pygw.yaml").write_text(GOOD)
    done = pygw("check", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "pygw.yaml: ok, 2 routes, 0 upstreams, 2 listeners\n"


def test_every_error_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(WRONG)
    done = pygw("check", "x.yaml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == (
        "x.yaml:5:5  error  upstreams.api.replay_body: must be a size with a unit, such as 64KiB"
        " or 10MiB, got -3\n"
        "    5 |     replay_body: -3\n"
        "      |                  ^\n"
        'x.yaml:6:5  error  upstreams.api.timout: unknown key; did you mean "timeouts"?\n'
        "    6 |     timout: 3s\n"
        "      |     ^\n"
        "2 errors, nothing was applied\n"
    )


def test_report_can_be_json(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(WRONG)
    done = pygw("check", "x.yaml", "--format", "json", cwd=tmp_path)
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert (report["file"], report["ok"], report["warnings"]) == ("x.yaml", False, [])
    assert report["errors"][1] == {
        "path": "upstreams.api.timout",
        "message": 'unknown key; did you mean "timeouts"?',
        "line": 6,
        "column": 5,
        "source": "    timout: 3s",
    }


def test_text_that_is_no_yaml_is_a_row_of_the_report(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("a: [")
    done = pygw("check", "x.yaml", "--format", "json", cwd=tmp_path)
    assert done.returncode == 1
    assert json.loads(done.stdout)["errors"][0]["path"] == ""


def test_warnings_are_no_errors_unless_strict(tmp_path: Path) -> None:
    more = 'upstreams: {spare: {targets: ["http://a"]}}\n'
    (tmp_path / "x.yaml").write_text(GOOD + more)
    done = pygw("check", "x.yaml", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout == (
        "x.yaml:6:13  warning  upstreams.spare: no route leads here; give it a route or take it"
        " out\n"
        f"    6 | {more}"
        "      |                    ^\n"
        "x.yaml: ok, 2 routes, 1 upstream, 2 listeners, 1 warning\n"
    )
    done = pygw("check", "x.yaml", "--strict", "--format", "json", cwd=tmp_path)
    assert done.returncode == 1
    assert [row["path"] for row in json.loads(done.stdout)["warnings"]] == ["upstreams.spare"]


def test_no_configuration_is_exit_code_2(tmp_path: Path) -> None:
    done = pygw("check", cwd=tmp_path, PYGW_CONFIG="")
    assert done.returncode == 2
    assert "there is no configuration; name one" in " ".join(done.stderr.split())


def test_what_the_data_plane_refuses_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    routes = [{"match": {"path": "/*"}, "middleware": [{"echo": {}}]}]
    loaded = check_object({"listeners": [{"bind": "127.0.0.1:0"}], "routes": routes}, "app:x")
    check_plan(loaded)
    plan = build_plan(loaded.config, 1, "x")
    monkeypatch.setattr("pygw.plan.trial.build_plan", lambda *_: {**plan, "version": 999})
    with pytest.raises(ConfigError, match="app:x  error  the data plane refuses the plan: "):
        check_plan(loaded)


def test_program_is_checked_in_the_current_folder(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "gateway = {'listeners': [{'bind': '127.0.0.1:0'}],\n"
        "           'routes': [{'match': {'path': '/*'}, 'middleware': [{'echo': {}}]}]}\n"
    )
    done = pygw("check", "app:gateway", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "app:gateway: ok, 1 route, 0 upstreams, 1 listener\n"


def test_schema_is_json_schema() -> None:
    done = pygw("schema")
    assert (done.returncode, done.stderr) == (0, "")
    schema = json.loads(done.stdout)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert "upstreams" in schema["properties"]
