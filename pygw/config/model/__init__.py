"""The shape of a configuration: every key, its type, its default and its bounds.

Owns: `Config`, the whole, made of the models in the modules beside it.
Runs in: the control plane.
Never does: compare one part of the configuration with another; that is `semantics`.
Read next: `base`.
"""

from __future__ import annotations

from typing import Annotated, Any

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
    drain: Annotated[int, Duration(0, 86_400_000)] = 30_000
    access_log: Annotated[AccessLog | None, BeforeValidator(off_is_none)] = AccessLog()
    forwarding: Forwarding = Forwarding()
    timeouts: Timeouts = Timeouts()
    limits: Limits = Limits()
    listeners: Annotated[list[Listener], Field(min_length=1)]
    upstreams: dict[Name, Upstream] = {}
    routes: Annotated[list[Route], Field(min_length=1)]

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Config:
        """The configuration of plain data that is known to be good, such as the quickstart's."""
        return cls.model_validate(data)
