"""Proof of the rules on Cython: each finds the bad snippet and leaves the good one alone."""

from __future__ import annotations

import pytest

from tests.tidy import hot
from tests.tidy.tree import Source


def core(text: str, name: str = "snippet.pyx") -> Source:
    return Source(f"pygw/_core/{name}", text)


OPENING = "# Owns: x.\n# Thread and GIL: any.\n# Never does: y.\n# Read next: z.\n"


def test_an_opening_of_four_comments_passes() -> None:
    assert not hot.opening(core(OPENING))
    assert not hot.opening(core("# cython: language_level=3\n" + OPENING))
    assert not hot.opening(core(OPENING.replace("x.", "x,\n#   and more.")))
    assert not hot.opening(core("", "__init__.pxd"))


@pytest.mark.parametrize("missing", OPENING.splitlines(keepends=True))
def test_an_opening_without_one_of_them_is_found(missing: str) -> None:
    assert hot.opening(core(OPENING.replace(missing, "")))


def test_an_opening_in_another_order_is_found() -> None:
    assert hot.opening(core("".join(reversed(OPENING.splitlines(keepends=True)))))


@pytest.mark.parametrize(
    "text",
    [
        "cdef int f() nogil:\n    return 0\n",
        "cdef void f(int a,\n            int b) nogil\n",
        "ctypedef void (*f)(int a) nogil\n",
        "cdef struct s:\n    void (*f)(int a) nogil\n",
    ],
)
def test_nogil_without_noexcept_is_found(text: str) -> None:
    assert hot.unproven_nogil(core(text))
    assert not hot.unproven_nogil(core(text.replace("nogil", "noexcept nogil")))


def test_a_nogil_block_needs_no_noexcept() -> None:
    assert not hot.unproven_nogil(core("with nogil:\n    f(x)\n"))
    assert not hot.unproven_nogil(core('cdef extern from "<a.h>" nogil:\n    int f()\n'))


@pytest.mark.parametrize("text", ["    with gil:\n", "cdef void f() with gil:\n    pass\n"])
def test_the_gil_on_the_data_path_is_found(text: str) -> None:
    assert hot.gil_taken(core(text))
    for name in ("worker.pyx", "build.pyx", "probe/x.pyx", "runtimes/python.pyx"):
        assert not hot.gil_taken(core(text, name))
    assert not hot.gil_taken(core("# with gil\n"))


@pytest.mark.parametrize(
    "text",
    ["cpdef int f():\n", 'include "x.pxi"\n', "DEF N = 3\n", "IF UNAME:\n", "    assert x\n"],
)
def test_historical_words_are_found(text: str) -> None:
    assert hot.historical_words(core("cdef int x\n" + text))


def test_words_that_only_look_like_them_are_not() -> None:
    assert not hot.historical_words(core("# include it\nincluded = 1\nDEFAULT = 2\nIFS = 3\n"))
    assert not hot.historical_words(core("    assert x\n", "probe/x.pyx"))


def test_a_default_argument_of_a_hot_function_is_found() -> None:
    assert hot.signatures(core("cdef int f(int a, int b=1) noexcept nogil:\n    return 0\n"))
    assert not hot.signatures(core("cdef int f(int a, int b=1) except -1:\n    return 0\n"))


def test_seven_parameters_are_found_and_six_are_not() -> None:
    seven = (
        "cdef int f(int a, int b, int c,\n           int d, int e, int f, int g) noexcept nogil\n"
    )
    assert hot.signatures(core(seven)) == ["pygw/_core/snippet.pyx:1: f has 7 parameters"]
    assert not hot.signatures(core(seven.replace(", int g", "")))


def test_hot_functions_without_directives_are_found() -> None:
    body = "cdef int f() noexcept nogil:\n    return 0\n"
    assert hot.missing_directives(core(body))
    assert hot.missing_directives(core("# cython: boundscheck=False\n" + body))
    assert not hot.missing_directives(core("# cython: " + ", ".join(hot.DIRECTIVES) + "\n" + body))
    assert not hot.missing_directives(core("cdef int f() noexcept nogil\n"))
    assert not hot.missing_directives(core(body, "build.pyx"))
