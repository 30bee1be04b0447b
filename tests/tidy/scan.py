"""Reading Python and Cython text without running it: code, comments, functions, structs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
    (?P<comment>\#[^\n]*)
  | (?P<long>[rbfuRBFU]{0,2}(?P<quotes>'{3}|"{3}).*?(?P=quotes))
  | (?P<short>[rbfucRBFU]{0,2}(?P<quote>['"])(?:\\.|(?!(?P=quote))[^\\\n])*(?P=quote))
    """,
    re.VERBOSE | re.DOTALL,
)
_FUNCTION = re.compile(
    r"( *)(async def|def|cpdef|cdef)\b(?!\s+(?:struct|union|enum|class|extern|packed)\b)"
)


def code_of(text: str) -> str:
    """The text with comments and strings blanked; lines and columns stay."""
    return _TOKEN.sub(_blank, text)


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match.group())


@dataclass(frozen=True)
class Comment:
    """A comment: the text behind '#', and whether it has its line to itself."""

    line: int
    text: str
    alone: bool


def comments_of(text: str) -> Iterator[Comment]:
    """The comments of Python or Cython text, in order."""
    for match in _TOKEN.finditer(text):
        if match["comment"] is not None:
            begin = text.rfind("\n", 0, match.start()) + 1
            line = text.count("\n", 0, match.start()) + 1
            alone = not text[begin : match.start()].strip()
            yield Comment(line, match["comment"][1:].strip(), alone)


@dataclass(frozen=True)
class Function:
    """A function: its keyword and whole signature on one line, and the lines it spans.

    `declared`: it stands without a body, as in a .pxd.
    """

    name: str
    keyword: str
    signature: str
    first: int
    last: int
    declared: bool

    @property
    def lines(self) -> int:
        """How many lines it takes, from its signature to its last statement."""
        return self.last - self.first + 1

    @property
    def nogil(self) -> bool:
        """Whether it runs without the interpreter: the data plane's own kind."""
        return self.keyword == "cdef" and bool(re.search(r"\)\s*(\w+\s+)*nogil\b", self.signature))

    @property
    def parameters(self) -> list[str]:
        """The parameters as written, `self` left out."""
        inside = _inside(self.signature, self.signature.index(self.name + "("))
        return [p for p in _split(inside) if p not in ("self", "/", "*")]


def functions_of(code: str) -> Iterator[Function]:
    """The functions of blanked Python or Cython code: def, cdef, cpdef, in order."""
    lines = code.split("\n")
    for i, line in enumerate(lines):
        start = _FUNCTION.match(line)
        if start is None or "(" not in line:
            continue
        statement, last = _statement(lines, i)
        name = re.search(r"([A-Za-z_]\w*)\s*\(", statement)
        head = statement[: name.end()] if name else ""
        # A variable whose value or type holds a call or a function pointer is no function.
        if name is None or "=" in head or _names_pointer(statement, name.end() - 1):
            continue
        declared = not statement.endswith(":")
        if not declared:
            last = _body_end(lines, last, len(start[1]))
        signature = re.sub(r"\s+\(", "(", statement, count=1)
        yield Function(name[1], start[2], signature, i + 1, last + 1, declared)


def _names_pointer(statement: str, opening: int) -> bool:
    """`cdef int (*f)(int)`: the first parenthesis holds a pointer's name."""
    return statement[opening + 1 :].lstrip().startswith("*") and ")(" in statement


def _statement(lines: list[str], first: int) -> tuple[str, int]:
    """The statement that begins at a line, as one line, and the line on which it ends."""
    text, depth, last = "", 0, first
    for last in range(first, len(lines)):
        part = lines[last].strip()
        depth += sum(map(part.count, "([{")) - sum(map(part.count, ")]}"))
        text += (" " if text else "") + part.removesuffix("\\").rstrip()
        if depth <= 0 and not part.endswith("\\"):
            break
    return text, last


def _body_end(lines: list[str], header: int, indent: int) -> int:
    last = header
    for i in range(header + 1, len(lines)):
        line = lines[i]
        if not line.strip():
            continue
        if len(line) - len(line.lstrip()) <= indent:
            break
        last = i
    return last


def _inside(text: str, start: int) -> str:
    """What stands between the first parenthesis behind `start` and its partner."""
    begin = text.index("(", start)
    depth = 0
    for i in range(begin, len(text)):
        depth += (text[i] in "([{") - (text[i] in ")]}")
        if depth == 0:
            return text[begin + 1 : i]
    return text[begin + 1 :]


def _split(parameters: str) -> list[str]:
    parts, depth = [""], 0
    for c in parameters:
        depth += (c in "([{") - (c in ")]}")
        if c == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += c
    return [part.strip() for part in parts if part.strip()]


@dataclass(frozen=True)
class Field:
    """A field of a struct: its declaration, and the comment behind or, alone, above it."""

    line: int
    struct: str
    declaration: str
    comment: str


def fields_of(text: str) -> Iterator[Field]:
    """The fields of the structs and unions in Cython text, function pointers included."""
    raw, code = text.split("\n"), code_of(text).split("\n")
    struct, indent, skip_to = "", 0, -1
    for i, line in enumerate(code):
        if not line.strip() or i <= skip_to:
            continue
        depth = len(line) - len(line.lstrip())
        begin = re.match(r"\s*(?:cdef |ctypedef )?(?:packed )?(?:struct|union)\s+(\w+)\s*:", line)
        if begin is not None:
            struct, indent = begin[1], depth
        elif struct and depth <= indent:
            struct = ""
        elif struct and line.strip() != "pass":
            declaration, skip_to = _statement(code, i)
            comment = raw[skip_to][len(code[skip_to].rstrip()) :].strip()
            if not comment and i and raw[i - 1].lstrip().startswith("#"):
                comment = raw[i - 1].strip()
            yield Field(i + 1, struct, declaration, comment.lstrip("# "))
