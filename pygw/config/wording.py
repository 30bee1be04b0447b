"""What a person is told about a value that the models refuse.

Owns: the sentence for each kind of error that pydantic reports, and the keys a place may have.
Runs in: the control plane.
Never does: find errors.
Read next: `model`.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from .document import Document
from .errors import Path, Problem, hint
from .model import Config

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


def translate(document: Document, detail: ErrorDetails) -> Problem:
    """The problem that an error of pydantic is."""
    kind, context = detail["type"], detail.get("ctx", {})
    path: Path = tuple(part for part in detail["loc"] if part != "[key]")
    if kind == "missing":
        return document.problem(path[:-1], f'missing key "{path[-1]}"')
    if kind == "extra_forbidden":
        known = _keys_at(path[:-1])
        return document.problem(path, f"unknown key; {hint(str(path[-1]), known, 'keys')}", True)
    path = document.nearest(path)
    entry = document.locate(path)
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
