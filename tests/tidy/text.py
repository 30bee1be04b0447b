"""Rules on any file: sizes, markers, dead code, names of machines."""

from __future__ import annotations

import ast
import re

from tests.tidy.scan import comments_of, functions_of
from tests.tidy.tree import Source

LINES_MAX = 500
FUNCTION_LINES_MAX = 70
COLUMNS_MAX = 100

# Each pattern has a class of one letter, so that this file does not hold what it looks for.
_MARKERS = re.compile(r"\b(?:T[O]DO|FIXM[E]|X[X]X|HAC[K])\b")
_MACHINE_PATHS = re.compile(r"(?<![\w./-])/(?:w[o]rk|r[o]ot|h[o]me|tmp/t[e]am)(?![\w-])")
_REGISTRIES = re.compile(
    r"pyp[i]\.org|pythonhoste[d]\.org|npmj[s]\.|crate[s]\.io|proxy\.golan[g]|docke[r]\.io"
    r"|ghc[r]\.io|inde[x]-url|find-link[s]"
)
_CYTHON_STATEMENT = re.compile(
    r"(?:cdef|cpdef|def|ctypedef)\s.*[:)]$|(?:from\s+\S+\s+)?cimport\s+[\w, ]+$"
    r"|(?:if|elif|while|for|with)\s.*:$|(?:else|try):$|return(?:\s+[\w.()\[\]-]+)?$"
)
_C_STATEMENT = re.compile(r"^\s*(?://.*[;{}]|/\*.*[;{}]\s*\*/)\s*$")


def too_long(source: Source) -> list[str]:
    """Files of more than 500 lines, lines of more than 100 columns."""
    if not source.is_source:
        return []
    found = []
    count = len(source.lines)
    if count > LINES_MAX:
        found.append(source.at(LINES_MAX + 1, f"{count} lines, more than {LINES_MAX}"))
    for number, line in enumerate(source.lines, 1):
        if len(line) > COLUMNS_MAX:
            found.append(source.at(number, f"{len(line)} columns, more than {COLUMNS_MAX}"))
    return found


def long_functions(source: Source) -> list[str]:
    """Functions of more than 70 lines."""
    if not source.path.endswith((".py", ".pyx")):
        return []
    return [
        source.at(f.first, f"{f.name} has {f.lines} lines, more than {FUNCTION_LINES_MAX}")
        for f in functions_of(source.code)
        if f.lines > FUNCTION_LINES_MAX
    ]


def markers(source: Source) -> list[str]:
    """Notes of unfinished work."""
    return _matches(source, _MARKERS, "a note of unfinished work")


def machine_names(source: Source) -> list[str]:
    """Paths of the machine it was written on, and hosts that packages come from."""
    found = _matches(source, _MACHINE_PATHS, "a path of one machine")
    return found + _matches(source, _REGISTRIES, "a package index")


def _matches(source: Source, pattern: re.Pattern[str], what: str) -> list[str]:
    return [
        source.at(number, f"{what}: {match.group()}")
        for number, line in enumerate(source.lines, 1)
        if (match := pattern.search(line))
    ]


def dead_code(source: Source) -> list[str]:
    """Comments that are statements: code that nobody runs."""
    if source.path.endswith((".c", ".h")):
        return [
            source.at(number, "commented-out code")
            for number, line in enumerate(source.lines, 1)
            if _C_STATEMENT.match(line)
        ]
    if not source.path.endswith((".py", ".pyi", ".pyx", ".pxd")):
        return []
    return [
        source.at(comment.line, "commented-out code")
        for comment in comments_of(source.text)
        if comment.alone and not _is_directive(comment.text) and is_statement(comment.text)
    ]


def _is_directive(text: str) -> bool:
    return text.startswith(("cython:", "type:", "noqa"))


def is_statement(text: str) -> bool:
    """Whether a comment's text does something when it is run: prose never does."""
    if _CYTHON_STATEMENT.match(text):
        return True
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError):
        return False
    return any(map(_does_something, body))


def _does_something(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Call)
    # "errors: none" reads as an annotation.
    return not isinstance(statement, ast.AnnAssign) or statement.value is not None
