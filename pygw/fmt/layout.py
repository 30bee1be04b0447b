"""The canonical layout of a configuration in YAML.

Owns: two spaces a level, lists within their key, keys in the order of the reference, at most one
empty line; what stands on one line in braces or brackets stays there if it fits, anything else is
a block. Values are written as their author wrote them; comments stay with what they stand above
or behind.
Runs in: the process of `pygw fmt`.
Never does: quote, unquote or fold a value.
Read next: `order`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..config.errors import Path
from .order import canonical
from .source import HEADER, CannotFormat, Comment, Node, Source

WIDTH = 100
"""Longest line with a mapping or list in braces or brackets, in characters."""

STEP = 2
"""Spaces of a level."""

_EDITORS = "# yaml-language-server:"
_COMMENT = re.compile(r"#[^\n]*")
_BETWEEN = re.compile(r"[ \t,:\]\[{}]*(?:&\S+)?[ \t,:\]\[{}]*")


@dataclass
class Entry:
    """A key with its value, or an entry of a list: what stands above it, and itself."""

    above: list[str]
    body: list[str]

    @property
    def lines(self) -> list[str]:
        return [*self.above, *self.body]


def lay_out(source: Source) -> str:
    """The whole text anew."""
    layout = _Layout(source)
    lines = layout.header()
    if source.root is not None:
        body = layout.block(source.root, (), 0, -1)
        lines += [""] * bool(lines and body and body[0]) + body
    lines += layout.above(len(source.text), 0)
    while lines and not lines[0]:
        lines.pop(0)
    return "\n".join(lines) + "\n" if lines else ""


class _Layout:
    """One pass over a tree in the order of the text, which uses each comment once."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.comments = list(reversed(source.comments))

    # --- comments ---------------------------------------------------------------------------------

    def above(self, until: int, indent: int) -> list[str]:
        """The comments before a place, as lines of their own."""
        out: list[str] = []
        while self.comments and self.comments[-1].at < until:
            out += _alone(self.comments.pop(), indent)
        return out

    def behind(self, end: int) -> Comment | None:
        """The comment behind what ends at `end`, on the same line."""
        if not self.comments or self.comments[-1].alone or self.comments[-1].at < end:
            return None
        at = self.comments[-1].at
        between = _BETWEEN.match(self.source.text, end, at)
        return self.comments.pop() if between is not None and between.end() == at else None

    def below(self, end: int, column: int, indent: int) -> list[str]:
        """The comments that end a block, which ends at `end`, by the column in which they stand."""
        out: list[str] = []
        while self.comments and self.comments[-1].alone and self.comments[-1].column >= column:
            between = self.source.text[end : self.comments[-1].at]
            if _COMMENT.sub("", between).strip():
                break
            out += _alone(self.comments.pop(), indent)
        return out

    def header(self) -> list[str]:
        """The comments at the top that belong to the whole: an editor's line, and what an empty
        line sets apart from the first key."""
        first = self.source.root.start if self.source.root is not None else 0
        count = 0
        for at, comment in enumerate(self.source.comments, 1):
            if comment.at >= first:
                break
            line = self.source.text.count("\n", 0, comment.at)
            if self.source.is_gap(line + 1) or comment.text.startswith(_EDITORS):
                count = at
        until = self.source.comments[count - 1].at + 1 if count else 0
        return self.above(until, 0)

    # --- blocks -----------------------------------------------------------------------------------

    def block(self, node: Node, path: Path, indent: int, outer: int) -> list[str]:
        """A collection on lines of its own; `outer` is the column of what it stands in."""
        if node.kind not in ("map", "list"):
            raise CannotFormat("the whole text is one value")
        lines = [line for entry in self.entries(node, path, indent) for line in entry.lines]
        return lines + self.ending(node, indent, outer)

    def ending(self, node: Node, indent: int, outer: int) -> list[str]:
        """The comments at the end of a collection."""
        if node.style == "block":
            return self.below(node.end, max(node.column, outer + 1), indent)
        lines = self.above(node.end, indent)
        behind = self.behind(node.end)
        return lines if behind is None else [*lines, *_alone(behind, indent)]

    def entries(self, node: Node, path: Path, indent: int) -> list[Entry]:
        """The entries of a collection, in their order."""
        is_map = node.kind == "map"
        entries = self.map_entries(node, path, indent) if is_map else [
            self.list_entry(node, at, (*path, at), indent) for at in range(len(node.items))
        ]  # fmt: skip
        if is_map and not self.source.anchored:
            # An alias must stand behind its anchor, so that a text with anchors keeps its order.
            entries = [entries[at] for at in canonical(path, [key.value for key in node.keys])]
        while entries and entries[0].above and not entries[0].above[0]:
            entries[0].above.pop(0)
        return entries

    def map_entries(self, node: Node, path: Path, indent: int) -> list[Entry]:
        entries: list[Entry] = []
        for key, value in zip(node.keys, node.items, strict=True):
            name = self.source.text[key.start : key.end]
            if "\n" in name or not name or key.kind != "scalar":
                raise CannotFormat("a key of several lines, or of none, is not formatted")
            entry = Entry(self.above(key.start, indent), [])
            if node.style == "block" and self.source.is_gap(key.line - 1):
                entry.above.append("")
            head = f"{' ' * indent}{key.anchor}{name}:"
            self.put(entry, head, value, (*path, key.value), indent, (key.column, key.end))
            entries.append(entry)
        return entries

    def list_entry(self, node: Node, at: int, path: Path, indent: int) -> Entry:
        item = node.items[at]
        line, column = self.source.dash_of(item) if node.style == "block" else (-1, 0)
        before = self.source.begins[line] + column if line >= 0 else item.start
        entry = Entry(self.above(before, indent), [])
        if self.source.is_gap(line - 1):
            entry.above.append("")
        entry.above += self.above(item.start, indent)
        dash = f"{' ' * indent}-"
        if item.anchor or self.is_short(item, dash, path):
            self.put(entry, dash, item, path, indent, (column, item.start))
            return entry
        inner = self.entries(item, path, indent + STEP)
        entry.above += [f"{' ' * indent}{text.strip()}" for text in inner[0].above if text]
        inner[0].above.clear()
        entry.body = [line for one in inner for line in one.lines]
        entry.body[0] = f"{dash} {entry.body[0].lstrip(' ')}"
        entry.body += self.ending(item, indent + STEP, column)
        return entry

    # --- values -----------------------------------------------------------------------------------

    def put(
        self, entry: Entry, head: str, node: Node, path: Path, indent: int, place: tuple[int, int]
    ) -> None:
        """Put a value behind its key or dash; `place` is the column of that, and where it ends."""
        tail = self.behind(place[1])
        if not self.is_short(node, head, path):
            anchor = f" {node.anchor.strip()}" if node.anchor else ""
            entry.body = [_with(head + anchor, tail)]
            entry.body += self.block(node, path, indent + STEP, place[0])
            return
        entry.above += self.above(node.start, indent)
        if node.kind in ("map", "list"):
            entry.above += self.above(node.end, indent)
        lines = self.lines_of(node, path, indent, indent - place[0])
        text = f"{head} {node.anchor if node.kind == 'scalar' else ''}{lines[0]}".rstrip(" ")
        entry.body = [text, *lines[1:]]
        is_block = node.kind == "scalar" and node.style in ("|", ">")
        header = HEADER.match(self.source.text, node.start) if is_block else None
        behind = self.behind(header.end() if header else node.end)
        if tail is not None and behind is not None:
            entry.above += _alone(tail, indent)
        at = 0 if is_block or behind is None else -1
        entry.body[at] = _with(entry.body[at], behind or tail)

    def lines_of(self, node: Node, path: Path, indent: int, shift: int) -> list[str]:
        """A short value's lines; the first goes behind its head."""
        if node.kind == "scalar" and node.style in ("|", ">"):
            return self.block_scalar(node, indent, shift)
        if node.kind != "scalar":
            return [self.flow(node, path)]
        first, *more = self.source.text[node.start : node.end].split("\n")
        margin = " " * (indent + STEP)
        return [first.rstrip(), *(f"{margin}{line.strip()}".rstrip(" ") for line in more)]

    def block_scalar(self, node: Node, indent: int, shift: int) -> list[str]:
        header = HEADER.match(self.source.text, node.start)
        text = self.source.text[self.source.text.find("\n", node.start) + 1 : node.end]
        lines = text.removesuffix("\n").split("\n") if text else []
        if header is None or (node.end == len(self.source.text) and text[-1:] not in ("", "\n")):
            # A line end that is not there is no part of the value, one that is there may be.
            raise CannotFormat("the text of a block ends without a line end; add one")
        if not any(c.isdigit() for c in header[0]):
            margins = [len(line) - len(line.lstrip(" ")) for line in lines if line.strip(" ")]
            shift = indent + STEP - margins[0] if margins else 0
        return [header[0], *(_shifted(line, shift) for line in lines)]

    def is_short(self, node: Node, head: str, path: Path) -> bool:
        """Whether a value begins on the line of its key or dash."""
        if node.kind in ("scalar", "alias") or not node.items:
            return True
        if node.style == "block" or "\n" in self.source.text[node.start : node.end]:
            return False
        return len(head) + 1 + len(self.flow(node, path)) <= WIDTH

    def flow(self, node: Node, path: Path) -> str:
        """A value on one line."""
        if node.kind in ("scalar", "alias"):
            return node.anchor + self.source.text[node.start : node.end]
        if node.kind == "list":
            items = [self.flow(item, (*path, at)) for at, item in enumerate(node.items)]
            return f"{node.anchor}[{', '.join(items)}]"
        pairs = [
            f"{self.flow(key, path)}: {self.flow(value, (*path, key.value))}"
            for key, value in zip(node.keys, node.items, strict=True)
        ]
        if not self.source.anchored:
            pairs = [pairs[at] for at in canonical(path, [key.value for key in node.keys])]
        return f"{node.anchor}{{{', '.join(pairs)}}}"


def _alone(comment: Comment, indent: int) -> list[str]:
    line = " " * indent + comment.text
    return ["", line] if comment.gap and comment.alone else [line]


def _with(line: str, comment: Comment | None) -> str:
    """The line with a comment behind it, in the comment's column if that is possible."""
    if comment is None:
        return line
    return line + " " * max(2, comment.column - len(line)) + comment.text


def _shifted(line: str, by: int) -> str:
    """A line of a block scalar with its margin changed."""
    if by >= 0:
        return " " * by + line if line else line
    return line[-by:] if not line[:-by].strip(" ") else line.lstrip(" ")
