"""Where zlib comes from, what is proven of it, and what is said when there is none.

Each case runs in a process of its own, because a library is loaded once a process.
"""

from __future__ import annotations

import importlib.util
import os
import tomllib
from pathlib import Path

import pytest

from pygw._core.libs import zlib
from pygw._core.libs.wheel import ZLIB
from tests.unit.test_libs import (
    PACKAGE,
    ROOT,
    compile_library,
    needs_compiler,
    run_python,
    write_release,
)

FAKE = Path(__file__).with_name("fake_zlib.c")
STATE = "from pygw._core.libs.zlib import info, problem; print(info if info else problem)"
NO_WHEEL = "import sys; sys.modules['zlib_ng.zlib_ng'] = None;"
CONFIG = (
    'listeners: [{bind: "127.0.0.1:0"}]\n'
    "routes: [{match: {path: /*}, middleware: [{gzip: {}}, {echo: {}}]}]\n"
)
CHECK = (
    "from pygw.config import ConfigError\n"
    "from pygw.config.load import parse_config\n"
    "from pygw.config.interpolate import Sources\n"
    f"try: parse_config({CONFIG!r}, 'pygw.yaml', Sources({{}}))\n"
    "except ConfigError as error: print(error.problems)\n"
)
PLAN = (
    "from pygw._core.probe.filters import Plan, PlanError\n"
    "from tests.unit.plans import build, plan, route\n"
    "gzip = {'filter': 'gzip', 'level': 1, 'min_length': 0, 'types': []}\n"
    "try: build(plan(route(middleware=[gzip])))\n"
    "except PlanError as error: print(error)\n"
    "build(plan()); print('others work')"
)

needs_zlib = pytest.mark.skipif(zlib.info is None, reason="there is no zlib")


def state(code: str = "", **env: str) -> str:
    """What the loader found in a new interpreter."""
    return run_python(code + STATE, **{"PYGW_LIB_ZLIB": "", **env}).strip()


@needs_zlib
def test_library_in_use_is_proven_and_told() -> None:
    assert zlib.info is not None
    assert zlib.problem is None
    assert zlib.info.version[0] in "12"
    assert zlib.info.path.endswith(".so") or ".so." in zlib.info.path
    assert zlib.info.sizes["stream"] == 112


def test_wheel_comes_before_the_system() -> None:
    spec = importlib.util.find_spec("zlib_ng")
    if spec is None or spec.origin is None:
        pytest.skip("zlib-ng is not installed")
    found = run_python(STATE, path=Path(spec.origin).parents[1], PYGW_LIB_ZLIB="").strip()
    assert "library='zlib-ng'" in found
    assert "release='zlib-ng " in found


def test_system_is_asked_when_there_is_no_wheel() -> None:
    found = state(NO_WHEEL)
    if "cannot be opened" in found:
        pytest.skip("the system has no zlib")
    assert "library='zlib'" in found
    assert "release='of the system'" in found
    assert "libz.so" in found


def test_system_is_asked_when_the_wheel_is_unfit(tmp_path: Path) -> None:
    place = write_release(tmp_path, "zlib_ng", "0.4.0")
    found = run_python(STATE, path=place, PYGW_LIB_ZLIB="")
    assert "release='of the system'" in found or "cannot be opened" in found


@needs_zlib
def test_override_comes_before_all() -> None:
    assert zlib.info is not None
    found = state(PYGW_LIB_ZLIB=zlib.info.path)
    assert "release='from PYGW_LIB_ZLIB'" in found


def test_missing_override_is_a_problem_and_not_an_import_error() -> None:
    found = state(PYGW_LIB_ZLIB="/nonexistent/libz.so")
    assert found.startswith("zlib: /nonexistent/libz.so cannot be opened")
    assert found.endswith("unset PYGW_LIB_ZLIB to use the copy in zlib-ng")


def test_library_without_its_functions_is_refused() -> None:
    import httptools.parser.parser

    found = state(PYGW_LIB_ZLIB=httptools.parser.parser.__file__)
    assert "does not export zlibVersion" in found


@needs_compiler
@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (['-DVERSION="3.0"'], "version 3.0 is unknown"),
        (["-DANSWER=-2"], "a stream's beginning answers -2"),
        ([], "a flush answers 0"),
    ],
)
def test_library_that_is_something_else_is_refused(
    tmp_path: Path, flags: list[str], problem: str
) -> None:
    fake = compile_library(FAKE, tmp_path / "fake.so", *flags)
    assert f"zlib: {problem} in {fake}" in state(PYGW_LIB_ZLIB=str(fake))


def test_configuration_that_needs_it_says_what_to_do() -> None:
    found = run_python(CHECK, PYGW_LIB_ZLIB="/nonexistent")
    assert "'gzip')" in found
    assert "needs zlib: /nonexistent cannot be opened" in found
    assert "unset PYGW_LIB_ZLIB" in found


def test_plan_that_needs_it_is_refused_and_others_are_not() -> None:
    places = os.pathsep.join([str(PACKAGE.parent), str(ROOT)])
    found = run_python(PLAN, PYTHONPATH=places, PYGW_LIB_ZLIB="/nonexistent")
    assert "gzip needs zlib: /nonexistent cannot be opened" in found
    assert "others work" in found


def test_range_of_the_extra_is_the_range_of_the_guard() -> None:
    project = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text())["project"]
    assert project["optional-dependencies"]["zlib-ng"] == [ZLIB.requirement]
    assert os.path.basename(ZLIB.soname or "") == "libz.so.1"
