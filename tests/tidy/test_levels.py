"""Proof of the table of levels: what may cimport what."""

from __future__ import annotations

import pytest

from tests.tidy import levels
from tests.tidy.tree import Source


def core(name: str, text: str) -> Source:
    return Source(f"pygw/_core/{name}", text)


def test_each_module_has_one_level() -> None:
    names = [name for level in levels.LEVELS for name in level]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("types/header", 0),
        ("libs/uv", 0),
        ("arena", 1),
        ("filters/ip", 2),
        ("pool", 4),
        ("none", None),
    ],
)
def test_levels_are_found_by_name_or_folder(name: str, level: int | None) -> None:
    assert levels.level_of(name) == level


@pytest.mark.parametrize(
    "text",
    [
        "from pygw._core.transport cimport transport_put\n",
        "from pygw._core.pool cimport (\n    pool_t)\n",
        "cimport pygw._core.relay\n",
    ],
)
def test_a_cimport_of_a_higher_level_is_found(text: str) -> None:
    assert levels.climbing_cimports(core("exchange.pyx", "\n" + text))
    assert levels.climbing_cimports(core("exchange.pxd", text))
    assert not levels.climbing_cimports(core("host.pyx", text))


def test_cimports_of_the_same_and_of_lower_levels_pass() -> None:
    text = "from pygw._core.chain cimport chain_log\nfrom pygw._core.types.header cimport span_t\n"
    assert not levels.climbing_cimports(core("exchange.pyx", text))
    assert not levels.climbing_cimports(core("exchange.pyx", "from libc.string cimport memcpy\n"))


def test_modules_that_the_table_does_not_know_are_found() -> None:
    assert levels.climbing_cimports(core("novel.pyx", ""))
    assert levels.climbing_cimports(core("host.pyx", "from pygw._core.novel cimport x\n"))


def test_a_cycle_is_found_through_headers_and_bodies() -> None:
    sources = [
        core("a.pyx", "from pygw._core.b cimport x\n"),
        core("b.pxd", "from pygw._core.c cimport x\n"),
        core("c.pyx", "from pygw._core.a cimport x\n"),
    ]
    assert levels.cycles_in(levels.cimport_graph(sources)) == ["a > b > c > a"]
    assert not levels.cycles_in(levels.cimport_graph(sources[:2]))


def test_a_module_that_cimports_its_own_header_is_no_cycle() -> None:
    graph = levels.cimport_graph([core("a.pyx", "from pygw._core.a cimport x\n")])
    assert not levels.cycles_in(graph)


def test_two_paths_to_one_module_are_no_cycle() -> None:
    assert not levels.cycles_in({"a": {"b", "c"}, "b": {"d"}, "c": {"d"}, "d": set()})


@pytest.mark.parametrize(
    "line",
    ["import pygw.cli", "from pygw import log", "from pygw.config import x", "from ..log import x"],
)
def test_an_import_of_the_control_plane_is_found(line: str) -> None:
    assert levels.control_imports(core("x.pyx", line + "\n"))
    assert not levels.control_imports(Source("pygw/worker.py", line + "\n"))


@pytest.mark.parametrize(
    "line",
    ["from pygw._core.part import PlanError", "import json", "from pygw._core import variant"],
)
def test_an_import_within_the_core_passes(line: str) -> None:
    assert not levels.control_imports(core("x.pyx", line + "\n"))
