"""Proof of the rules on documents: each finds the bad snippet and leaves the good one alone."""

from __future__ import annotations

import pytest

from tests.tidy import documents
from tests.tidy.tree import Source

PATHS = {"README.md", "pygw/cli.py", "pygw/_core/exchange.pyx", "pygw/_core/filters/ip.pyx"}
BASES = ("pygw/_core/",)


def md(text: str) -> Source:
    return Source("README.md", text)


def test_blocks_are_found_by_language() -> None:
    document = md("```yaml\na: 1\n```\ntext\n```console\n$ x\n```\n")
    assert documents.fences_of(document, "yaml") == ["a: 1\n"]


@pytest.mark.parametrize("link", ["[x](pygw/cli.py)", "[x](pygw)", "[x](#y)", "[x](https://a/b)"])
def test_links_that_lead_somewhere_pass(link: str) -> None:
    assert not documents.dead_links(md(link), PATHS)


def test_a_link_that_leads_nowhere_is_found() -> None:
    assert documents.dead_links(md("[x](pygw/gone.py)"), PATHS)
    assert not documents.dead_links(md("```\n[x](pygw/gone.py)\n```"), PATHS)


def test_links_lead_from_where_their_document_is() -> None:
    page = Source("docs/page.md", "[x](../pygw/cli.py)")
    assert not documents.dead_links(page, PATHS)
    assert documents.dead_links(Source("docs/page.md", "[x](pygw/cli.py)"), PATHS)


@pytest.mark.parametrize(
    "code", ["pygw/cli.py", "exchange.pyx", "filters/", "filters/ip.pyx", "/etc/x.py", "text/plain"]
)
def test_paths_that_are_there_pass(code: str) -> None:
    assert not documents.unknown_paths(md(f"see `{code}`"), PATHS, BASES)


@pytest.mark.parametrize("code", ["pygw/gone.py", "gone.pyx", "filters/gone.pyx", "pygw/gone/"])
def test_a_path_that_is_not_there_is_found(code: str) -> None:
    assert documents.unknown_paths(md(f"see `{code}`"), PATHS, BASES)
    assert not documents.unknown_paths(md(f"see {code}"), PATHS, BASES)


def test_names_are_looked_for_in_the_sources() -> None:
    sources = [Source("a.pyx", "cdef int pool_get(int a)")]
    assert not documents.unknown_names(md("`pool_get` and `pool`"), sources)
    assert documents.unknown_names(md("`pool_lost`"), sources)
    assert not documents.unknown_names(md("pool_lost, `http1_*`, `E_<UP>_X`"), sources)
