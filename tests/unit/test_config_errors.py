"""Wrong configurations and what a person is told: message, line and column, all at once.

The corpus is `config_errors.txt`, which says how to read it, and `config_errors_formats.txt`.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pygw.config import ConfigError, Mark, load_config, parse_config
from pygw.config.interpolate import Sources

CORPUS = sorted(Path(__file__).parent.glob("config_errors*.txt"))
LISTENERS = 'listeners: [{bind: "127.0.0.1:8080"}]\n'
ROUTES = "routes: [{match: {path: /*}, middleware: [{echo: {}}]}]\n"
ENVIRON = {"EMPTY": "", "SECRET": "s3cr3t value", "NUMBER": "12", "BAD": "\udc80"}


def read_corpus() -> dict[str, tuple[str, list[str]]]:
    """Name: marked text, expected problems."""
    cases: dict[str, tuple[str, list[str]]] = {}
    parts = [part for file in CORPUS for part in file.read_text("utf-8").split("\n## ")[1:]]
    for part in parts:
        name, _, rest = part.partition("\n")
        assert name not in cases
        text, _, _ = rest.partition("\n=> ")
        cases[name] = (f"{text}\n", re.findall(r"^=> (.*)$", rest, re.MULTILINE))
    return cases


CASES = read_corpus()


def split_marks(text: str) -> tuple[str, list[Mark]]:
    """The text without `§`, and where they stood."""
    marks = []
    while (at := text.find("§")) >= 0:
        before = text[:at]
        marks.append(Mark(before.count("\n") + 1, at - before.rfind("\n")))
        text = before + text[at + 1 :]
    return text, marks


def problems_of(text: str, file: str = "pygw.yaml") -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, file, Sources(ENVIRON))
    return caught.value


def completed(name: str, text: str) -> tuple[str, str]:
    """The whole text of a case and its file, which says the format."""
    if name.startswith(("JSON, ", "TOML, ")):
        return text, f"pygw.{name[:4].lower()}"
    if not text.startswith("- "):
        text += LISTENERS if "listeners:" not in text else ""
        text += ROUTES if "routes:" not in text else ""
    return text, "pygw.yaml"


@pytest.mark.parametrize("name", CASES)
def test_wrong_config_is_refused_with_message_line_and_column(name: str) -> None:
    marked, expected = CASES[name]
    text, marks = split_marks(marked)
    text, file = completed(name, text)
    error = problems_of(text, file)
    headlines = [line for line in error.render().splitlines() if "  error  " in line]
    assert [line.split("  error  ")[1] for line in headlines] == expected
    found = [problem.at for problem in error.problems]
    assert [at for at in found if at is not None or file != "pygw.toml"] == marks


# A remedy behind a semicolon, or a sentence that says what may stand there.
NAMES_THE_FIX = re.compile(
    r"; |\bmust |\bneeds |missing key |may hold .* only|such as |: write it as |is known in .* only"
    r"|is matched by "
)


@pytest.mark.parametrize("name", [name for name in CASES if name != "variable needed"])
def test_every_message_names_the_fix_or_what_is_valid(name: str) -> None:
    for message in CASES[name][1]:
        assert NAMES_THE_FIX.search(message), message


def test_corpus_is_large_enough() -> None:
    assert len(CASES) >= 140


def test_all_problems_are_reported_at_once_in_file_order() -> None:
    text, marks = split_marks(
        "§workers: many\n"
        "upstreams:\n  api:\n    targets: [§\"https://x\", {url: 'http://a', §wait: 1}]\n"
        "    timeouts: {§connect: 5}\n"
        "routes:\n- match: {§path: a}\n  §upstream: apo\n"
        "§lissteners: []\n"
    )
    error = problems_of(text)
    assert [problem.at for problem in error.problems] == [Mark(1, 1), *marks]
    assert error.problems[0].message == 'missing key "listeners"'
    assert error.render().endswith(f"{len(marks) + 1} errors, nothing was applied")


def test_message_names_the_entry_and_the_caret_points_at_the_value() -> None:
    text = LISTENERS + ROUTES + "limits:\n  headers:   -3\n"
    assert problems_of(text).render() == (
        "pygw.yaml:4:3  error  limits.headers: must be at least 1, got -3\n"
        "    4 |   headers:   -3\n"
        "      |              ^\n"
        "1 error, nothing was applied"
    )


def test_caret_stays_at_the_key_when_the_value_is_on_another_line() -> None:
    text = LISTENERS + ROUTES + "limits:\n  - headers\n"
    lines = problems_of(text).render().splitlines()
    assert lines[1:3] == ["    3 | limits:", "      | ^"]


def test_caret_fits_after_tabs_and_wide_text() -> None:
    text = LISTENERS + ROUTES + 'limits: {"é": 1, \thead:\t5}\n'
    assert problems_of(text).render().splitlines()[4:6] == [
        '    3 | limits: {"é": 1,  head: 5}',
        "      |                         ^",
    ]


def test_long_line_is_cut_around_the_caret() -> None:
    text = LISTENERS + ROUTES + "limits: {head: " + " " * 300 + "5}\n"
    source, caret = problems_of(text).render().splitlines()[1:3]
    assert len(source) <= 140
    assert source[caret.index("^")] == "5"


def test_headlines_are_aligned() -> None:
    text = LISTENERS + ROUTES + "limits: {head: 1, x: 1, headers: 0}\n"
    lines = problems_of(text).render().splitlines()
    assert len({line.index("  error  ") for line in lines if "error  limits" in line}) == 1


def test_aliases_that_multiply_are_bounded() -> None:
    levels = ["a0: &a0 [1,1,1,1,1,1,1,1,1,1]"]
    levels += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    error = problems_of("\n".join(levels))
    assert "too many values" in error.problems[0].message


def test_nesting_that_would_break_the_parser_is_refused() -> None:
    error = problems_of("x: " + "[" * 200_000)
    assert error.problems[0].message == "nested too deeply; at most 32 levels"


def test_control_character_is_found_behind_wide_text() -> None:
    (problem,) = problems_of("# \N{LATIN SMALL LETTER E WITH ACUTE}\x01\n").problems
    assert (
        problem.message
        == "not valid YAML: control characters are not allowed; take the character out"
    )
    assert problem.at == Mark(1, 4)


def test_missing_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(str(tmp_path / "none.yaml"))
    assert "none.yaml  error  cannot read: No such file or directory" in str(caught.value)


def test_file_that_is_not_text_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"workers: 1\nname: \xff\n")
    with pytest.raises(ConfigError, match="cannot read: not valid UTF-8 in line 2"):
        load_config(str(tmp_path / "x.yaml"))


def test_errors_hold_no_terminal_control_sequences() -> None:
    text = LISTENERS + ROUTES + 'limits: {"\\e[31mx": 1}\ndrain: "${EMPTY:?\\e[31m}"\n'
    assert "\x1b" not in problems_of(text).render()
