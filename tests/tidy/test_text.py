"""Proof of the rules on any file: each finds the bad snippet and leaves the good one alone."""

from __future__ import annotations

import pytest

from tests.tidy import text
from tests.tidy.tree import Source


def py(source: str) -> Source:
    return Source("pygw/snippet.py", source)


def test_a_line_of_101_columns_is_found_and_one_of_100_is_not() -> None:
    assert text.too_long(py("x" * 101)) == ["pygw/snippet.py:1: 101 columns, more than 100"]
    assert not text.too_long(py("…" * 100))


def test_a_file_of_501_lines_is_found_and_one_of_500_is_not() -> None:
    assert text.too_long(py("x\n" * 501)) == ["pygw/snippet.py:501: 501 lines, more than 500"]
    assert not text.too_long(py("x\n" * 500))


def test_data_may_be_longer_than_source() -> None:
    assert not text.too_long(Source("tests/answers.json", "x\n" * 501))


@pytest.mark.parametrize("keyword", ["def f():", "async def f():", "cdef void f() noexcept nogil:"])
def test_a_function_of_71_lines_is_found_and_one_of_70_is_not(keyword: str) -> None:
    def source(lines: int) -> Source:
        return Source("pygw/snippet.pyx", f"{keyword}\n" + "    x\n" * (lines - 1) + "\n\ny\n")

    assert text.long_functions(source(71)) == ["pygw/snippet.pyx:1: f has 71 lines, more than 70"]
    assert not text.long_functions(source(70))


@pytest.mark.parametrize("note", ["TO" + "DO: x", "FIX" + "ME", "X" * 3, "HA" + "CK"])
def test_notes_of_unfinished_work_are_found(note: str) -> None:
    assert text.markers(py(f"x = 1  # {note}"))
    assert not text.markers(py(f"x = 'a{note.lower()}'"))


@pytest.mark.parametrize(
    "path", ["/wo" + "rk/main", "/ro" + "ot/.cache", "/tmp/te" + "am/x", "/ho" + "me/me"]
)
def test_paths_of_a_machine_are_found(path: str) -> None:
    assert text.machine_names(py(f"open('{path}')"))
    assert text.machine_names(Source("README.md", f"cd {path}"))


@pytest.mark.parametrize("line", ["/workers", "a/wo" + "rk", "/rooted", "framework/x", "/tmp/x"])
def test_other_paths_are_not(line: str) -> None:
    assert not text.machine_names(py(line))


@pytest.mark.parametrize("host", ["pypi" + ".org/simple", "--index" + "-url x", "ghcr" + ".io/a"])
def test_package_indexes_are_found(host: str) -> None:
    assert text.machine_names(Source("Makefile", f"pip install {host}"))


@pytest.mark.parametrize(
    "line",
    [
        "x = 1",
        "f(x)",
        "return x.y",
        "if x:",
        "import os",
        "from pygw._core.view cimport span",
        "cdef int i",
        "cdef int f(int a) noexcept nogil:",
        "x.y += 1",
        "pass",
        "for i in range(3):",
    ],
)
def test_statements_in_comments_are_commented_out_code(line: str) -> None:
    finding = ["pygw/_core/snippet.pyx:2: commented-out code"]
    if line == "cdef int i":
        line += "\n# cdef int f(int a)"
        finding = ["pygw/_core/snippet.pyx:3: commented-out code"]
    assert text.dead_code(Source("pygw/_core/snippet.pyx", f"y = 2\n# {line}\n")) == finding


@pytest.mark.parametrize(
    "line",
    [
        "Owns: the end.",
        "streams: tcp and pipe",
        "0 or E_CORE_MEMORY",
        "--- life ---",
        "WHY: it is so",
        "returns how many bytes were taken",
        "if it fails, the caller hears it",
        "cython: language_level=3",
        "idle",
    ],
)
def test_prose_in_comments_is_not(line: str) -> None:
    assert not text.dead_code(py(f"# {line}\nx = 1\n"))


def test_calls_behind_code_are_prose() -> None:
    assert not text.dead_code(py("x = 1  # borrow(worker)\n"))


def test_commented_out_c_is_found_and_pointers_are_not() -> None:
    assert text.dead_code(Source("a.c", "// x = 1;\n"))
    assert text.dead_code(Source("a.c", "/* close(fd); */\n"))
    assert not text.dead_code(Source("a.c", "    *p = 1;\n/* Says why. */\n"))
