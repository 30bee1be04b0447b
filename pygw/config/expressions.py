"""Expressions that are run in one step a byte, whatever the text is.

Owns: the subset of regular expressions that routes may use, and its compilation to a small table.
An expression always means the whole text. It may hold literals, `.`, `[a-z]`, `[^a-z]`, `\\d` `\\w`
`\\s` and their opposites, groups, `|`, and `*` `+` `?` `{m}` `{m,}` `{m,n}`; a byte is a character.
Runs in: the control plane.
Never does: match a request; the data plane runs the table. Groups capture nothing.
Read next: `pygw.config.patterns`, which uses them for segments of a path.
"""

from __future__ import annotations

import string
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

TEXT_MAX = 256
"""Longest expression, in characters."""

STATES_MAX = 128
"""Most states of an expression's table, as in the data plane's limits."""

_PARTS_MAX = 1024
_STEPS_MAX = 1024
_ROUGH_STATES_MAX = 512

Bytes = frozenset[int]

ANY: Bytes = frozenset(range(256))
_DIGITS = frozenset(b"0123456789")
_WORD = frozenset((string.ascii_letters + string.digits + "_").encode())
_SPACE = frozenset(b" \t\n\r\f\v")
_CLASSES = {"d": _DIGITS, "w": _WORD, "s": _SPACE}
_CLASSES |= {name.upper(): ANY - inside for name, inside in _CLASSES.items()}

SEGMENT: Bytes = frozenset(range(0x21, 0x7F)) - frozenset(b"/?#")
"""The bytes that a segment of a path may hold when it is matched."""

FIELD: Bytes = ANY - frozenset(range(0x20)) - {0x7F} | {0x09}
"""The bytes of a field's value (RFC 9110 §5.5)."""


@dataclass(frozen=True)
class Expression:
    """A compiled expression: for each state a row of `columns` states; 0 is lost, 1 the first."""

    text: str
    classes: bytes
    rows: bytes
    accepts: bytes
    columns: int

    def step(self, state: int, byte: int) -> int:
        """The state behind `state` and a byte."""
        return self.rows[state * self.columns + self.classes[byte]]

    def takes(self, data: bytes) -> bool:
        """Whether the whole text is one that the expression means."""
        state = 1
        for byte in data:
            state = self.step(state, byte)
        return self.accepts[state] == 1


def _pairs(a: Expression, b: Expression, alphabet: Bytes) -> Iterator[tuple[bool, bool]]:
    """For each text over the alphabet but the empty one: whether `a` and `b` take it."""
    seen = {(1, 1)}
    todo = deque(seen)
    columns = {(a.classes[byte], b.classes[byte]) for byte in alphabet}
    while todo:
        one, two = todo.popleft()
        for left, right in columns:
            pair = a.rows[one * a.columns + left], b.rows[two * b.columns + right]
            yield a.accepts[pair[0]] == 1, b.accepts[pair[1]] == 1
            if pair not in seen:
                seen.add(pair)
                todo.append(pair)


@lru_cache(4096)
def overlap(a: Expression, b: Expression, alphabet: Bytes) -> bool:
    """Whether some text, not empty, is taken by both."""
    return any(one and two for one, two in _pairs(a, b, alphabet))


def words(expression: Expression, alphabet: Bytes, most: int) -> list[bytes] | None:
    """All texts over the alphabet that it takes; None when they are more than `most`, or so many
    that it takes long to tell."""
    found: list[bytes] = []
    todo = [(b"", 1)]
    for _ in range(_STEPS_MAX):
        if not todo:
            return found
        text, state = todo.pop()
        if expression.accepts[state]:
            found.append(text)
        if len(found) > most:
            return None
        ways = ((byte, expression.step(state, byte)) for byte in alphabet)
        todo += [(text + bytes((byte,)), then) for byte, then in ways if then]
    return None


@lru_cache(4096)
def covers(a: Expression, b: Expression, alphabet: Bytes) -> bool:
    """Whether `a` takes every text, but the empty one, that `b` takes."""
    return all(one or not two for one, two in _pairs(a, b, alphabet))


@dataclass
class _Part:
    """A place between two bytes: what leads on without a byte, and what with one of some."""

    free: list[int] = field(default_factory=list)
    inside: Bytes | None = None
    then: int = -1


@dataclass
class _Machine:
    """Places numbered as they were made."""

    parts: list[_Part] = field(default_factory=list)

    def new(self) -> int:
        if len(self.parts) >= _PARTS_MAX:
            raise ValueError("must have an expression with fewer repetitions")
        self.parts.append(_Part())
        return len(self.parts) - 1


