"""The unit file as systemd reads it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.commands import environment

UNIT = Path(__file__).resolve().parents[2] / "packaging" / "pygw.service"
EXPOSURE_MAX = 2.0
"""Of 10; what it says besides is what a gateway with an open port and compiled hooks needs."""


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """A copy that starts a program which is there."""
    text = UNIT.read_text()
    assert "/opt/pygw/bin/pygw " in text
    path = tmp_path / "pygw.service"
    path.write_text(text.replace("/opt/pygw/bin/pygw ", "/bin/true "))
    return path


def analyze(*arguments: str) -> str:
    """What systemd-analyze says, which must find nothing wrong."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze")
    done = subprocess.run(
        ["systemd-analyze", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(),
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_systemd_finds_nothing_wrong(unit: Path) -> None:
    assert analyze("verify", str(unit)) == ""


def test_it_is_little_exposed(unit: Path) -> None:
    said = analyze("security", "--offline=true", "--no-pager", str(unit))
    found = re.search(r"Overall exposure level for pygw.service: ([\d.]+)", said)
    assert found is not None, said
    assert float(found[1]) <= EXPOSURE_MAX
