"""The shape of a configuration: every key, its type, its default and its bounds.

Owns: `Config`, the whole, made of the models in the modules beside it.
Runs in: the control plane.
Never does: compare one part of the configuration with another; that is `semantics`.
Read next: `base`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from ..units import Duration
from .base import Name, Part
from .listeners import Listener
from .routes import Route
from .settings import AccessLog, Forwarding, Limits, Timeouts, off_is_none
from .upstreams import Upstream

WORKERS_MAX = 256


class Config(Part):
    """A whole configuration."""

    workers: Annotated[int, Field(ge=1, le=WORKERS_MAX)] = 1
    """Processes that serve, each on one core."""

    drain: Annotated[int, Duration(0, 86_400_000)] = 30_000
    """Longest wait for running requests when the gateway ends."""

    heartbeat: Annotated[int, Duration(1_000, 86_400_000, off=True)] = 5_000
    """A worker without a sign of life for so long, such as one that a hook keeps, is killed and
    started again; or off. It gives one every 500 ms."""

    access_log: Annotated[
        AccessLog | None,
        BeforeValidator(off_is_none, json_schema_input_type=AccessLog | Literal["off"]),
    ] = AccessLog()
    """A line for each request, or off."""

    forwarding: Forwarding = Forwarding()
    """What is believed of, and told about, the peers on the way."""

    timeouts: Timeouts = Timeouts()
    """The defaults of every wait."""

    limits: Limits = Limits()
    """Bounds on what a client may send and hold."""

    listeners: Annotated[list[Listener], Field(min_length=1)]
    """Where clients are accepted."""

    upstreams: dict[Name, Upstream] = {}
    """The services behind the gateway, each under a name of your own."""

    routes: Annotated[list[Route], Field(min_length=1)]
    """Which requests go where."""

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Config:
        """The configuration of plain data that is known to be good, such as the quickstart's."""
        return cls.model_validate(data)