class _Node:
    """A piece of an expression; adds itself to a machine between two places."""

    def build(self, machine: _Machine, start: int) -> int:
        """The place behind it."""
        raise NotImplementedError


@dataclass
class _Set(_Node):
    inside: Bytes

    def build(self, machine: _Machine, start: int) -> int:
        end = machine.new()
        middle = machine.new()
        machine.parts[start].free.append(middle)
        machine.parts[middle].inside = self.inside
        machine.parts[middle].then = end
        return end


@dataclass
class _Row(_Node):
    nodes: list[_Node]

    def build(self, machine: _Machine, start: int) -> int:
        for node in self.nodes:
            start = node.build(machine, start)
        return start


@dataclass
class _Either(_Node):
    nodes: list[_Node]

    def build(self, machine: _Machine, start: int) -> int:
        end = machine.new()
        for node in self.nodes:
            first = machine.new()
            machine.parts[start].free.append(first)
            machine.parts[node.build(machine, first)].free.append(end)
        return end


@dataclass
class _Repeat(_Node):
    node: _Node
    least: int
    most: int | None

    def build(self, machine: _Machine, start: int) -> int:
        for _ in range(self.least):
            start = self.node.build(machine, start)
        if self.most is None:
            loop = machine.new()
            machine.parts[start].free.append(loop)
            machine.parts[self.node.build(machine, loop)].free.append(loop)
            end = machine.new()
            machine.parts[loop].free.append(end)
            return end
        ends = [start]
        for _ in range(self.most - self.least):
            start = self.node.build(machine, start)
            ends.append(start)
        end = machine.new()
        for place in ends:
            machine.parts[place].free.append(end)
        return end


