"""What `pygw doctor` reports: the parts, their state, and the remedy of what is wrong."""

from __future__ import annotations

import importlib
import platform
import resource
from types import ModuleType

import pytest

from pygw import doctor
from pygw._core.libs.wheel import LibraryError

PARTS = ["pygw", "python", "platform", "libuv", "llhttp", "zlib", "LuaJIT", "libcrypto", "limits"]


def row_of(report: doctor.Report, part: str) -> doctor.Row:
    return next(row for row in report.rows if row.part == part)


def break_import(monkeypatch: pytest.MonkeyPatch, module: str, error: ImportError) -> None:
    """Make the import of `module` fail, for doctor only."""
    real = importlib.import_module

    def import_module(name: str) -> ModuleType:
        if name == module:
            raise error
        return real(name)

    monkeypatch.setattr(importlib, "import_module", import_module)


def test_working_installation_is_ok() -> None:
    report = doctor.report()
    assert [row.part for row in report.rows] == PARTS
    assert report.ok
    assert row_of(report, "libuv").version.startswith("1.")
    assert row_of(report, "llhttp").path
    assert "parser" in row_of(report, "llhttp").detail


def test_variant_of_the_build_is_told() -> None:
    from pygw._core import variant

    names = ("release", "debug", "asan", "coverage", "coverage-release")
    assert variant.NAME in names
    assert variant.DEBUG is not variant.NAME.endswith("release")
    assert row_of(doctor.report(), "pygw").detail == f"{variant.NAME} build"


def test_refused_library_fails_the_report_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = LibraryError("llhttp", "httptools 0.6.4 is too old", "run: pip install httptools")
    break_import(monkeypatch, "pygw._core.libs.llhttp", refused)
    report = doctor.report()
    row = row_of(report, "llhttp")
    assert not report.ok
    assert (row.state, row.detail, row.remedy) == ("fail", refused.problem, refused.remedy)
    assert row_of(report, "libuv").state == "ok"
    text = doctor.render(report)
    assert "httptools 0.6.4 is too old\n" in text
    assert "-> run: pip install httptools\n" in text
    assert text.endswith("pygw cannot run here\n")


@pytest.mark.parametrize("part", ["variant", "libs.uv", "libs.llhttp", "libs.zlib"])
def test_core_that_is_not_built_is_named(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    break_import(monkeypatch, f"pygw._core.{part}", ModuleNotFoundError("nothing there"))
    report = doctor.report()
    failed = [row for row in report.rows if row.state == "fail"]
    assert len(failed) == 1
    assert "the compiled core does not load (nothing there)" in failed[0].detail
    assert "make build" in failed[0].remedy


def without_zlib(monkeypatch: pytest.MonkeyPatch) -> LibraryError:
    from pygw._core.libs import zlib

    missing = LibraryError("zlib", "libz.so.1 cannot be opened", "run: pip install zlib-ng")
    monkeypatch.setattr(zlib, "info", None)
    monkeypatch.setattr(zlib, "problem", missing)
    return missing


def test_optional_library_that_is_absent_is_ok_and_says_what_it_would_give(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PYGW_LIB_ZLIB", raising=False)
    missing = without_zlib(monkeypatch)
    row = row_of(doctor.report(), "zlib")
    assert (row.state, row.version, row.remedy) == ("ok", "-", "")
    assert row.detail == f"no gzip: {missing.problem}; to have it, {missing.remedy}"


def test_optional_library_that_was_named_and_is_unfit_warns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYGW_LIB_ZLIB", "/nonexistent")
    missing = without_zlib(monkeypatch)
    report = doctor.report()
    row = row_of(report, "zlib")
    assert (row.state, row.detail, row.remedy) == ("warn", missing.problem, missing.remedy)
    assert report.ok


def test_few_descriptors_warn_and_do_not_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    report = doctor.report()
    row = row_of(report, "limits")
    assert (row.state, row.version) == ("warn", "1024")
    assert "ulimit -n 8192" in row.remedy
    assert report.ok


def test_unlimited_descriptors_are_ok(monkeypatch: pytest.MonkeyPatch) -> None:
    infinity = resource.RLIM_INFINITY
    monkeypatch.setattr(resource, "getrlimit", lambda _: (infinity, infinity))
    row = row_of(doctor.report(), "limits")
    assert (row.state, row.version) == ("ok", "unlimited")


def test_other_platform_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    row = row_of(doctor.report(), "platform")
    assert row.state == "warn"
    assert "x86_64 and aarch64" in row.remedy


def test_other_interpreter_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LOWEST_PYTHON", (99, 0))
    row = row_of(doctor.report(), "python")
    assert (row.state, row.remedy) == ("fail", "use CPython 99.0+")


def test_columns_stand_under_each_other() -> None:
    rows = (
        doctor.Row("a", "ok", "1", "first"),
        doctor.Row("longer", "warn", "1.2.3", "second", "/some/path", "do this"),
        doctor.Row("b", "ok", "2"),
    )
    assert doctor.render(doctor.Report(rows)) == (
        "ok    a       1      first\n"
        "warn  longer  1.2.3  second\n"
        "      /some/path\n"
        "      -> do this\n"
        "ok    b       2\n"
        "pygw can run here\n"
    )
