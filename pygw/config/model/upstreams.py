"""The services behind the gateway.

Owns: the models of an entry of `upstreams`.
Runs in: the control plane.
Never does: compare one part of the configuration with another; that is `semantics`.
Read next: `middleware`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from ..units import Size
from ..values import Target, parse_target
from .base import Parsed, Part, SideTimeouts, TimeoutMs, text

TargetUrl = Annotated[
    Target,
    Parsed(
        parse_target,
        text("^[Hh][Tt][Tt][Pp]://|^unix:/", "http://127.0.0.1:9000", "unix:/run/app.sock"),
    ),
]


class TargetEntry(Part):
    """One address of an upstream."""

    url: TargetUrl
    """Where the service listens: http://host:port or unix:/path."""


def _target_from_text(value: object) -> object:
    return value if isinstance(value, (dict, TargetEntry)) else {"url": value}


class Pool(Part):
    """Connections to one target."""

    idle: Annotated[int, Field(ge=0, le=1_000_000)] = 512
    """Most connections that one worker keeps for reuse."""

    connections: Annotated[int, Field(ge=1, le=1_000_000)] = 1024
    """Most connections that one worker has open at once."""

    queue: Annotated[int, Field(ge=0, le=1_000_000)] = 1024
    """Most requests that wait for a connection; more are answered with 503."""

    queue_timeout: TimeoutMs = 5_000
    """Longest wait for a connection; then the request is answered with 503."""

    idle_timeout: TimeoutMs = 60_000
    """How long an idle connection is kept."""

    lifetime: TimeoutMs = 3_600_000
    """How old a connection may become; an older one is not used again."""


class Upstream(Part):
    """A named group of equal services."""

    targets: Annotated[
        list[
            Annotated[
                TargetEntry,
                BeforeValidator(_target_from_text, json_schema_input_type=TargetUrl | TargetEntry),
            ]
        ],
        Field(min_length=1, max_length=1024),
    ]
    """Where the service listens: URLs, or mappings for a target with settings of its own."""

    timeouts: SideTimeouts = SideTimeouts()
    """What differs from the global timeouts."""

    pool: Pool = Pool()
    """Connections to one target."""

    retries: Annotated[int, Field(ge=0, le=10)] = 1
    """Most attempts after the first."""

    replay_body: Annotated[int, Size(0, 16 << 20)] = 64 << 10
    """How much of a request's body is kept for another attempt."""
