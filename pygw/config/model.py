"""The shape of a configuration: every key, its type, its default and its bounds.

Owns: the pydantic models. Durations are kept in milliseconds, sizes in bytes; None in an
upstream's or route's timeouts means inherited.
Runs in: the control plane.
Never does: compare one part of the configuration with another; that is `semantics`.
Read next: `pygw.plan`, which resolves this into what a worker receives.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator

from .units import Duration, Size
from .values import (
    Bind,
    PathMatch,
    Target,
    parse_bind,
    parse_field_name,
    parse_field_value,
    parse_location,
    parse_media_type,
    parse_name,
    parse_network,
    parse_path_match,
    parse_pseudonym,
    parse_target,
)

TIMEOUT_MAX_MS = 30 * 86_400_000
"""Longest timeout: it must fit 32 bits of milliseconds."""

WORKERS_MAX = 256
FILTERS_MAX = 32
"""Most entries of one middleware list, as in the data plane's limits."""

TimeoutMs = Annotated[int, Duration(1, TIMEOUT_MAX_MS)]
OptionalMs = Annotated[int, Duration(0, TIMEOUT_MAX_MS, off=True)]
Name = Annotated[str, PlainValidator(parse_name)]
Network = Annotated[str, PlainValidator(parse_network)]
FieldName = Annotated[str, PlainValidator(parse_field_name)]
FieldValue = Annotated[str, PlainValidator(parse_field_value)]
Fields = dict[FieldName, FieldValue]


def _target_from_text(value: object) -> object:
    return value if isinstance(value, (dict, TargetEntry)) else {"url": value}


def _off_is_none(value: object) -> object:
    if value != "off" and not isinstance(value, (dict, AccessLog)):
        raise ValueError("must be a mapping or off")
    return None if value == "off" else value


class Part(BaseModel):
    """A mapping of the configuration: unknown keys are errors, nothing is converted silently."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class AccessLog(Part):
    """Where access lines go: a file, or `-` for standard output."""

    path: Annotated[str, Field(min_length=1)] = "-"
    format: Literal["combined", "json"] = "combined"


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


class SideTimeouts(Part):
    """What an upstream or a route may set for itself; None is inherited."""

    connect: TimeoutMs | None = None
    response: TimeoutMs | None = None
    between_bytes: TimeoutMs | None = None
    total: OptionalMs | None = None


class Limits(Part):
    """Bounds on what a client may send and hold."""

    max_connections: Annotated[int, Field(ge=1, le=1_000_000)] = 4000
    request_line: Annotated[int, Size(64, 256 << 10)] = 8 << 10
    head: Annotated[int, Size(1 << 10, 256 << 10)] = 32 << 10
    headers: Annotated[int, Field(ge=1, le=256)] = 100
    keepalive_requests: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0


class Listener(Part):
    """An address that accepts clients. `half_close` says what a client's FIN means while its
    request runs: `abort` takes it as leaving, `answer` still answers."""

    name: Name | None = None
    bind: Annotated[Bind, PlainValidator(parse_bind)]
    half_close: Literal["abort", "answer"] = "abort"


class TargetEntry(Part):
    """One address of an upstream."""

    url: Annotated[Target, PlainValidator(parse_target)]


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


class FieldEdits(Part):
    """Edits of one head: `set` replaces every field of the name, `add` appends one."""

    set: Fields = {}
    add: Fields = {}
    remove: list[FieldName] = []


class Headers(Part):
    """Filter: edit the heads of request and response."""

    request: FieldEdits = FieldEdits()
    response: FieldEdits = FieldEdits()


class Ip(Part):
    """Filter: admit by the client's address. Deny wins; a non-empty allow admits only itself."""

    allow: list[Network] = []
    deny: list[Network] = []


class Respond(Part):
    """Filter: answer with a fixed response."""

    status: Annotated[int, Field(ge=200, le=599)] = 200
    body: Annotated[str, Field(max_length=1 << 20)] = ""
    content_type: Annotated[str, PlainValidator(parse_media_type)] = "text/plain; charset=utf-8"
    headers: Fields = {}


class Redirect(Part):
    """Filter: send the client elsewhere."""

    to: Annotated[str, PlainValidator(parse_location)]
    status: Literal[301, 302, 303, 307, 308] = 308


class Echo(Part):
    """Filter: answer with the request as text."""


class Middleware(Part):
    """One entry of a middleware list: exactly one of these keys."""

    headers: Headers | None = None
    ip: Ip | None = None
    body_limit: Annotated[int, Size(0)] | None = None
    respond: Respond | None = None
    redirect: Redirect | None = None
    echo: Echo | None = None


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


class Config(Part):
    """A whole configuration."""

    workers: Annotated[int, Field(ge=1, le=WORKERS_MAX)] = 1
    drain: Annotated[int, Duration(0, 86_400_000)] = 30_000
    access_log: Annotated[AccessLog | None, BeforeValidator(_off_is_none)] = AccessLog()
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
