"""The state of this installation: what ``pygw doctor`` prints.

Owns the checks and their table. Runs in the command's process, in ordinary Python. It never changes
anything, and a failed check never raises: it becomes a row with its remedy. Read next:
``_core/libs/wheel.py`` for where the C libraries come from.
"""

from __future__ import annotations

import importlib
import os
import platform
import resource
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pygw
from pygw._core.libs.wheel import LibraryError, LibraryInfo

State = Literal["ok", "warn", "fail"]

MACHINES = ("x86_64", "aarch64")
LOWEST_PYTHON = (3, 11)
# Below this the default of 4000 connections, each with one to a target, does not fit.
DESCRIPTORS_WANTED = 8192


@dataclass(frozen=True)
class Row:
    """One line of the table. ``remedy`` is what the user does; it is empty when the state is ok."""

    part: str
    state: State
    version: str
    detail: str = ""
    path: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class Report:
    """All rows. ``ok`` is false if pygw cannot run here; a warning does not make it false."""

    rows: tuple[Row, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing failed: the exit status is 0."""
        return all(row.state != "fail" for row in self.rows)


def report() -> Report:
    """Check this installation. Takes some milliseconds and loads the C libraries."""
    checks: tuple[Callable[[], Row], ...] = (
        _check_core,
        _check_python,
        _check_platform,
        lambda: _check_library("libuv", "pygw._core.libs.uv"),
        lambda: _check_library("llhttp", "pygw._core.libs.llhttp"),
        _check_zlib,
        lambda: _check_runtime("LuaJIT", "luajit", "no Lua hooks"),
        lambda: _check_runtime("libcrypto", "crypto", "no digests in Lua hooks"),
        _check_descriptors,
    )
    return Report(tuple(check() for check in checks))


def render(report: Report) -> str:
    """The report as text for a terminal: one line a row, its path and remedy below, a verdict."""
    widths = [
        max(len(text) for text in column)
        for column in zip(*((row.state, row.part, row.version) for row in report.rows), strict=True)
    ]
    return "\n".join(_render_lines(report, widths)) + "\n"


def _render_lines(report: Report, widths: list[int]) -> Iterator[str]:
    indent = " " * (widths[0] + 2)
    for row in report.rows:
        cells = (row.state, row.part, row.version)
        padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
        yield "  ".join([*padded, row.detail]).rstrip()
        if row.path:
            yield indent + row.path
        if row.remedy:
            yield f"{indent}-> {row.remedy}"
    yield "pygw can run here" if report.ok else "pygw cannot run here"


def _check_core() -> Row:
    home = str(Path(pygw.__file__).parent)
    try:
        variant = importlib.import_module("pygw._core.variant")
    except ImportError as error:
        return _unbuilt("pygw", error)
    return Row("pygw", "ok", pygw.__version__, f"{variant.NAME} build", home)


def _check_python() -> Row:
    version = f"{platform.python_implementation()} {platform.python_version()}"
    if sys.implementation.name != "cpython" or sys.version_info < LOWEST_PYTHON:
        lowest = ".".join(str(part) for part in LOWEST_PYTHON)
        return Row("python", "fail", version, path=sys.executable, remedy=f"use CPython {lowest}+")
    return Row("python", "ok", version, path=sys.executable)


def _check_platform() -> Row:
    version = f"{platform.system()} {platform.release()}"
    detail = " ".join(part for part in (platform.machine(), *platform.libc_ver()) if part)
    if platform.system() == "Linux" and platform.machine() in MACHINES:
        return Row("platform", "ok", version, detail)
    return Row(
        "platform",
        "warn",
        version,
        detail,
        remedy=f"pygw is tested on Linux {' and '.join(MACHINES)} only",
    )


def _check_library(library: str, module: str) -> Row:
    try:
        info: LibraryInfo = importlib.import_module(module).info
    except LibraryError as error:
        return Row(library, "fail", "-", error.problem, remedy=error.remedy)
    except ImportError as error:
        return _unbuilt(library, error)
    sizes = ", ".join(f"{name} {size}" for name, size in info.sizes.items())
    return Row(library, "ok", info.version, f"{info.release}; bytes: {sizes}", info.path)


def _check_zlib() -> Row:
    """Optional: without it all but the filter gzip works."""
    try:
        module = importlib.import_module("pygw._core.libs.zlib")
    except ImportError as error:
        return _unbuilt("zlib", error)
    info: LibraryInfo | None = module.info
    if info is not None:
        return Row("zlib", "ok", f"{info.library} {info.version}", info.release, info.path)
    problem: LibraryError = module.problem
    if os.environ.get("PYGW_LIB_ZLIB"):
        return Row("zlib", "warn", "-", problem.problem, remedy=problem.remedy)
    detail = f"no gzip: {problem.problem}; to have it, {problem.remedy}"
    return Row("zlib", "ok", "-", detail)


def _check_runtime(part: str, module: str, without: str) -> Row:
    """What hooks need: without it the rest works."""
    try:
        found = importlib.import_module(f"pygw._core.libs.{module}")
    except ImportError as error:
        return _unbuilt(part, error)
    info: LibraryInfo | None = found.info
    if info is not None:
        return Row(part, "ok", info.version, info.release, info.path)
    problem: LibraryError = found.problem
    return Row(part, "warn", "-", f"{without}: {problem.problem}", remedy=problem.remedy)


def _check_descriptors() -> Row:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    detail = f"open files, {len(os.listdir('/proc/self/fd'))} in use, at most {_limit(hard)}"
    if soft == resource.RLIM_INFINITY or soft >= DESCRIPTORS_WANTED:
        return Row("limits", "ok", _limit(soft), detail)
    remedy = f"run: ulimit -n {DESCRIPTORS_WANTED}, or lower limits.max_connections"
    return Row("limits", "warn", _limit(soft), detail, remedy=remedy)


def _limit(value: int) -> str:
    return "unlimited" if value == resource.RLIM_INFINITY else str(value)


def _unbuilt(part: str, error: ImportError) -> Row:
    return Row(
        part,
        "fail",
        "-",
        f"the compiled core does not load ({error})",
        remedy="in a source tree run: make build; else: pip install --force-reinstall pygw",
    )
