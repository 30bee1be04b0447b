"""The services behind the gateway.

Owns: the models of an entry of `upstreams`.
Runs in: the control plane.
Never does: compare one part of the configuration with another; that is `semantics`.
Read next: `middleware`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, PlainValidator

from ..units import Size
from ..values import Target, parse_target
from .base import Part, SideTimeouts, TimeoutMs


class TargetEntry(Part):
    """One address of an upstream."""

    url: Annotated[Target, PlainValidator(parse_target)]


def _target_from_text(value: object) -> object:
    return value if isinstance(value, (dict, TargetEntry)) else {"url": value}


class Pool(Part):
    """Connections to one target."""

    idle: Annotated[int, Field(ge=0, le=1_000_000)] = 512
    connections: Annotated[int, Field(ge=1, le=1_000_000)] = 1024
    queue: Annotated[int, Field(ge=0, le=1_000_000)] = 1024
    queue_timeout: TimeoutMs = 5_000
    idle_timeout: TimeoutMs = 60_000
    lifetime: TimeoutMs = 3_600_000


class Upstream(Part):
    """A named group of equal services. `retries` counts attempts after the first."""

    targets: Annotated[
        list[Annotated[TargetEntry, BeforeValidator(_target_from_text)]],
        Field(min_length=1, max_length=1024),
    ]
    timeouts: SideTimeouts = SideTimeouts()
    pool: Pool = Pool()
    retries: Annotated[int, Field(ge=0, le=10)] = 1
    replay_body: Annotated[int, Size(0, 16 << 20)] = 64 << 10
