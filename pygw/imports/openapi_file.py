"""An OpenAPI file: read, judged, and asked where things stand.

Owns: the file's data, the line of each of its parts, and references within it.
Runs in: the process of the command.
Never does: open another file or an address, whatever a reference says.
Read next: `openapi`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import yaml

from .draft import Draft, ImportFailed, Place

BYTES_MAX = 16 << 20
"""Largest file."""

NODES_MAX = 2_000_000
"""Most values in a file, each alias counted as what it stands for."""

DEPTH_MAX = 200
"""Deepest nesting of values."""

Parts = tuple[str | int, ...]


@dataclass
class Description:
    """The data of an OpenAPI file."""

    file: str
    data: dict[str, Any]
    lines: dict[Parts, int] = field(default_factory=dict)

    @classmethod
    def read(cls, path: str, draft: Draft) -> Description:
        """The file's description; ImportFailed for what is no valid OpenAPI 3.0 or 3.1."""
        text = _text_of(path)
        try:
            node = yaml.compose(text, Loader=yaml.CSafeLoader)
            data = yaml.load(text, Loader=yaml.CSafeLoader)  # a CSafeLoader makes plain data only
        except yaml.YAMLError as error:
            raise ImportFailed(f"{path}: {_told(error)}") from None
        except (ValueError, RecursionError) as error:
            raise ImportFailed(f"{path}: {error}") from None
        if not isinstance(data, dict):
            raise ImportFailed(f"{path}: must be a mapping with the key openapi")
        _check_version(path, data)
        _check_size(path, data)
        one = cls(path, data)
        _find_lines(node, (), one.lines)
        outside = sorted(set(_references_out(data)))
        for reference in outside:
            draft.lose(Place(path, 0), f"{reference}: references out of the file are not followed")
        if outside:
            draft.note(Place(path, 0), "a file with such references is not validated")
        else:
            one._validate()
        return one

    def place(self, *parts: str | int) -> Place:
        """Where a part stands: its line, or that of the nearest part around it."""
        for end in range(len(parts), 0, -1):
            if parts[:end] in self.lines:
                return Place(self.file, self.lines[parts[:end]])
        return Place(self.file, 1)

    def follow(self, reference: str) -> Any:
        """What `#/a/b` leads to (RFC 6901), or None."""
        if not reference.startswith("#/"):
            return None
        value: Any = self.data
        for part in reference[2:].split("/"):
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            if isinstance(value, list) and key.isdigit() and int(key) < len(value):
                value = value[int(key)]
            elif isinstance(value, Mapping) and key in value:
                value = value[key]
            else:
                return None
        return value

    def _validate(self) -> None:
        try:
            from jsonschema_path import SchemaPath
            from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator
        except ImportError:
            raise ImportFailed(
                'openapi-spec-validator is missing: pip install "pygw[openapi]"'
            ) from None
        new = str(self.data["openapi"]).startswith("3.1")
        judge = OpenAPIV31SpecValidator if new else OpenAPIV30SpecValidator
        schema = SchemaPath.from_dict(self.data, handlers={"<all_urls>": _refuse})
        try:
            problems = sorted(judge(schema).iter_errors(), key=lambda one: list(map(str, one.path)))
        except Exception as error:  # a validator that fails has not found the file good
            raise ImportFailed(f"{self.file}: cannot be validated: {error}") from None
        if problems:
            shown = [self._told(one) for one in problems[:20]]
            more = [f"and {len(problems) - 20} more problems"] if len(problems) > 20 else []
            raise ImportFailed("\n".join([*shown, *more]))

    def _told(self, problem: Any) -> str:
        parts = tuple(problem.absolute_path)
        shown = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in parts).lstrip(".")
        message = str(problem.message)
        message = message if len(message) <= 200 else message[:197] + "..."
        return f"{self.place(*parts)}: {shown}: {message}" if shown else f"{self.file}: {message}"


def _refuse(uri: str) -> Any:
    raise ImportFailed(f"{uri}: references out of the file are not followed")


def _text_of(path: str) -> str:
    try:
        with open(path, "rb") as file:
            content = file.read(BYTES_MAX + 1)
    except OSError as error:
        raise ImportFailed(f"{path}: cannot read: {error.strerror}") from None
    if len(content) > BYTES_MAX:
        raise ImportFailed(f"{path}: larger than 16MiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ImportFailed(f"{path}:{line}: not valid UTF-8") from None


def _check_version(path: str, data: Mapping[str, Any]) -> None:
    version = str(data.get("openapi", ""))
    if not version.startswith(("3.0", "3.1")):
        if "swagger" in data:
            raise ImportFailed(f"{path}: Swagger 2.0 is not read; convert it to OpenAPI 3 first")
        raise ImportFailed(f"{path}: openapi must be 3.0.x or 3.1.x, got {version or 'nothing'}")


def _check_size(path: str, data: Any) -> None:
    """Refuses what aliases blow up: a small file can stand for billions of values."""
    left = [NODES_MAX]

    def count(value: Any, depth: int) -> None:
        left[0] -= 1
        if left[0] < 0 or depth > DEPTH_MAX:
            raise ImportFailed(f"{path}: is nested too deeply or holds too many values")
        inner: Any = value.values() if isinstance(value, dict) else value
        if isinstance(value, (dict, list)):
            for one in inner:
                count(one, depth + 1)

    count(data, 0)


def _find_lines(node: Any, at: Parts, out: dict[Parts, int]) -> None:
    """The lines of all that remarks point at: paths, operations, servers."""
    if len(at) > 5:
        return
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                out[(*at, key.value)] = key.start_mark.line + 1
                _find_lines(value, (*at, key.value), out)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            out[(*at, number)] = value.start_mark.line + 1
            _find_lines(value, (*at, number), out)


def _references_out(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        reference = value.get("$ref")
        if isinstance(reference, str) and not reference.startswith("#"):
            yield reference
        for inner in value.values():
            yield from _references_out(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references_out(inner)


def _told(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    return f"line {mark.line + 1}: {problem}" if mark is not None else str(problem)
