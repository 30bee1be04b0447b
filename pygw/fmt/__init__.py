"""`pygw fmt`: a configuration in its canonical layout, with the same meaning and the same comments.

Owns: `format_text`, and the proof after each layout that nothing was lost: a text that cannot be
laid out without that is refused.
Runs in: the process of the command.
Never does: judge values; a configuration with wrong ones is formatted, too.
Read next: `source`.
"""

from __future__ import annotations

import json
from typing import Any

import yaml

from ..config.errors import ConfigError, Path, Problem
from ..config.formats.json import read_json
from ..config.formats.yaml import Loader, read_yaml
from ..config.interpolate import Sources
from .layout import lay_out
from .order import canonical
from .source import CannotFormat, Source

__all__ = ["CannotFormat", "format_text"]


def format_text(text: str, file: str) -> str:
    """The text in its canonical layout; the suffix of `file` says whether it is YAML or JSON.

    Raises ConfigError for a text that cannot be read, CannotFormat for one that is no YAML or JSON
    or has what a layout could change the meaning of.
    """
    if file.endswith(".toml"):
        raise CannotFormat("TOML is not formatted, only YAML and JSON")
    text = text.replace("\r\n", "\n").removeprefix("\ufeff")
    if file.endswith(".json"):
        return _format_json(text, file)
    _refuse(read_yaml(text, file, _Anything({})).problems, file, text)
    source = Source(text)
    formatted = lay_out(source)
    try:
        again = Source(formatted)
    except (yaml.YAMLError, CannotFormat):
        raise CannotFormat("its layout would not be YAML; please report this") from None
    if _meaning(text, source.anchored) != _meaning(formatted, source.anchored):
        raise CannotFormat("its meaning would change; please report this")
    if _comments(source) != _comments(again):
        raise CannotFormat("a comment would be lost; please report this")
    return formatted


class _Anything(Sources):
    """Where no reference is looked up: what it stands for does not matter to the layout."""

    def interpolate(self, text: str) -> str:
        return text


def _refuse(problems: list[Problem], file: str, text: str) -> None:
    """Values that are missing are formatted; keys that stand twice, tags and the like are not."""
    grave = [problem for problem in problems if "has no value" not in problem.message]
    if grave:
        raise ConfigError(grave, file, text)


def _comments(source: Source) -> list[str]:
    return sorted(comment.text for comment in source.comments)


def _meaning(text: str, in_order: bool) -> Any:
    """What a text says: values with how they are quoted, keys in any order unless `in_order`."""
    if in_order:
        return [
            (type(event), *(getattr(event, name, None) for name in ("anchor", "value", "style")))
            for event in yaml.parse(text, Loader)
        ]
    return _tree(yaml.compose(text, Loader))


def _tree(node: Any) -> Any:
    if isinstance(node, yaml.MappingNode):
        return {_tree(key): _tree(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_tree(item) for item in node.value]
    return None if node is None else (node.tag, node.value, node.style)


def _format_json(text: str, file: str) -> str:
    document = read_json(text, file, _Anything({}))
    _refuse(document.problems, file, text)
    return json.dumps(_ordered(json.loads(text), ()), ensure_ascii=False, indent=2) + "\n"


def _ordered(value: Any, path: Path) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        ranked = [keys[at] for at in canonical(path, keys)]
        return {key: _ordered(value[key], (*path, key)) for key in ranked}
    if isinstance(value, list):
        return [_ordered(item, (*path, at)) for at, item in enumerate(value)]
    return value
