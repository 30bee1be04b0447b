"""A YAML text as plain data, with the place of every value remembered.

Owns: the YAML subset of the configuration (YAML 1.2 scalars, no nulls, no tags, no merge keys,
unique keys, bounded depth and size after aliases are followed) and the table of marks by path.
Runs in: the control plane.
Never does: know which keys the configuration has; that is `model`.
Read next: `load`, which validates the data and looks the marks up again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from .errors import ConfigError, Mark, Path, Problem, printable
from .interpolate import InterpolationError, Sources

DEPTH_MAX = 32
"""Deepest nesting; libyaml's composer recurses on the C stack, so this is checked before it."""

VALUES_MAX = 100_000
"""Most values in one document, aliases followed."""

SHOWN_MAX = 60
"""Longest value repeated in a message, in characters."""

_TAG = "tag:yaml.org,2002:"
_NULL, _BOOL, _INT, _FLOAT, _STR = (_TAG + name for name in ("null", "bool", "int", "float", "str"))


class _Loader(yaml.CSafeLoader):
    """libyaml's parser with the scalar rules of YAML 1.2's core schema (§10.3.2)."""


_Loader.yaml_implicit_resolvers = {}

for _tag, _pattern, _first in (
    (_NULL, r"(?:~|null|Null|NULL|)\Z", ["~", "n", "N", ""]),
    (_BOOL, r"(?:true|True|TRUE|false|False|FALSE)\Z", list("tTfF")),
    (_INT, r"(?:[-+]?[0-9]{1,18}|0o[0-7]{1,18}|0x[0-9a-fA-F]{1,15})\Z", list("-+0123456789")),
    (
        _FLOAT,
        r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)\Z",
        list("-+.0123456789"),
    ),
):
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), _first)


@dataclass(frozen=True)
class Entry:
    """Where one value stands and how its author wrote it (references not replaced)."""

    at: Mark
    caret: Mark
    shown: str


@dataclass
class Document:
    """A text read as far as it can be read: data, marks and what was wrong on the way.

    `broken` holds the paths whose data is only a stand-in because their problem is already known.
    """

    file: str
    text: str
    data: object = None
    entries: dict[Path, Entry] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    broken: set[Path] = field(default_factory=set)

    def nearest(self, path: Path) -> Path:
        """The longest beginning of `path` that the text really has."""
        while path and path not in self.entries:
            path = path[:-1]
        return path

    def problem(self, path: Path, message: str, of_key: bool = False) -> Problem:
        """A problem at `path`, or at the nearest place the text has; `of_key` blames the key."""
        entry = self.entries.get(self.nearest(path))
        if entry is None:
            return Problem(path, message)
        return Problem(path, message, entry.at, entry.at if of_key else entry.caret)

    def refuse(self, path: Path, message: str) -> None:
        """Report the value at `path` and leave None in its place."""
        self.broken.add(path)
        self.problems.append(self.problem(path, message))


def read_document(text: str, file: str, sources: Sources) -> Document:
    """Parse `text`; problems of single values are collected, a text that is not YAML raises."""
    document = Document(file, text)
    try:
        _check_depth(document)
        root = _Loader(text).get_single_node()
    except yaml.YAMLError as error:
        raise ConfigError([_syntax_problem(error, text)], file, text) from None
    if root is None:
        document.data = {}
        document.entries[()] = Entry(Mark(1, 1), Mark(1, 1), "nothing")
        return document
    document.entries[()] = Entry(_mark(root), _mark(root), _shown(root))
    document.data = _Reader(document, sources).read(root, ())
    return document


