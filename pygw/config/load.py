"""From a file or text to a `Config`, or to every problem at once.

Owns: reading the file, joining pydantic's errors with marks, and the wording of type errors.
Runs in: the control plane.
Never does: apply anything; what it returns is only checked.
Read next: `model`.
"""

from __future__ import annotations

import os
import types
from collections.abc import Mapping
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from .document import Document, read_document
from .errors import ConfigError, Path, Problem, hint
from .interpolate import Sources
from .model import Config
from .semantics import find_problems

FILE_MAX_BYTES = 16 << 20
"""Largest configuration file."""

_TYPE_MESSAGES = {
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "string_type": "must be text; put the value in quotes",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
}


def load_config(
    path: str, environ: Mapping[str, str] = os.environ, overrides: Mapping[str, Any] | None = None
) -> Config:
    """The checked configuration in the file; ConfigError carries everything that is wrong.

    `overrides` may hold `workers` (an integer) and `listen` (the first listener's bind).
    """
    text = _read_text(path)
    sources = Sources(environ, os.path.dirname(path) or ".")
    return parse_config(text, path, sources, overrides)


def parse_config(
    text: str, file: str, sources: Sources, overrides: Mapping[str, Any] | None = None
) -> Config:
    """As `load_config`, from a text; `file` is the name in messages."""
    document = read_document(text, file, sources)
    data = document.data
    problems = list(document.problems)
    if not isinstance(data, dict):
        if () not in document.broken:
            keys = ", ".join(Config.model_fields)
            problems.append(document.problem((), f"must be a mapping with the keys {keys}"))
        raise ConfigError(problems, file, text)
    _override(data, overrides or {})
    config = None
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_input=False):
            _add(problems, document, _translate(document, detail))
    judged = {problem.path for problem in problems}
    for path, message in find_problems(data):
        if path not in judged:
            _add(problems, document, document.problem(document.nearest(path), message))
    if problems or config is None:
        raise ConfigError(problems, file, text)
    return config


def _read_text(path: str) -> str:
    try:
        with open(path, "rb") as file:
            content = file.read(FILE_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError([Problem((), f"cannot read: {error.strerror}")], path) from None
    if len(content) > FILE_MAX_BYTES:
        raise ConfigError([Problem((), "cannot read: larger than 16MiB")], path)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        message = f"cannot read: not valid UTF-8 in line {line}"
        raise ConfigError([Problem((), message)], path) from None


def _override(data: dict[str, Any], overrides: Mapping[str, Any]) -> None:
    if "workers" in overrides:
        data["workers"] = overrides["workers"]
    if "listen" in overrides:
        listeners = data.setdefault("listeners", [{}])
        if isinstance(listeners, list) and listeners and isinstance(listeners[0], dict):
            listeners[0]["bind"] = overrides["listen"]


def _add(problems: list[Problem], document: Document, problem: Problem) -> None:
    """Keep a problem unless it only follows from a value that could not be read."""
    ends = range(len(problem.path) + 1)
    if not any(problem.path[:end] in document.broken for end in ends):
        problems.append(problem)


def _translate(document: Document, detail: ErrorDetails) -> Problem:
    kind, context = detail["type"], detail.get("ctx", {})
    path: Path = tuple(part for part in detail["loc"] if part != "[key]")
    if kind == "missing":
        return document.problem(path[:-1], f'missing key "{path[-1]}"')
    if kind == "extra_forbidden":
        known = _keys_at(path[:-1])
        return document.problem(path, f"unknown key; {hint(str(path[-1]), known, 'keys')}", True)
    path = document.nearest(path)
    entry = document.entries.get(path)
    shown = entry.shown if entry is not None else "nothing"
    message = _message(kind, context, detail["msg"])
    if "[key]" in detail["loc"] or not message.startswith("must"):
        return document.problem(path, message, "[key]" in detail["loc"])
    head, mark, tail = message.partition("; ")
    return document.problem(path, f"{head}, got {shown}{mark}{tail}")


def _message(kind: str, context: Mapping[str, Any], otherwise: str) -> str:
    if kind == "value_error":
        return str(context["error"])
    if kind == "greater_than_equal":
        return f"must be at least {context['ge']}"
    if kind == "less_than_equal":
        return f"must be at most {context['le']}"
    if kind == "literal_error":
        return f"must be {str(context['expected']).replace(chr(39), '')}"
    if kind == "too_long":
        return f"must have at most {context['max_length']} entries"
    if kind == "string_too_long":
        return f"must have at most {context['max_length']} characters"
    return _TYPE_MESSAGES.get(kind, otherwise)


def _keys_at(path: Path) -> list[str]:
    """The keys that the model knows at a place."""
    shape: Any = Config
    for part in path:
        shape = _plain(shape)
        if isinstance(shape, type) and issubclass(shape, BaseModel):
            shape = shape.model_fields[str(part)].annotation
        else:
            shape = get_args(shape)[-1]
    shape = _plain(shape)
    known = isinstance(shape, type) and issubclass(shape, BaseModel)
    return list(shape.model_fields) if known else []


def _plain(shape: Any) -> Any:
    """A type without `Annotated` around it and without `| None`."""
    while True:
        if hasattr(shape, "__metadata__"):
            shape = get_args(shape)[0]
        elif get_origin(shape) in (Union, types.UnionType):
            shape = next(one for one in get_args(shape) if one is not type(None))
        else:
            return shape
