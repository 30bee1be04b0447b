"""What all models of the configuration are made of.

Owns: the base model, `Parsed`, and the types of keys that occur in more than one place.
Durations are kept in milliseconds, sizes in bytes; None in an upstream's or route's timeouts means
inherited. A text below a field is its description in `pygw schema`, in the reference and in
editors: every field has one, and `tests/unit/test_schema.py` finds those that have none.
Runs in: the control plane.
Never does: compare one part of the configuration with another; that is `semantics`.
Read next: `settings`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from ..units import Duration
from ..values import parse_field_name, parse_field_value, parse_name, parse_network

TIMEOUT_MAX_MS = 30 * 86_400_000
"""Longest timeout: it must fit 32 bits of milliseconds."""


@dataclass(frozen=True, eq=False)
class Parsed:
    """Marks a field whose text has a grammar of its own.

    `parse` takes the plain value and returns the field's, or raises ValueError with a message that
    reads well behind the place. `schema` is the JSON Schema of what may be written: it may be more
    lenient than `parse`, never stricter.
    """

    parse: Callable[[object], object]
    schema: Mapping[str, Any]

    def __get_pydantic_core_schema__(self, _: object, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, __: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return dict(self.schema)


def text(pattern: str, *examples: str) -> dict[str, Any]:
    """The JSON Schema of a text that matches `pattern` (ECMA 262), with examples for editors."""
    return {"type": "string", "pattern": pattern, "examples": list(examples)}


TimeoutMs = Annotated[int, Duration(1, TIMEOUT_MAX_MS)]
OptionalMs = Annotated[int, Duration(0, TIMEOUT_MAX_MS, off=True)]
Name = Annotated[str, Parsed(parse_name, text(r"^[A-Za-z0-9_.-]{1,64}$", "api"))]
Network = Annotated[
    str, Parsed(parse_network, text(r"^[0-9A-Fa-f.:]+(/[0-9]+)?$", "10.0.0.0/8", "fd00::/8"))
]
FieldName = Annotated[
    str, Parsed(parse_field_name, text(r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", "X-Team"))
]
FieldValue = Annotated[str, Parsed(parse_field_value, {"type": "string", "maxLength": 8192})]
Fields = dict[FieldName, FieldValue]


class Part(BaseModel):
    """A mapping of the configuration: unknown keys are errors, nothing is converted silently."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True
    )


class SideTimeouts(Part):
    """What an upstream or a route may set for itself; None is inherited."""

    connect: TimeoutMs | None = None
    """Longest wait for a connection to the service; inherited unless set."""

    response: TimeoutMs | None = None
    """From the request's end to the answer's first byte, at most; inherited unless set."""

    between_bytes: TimeoutMs | None = None
    """Longest pause between two pieces of an answer; inherited unless set."""

    total: OptionalMs | None = None
    """Longest time for a whole request with its answer, or off; inherited unless set."""
