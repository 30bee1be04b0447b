"""The examples of docs/routing.md are true."""

from __future__ import annotations

import re

import pytest

from pygw._core.matcher import Matcher
from pygw.config.interpolate import Sources
from pygw.config.load import parse_config
from pygw.plan import build_plan, serialise_plan
from tests.tidy.tree import ROOT

PAGE = (ROOT / "docs" / "routing.md").read_text("utf-8")
ROW = re.compile(
    r"^\| `(?P<method>[A-Z]+) http://(?P<host>[^/`]+)(?P<target>/[^`]*)`"
    r"(?: with (?P<fields>`[^`]+`(?: and `[^`]+`)*))?(?: from `(?P<client>[^`]+)`)?"
    r" \| (?P<answer>[^|]+) \|$",
    re.M,
)


def examples() -> list[tuple[str, list[re.Match[str]]]]:
    """Each configuration with the rows of the table behind it."""
    parts = PAGE.split("```yaml\n")[1:]
    return [(part.partition("```")[0], list(ROW.finditer(part))) for part in parts]


def told(matcher: Matcher, row: re.Match[str]) -> str:
    """The answer as the page writes it."""
    fields = [one.split(": ", 1) for one in re.findall("`([^`]+)`", row["fields"] or "")]
    found = matcher.match(
        row["method"], row["host"], row["target"], fields, row["client"] or "127.0.0.1"
    )
    if found.route is None:
        return " ".join([str(found.status), *found.allow])
    names = " ".join(f"{name}={value}" for name, value in found.params.items())
    return f"{found.route}, {names}" if names else found.route


@pytest.mark.parametrize("number", range(len(examples())))
def test_every_row_of_a_table_is_what_the_data_plane_does(number: int) -> None:
    text, rows = examples()[number]
    config = parse_config(text, "routing.md", Sources({}))
    matcher = Matcher(serialise_plan(build_plan(config, 1, "pygw-test")))
    assert len(rows) >= 9
    assert [told(matcher, row) for row in rows] == [row["answer"] for row in rows]


def test_no_row_is_overlooked() -> None:
    assert sum(len(rows) for _, rows in examples()) == PAGE.count(" http://")
    assert len(examples()) == 3
