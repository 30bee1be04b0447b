"""The tests of hooks: found, run, told.

Owns: which files are tests of hooks, and how a result is shown.
Runs in: the process of `pygw hook test`; tests in Python in one of pytest's.
Never does: decide what a test means.
Read next: `pygw.testing.spec`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

from .common import fail

if TYPE_CHECKING:
    from ..testing.spec import Report

SPEC = "_spec.lua"
FILES_MAX = 10_000
"""Files that are looked at in search of tests."""

_SKIPPED = frozenset({"__pycache__", "node_modules", "build", "dist"})


def find_tests(paths: Sequence[str]) -> tuple[list[str], list[str]]:
    """Specs in Lua and modules in Python; ValueError for a file that is none and has none."""
    specs: list[str] = []
    modules: list[str] = []
    for path in paths:
        found = list(_in_folder(path)) if os.path.isdir(path) else [_of_file(path)]
        specs += [one for one in found if one.endswith(SPEC)]
        modules += [one for one in found if one.endswith(".py")]
    return list(dict.fromkeys(specs)), list(dict.fromkeys(modules))


def _in_folder(folder: str) -> Iterator[str]:
    looked = 0
    for place, folders, files in os.walk(folder):
        if "pyvenv.cfg" in files:
            folders.clear()
            continue
        folders[:] = sorted(f for f in folders if f not in _SKIPPED and not f.startswith("."))
        for name in sorted(files):
            looked += 1
            if looked > FILES_MAX:
                raise ValueError(
                    f"{folder}: has more than {FILES_MAX} files; name a smaller folder"
                )
            path = os.path.normpath(os.path.join(place, name))
            if name.endswith(SPEC) or (_is_test(name) and _names_pygw(path)):
                yield path


def _is_test(name: str) -> bool:
    return name.endswith(".py") and (name.startswith("test_") or name.endswith("_test.py"))


def _names_pygw(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return b"pygw" in file.read(1 << 20)
    except OSError:
        return False


def _of_file(path: str) -> str:
    """A test, or that of a hook."""
    folder, name = os.path.split(path)
    if name.endswith(SPEC) or _is_test(name):
        return path
    stem, suffix = os.path.splitext(name)
    module = f"test_{stem.replace('-', '_')}.py"
    beside = [stem + SPEC, module] if suffix == ".lua" else [module]
    for one in beside:
        if os.path.exists(os.path.join(folder, one)):
            return os.path.join(folder, one)
    raise ValueError(f"{path}: is no test, and has none beside it: {' or '.join(beside)}")


# --- Lua ------------------------------------------------------------------------------------------


def run_specs(specs: Sequence[str], cost: bool) -> bool:
    """Runs specs and prints them; whether all passed."""
    from ..testing.spec import run_spec

    began = time.perf_counter()
    passed = failed = 0
    for path in specs:
        try:
            report = run_spec(path, measure=cost)
        except ImportError as error:
            fail(f"specs in Lua need LuaJIT, from the package lupa: {error}")
        except OSError as error:
            fail(f"cannot read {path}: {error.strerror}")
        _show(report)
        passed += sum(case.problem is None for case in report.cases)
        failed += sum(case.problem is not None for case in report.cases)
    took = time.perf_counter() - began
    click.echo(f"{passed} passed, {failed} failed in {took:.2f} s")
    return failed == 0 and passed > 0


def _show(report: Report) -> None:
    from ..testing.cost import table

    click.echo(report.path)
    for case in report.cases:
        title = " ".join(case.names) or "the file"
        word = (
            click.style("FAIL", fg="red") if case.problem else click.style("ok", fg="green") + "  "
        )
        click.echo(f"  {word}  {title}")
        for line in (case.problem or "").splitlines():
            click.echo(f"        {line}")
    if not report.cases:
        click.echo('  has no case: it("...", function() ... end)')
    for line in table(report.costs):
        click.echo(f"  cost  {line}")


# --- Python ---------------------------------------------------------------------------------------


def run_python(modules: Sequence[str], cost: bool) -> bool:
    """Runs modules by pytest, whose output is shown as it is; whether all passed."""
    if find_spec("pytest") is None:
        fail(f"tests in Python need pytest: pip install pytest ({', '.join(modules[:5])})")
    sys.stdout.flush()
    options = ["--pygw-costs"] if cost else []
    command = [sys.executable, "-m", "pytest", "-q", *options, "--", *modules]
    return subprocess.run(command, check=False).returncode == 0
