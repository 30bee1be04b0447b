"""From a file, a text or an object to a checked configuration, or to every problem at once.

Owns: the steps from a source to `Loaded`: read, validate, compare the parts, collect.
Runs in: the control plane.
Never does: apply anything; what it returns is only checked.
Read next: `wording`, then `model`.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from .document import Document, Walk
from .errors import ConfigError, Problem, in_order
from .files import told_error
from .formats import read_document
from .hook_files import place_hook_files
from .interpolate import Sources
from .masking import Secrets
from .model import Config
from .networks import files_named
from .semantics import find_problems, find_warnings
from .wording import translate

FILE_MAX_BYTES = 16 << 20
"""Largest configuration file."""


@dataclass(frozen=True)
class Loaded:
    """A checked configuration and where it came from.

    `files` is everything it was read from: the file or the modules, and what `${file:...}` names.
    `secrets` masks it, and whatever is made of it, where it is shown. `warnings` are about what
    works but is hardly meant.
    """

    config: Config
    files: tuple[str, ...]
    secrets: Secrets
    warnings: tuple[Problem, ...]
    file: str
    text: str


def load(
    source: str,
    environ: Mapping[str, str] = os.environ,
    overrides: Mapping[str, Any] | None = None,
    files: set[str] | None = None,
) -> Loaded:
    """The checked configuration of a file (YAML; TOML and JSON by suffix) or of an object
    (`module:name`); ConfigError carries everything that is wrong.

    `overrides` may hold `workers` (an integer) and `listen` (the first listener's bind). `files`
    gets every path, also when there are errors; of a file just before it is read.
    """
    from .app import is_app, read_app

    files = set() if files is None else files
    if is_app(source):
        data, modules = read_app(source, environ)
        for module in modules:
            files.add(module)
        return check_object(data, source, overrides, modules)
    files.add(source)
    text = read_text(source)
    sources = Sources(environ, os.path.dirname(source) or ".", files=files)
    return check_text(text, source, sources, overrides)


def load_config(
    source: str, environ: Mapping[str, str] = os.environ, overrides: Mapping[str, Any] | None = None
) -> Config:
    """As `load`, for those who need only the configuration."""
    return load(source, environ, overrides).config


def parse_config(
    text: str, file: str, sources: Sources, overrides: Mapping[str, Any] | None = None
) -> Config:
    """As `load_config`, from a text; `file` is the name in messages and its suffix the format."""
    return check_text(text, file, sources, overrides).config


def check_text(
    text: str, file: str, sources: Sources, overrides: Mapping[str, Any] | None = None
) -> Loaded:
    """As `load`, from a text; `file` is the name in messages and its suffix the format."""
    with _without_collections():
        document = read_document(text, file, sources)
        return _check(document, sources, overrides or {}, [file])


def check_object(
    data: object,
    name: str,
    overrides: Mapping[str, Any] | None = None,
    files: tuple[str, ...] = (),
) -> Loaded:
    """As `load`, from plain data (mappings, lists, text, numbers, booleans), in which `${` has no
    meaning; `name` is the name in messages."""
    with _without_collections():
        document = Document(name, "")
        Walk(document, None).walk(data)
        return _check(document, Sources({}), overrides or {}, files)


@contextmanager
def _without_collections() -> Iterator[None]:
    """Keep the garbage collector from walking a growing tree of live objects again and again: with
    it, time grew faster than the file."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _check(
    document: Document,
    sources: Sources,
    overrides: Mapping[str, Any],
    files: list[str] | tuple[str, ...],
) -> Loaded:
    data = document.data
    problems = list(document.problems)
    if not isinstance(data, dict):
        if () not in document.broken:
            keys = ", ".join(Config.model_fields)
            problems.append(document.problem((), f"must be a mapping with the keys {keys}"))
        raise ConfigError(problems, document.file, document.text)
    if isinstance(data.get("$schema"), str):
        del data["$schema"]
    _override(data, overrides)
    for file in (*files_named(data), *place_hook_files(data, sources.directory)):
        sources.files.add(file)  # one by one: who watches looks at each before it is read
    config, details = _validate(data, document)
    for detail in details:
        _add(problems, document, translate(document, detail))
    judged = {problem.path for problem in problems}
    for path, message in find_problems(data):
        if path not in judged:
            _add(problems, document, document.problem(document.nearest(path), message))
    if problems or config is None:
        sources.secrets.add_named(data)
        shown = [_masked(problem, sources.secrets) for problem in problems]
        raise ConfigError(shown, document.file, sources.secrets.blank(document.text))
    warnings = [
        document.problem(document.nearest(path), message) for path, message in find_warnings(data)
    ]
    return Loaded(
        config,
        tuple(dict.fromkeys((*files, *sorted(sources.files)))),
        sources.secrets,
        tuple(sorted((_masked(one, sources.secrets) for one in warnings), key=in_order)),
        document.file,
        document.text,
    )


def _validate(data: dict[str, Any], document: Document) -> tuple[Config | None, list[ErrorDetails]]:
    """The configuration or what the models say against it.

    Where a number or a boolean must stand, and a text that was one reference does, the text's plain
    meaning is tried: JSON and TOML have no other way to write such a reference.
    """
    for _ in range(2):
        try:
            return Config.model_validate(data), []
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)
        changed = [_retype(data, document, detail) for detail in details]
        if not any(changed):
            break
    return None, details


def _retype(data: dict[str, Any], document: Document, detail: ErrorDetails) -> bool:
    if detail["type"] not in ("int_type", "bool_type", "float_type", "literal_error"):
        return False
    path = document.nearest(tuple(part for part in detail["loc"] if part != "[key]"))
    text = document.references.pop(path, None)
    if text is None:
        return False
    from .formats.yaml import plain_value

    holder: Any = data
    for part in path[:-1]:
        holder = holder[part]
    value = plain_value(text)
    if value is not None and not isinstance(value, str):
        holder[path[-1]] = value
    return value is not None and not isinstance(value, str)


def read_text(path: str) -> str:
    """The text of a configuration file; ConfigError says why it cannot be read."""
    try:
        with open(path, "rb") as file:
            content = file.read(FILE_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError([Problem((), f"cannot read: {told_error(error)}")], path) from None
    return decode_text(content, path)


def decode_text(content: bytes, path: str) -> str:
    """The text that the bytes of a configuration file are; ConfigError says why they are none."""
    if len(content) > FILE_MAX_BYTES:
        raise ConfigError([Problem((), "cannot read: larger than 16MiB, which is the most")], path)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        message = f"cannot read: not valid UTF-8 in line {line}; save it so"
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


def _masked(problem: Problem, secrets: Secrets) -> Problem:
    return replace(problem, message=secrets.mask_text(problem.message))
