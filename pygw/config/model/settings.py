"""What holds for the whole gateway.

Owns: the models of the keys `access_log`, `forwarding`, `timeouts` and `limits`.
Runs in: the control plane.
Never does: compare one part of the configuration with another; that is `semantics`.
Read next: `listeners`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PlainValidator

from ..units import Size
from ..values import parse_pseudonym
from .base import Network, OptionalMs, Part, TimeoutMs


class AccessLog(Part):
    """Where access lines go: a file, or `-` for standard output."""

    path: Annotated[str, Field(min_length=1)] = "-"
    format: Literal["combined", "json"] = "combined"


def off_is_none(value: object) -> object:
    """`off` as None; anything but a mapping is refused."""
    if value != "off" and not isinstance(value, (dict, AccessLog)):
        raise ValueError("must be a mapping or off")
    return None if value == "off" else value


class Forwarding(Part):
    """What is believed of, and told about, the peers on the way."""

    trusted_proxies: list[Network] = []
    forwarded: bool = False
    via: Annotated[str, PlainValidator(parse_pseudonym)] | None = None


class Timeouts(Part):
    """The defaults of every wait; 0 is off."""

    client_head: TimeoutMs = 10_000
    client_body: TimeoutMs = 30_000
    keepalive: TimeoutMs = 75_000
    slow_reader: TimeoutMs = 30_000
    connect: TimeoutMs = 2_000
    response: TimeoutMs = 60_000
    between_bytes: TimeoutMs = 60_000
    total: OptionalMs = 0


class Limits(Part):
    """Bounds on what a client may send and hold."""

    max_connections: Annotated[int, Field(ge=1, le=1_000_000)] = 4000
    request_line: Annotated[int, Size(64, 256 << 10)] = 8 << 10
    head: Annotated[int, Size(1 << 10, 256 << 10)] = 32 << 10
    headers: Annotated[int, Field(ge=1, le=256)] = 100
    keepalive_requests: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0
