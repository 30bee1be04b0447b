"""The samples of hooks/native: each is built as its head says, and does what it says."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.memory import OK, serving
from tests.unit.native_hooks import entry

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "hooks" / "native"
CONFIG = {"key": "0123456789abcdef01234567", "user": "anna"}


@functools.cache
def flag() -> str:
    """What the documents tell authors to give their compiler."""
    command = [sys.executable, "-m", "pygw.native"]
    return subprocess.run(
        command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=60
    ).stdout.strip()


def build(language: str, place: Path) -> Path:
    """The sample of a language as a shared object; skips where there is no toolchain."""
    source = (
        SAMPLES / language / {"c": "standard.c", "rust": "standard.rs"}.get(language, "standard.go")
    )
    out = place / "standard.so"
    tool, options = {
        "c": ("cc", ["-O2", "-Wall", "-Werror", "-D_GNU_SOURCE", "-shared", "-fPIC", flag()]),
        "rust": (
            "rustc",
            ["-O", "--edition", "2021", "--crate-type", "cdylib", "-C", "panic=abort"],
        ),
        "go": ("go", ["build", "-buildmode=c-shared"]),
    }[language]
    if shutil.which(tool) is None:
        pytest.skip(f"no {tool}: the sample in {language} is not built here")
    environ = {**os.environ, "CGO_CFLAGS": flag(), "GOCACHE": str(place), "GOFLAGS": "-mod=mod"}
    environ.pop("LD_PRELOAD", None)  # a sanitizer is for what is tested, not for compilers
    done = subprocess.run(
        [tool, *options, "-o", str(out), str(source)],
        capture_output=True, text=True, timeout=120, check=False, env=environ, cwd=place,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return out


@pytest.mark.parametrize("language", ["c", "rust", "go"])
def test_the_sample_lets_in_who_has_the_key_and_says_who_it_is(
    language: str, tmp_path: Path
) -> None:
    plugin = build(language, tmp_path)
    with serving(entry(plugin, config=CONFIG)) as gate:
        for key in (b"", b"X-API-Key: 0123456789abcdef01234568\r\n"):
            client = gate.client(b"GET / HTTP/1.1\r\nHost: a\r\n" + key + b"\r\n")
            assert (client.answer.status, client.answer.body) == (401, b"no such key\n")
        assert gate.origins == []
        fields = b"X-USER: mallory\r\nx-api-key: 0123456789abcdef01234567\r\n"
        client = gate.client(b"GET / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n")
        gate.origin.send(OK)
        assert client.answer.status == 200
        assert gate.origin.request.all("x-user") == [b"anna"]
    with (
        pytest.raises(ValueError, match="config needs key and user"),
        serving(entry(plugin, config={})),
    ):
        pass
