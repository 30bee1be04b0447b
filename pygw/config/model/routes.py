"""Which requests go where.

Owns: the models of an entry of `routes`.
Runs in: the control plane.
Never does: compare one part of the configuration with another; that is `semantics`.
Read next: `pygw.plan`, which resolves all this into what a worker receives.
"""

from __future__ import annotations

from typing import Annotated, cast

from pydantic import BeforeValidator, Field, WithJsonSchema

from ..choices import SHARE_SCHEMA, SHARES, UPSTREAM_SCHEMA, parse_share, parse_upstream
from ..patterns import PathMatch, parse_path_match
from ..predicates import (
    CLIENTS_MAX,
    HOSTS_MAX,
    METHODS,
    TESTS_MAX,
    Test,
    as_list,
    parse_match_field,
    parse_method,
    parse_parameter,
    parse_route_host,
    parse_test,
)
from ..units import Duration, Size
from .base import Name, Network, Parsed, Part, SideTimeouts, text
from .middleware import Middleware

MIRRORS_MAX = 8
"""Most mirrors of one route, as in the data plane's limits."""

MIRROR_MAX_MS = 60_000
"""Longest timeout of a mirror: so long may it keep an old plan."""

FILTERS_MAX = 32
"""Most entries of one middleware list, as in the data plane's limits."""


_TEST = {
    "anyOf": [
        {"type": "string", "maxLength": 8192},
        {
            "type": "object",
            "properties": {
                "present": {"type": "boolean", "description": "Whether it must be there or not."}
            },
            "required": ["present"],
            "additionalProperties": False,
        },
        {
            "type": "object",
            "properties": {
                "regex": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 256,
                    "description": "An expression that takes the whole value.",
                }
            },
            "required": ["regex"],
            "additionalProperties": False,
        },
    ]
}

_HOST = text(r"^\S+$", "api.example.com", "*.example.com")
Host = Annotated[str, Parsed(parse_route_host, _HOST)]
Method = Annotated[str, Parsed(parse_method, {"enum": list(METHODS)})]
FieldTest = Annotated[Test, Parsed(parse_test, _TEST)]
MatchField = Annotated[str, Parsed(parse_match_field, {"type": "string"})]
Parameter = Annotated[str, Parsed(parse_parameter, {"type": "string"})]


class Match(Part):
    """A route's predicate: all that is written must hold. The most specific route wins."""

    host: Annotated[
        list[Host],
        BeforeValidator(as_list),
        Field(min_length=1, max_length=HOSTS_MAX),
        WithJsonSchema({"anyOf": [_HOST, {"type": "array", "items": _HOST, "minItems": 1}]}),
    ] = []
    """A host or a list of them, exact or `*.example.com`; ports play no part. Any unless set."""

    path: Annotated[
        PathMatch,
        Parsed(
            parse_path_match,
            text("^/", "/health", "/v1/*", "/users/{id:int}", "/f/{x:[a-z]+}", "/f/{rest*}"),
        ),
        Field(validate_default=True),
    ] = cast(PathMatch, "/*")
    """The path: exact; `{name}`, `{name:int}`, `{name:regex}` for a segment; a final * for more."""

    methods: Annotated[list[Method], Field(min_length=1)] = []
    """Methods; any unless set. GET brings HEAD; a route with cors takes their preflights as well.
    Others are answered with 405."""

    headers: Annotated[dict[MatchField, FieldTest], Field(max_length=TESTS_MAX)] = {}
    """Header fields: a value, `{present: true}`, `{present: false}` or `{regex: "[0-9]+"}`."""

    query: Annotated[dict[Parameter, FieldTest], Field(max_length=TESTS_MAX)] = {}
    """Parameters of the query, tested as headers are."""

    client: Annotated[list[Network], Field(min_length=1, max_length=CLIENTS_MAX)] = []
    """Networks that the client's address must be of; any unless set."""


class Mirror(Part):
    """Copies of a route's requests for a second upstream, whose answers are dropped."""

    to: str
    """The upstream that gets them; one that the route's own requests do not go to."""

    share: Annotated[int, Parsed(parse_share, SHARE_SCHEMA)] = SHARES
    """How many of the route's requests are copied."""

    body_max: Annotated[int, Size(0, 16 << 20)] = 64 << 10
    """Longest body of a request that is copied."""

    timeout: Annotated[int, Duration(1, MIRROR_MAX_MS)] = 10_000
    """How long a copy with its answer may take, at most 1m; nothing is tried again."""


def _mirrors(value: object) -> object:
    """A name, a mapping, or a list of either."""
    entries = value if isinstance(value, list) else [value]
    return [{"to": one} if isinstance(one, str) else one for one in entries]


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

    mirror: Annotated[
        list[Mirror],
        BeforeValidator(
            _mirrors, json_schema_input_type=str | Mirror | list[Annotated[str | Mirror, Field()]]
        ),
        Field(min_length=1, max_length=MIRRORS_MAX),
    ] = []
    """Upstreams that get copies of its requests: a name, a mapping, or a list of them."""

    upstream: Annotated[str | dict[str, int], Parsed(parse_upstream, UPSTREAM_SCHEMA)] | None = None
    """The upstream that answers, or a weight for each of several; left out where a filter does."""
