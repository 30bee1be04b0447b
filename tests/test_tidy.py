"""The house rules, held against every file of the repository.

Each rule is a pure function of `tests/tidy`, proven there on good and bad snippets. A finding names
file and line. A rule is never loosened here to let a finding pass: the file is mended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from tests.tidy import hot, levels, memory, text
from tests.tidy.tree import Source, read_tree

TREE = read_tree()
LIMITS = next(source for source in TREE if source.path == memory.LIMITS)

Rule = Callable[[Source], list[str]]


def check(findings: Iterable[str]) -> None:
    """Fails with one finding a line."""
    listed = list(findings)
    if listed:
        pytest.fail("\n".join(listed), pytrace=False)


def check_each(rule: Rule) -> None:
    """Holds a rule against every file."""
    check(finding for source in TREE for finding in rule(source))


def test_the_tree_is_read_whole() -> None:
    paths = {source.path for source in TREE}
    assert {"pygw/cli.py", "pygw/_core/types/header.pxd", "Makefile", "README.md"} <= paths
    assert not [path for path in paths if path.startswith((".venv", "build/"))]


def test_a_module_cimports_only_its_own_level_and_below() -> None:
    check_each(levels.climbing_cimports)


def test_cimports_form_no_cycle() -> None:
    check(levels.cycles_in(levels.cimport_graph(TREE)))


def test_the_core_never_imports_the_control_plane() -> None:
    check_each(levels.control_imports)


def test_files_have_at_most_500_lines_of_at_most_100_columns() -> None:
    check_each(text.too_long)


def test_functions_have_at_most_70_lines() -> None:
    check_each(text.long_functions)


def test_no_note_of_unfinished_work() -> None:
    check_each(text.markers)


def test_no_commented_out_code() -> None:
    check_each(text.dead_code)


def test_no_path_of_a_machine_and_no_package_index() -> None:
    check_each(text.machine_names)


def test_core_files_open_with_what_they_own_and_never_do() -> None:
    check_each(hot.opening)


def test_nogil_functions_are_noexcept() -> None:
    check_each(hot.unproven_nogil)


def test_the_data_path_never_takes_the_gil() -> None:
    check_each(hot.gil_taken)


def test_historical_cython_is_not_used() -> None:
    check_each(hot.historical_words)


def test_functions_have_no_default_arguments_and_at_most_six_parameters() -> None:
    check_each(hot.signatures)


def test_hot_files_set_their_directives() -> None:
    check_each(hot.missing_directives)


def test_memory_is_allocated_only_where_that_is_the_purpose() -> None:
    check_each(memory.stray_allocations)


def test_pointer_fields_say_who_owns() -> None:
    check_each(memory.untagged_pointers)


def test_copies_of_bytes_say_why() -> None:
    check_each(memory.unnamed_copies)


def test_rules_broken_on_purpose_say_why() -> None:
    check_each(memory.unexplained_rules)


def test_each_bound_bounds_something() -> None:
    check(memory.idle_bounds(LIMITS, TREE))


def test_arrays_are_as_long_as_the_bound_they_name() -> None:
    check(memory.false_sizes(LIMITS, TREE))


def test_each_bound_has_a_test_that_names_it() -> None:
    tests = [s for s in TREE if s.path.startswith("tests/") and "/tidy/" not in s.path]
    check(memory.untested_bounds(LIMITS, tests))
