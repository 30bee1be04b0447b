"""Rules on Cython: openings, the interpreter, signatures, what is not used at all."""

from __future__ import annotations

import re

from tests.tidy.scan import functions_of
from tests.tidy.tree import Source

OPENING = ("Owns:", "Thread and GIL:", "Never does:", "Read next:")
# Where the data path may meet the interpreter.
CORE = "pygw/_core/"
GIL_TAKERS = tuple(CORE + name for name in ("build.", "worker.", "runtimes/", "probe/"))
PARAMETERS_MAX = 6
# Built or run once, under the GIL, or by tests.
NOT_HOT = tuple(CORE + name for name in ("build.", "libs/", "part.", "probe/", "worker."))
DIRECTIVES = ("boundscheck=False", "wraparound=False", "cdivision=True")

_UNUSED_WORDS = re.compile(r"^\s*(cpdef\b|include\s|DEF\s|IF\s)", re.M)


def opening(source: Source) -> list[str]:
    """The first comments of a core file say owns, thread and GIL, never does, read next."""
    if not source.path.startswith(CORE) or not source.is_cython or not source.text:
        return []
    lines = [line for line in source.lines if not line.startswith("# cython:")]
    head = [line.removeprefix("#").strip() for line in lines[:10] if line.startswith("#")]
    said = [word for line in head for word in OPENING if line.startswith(word)]
    return [] if said == list(OPENING) else [source.at(1, "opens without " + ", ".join(OPENING))]


def unproven_nogil(source: Source) -> list[str]:
    """`nogil` without `noexcept`: an exception check under the GIL after each call."""
    if not source.is_cython:
        return []
    found = []
    for line, statement in _declarations(source.code):
        if re.search(r"\)[\w\s]*\bnogil\b", statement) and "noexcept" not in statement:
            found.append(source.at(line, "nogil without noexcept"))
    return found


def _declarations(code: str) -> list[tuple[int, str]]:
    """Logical lines that can declare a function or a pointer to one."""
    found, pending, first, depth = [], "", 0, 0
    for number, line in enumerate(code.split("\n"), 1):
        first = first if pending else number
        pending += " " + line.strip()
        depth += line.count("(") - line.count(")")
        if depth <= 0:
            if "nogil" in pending and "(" in pending:
                found.append((first, pending.strip()))
            pending, depth = "", 0
    return found


def gil_taken(source: Source) -> list[str]:
    """`with gil` anywhere but where the interpreter is the purpose."""
    if not source.is_cython or source.path.startswith(GIL_TAKERS):
        return []
    return [
        source.at(number, "takes the GIL on the data path")
        for number, line in enumerate(source.code.split("\n"), 1)
        if re.search(r"\bwith\s+gil\b", line)
    ]


def historical_words(source: Source) -> list[str]:
    """cpdef, include, DEF and IF, and the assert that a noexcept function swallows."""
    if not source.is_cython:
        return []
    found = []
    for match in _UNUSED_WORDS.finditer(source.code):
        line = source.code.count("\n", 0, match.start(1)) + 1
        found.append(source.at(line, f"{match[1].strip()} is not used here"))
    for number, text in enumerate(source.code.split("\n"), 1):
        if re.match(r"\s*assert\b", text) and not source.path.startswith(CORE + "probe/"):
            found.append(source.at(number, "assert is swallowed: BUG_ON says it"))
    return found


def signatures(source: Source) -> list[str]:
    """Hot functions with default arguments; cdef functions with more than six parameters."""
    if not source.is_cython:
        return []
    found = []
    for f in functions_of(source.code):
        if f.keyword != "cdef":
            continue
        if f.nogil and any("=" in p for p in f.parameters):
            found.append(source.at(f.first, f"{f.name} has a default argument"))
        count = len(f.parameters)
        if count > PARAMETERS_MAX:
            found.append(source.at(f.first, f"{f.name} has {count} parameters"))
    return found


def missing_directives(source: Source) -> list[str]:
    """A file with hot functions switches off what Python would check and C does not need."""
    if not source.path.endswith(".pyx") or source.path.startswith(NOT_HOT):
        return []
    if not any(f.nogil and not f.declared for f in functions_of(source.code)):
        return []
    head = [line for line in source.lines if line.startswith("# cython:")]
    missing = [d for d in DIRECTIVES if not any(d in line for line in head)]
    return [source.at(1, "hot functions without " + ", ".join(missing))] if missing else []
