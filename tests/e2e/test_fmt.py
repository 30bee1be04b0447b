"""`pygw fmt` as a person, an editor and a check before a commit meet it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from .test_cli import ROOT, command, environment, pygw

UGLY = "routes: []   # none\nworkers:   2\n"
NEAT = "workers: 2\nroutes: []   # none\n"


def test_file_is_laid_out_in_place(tmp_path: Path) -> None:
    path = tmp_path / "pygw.yaml"
    path.write_text(UGLY)
    path.chmod(0o640)
    (tmp_path / "link.yaml").symlink_to(path)
    done = pygw("fmt", "link.yaml", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "formatted link.yaml\n")
    assert path.read_text() == NEAT
    assert path.stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "link.yaml").is_symlink()
    assert sorted(os.listdir(tmp_path)) == ["link.yaml", "pygw.yaml"]
    done = pygw("fmt", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_check_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "pygw.yaml"
    path.write_text(UGLY)
    done = pygw("fmt", "--check", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "pygw.yaml is not formatted; pygw fmt does it\n"
    assert path.read_text() == UGLY
    path.write_text(NEAT)
    assert pygw("fmt", "--check", cwd=tmp_path).returncode == 0


def test_diff_shows_what_would_change(tmp_path: Path) -> None:
    path = tmp_path / "pygw.yaml"
    path.write_text(UGLY)
    done = pygw("fmt", "--diff", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.splitlines()[2:] == [
        "@@ -1,2 +1,2 @@", "+workers: 2", " routes: []   # none", "-workers:   2"
    ]  # fmt: skip
    assert path.read_text() == UGLY


def test_standard_input_goes_to_standard_output() -> None:
    done = subprocess.run(
        command("fmt", "-"), cwd=ROOT, env=environment(), input=UGLY, text=True, timeout=20,
        capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, NEAT, "")


def test_what_cannot_be_read_or_formatted_is_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("workers: [")
    done = pygw("fmt", "x.yaml", cwd=tmp_path)
    assert done.returncode == 1
    assert "error  not valid YAML: " in done.stderr
    (tmp_path / "x.toml").write_text("workers = 1\n")
    done = pygw("fmt", "x.toml", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == "x.toml: TOML is not formatted, only YAML and JSON\n"
    assert pygw("fmt", "none.yaml", cwd=tmp_path).returncode == 1
