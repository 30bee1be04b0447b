"""Rules on memory: who allocates, who owns, where bytes are copied, which bounds there are."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tests.tidy.scan import comments_of, fields_of, functions_of
from tests.tidy.tree import Source

CORE = "pygw/_core/"
ALLOCATORS = ("arena", "block", "buffer", "build", "worker", "runtimes/lua_state")
# Doors for tests and benches: they hold Python objects and copy between the two worlds.
NOT_DATA_PLANE = tuple(CORE + name for name in ("probe/", "libs/", "build.", "part.", "worker."))
LIMITS = CORE + "limits.pxd"

_ALLOCATION = re.compile(r"(?<![\w.])(malloc|calloc|realloc|free|aligned_alloc)\s*\(")
_TAG = re.compile(r"(?:own|arena|plan|static)\b|borrow\([^,()]+, [^()]+\)")
_SIZED = re.compile(r"\[(\d+)\]\s*#.*?\b([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)\b")
_BOUND = re.compile(r"^ +([A-Z][A-Z0-9_]+) = (\d+)", re.M)


def stray_allocations(source: Source) -> list[str]:
    """malloc and free outside the modules whose purpose they are."""
    if not source.path.startswith(CORE) or not source.is_cython:
        return []
    if source.path.startswith(tuple(f"{CORE}{name}." for name in ALLOCATORS)):
        return []
    found = []
    for number, line in enumerate(source.lines, 1):
        match = _ALLOCATION.search(line.split("#")[0])
        if match and not line.lstrip().startswith("#"):
            found.append(source.at(number, f"{match[1]} belongs in {', '.join(ALLOCATORS)}"))
    return found


def untagged_pointers(source: Source) -> list[str]:
    """Pointer fields of structs whose comment does not begin with who owns what they lead to."""
    if not source.path.startswith(CORE) or not source.is_cython:
        return []
    found = []
    for field in fields_of(source.text):
        is_pointer = "*" in field.declaration and "(" not in field.declaration
        if is_pointer and not _TAG.match(field.comment):
            name = field.declaration.split()[-1].lstrip("*")
            found.append(source.at(field.line, f"{field.struct}.{name} has no ownership tag"))
    return found


def unnamed_copies(source: Source) -> list[str]:
    """memcpy in the data plane without `# COPY: why` on its line or in the comment above it."""
    if not source.path.startswith(CORE) or not source.path.endswith((".pyx", ".pxd")):
        return []
    if source.path.startswith(NOT_DATA_PLANE):
        return []
    lines, found = source.lines, []
    for f in functions_of(source.code):
        for number in range(f.first, f.last + 1):
            if re.search(r"\bmemcpy\(", lines[number - 1]) and not _says_why(lines, number):
                found.append(source.at(number, "memcpy without # COPY: why"))
    return found


def _says_why(lines: list[str], number: int) -> bool:
    """On the line, or in the comment above it or above the run of copies that it ends."""
    above = number - 2
    while above >= 0 and (lines[above].lstrip().startswith("#") or "memcpy(" in lines[above]):
        above -= 1
    return any("# COPY: " in line for line in lines[above + 1 : number])


def bounds_of(limits: Source) -> dict[str, int]:
    """The bounds of limits.pxd by name."""
    return {match[1]: int(match[2]) for match in _BOUND.finditer(limits.code)}


def idle_bounds(limits: Source, sources: Iterable[Source]) -> list[str]:
    """Bounds that no code names outside a cimport: nothing is bounded by them."""
    used: set[str] = set()
    for source in sources:
        if source.path.startswith(CORE) and source.is_cython and source.path != limits.path:
            code = re.sub(r"\bcimport\s+(?:\([^)]*\)|[^\n(]*)", "", source.code)
            used |= set(re.findall(r"\b[A-Z][A-Z0-9_]+\b", code))
            used |= {name for _, name, _ in sized_by(source)}
    return [
        limits.at(line_of(limits, name), f"{name} bounds nothing")
        for name in bounds_of(limits)
        if name not in used
    ]


def sized_by(source: Source) -> list[tuple[int, str, int]]:
    """Arrays whose comment says which bound their number is: line, bound, number."""
    return [
        (number, match[2], int(match[1]))
        for number, line in enumerate(source.lines, 1)
        if (match := _SIZED.search(line))
    ]


def false_sizes(limits: Source, sources: Iterable[Source]) -> list[str]:
    """Arrays whose number is not that of the bound in their comment."""
    bounds = bounds_of(limits)
    return [
        source.at(line, f"{number} is not {name}, which is {bounds[name]}")
        for source in sources
        if source.is_cython
        for line, name, number in sized_by(source)
        if name in bounds and bounds[name] != number
    ]


def untested_bounds(limits: Source, tests: Iterable[Source]) -> list[str]:
    """Bounds that no test names."""
    named: set[str] = set()
    for test in tests:
        named |= set(re.findall(r"\b[A-Z][A-Z0-9_]+\b", test.text))
    return [
        limits.at(line_of(limits, name), f"no test names {name}")
        for name in bounds_of(limits)
        if name not in named
    ]


def line_of(limits: Source, name: str) -> int:
    """The line on which a bound stands."""
    match = re.search(rf"^ +{name} = ", limits.code, re.M)
    return limits.code.count("\n", 0, match.start()) + 1 if match else 1


def unexplained_rules(source: Source) -> list[str]:
    """`WHY` without the sentence it promises."""
    return [
        source.at(comment.line, "WHY without a reason")
        for comment in comments_of(source.text)
        if source.is_cython and re.fullmatch(r"WHY:?", comment.text)
    ]
