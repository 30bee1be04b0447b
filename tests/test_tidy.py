"""The house rules, held against every file of the repository.

Each rule is a pure function of `tests/tidy`, proven there on good and bad snippets. A finding names
file and line. A rule is never loosened here to let a finding pass: the file is mended.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable

import pytest
import yaml
from pydantic import BaseModel

from pygw.config.formats.yaml import Loader
from pygw.config.interpolate import Sources
from pygw.config.load import parse_config
from pygw.config.model import Config
from pygw.config.model.upstreams import Upstream
from tests.tidy import documents, hot, levels, memory, text
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
    assert {"pygw/cli/run.py", "pygw/_core/types/header.pxd", "Makefile", "README.md"} <= paths
    assert not [path for path in paths if path.startswith((".venv", "build/"))]


def test_a_module_cimports_only_its_own_level_and_below() -> None:
    check_each(levels.climbing_cimports)


def test_the_table_of_levels_names_modules_that_are_there() -> None:
    modules = {levels.module_of(source.path) for source in TREE}
    named = {name for level in levels.LEVELS for name in level if not name.endswith("/*")}
    assert named <= modules


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


# --- documents ------------------------------------------------------------------------------------

PATHS = {source.path for source in TREE} | {"LICENSE"}
DOCUMENTS = [source for source in TREE if source.path.endswith(".md")]
BASES = ("pygw/_core/", "benchmarks/", "tests/")


def document(path: str) -> Source:
    """One of the documents."""
    return next(source for source in DOCUMENTS if source.path == path)


def test_links_in_documents_lead_somewhere() -> None:
    check(found for one in DOCUMENTS for found in documents.dead_links(one, PATHS))


def test_paths_in_documents_are_there() -> None:
    check(found for one in DOCUMENTS for found in documents.unknown_paths(one, PATHS, BASES))


def test_names_in_documents_are_in_the_sources() -> None:
    sources = [source for source in TREE if not source.path.endswith(".md")]
    check(found for one in DOCUMENTS for found in documents.unknown_names(one, sources))


@pytest.mark.parametrize("block", documents.fences_of(document("README.md"), "yaml"))
def test_configurations_in_the_readme_are_good(block: str) -> None:
    parse_config(block, "README.md", Sources({}))


def test_the_readme_names_every_key_of_the_configuration() -> None:
    reference = yaml.load(documents.fences_of(document("README.md"), "yaml")[-1], Loader)
    reference["upstreams"] = list(reference["upstreams"].values())
    assert keys_of_data(reference) == keys_of_model(Config)


def test_the_readme_tells_the_defaults() -> None:
    text = documents.fences_of(document("README.md"), "yaml")[-1]
    told = parse_config(text, "README.md", Sources({}))
    known = Config.from_data({"listeners": [{"bind": "127.0.0.1:1"}], "routes": told.routes})
    for key in ("workers", "drain", "access_log", "timeouts", "limits"):
        assert getattr(told, key) == getattr(known, key), key
    assert told.forwarding.model_copy(update={"via": None}) == known.forwarding
    upstream = told.upstreams["api"]
    assert upstream == Upstream(targets=upstream.targets, timeouts=upstream.timeouts)
    for timeouts in (upstream.timeouts, told.routes[0].timeouts):
        assert dict(timeouts) == {name: getattr(known.timeouts, name) for name, _ in timeouts}


def keys_of_data(data: object, place: str = "") -> set[str]:
    """Every key of plain data by its place, places in lists and names of fields left out."""
    if isinstance(data, list):
        return set().union(*(keys_of_data(one, place) for one in data))
    if not isinstance(data, dict) or place.endswith(
        ("set", "add", "default", "rename", ".respond.headers", ".match.headers", ".match.query")
    ):
        return set()
    keys = {f"{place}.{key}" for key in data}
    return keys.union(*(keys_of_data(value, f"{place}.{key}") for key, value in data.items()))


def keys_of_model(model: type[BaseModel], place: str = "") -> set[str]:
    """Every key that the models know, by its place."""
    keys = set()
    for name, field in model.model_fields.items():
        keys.add(f"{place}.{name}")
        for inner in models_in(field.annotation):
            keys |= keys_of_model(inner, f"{place}.{name}")
    return keys


def models_in(shape: object) -> list[type[BaseModel]]:
    """The models within an annotation."""
    if isinstance(shape, type) and issubclass(shape, BaseModel):
        return [shape]
    return [model for part in typing.get_args(shape) for model in models_in(part)]
