"""The micro benchmark runs: every part does what it times, and the results become files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.micro import messages
from benchmarks.micro.report import parts_of

pytest.importorskip("pytest_benchmark")
ROOT = Path(__file__).parents[2]


def test_every_part_runs() -> None:
    command = [sys.executable, "-m", "pytest", "-p", "pygw", "benchmarks/micro", "-q"]
    done = subprocess.run(
        [*command, "--benchmark-disable"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_results_are_written_as_json_and_table(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.micro", "--only", "run_chain", "--out", tmp_path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    parts = json.loads((tmp_path / "micro.json").read_text())["parts"]
    assert [part["name"] for part in parts] == ["run chain (0)", "run chain (1)", "run chain (8)"]
    assert all(0 < part["low_ns"] <= part["median_ns"] <= part["high_ns"] for part in parts)
    assert (tmp_path / "micro.md").read_text().count("| run chain (") == 3


def test_a_part_that_fails_writes_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.micro", "--only", "no_such_part"]
    done = subprocess.run(
        [*command, "--out", tmp_path], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "not measured" in done.stderr
    assert not list(tmp_path.iterdir())


def test_figures_are_those_of_one_operation() -> None:
    stats = {"q1": 0.001, "median": 0.002, "q3": 0.004, "rounds": 60}
    one = {"name": "test_find_header[7-of-10]", "stats": stats, "extra_info": {"operations": 1000}}
    (part,) = parts_of({"benchmarks": [one]})
    assert (part.name, part.median_ns) == ("find header (7-of-10)", 2000)
    assert (part.low_ns, part.high_ns, part.rounds) == (1000, 4000, 60)


@pytest.mark.parametrize("fields", [6, 10, 40])
def test_heads_have_as_many_fields_as_they_say(fields: int) -> None:
    assert messages.request(fields).count(b"\r\n") == fields + 2
    assert messages.response(fields).count(b"\r\n") == fields + 2
