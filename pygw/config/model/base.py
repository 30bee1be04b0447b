"""What all models of the configuration are made of.

Owns: the base model and the types of keys that occur in more than one place.
Durations are kept in milliseconds, sizes in bytes; None in an upstream's or route's timeouts means
inherited.
Runs in: the control plane.
Never does: compare one part of the configuration with another; that is `semantics`.
Read next: `settings`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainValidator

from ..units import Duration
from ..values import parse_field_name, parse_field_value, parse_name, parse_network

TIMEOUT_MAX_MS = 30 * 86_400_000
"""Longest timeout: it must fit 32 bits of milliseconds."""

TimeoutMs = Annotated[int, Duration(1, TIMEOUT_MAX_MS)]
OptionalMs = Annotated[int, Duration(0, TIMEOUT_MAX_MS, off=True)]
Name = Annotated[str, PlainValidator(parse_name)]
Network = Annotated[str, PlainValidator(parse_network)]
FieldName = Annotated[str, PlainValidator(parse_field_name)]
FieldValue = Annotated[str, PlainValidator(parse_field_value)]
Fields = dict[FieldName, FieldValue]


class Part(BaseModel):
    """A mapping of the configuration: unknown keys are errors, nothing is converted silently."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class SideTimeouts(Part):
    """What an upstream or a route may set for itself; None is inherited."""

    connect: TimeoutMs | None = None
    response: TimeoutMs | None = None
    between_bytes: TimeoutMs | None = None
    total: OptionalMs | None = None
