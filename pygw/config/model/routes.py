"""Which requests go where.

Owns: the models of an entry of `routes`.
Runs in: the control plane.
Never does: compare one part of the configuration with another; that is `semantics`.
Read next: `pygw.plan`, which resolves all this into what a worker receives.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PlainValidator

from ..values import PathMatch, parse_path_match
from .base import Name, Part, SideTimeouts
from .middleware import Middleware

FILTERS_MAX = 32
"""Most entries of one middleware list, as in the data plane's limits."""


class Match(Part):
    """A route's predicate."""

    path: Annotated[PathMatch, PlainValidator(parse_path_match)]


class Route(Part):
    """Predicate, middleware and upstream."""

    name: Name | None = None
    match: Match
    timeouts: SideTimeouts = SideTimeouts()
    middleware: Annotated[list[Middleware], Field(max_length=FILTERS_MAX)] = []
    upstream: str | None = None