class _Reader:
    """Reads an expression from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def take(self) -> str:
        self.at += 1
        return self.text[self.at - 1 : self.at]

    def either(self) -> _Node:
        nodes = [self.row()]
        while self.peek() == "|":
            self.take()
            nodes.append(self.row())
        return nodes[0] if len(nodes) == 1 else _Either(nodes)

    def row(self) -> _Node:
        nodes: list[_Node] = []
        while self.peek() not in ("", "|", ")"):
            nodes.append(self.repeated(self.atom()))
        return _Row(nodes)

    def repeated(self, node: _Node) -> _Node:
        least, most = 1, 1 if self.peek() not in "*+?{" or not self.peek() else None
        if most == 1:
            return node
        sign = self.take()
        if sign == "{":
            least, most = self.counts()
        elif sign == "?":
            least, most = 0, 1
        else:
            least = 1 if sign == "+" else 0
        if self.peek() and self.peek() in "*+?{":
            raise ValueError("must have an expression with one repetition at a place")
        return _Repeat(node, least, most)

    def counts(self) -> tuple[int, int | None]:
        inside, brace, _ = self.text[self.at :].partition("}")
        first, comma, last = inside.partition(",")
        digits = first.isdecimal() and first.isascii() and (not last or last.isdecimal())
        if not brace or not digits or len(inside) > 8:
            raise ValueError("must have counts such as {2}, {2,} or {2,5} in its expression")
        self.at += len(inside) + 1
        least = int(first)
        most = int(last) if last else None if comma else least
        if most is not None and (most < least or most == 0):
            raise ValueError("must have counts that rise in its expression")
        return least, most

    def atom(self) -> _Node:
        c = self.take()
        if c == "(":
            return self.group()
        if c == "[":
            return _Set(self.choice())
        if c == ".":
            return _Set(ANY)
        if c == "\\":
            return _Set(self.escape())
        if c in "*+?{":
            raise ValueError(f"must have something before {c} in its expression")
        if c in "^$":
            raise ValueError(f"must have no {c}: an expression always means the whole text")
        return _Row([_Set(frozenset([byte])) for byte in c.encode()])

    def group(self) -> _Node:
        if self.peek() == "?":
            if self.text[self.at : self.at + 2] != "?:":
                raise ValueError("must have no (? in its expression but (?:")
            self.at += 2
        node = self.either()
        if self.take() != ")":
            raise ValueError("must close every ( in its expression")
        return node

    def escape(self) -> Bytes:
        c = self.take()
        if c in _CLASSES:
            return _CLASSES[c]
        if not c or c.isalnum() or not c.isascii():
            raise ValueError(f"must have no \\{c} in its expression; \\d, \\w and \\s are known")
        return frozenset(c.encode())

    def choice(self) -> Bytes:
        inside: set[int] = set()
        opposite = self.peek() == "^"
        self.at += opposite
        first = True
        while self.peek() != "]" or first:
            first = False
            inside |= self.span()
        self.take()
        return ANY - inside if opposite else frozenset(inside)

    def span(self) -> Bytes:
        low = self.member()
        if self.peek() != "-" or self.text[self.at + 1 : self.at + 2] in ("]", ""):
            return low
        self.take()
        high = self.member()
        if len(low) != 1 or len(high) != 1 or min(low) > min(high):
            raise ValueError("must have ranges that rise in its expression")
        return frozenset(range(min(low), min(high) + 1))

    def member(self) -> Bytes:
        c = self.take()
        if not c:
            raise ValueError("must close every [ in its expression")
        if c == "[":
            raise ValueError("must have \\[ for a bracket within brackets in its expression")
        if not c.isascii():
            raise ValueError("must have ASCII within the brackets of its expression")
        return self.escape() if c == "\\" else frozenset(c.encode())


def _parse(text: str) -> _Node:
    reader = _Reader(text)
    node = reader.either()
    if reader.peek() == ")":
        raise ValueError("must open every ) in its expression")
    return node


def _closure(machine: _Machine, places: set[int]) -> frozenset[int]:
    todo = list(places)
    while todo:
        for place in machine.parts[todo.pop()].free:
            if place not in places:
                places.add(place)
                todo.append(place)
    return frozenset(places)


def _columns(machine: _Machine) -> tuple[bytes, list[int]]:
    """For each byte its column, and a byte of each: bytes that no set tells apart share one."""
    sets = list({part.inside for part in machine.parts if part.inside is not None})
    known: dict[tuple[bool, ...], int] = {}
    examples: list[int] = []
    classes = bytearray()
    for byte in range(256):
        sign = tuple(byte in inside for inside in sets)
        if sign not in known:
            known[sign] = len(known)
            examples.append(byte)
        classes.append(known[sign])
    return bytes(classes), examples


def _rows(machine: _Machine, end: int, examples: list[int]) -> tuple[list[list[int]], list[int]]:
    """The states by subsets of places; 0 is the empty subset, 1 the first."""
    first = _closure(machine, {0})
    known = {frozenset[int](): 0, first: 1}
    order = [frozenset[int](), first]
    rows: list[list[int]] = []
    while len(rows) < len(order):
        row = []
        for byte in examples:
            then = {
                machine.parts[place].then
                for place in order[len(rows)]
                if byte in (machine.parts[place].inside or ())
            }
            state = _closure(machine, then)
            if state not in known:
                if len(known) >= _ROUGH_STATES_MAX:
                    raise ValueError(_TOO_LARGE)
                known[state] = len(known)
                order.append(state)
            row.append(known[state])
        rows.append(row)
    return rows, [int(end in state) for state in order]


_TOO_LARGE = f"must have an expression of at most {STATES_MAX} states; write a simpler one"


def _merged(rows: list[list[int]], accepts: list[int]) -> tuple[list[list[int]], list[int]]:
    """The same with states that nothing tells apart made one (Moore's refinement)."""
    group = accepts[:]
    count = len(set(group))
    while True:
        signs: dict[tuple[int, ...], int] = {}
        finer = [
            signs.setdefault((group[i], *(group[to] for to in row)), len(signs))
            for i, row in enumerate(rows)
        ]
        group = finer
        if len(signs) == count:
            break
        count = len(signs)
    # 0 stays the lost state, 1 becomes the first: an expression that takes nothing has both.
    order = {group[0]: 0}
    first = group[1]
    order.setdefault(first, 1)
    for one in group:
        order.setdefault(one, len(order))
    if first == group[0]:
        raise ValueError("must have an expression that takes some text")
    out: list[list[int]] = [[] for _ in order]
    ends = [0] * len(order)
    for i, row in enumerate(rows):
        out[order[group[i]]] = [order[group[to]] for to in row]
        ends[order[group[i]]] = accepts[i]
    return out, ends


@lru_cache(4096)
def compile_expression(text: str) -> Expression:
    """The table of an expression; ValueError for what is none, or is too large."""
    if len(text) > TEXT_MAX:
        raise ValueError(f"must have an expression of at most {TEXT_MAX} characters")
    if not text:
        raise ValueError("must have an expression that is not empty")
    machine = _Machine()
    start = machine.new()
    end = _parse(text).build(machine, start)
    classes, examples = _columns(machine)
    rows, accepts = _merged(*_rows(machine, end, examples))
    if len(rows) > STATES_MAX:
        raise ValueError(_TOO_LARGE)
    table = b"".join(bytes(row) for row in rows)
    return Expression(text, classes, table, bytes(accepts), len(examples))
