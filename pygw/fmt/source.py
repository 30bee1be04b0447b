"""A YAML text as a tree of pieces of itself, with its comments.

Owns: `Node`, `Comment` and where they stand; what libyaml's events do not say (the ends of
collections, the content of block scalars, comments) is found here.
Runs in: the process of `pygw fmt`.
Never does: change anything.
Read next: `layout`.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from ..config.formats.yaml import Loader

HEADER = re.compile(r"[|>][-+0-9]*")
_COMMENT = re.compile(r"(?:(?<=[ \t\n])|\A)#[^\n]*")


class CannotFormat(ValueError):
    """The text is beyond what is formatted; the message says why."""


@dataclass
class Node:
    """A value. `start` and `end` are places in the text, `line` and `column` count from 0; the
    column of a block is that of its keys or dashes. `keys` is parallel to `items` in a mapping, and
    empty in a list. `style` is `flow`, `block` or how a scalar is quoted; `anchor` is `&name ` or
    nothing."""

    kind: str
    start: int
    end: int
    line: int
    column: int
    style: str = ""
    anchor: str = ""
    value: str = ""
    keys: list[Node] = field(default_factory=list)
    items: list[Node] = field(default_factory=list)


@dataclass(frozen=True)
class Comment:
    """A comment: `alone` if nothing else stands on its line; `gap` if an empty line precedes."""

    at: int
    column: int
    text: str
    alone: bool
    gap: bool


class Source:
    """A text, its tree and its comments in the order of the text.

    `content` holds the lines within values: they are never empty lines of the layout.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = text.split("\n")
        self.begins = [0]
        for line in self.lines:
            self.begins.append(self.begins[-1] + len(line) + 1)
        self.content: set[int] = set()
        self.anchored = False
        self.root: Node | None = None
        events = yaml.parse(text, Loader)
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if event.explicit or event.version or event.tags:
                    raise CannotFormat('a text with "---" or a directive is not formatted')
                self.root = self._node(next(events), events)
                if self.root.anchor:
                    raise CannotFormat("nothing can refer to the whole text; take its anchor out")
        self.comments = list(self._comments())

    def is_gap(self, line: int) -> bool:
        """Whether the line is empty and no part of a value."""
        if not 0 <= line < len(self.lines) - 1 or line in self.content:
            return False
        return not self.lines[line].strip()

    def dash_of(self, item: Node) -> tuple[int, int]:
        """Line and column of the dash before an entry of a list in a block."""
        line, end = item.line, item.column
        while "-" not in self.lines[line][:end].partition("#")[0]:
            line -= 1
            end = len(self.lines[line])
        return line, self.lines[line][:end].partition("#")[0].rindex("-")

    def _node(self, event: Any, events: Iterator[Any]) -> Node:
        mark = event.start_mark
        node = Node("alias", mark.index, event.end_mark.index, mark.line, mark.column)
        if isinstance(event, yaml.AliasEvent):
            self.anchored = True
            return node
        if event.tag is not None:
            raise CannotFormat("a text with tags is not formatted")
        if event.anchor is not None:
            self.anchored = True
            node.anchor = f"&{event.anchor} "
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(node, event)
        else:
            self._collection(node, event, events)
        return node

    def _collection(self, node: Node, event: Any, events: Iterator[Any]) -> None:
        is_map = isinstance(event, yaml.MappingStartEvent)
        node.kind = "map" if is_map else "list"
        node.style = "flow" if event.flow_style else "block"
        for inner in events:
            if isinstance(inner, yaml.CollectionEndEvent):
                end: Any = inner.end_mark
                node.end = end.index if event.flow_style else node.end
                break
            child = self._node(inner, events)
            if is_map:
                if child.kind == "scalar" and child.end == child.start:
                    raise CannotFormat("a text with a key of no characters is not formatted")
                node.keys.append(child)
                child = self._node(next(events), events)
            node.items.append(child)
            node.end = child.end
        if node.style == "flow":
            return
        first = node.keys[0] if is_map else node.items[0]
        node.line, node.column = (first.line, first.column) if is_map else self.dash_of(first)

    def _scalar(self, node: Node, event: Any) -> None:
        node.kind = "scalar"
        node.style = event.style or "plain"
        node.value = event.value
        if node.anchor:
            rest = self.text[node.start + len(node.anchor) - 1 :]
            node.start = len(self.text) - len(rest.lstrip())
        first = bisect_right(self.begins, node.start) - 1
        last = event.end_mark.line + (event.end_mark.column > 0)
        if node.style in ("|", ">"):
            header = HEADER.match(self.text, node.start)
            if header is None or "+" not in header[0]:
                margin = self._margin(header[0] if header else "", first + 1, last)
                while last > first + 1 and self._is_blank(last - 1, margin):
                    last -= 1
            node.end = min(self.begins[last], len(self.text))
        self.content.update(range(first + 1, last))

    def _margin(self, header: str, first: int, last: int) -> float:
        """Spaces before the text of a block; those beyond them are part of it (YAML 1.2 §8.1.1)."""
        if any(c.isdigit() for c in header):
            return 0  # counted from the parent's: whatever is there may be text
        filled = (line for line in self.lines[first:last] if line.strip(" "))
        return next((len(line) - len(line.lstrip(" ")) for line in filled), math.inf)

    def _is_blank(self, line: int, margin: float) -> bool:
        return not self.lines[line].strip() and len(self.lines[line]) <= margin

    def _comments(self) -> Iterator[Comment]:
        """Whatever begins with # outside of values."""
        spans = sorted(self._spans(self.root)) if self.root is not None else []
        at = 0
        for start, end in [*spans, (len(self.text), len(self.text))]:
            for found in _COMMENT.finditer(self.text, at, start):
                line = bisect_right(self.begins, found.start()) - 1
                column = found.start() - self.begins[line]
                alone = not self.lines[line][:column].strip()
                gap = self.is_gap(line - 1)
                yield Comment(found.start(), column, found[0].rstrip(), alone, gap)
            at = max(at, end)

    def _spans(self, node: Node) -> Iterator[tuple[int, int]]:
        """Where values stand that may hold a #; of a block scalar the header and the content."""
        if node.kind == "scalar" and node.style in ("|", ">"):
            header = HEADER.match(self.text, node.start)
            yield node.start, header.end() if header else node.start
            line = self.text.find("\n", node.start)
            yield (line + 1 if line >= 0 else node.end), node.end
        elif node.kind in ("scalar", "alias"):
            yield node.start, node.end
        for inner in (*node.keys, *node.items):
            yield from self._spans(inner)
