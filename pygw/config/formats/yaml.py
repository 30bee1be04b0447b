"""YAML 1.2, with the place of every value.

Owns: the YAML subset of the configuration: YAML 1.2 scalars, no nulls, no tags, no merge keys,
unique keys, bounded depth and size after aliases are followed.
Runs in: the control plane.
Never does: know which keys the configuration has; that is `model`.
Read next: `json`.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from ..document import DEPTH_MAX, NO_VALUE, TOO_DEEP, VALUES_MAX, Document, Entry, shortened
from ..errors import ConfigError, Mark, Path, Problem, printable
from ..interpolate import InterpolationError, Sources

# What to do about the errors of syntax that people make most.
_REMEDIES = (
    ("cannot start any token", "; use spaces, not tabs, and put a value that begins so in quotes"),
    ("undefined alias", "; write &name at a value that stands before it"),
    ("another document", "; take out what follows ---"),
    ("mapping values are not allowed", '; put a value that holds ": " in quotes'),
    ("did not find expected key", "; do the keys of this mapping begin in the same column?"),
    ("quoted scalar", "; is a quote missing?"),
    ("did not find expected ','", "; put a comma between entries and close what [ or { opens"),
    ("did not find expected '-'", "; do the entries of this list begin in the same column?"),
    ("duplicate anchor", "; give it another name"),
)

_TAG = "tag:yaml.org,2002:"
_NULL, _BOOL, _INT, _FLOAT, _STR = (_TAG + name for name in ("null", "bool", "int", "float", "str"))


class Loader(yaml.CSafeLoader):
    """libyaml's parser with the scalar rules of YAML 1.2's core schema (§10.3.2)."""


Loader.yaml_implicit_resolvers = {}

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
    Loader.add_implicit_resolver(_tag, re.compile(_pattern), _first)


def read_yaml(text: str, file: str, sources: Sources) -> Document:
    """As `read_document`."""
    document = Document(file, text)
    try:
        _check_depth(document)
        root = Loader(text).get_single_node()
    except yaml.YAMLError as error:
        raise ConfigError([_syntax_problem(error, text)], file, text) from None
    if root is None:
        document.data = {}
        document.locate = lambda path: None if path else Entry(Mark(1, 1), Mark(1, 1), "nothing")
        return document
    document.locate = lambda path: _locate(root, path)
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
            raise self.document.fail(f"{what}; does an alias contain itself?", _mark(node))
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
            if not isinstance(key_node, yaml.ScalarNode):
                self._complain(path, "a key must be text; write a name before the colon", key_node)
                continue
            key = key_node.value
            inner = (*path, key)
            if key in out:
                first = next(one for one, _ in node.value if one.value == key)
                message = f"duplicate key; it stands in line {_mark(first).line} already"
                self._complain(inner, message, key_node)
            elif key == "<<" and not key_node.style:
                message = "merge keys are not part of YAML 1.2; write the keys out"
                self._complain(path, message, key_node)
            else:
                out[key] = self.read(value_node, inner)
        return out

    def _read_sequence(self, node: yaml.SequenceNode, path: Path) -> list[object]:
        out: list[object] = []
        for index, item in enumerate(node.value):
            inner = (*path, index)
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
            self.document.refuse(path, NO_VALUE)
            return None
        try:
            return _construct(tag, text)
        except ValueError:
            self.document.refuse(path, _tag_message(node))
            return None

    def _complain(self, path: Path, message: str, node: yaml.Node) -> None:
        mark = _mark(node)
        self.document.problems.append(Problem(path, message, mark, mark))


def plain_value(text: str) -> object:
    """What an unquoted scalar with this text is; None for nothing."""
    tag = _plain_tag(text)
    return None if tag == _NULL else _construct(tag, text)


def _plain_tag(text: str) -> str:
    """The tag an unquoted scalar with this text has."""
    for first in (text[:1], ""):
        for tag, pattern in Loader.yaml_implicit_resolvers.get(first, ()):
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
    return (
        f"YAML tags are not supported ({printable(node.tag.replace(_TAG, '!!'))}); take the tag out"
    )


def _locate(node: yaml.Node, path: Path) -> Entry | None:
    """The entry at a path; of a key that stands twice the first."""
    at = _mark(node)
    for part in path:
        if isinstance(node, yaml.MappingNode):
            for key_node, value_node in node.value:
                if isinstance(key_node, yaml.ScalarNode) and key_node.value == part:
                    at, node = _mark(key_node), value_node
                    break
            else:
                return None
        elif (
            isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value)
        ):
            node = node.value[part]
            at = _mark(node)
        else:
            return None
    return Entry(at, _mark(node), _shown(node))


def _mark(node: yaml.Node) -> Mark:
    return _mark_of(node.start_mark)


def _mark_of(place: Any) -> Mark:
    return Mark(place.line + 1, place.column + 1)


def _shown(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        return "a mapping" if isinstance(node, yaml.MappingNode) else "a list"
    if node.tag == _NULL:
        return "nothing"
    text = shortened(node.value)
    return f'"{text}"' if node.style else text


def _check_depth(document: Document) -> None:
    depth = 0
    for event in yaml.parse(document.text, Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEPTH_MAX:
            raise document.fail(TOO_DEEP, _mark_of(event.start_mark))


def _line_of(text: str, mark: Mark) -> str:
    lines = text.splitlines()
    return lines[mark.line - 1] if mark.line <= len(lines) else ""


def _syntax_problem(error: yaml.YAMLError, text: str) -> Problem:
    if isinstance(error, yaml.MarkedYAMLError):
        place = error.problem_mark or error.context_mark
        if "quoted scalar" in (error.context or ""):
            place = error.context_mark  # where the quote that has no end begins
        mark = _mark_of(place) if place is not None else None
        words = [error.problem or "", error.context or ""]
        if any("maximum nesting depth" in word for word in words):  # PyYAML 6.0.4 has its own bound
            return Problem((), TOO_DEEP, mark)
        if words[0].startswith("but "):
            words.reverse()
        reason = " ".join(words).strip()
        if mark is not None and "flow" in reason and "${" in _line_of(text, mark):
            reason = f'{reason}; within {{ }} and [ ] a value with "${{" needs quotes'
        elif (
            remedy := next((hint for word, hint in _REMEDIES if word in reason), None)
        ) is not None:
            reason += remedy
        return Problem((), f"not valid YAML: {reason}", mark)
    if isinstance(error, yaml.reader.ReaderError):
        # libyaml counts bytes here, not characters.
        before = text.encode("utf-8", "surrogatepass")[: error.position].decode("utf-8", "ignore")
        line = before.count("\n") + 1
        mark = Mark(line, len(before) - (before.rfind("\n") + 1) + 1)
        return Problem((), f"not valid YAML: {error.reason}; take the character out", mark)
    return Problem((), f"not valid YAML: {error}")
