"""Proof of the rules on memory: each finds the bad snippet and leaves the good one alone."""

from __future__ import annotations

import pytest

from tests.tidy import memory
from tests.tidy.tree import Source


def core(text: str, name: str = "snippet.pyx") -> Source:
    return Source(f"pygw/_core/{name}", text)


LIMITS = core("cdef enum:\n    ROOM = 64                # bytes\n    DOORS_MAX = 2\n", "limits.pxd")


@pytest.mark.parametrize(
    "text", ["x = malloc(3)", "free (x)", "a = <t*>calloc(1, 2)", "realloc(x, 1)"]
)
def test_allocation_is_found_but_where_it_is_the_purpose(text: str) -> None:
    assert memory.stray_allocations(core(text))
    for name in ("arena.pyx", "block.pyx", "buffer.pyx", "build.pyx", "worker.pyx"):
        assert not memory.stray_allocations(core(text, name))


@pytest.mark.parametrize(
    "text", ["plan_free(x)", "x.free(y)", "# free(x)", "free = 1", "y = x  # free(x)"]
)
def test_names_that_only_look_like_it_are_not(text: str) -> None:
    assert not memory.stray_allocations(core(text))


@pytest.mark.parametrize(
    "comment",
    ["", "# the bytes", "# borrow(worker)", "# borrow", "# owned by x", "# bytes; own"],
)
def test_a_pointer_without_a_tag_is_found(comment: str) -> None:
    found = memory.untagged_pointers(core(f"cdef struct s:\n    char* p    {comment}\n", "x.pxd"))
    assert found == ["pygw/_core/x.pxd:2: s.p has no ownership tag"]


@pytest.mark.parametrize(
    "comment",
    ["own", "own: bytes", "arena", "plan; NULL: none", "static", "borrow(worker, for ever): x"],
)
def test_a_pointer_with_a_tag_passes(comment: str) -> None:
    assert not memory.untagged_pointers(core(f"cdef struct s:\n    const char* p  # {comment}\n"))


def test_a_tag_may_stand_above_its_field() -> None:
    assert not memory.untagged_pointers(core("cdef struct s:\n    # own\n    char** p\n"))


def test_values_and_functions_need_no_tag() -> None:
    text = "cdef struct s:\n    int n\n    void (*f)(char* p) noexcept nogil\n\ncdef char* p\n"
    assert not memory.untagged_pointers(core(text))


def test_a_copy_without_a_reason_is_found() -> None:
    body = "cdef void f() noexcept nogil:\n    memcpy(a, b, 1)\n"
    assert memory.unnamed_copies(core(body)) == [
        "pygw/_core/snippet.pyx:2: memcpy without # COPY: why"
    ]
    assert not memory.unnamed_copies(core(body, "probe/x.pyx"))


@pytest.mark.parametrize(
    "lines",
    [
        "    memcpy(a, b, 1)    # COPY: it must stay\n",
        "    # COPY: it must stay\n    memcpy(a, b, 1)\n",
        "    # COPY: it must stay,\n    # and be found\n    memcpy(a, b, 1)\n    memcpy(c, d, 1)\n",
    ],
)
def test_a_copy_with_a_reason_passes(lines: str) -> None:
    assert not memory.unnamed_copies(core("cdef void f() noexcept nogil:\n" + lines))


def test_a_reason_does_not_reach_over_other_code() -> None:
    lines = "    # COPY: it must stay\n    memcpy(a, b, 1)\n    x = 1\n    memcpy(c, d, 1)\n"
    assert len(memory.unnamed_copies(core("cdef void f() noexcept nogil:\n" + lines))) == 1


def test_bounds_are_read_by_name() -> None:
    assert memory.bounds_of(LIMITS) == {"ROOM": 64, "DOORS_MAX": 2}


def test_a_bound_that_is_only_cimported_bounds_nothing() -> None:
    cimports = core("from pygw._core.limits cimport ROOM, DOORS_MAX\n# ROOM\nx = ROOM\n")
    assert memory.idle_bounds(LIMITS, [LIMITS, cimports]) == [
        "pygw/_core/limits.pxd:3: DOORS_MAX bounds nothing"
    ]


def test_a_bound_that_an_array_names_is_used() -> None:
    array = core("cdef struct s:\n    char doors[2]     # DOORS_MAX; how many\nx = ROOM\n")
    assert not memory.idle_bounds(LIMITS, [array])
    assert not memory.false_sizes(LIMITS, [array])


def test_an_array_that_belies_its_bound_is_found() -> None:
    array = core("cdef struct s:\n    char doors[3]     # DOORS_MAX\n")
    assert memory.false_sizes(LIMITS, [array]) == [
        "pygw/_core/snippet.pyx:2: 3 is not DOORS_MAX, which is 2"
    ]


def test_a_bound_that_no_test_names_is_found() -> None:
    test = Source("tests/test_x.py", "def test_x():\n    assert x < ROOM\n")
    assert memory.untested_bounds(LIMITS, [test]) == [
        "pygw/_core/limits.pxd:3: no test names DOORS_MAX"
    ]


def test_why_without_a_reason_is_found() -> None:
    assert memory.unexplained_rules(core("# WHY:\nx = 1\n"))
    assert not memory.unexplained_rules(core("# WHY the cast: it is so.\nx = 1\n"))
