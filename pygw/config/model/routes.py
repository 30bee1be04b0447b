"""Which requests go where.

Owns: the models of an entry of `routes`.
Runs in: the control plane.
Never does: compare one part of the configuration with another; that is `semantics`.
Read next: `pygw.plan`, which resolves all this into what a worker receives.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ..choices import UPSTREAM_SCHEMA, parse_upstream
from ..values import PathMatch, parse_path_match
from .base import Name, Parsed, Part, SideTimeouts, text
from .middleware import Middleware

FILTERS_MAX = 32
"""Most entries of one middleware list, as in the data plane's limits."""


class Match(Part):
    """A route's predicate."""

    path: Annotated[PathMatch, Parsed(parse_path_match, text("^/", "/v1/*", "/health"))]
    """The path, or with a final * all that begin so; the longest match wins."""


class Route(Part):
    """Predicate, middleware and upstream."""

    name: Name | None = None
    """Its name in logs and metrics; r1, r2, ... unless set."""

    match: Match
    """Which requests it takes."""

    timeouts: SideTimeouts = SideTimeouts()
    """What differs from the upstream's timeouts."""

    middleware: Annotated[list[Middleware], Field(max_length=FILTERS_MAX)] = []
    """Filters in the order in which they run."""

    upstream: Annotated[str | dict[str, int], Parsed(parse_upstream, UPSTREAM_SCHEMA)] | None = None
    """The upstream that answers, or a weight for each of several; left out where a filter does."""
