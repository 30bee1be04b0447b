"""What is wrong with a configuration, and how a person is told.

Owns: `Mark`, `Problem`, `ConfigError` and the text form of a list of problems.
Runs in: the control plane, before anything is served; never in a worker.
Never does: read files or judge values; it only carries and prints what others found.
Read next: `document` (where marks come from) and `load` (where problems are collected).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

Path = tuple[str | int, ...]
"""The place of a value in the configuration: mapping keys and list indexes from the root."""

WINDOW_COLUMNS = 120
"""Longest piece of a source line that is shown under a problem."""

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")


@dataclass(frozen=True, order=True)
class Mark:
    """A position in the source text; line and column count from 1, columns are characters."""

    line: int
    column: int


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    `at` is the entry (its key, or the list item) and is what the headline names; `caret` is the
    value itself and is what the caret points at when it stands on the same line.
    """

    path: Path
    message: str
    at: Mark | None = None
    caret: Mark | None = None


class ConfigError(Exception):
    """A configuration was refused; it carries every problem found, in the order of the file."""

    def __init__(self, problems: Iterable[Problem], file: str = "", text: str = "") -> None:
        self.problems: tuple[Problem, ...] = tuple(sorted(problems, key=in_order))
        self.file = file
        self.text = text
        super().__init__(self.render())

    def render(self) -> str:
        """All problems as text: a headline each, the source line and a caret, then the count."""
        count = len(self.problems)
        lines = render_problems(self.problems, "error", self.file, self.text)
        return "\n".join([*lines, f"{count} error{'' if count == 1 else 's'}, nothing was applied"])


def render_problems(problems: Sequence[Problem], kind: str, file: str, text: str) -> list[str]:
    """The lines of problems of one kind (`error` or `warning`), in the order given."""

    def position(problem: Problem) -> str:
        at = problem.at
        return file if at is None else f"{file}:{at.line}:{at.column}"

    lines = text.splitlines()
    width = max((len(position(p)) for p in problems), default=0)
    out: list[str] = []
    for problem in problems:
        where = f"{show_path(problem.path)}: " if problem.path else ""
        headline = f"{position(problem).ljust(width)}  {kind}  {where}{printable(problem.message)}"
        out.append(headline.lstrip())
        out.extend(_snippet(problem, lines))
    return out


def in_order(problem: Problem) -> tuple[Mark, str]:
    """What sorts problems in the order of the file."""
    return (problem.at or Mark(0, 0), show_path(problem.path))


def show_path(path: Path) -> str:
    """`upstreams.api.targets[0].weight`; keys that are not plain words are put in brackets."""
    out = ""
    for part in path:
        if isinstance(part, int):
            out += f"[{part}]"
        elif _PLAIN_KEY.match(part):
            out += f".{part}" if out else part
        else:
            out += f'["{printable(part)}"]'
    return out


def printable(text: str) -> str:
    """The text with every character that could disturb a terminal replaced, one for one."""
    return "".join(c if c.isprintable() else " " if c == "\t" else "\N{MIDDLE DOT}" for c in text)


def suggest(word: str, known: Iterable[str]) -> str | None:
    """The known word that a person most likely meant by `word`, or None."""
    limit = 1 + len(word) // 4
    best = min(((_distance(word.lower(), k.lower()), k) for k in known), default=(99, ""))
    return best[1] if best[0] <= limit and best[0] < len(word) else None


def hint(word: str, known: Mapping[str, object] | Sequence[str], kind: str) -> str:
    """The end of a message about an unknown word: a suggestion, else the valid words."""
    guess = suggest(word, known)
    if guess is not None:
        return f'did you mean "{guess}"?'
    if not known:
        return f"there are no {kind}"
    names = sorted(known)
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return f"valid {kind}: {', '.join(names[:20])}{more}"


def _snippet(problem: Problem, lines: list[str]) -> list[str]:
    at = problem.at
    if at is None or not 1 <= at.line <= len(lines):
        return []
    column = at.column
    if problem.caret is not None and problem.caret.line == at.line:
        column = problem.caret.column
    source = printable(lines[at.line - 1])
    start = 0
    if len(source) > WINDOW_COLUMNS:
        start = max(0, min(column - 1 - WINDOW_COLUMNS // 2, len(source) - WINDOW_COLUMNS))
        source = source[start : start + WINDOW_COLUMNS]
    number = str(at.line).rjust(5)
    return [f"{number} | {source}", f"{' ' * 5} | {' ' * (column - 1 - start)}^"]


def _distance(a: str, b: str) -> int:
    """Edits between two words; a swap of neighbours is one (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        older, before, row = before, row, [i] + [0] * len(b)
        for j, y in enumerate(b, 1):
            row[j] = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                row[j] = min(row[j], older[j - 2] + 1)
    return row[-1]