class _Reader:
    """One walk over the node tree, building data and marks."""

    def __init__(self, document: Document, sources: Sources) -> None:
        self.document = document
        self.sources = sources
        self.values_left = VALUES_MAX

    def read(self, node: yaml.Node, path: Path) -> object:
        self.values_left -= 1
        if self.values_left < 0 or len(path) > DEPTH_MAX:
            what = "too many values" if self.values_left < 0 else "nested too deeply"
            problem = Problem((), f"{what}; does an alias contain itself?", _mark(node))
            raise ConfigError([problem], self.document.file, self.document.text)
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return self._read_mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            return self._read_sequence(node, path)
        if isinstance(node, yaml.ScalarNode):
            return self._read_scalar(node, path)
        self.document.refuse(path, _tag_message(node))
        return None

    def _read_mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, object]:
        out: dict[str, object] = {}
        for key_node, value_node in node.value:
            mark = _mark(key_node)
            if not isinstance(key_node, yaml.ScalarNode):
                self._complain(path, "a key must be text", mark)
                continue
            key = key_node.value
            inner = (*path, key)
            if key in out:
                self._complain(inner, "duplicate key", mark)
            elif key == "<<" and not key_node.style:
                message = "merge keys are not part of YAML 1.2; write the keys out"
                self._complain(path, message, mark)
            else:
                entry = Entry(mark, _mark(value_node), _shown(value_node))
                self.document.entries[inner] = entry
                out[key] = self.read(value_node, inner)
        return out

    def _read_sequence(self, node: yaml.SequenceNode, path: Path) -> list[object]:
        out: list[object] = []
        for index, item in enumerate(node.value):
            inner = (*path, index)
            self.document.entries[inner] = Entry(_mark(item), _mark(item), _shown(item))
            out.append(self.read(item, inner))
        return out

    def _read_scalar(self, node: yaml.ScalarNode, path: Path) -> object:
        tag, text = node.tag, node.value
        if "${" in text:
            try:
                text = self.sources.interpolate(text)
            except InterpolationError as error:
                self.document.refuse(path, str(error))
                return None
            if tag == _STR and not node.style:
                tag = _plain_tag(text)
        if tag == _NULL:
            self.document.refuse(path, "has no value; write one or take the key out")
            return None
        try:
            return _construct(tag, text)
        except ValueError:
            self.document.refuse(path, _tag_message(node))
            return None

    def _complain(self, path: Path, message: str, mark: Mark) -> None:
        self.document.problems.append(Problem(path, message, mark, mark))


def _plain_tag(text: str) -> str:
    """The tag an unquoted scalar with this text has."""
    for first in (text[:1], ""):
        for tag, pattern in _Loader.yaml_implicit_resolvers.get(first, ()):
            if pattern.match(text):
                return str(tag)
    return _STR


def _construct(tag: str, text: str) -> object:
    if tag == _STR:
        return text
    if tag == _BOOL and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if tag == _INT:
        return int(text, 0) if text[:2] in ("0x", "0o") else int(text)
    if tag == _FLOAT:
        return float(text)
    raise ValueError(tag)


def _tag_message(node: yaml.Node) -> str:
    return f"YAML tags are not supported ({printable(node.tag.replace(_TAG, '!!'))})"


def _mark(node: yaml.Node) -> Mark:
    return _mark_of(node.start_mark)


def _mark_of(place: Any) -> Mark:
    return Mark(place.line + 1, place.column + 1)


def _shown(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        return "a mapping" if isinstance(node, yaml.MappingNode) else "a list"
    if node.tag == _NULL:
        return "nothing"
    text = printable(node.value)
    if len(text) > SHOWN_MAX:
        text = text[:SHOWN_MAX] + "\N{HORIZONTAL ELLIPSIS}"
    return f'"{text}"' if node.style else text


def _check_depth(document: Document) -> None:
    depth = 0
    for event in yaml.parse(document.text, _Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEPTH_MAX:
            problem = Problem((), "nested too deeply", _mark_of(event.start_mark))
            raise ConfigError([problem], document.file, document.text)


def _syntax_problem(error: yaml.YAMLError, text: str) -> Problem:
    if isinstance(error, yaml.MarkedYAMLError):
        place = error.problem_mark or error.context_mark
        mark = _mark_of(place) if place is not None else None
        words = [error.problem or "", error.context or ""]
        if any("maximum nesting depth" in word for word in words):  # PyYAML 6.0.4 has its own bound
            return Problem((), "nested too deeply", mark)
        if words[0].startswith("but "):
            words.reverse()
        return Problem((), f"not valid YAML: {' '.join(words).strip()}", mark)
    if isinstance(error, yaml.reader.ReaderError):
        # libyaml counts bytes here, not characters.
        before = text.encode("utf-8", "surrogatepass")[: error.position].decode("utf-8", "ignore")
        line = before.count("\n") + 1
        mark = Mark(line, len(before) - (before.rfind("\n") + 1) + 1)
        return Problem((), f"not valid YAML: {error.reason}", mark)
    return Problem((), f"not valid YAML: {error}")
