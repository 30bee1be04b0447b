"""The services behind the gateway.

Owns: the models of an entry of `upstreams`.
Runs in: the control plane.
Never does: compare one part of the configuration with another; that is `semantics`.
Read next: `middleware`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from ..choices import (
    BALANCE_SCHEMA,
    CONDITION_SCHEMA,
    SHARE_SCHEMA,
    STATUS_SCHEMA,
    WEIGHT_MAX,
    Balance,
    parse_balance,
    parse_condition,
    parse_cookie_name,
    parse_secret,
    parse_share,
    parse_status,
)
from ..units import Size
from ..values import Target, parse_target
from .base import OptionalMs, Parsed, Part, SideTimeouts, TimeoutMs, text

PRIORITIES_MAX = 8
"""Most groups of targets, as in the data plane's limits."""

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

    weight: Annotated[int, Field(ge=1, le=WEIGHT_MAX)] = 1
    """Its part of the requests, compared with the other targets' weights."""

    priority: Annotated[int, Field(ge=0, le=PRIORITIES_MAX - 1)] = 0
    """Its group, from 0 to 7; a group gets requests only while all of lower numbers are ejected."""


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


class Sticky(Part):
    """A cookie that keeps a client at one target as long as that is in rotation."""

    cookie: Annotated[str, Parsed(parse_cookie_name, text(r"^[^;=\\s]{1,64}$", "pygw_target"))]
    """The cookie's name; its value is an opaque mark of the target."""

    secret: (
        Annotated[str, Parsed(parse_secret, {"type": "string", "minLength": 16, "maxLength": 1024})]
        | None
    ) = None
    """What marks are made with, so that nobody can tell a target's address from them."""

    max_age: OptionalMs = 0
    """How long a client keeps the cookie; off is until it ends."""

    secure: bool = False
    """Whether clients send the cookie back over TLS only."""

    same_site: Literal["lax", "strict", "none"] = "lax"
    """Whether requests from other sites carry the cookie; none needs secure."""


class Eject(Part):
    """When a target that fails is passed over; the last one never is."""

    faults: Annotated[int, Field(ge=1, le=1000)] = 3
    """Failed attempts in a row after which a target is passed over."""

    back_off: TimeoutMs = 250
    """For how long at first; doubled each time, until an attempt succeeds."""

    max_back_off: TimeoutMs = 10_000
    """For how long at most; never over 500ms where the target takes no connection."""

    statuses: Annotated[
        list[Annotated[int, Parsed(parse_status, STATUS_SCHEMA)]], Field(max_length=200)
    ] = []
    """Statuses of answers that count as failed attempts."""


class Retries(Part):
    """When a request that failed is tried again, at another target if there is one."""

    attempts: Annotated[int, Field(ge=0, le=10)] = 1
    """Most attempts after the first."""

    on: Annotated[
        list[Annotated[str | int, Parsed(parse_condition, CONDITION_SCHEMA)]],
        Field(max_length=200),
    ] = ["connect_failure", "reset"]
    """What is tried again: failures, and statuses of answers to idempotent requests."""

    budget: Annotated[int, Parsed(parse_share, SHARE_SCHEMA)] = 2_000
    """Most retries of the last ten seconds, as a share of its requests."""

    floor: Annotated[int, Field(ge=0, le=1_000_000)] = 10
    """Retries a second that are allowed whatever the share is."""


def _eject_or_off(value: object) -> object:
    if value != "off" and not isinstance(value, (dict, Eject)):
        raise ValueError("must be a mapping or off")
    return None if value == "off" else value


def _retries_from_number(value: object) -> object:
    if isinstance(value, (dict, Retries)):
        return value
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("must be a whole number or a mapping")
    if not 0 <= value <= 10:
        raise ValueError(f"must be at {'least 0' if value < 0 else 'most 10'}")
    return {"attempts": value}


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

    balance: Annotated[Balance, Parsed(parse_balance, BALANCE_SCHEMA)] = Balance("round_robin")
    """How one of several targets is chosen."""

    sticky: Sticky | None = None
    """A cookie that keeps a client at one target; none unless set."""

    eject: Annotated[
        Eject | None,
        BeforeValidator(_eject_or_off, json_schema_input_type=Eject | Literal["off"]),
    ] = Eject()
    """When a target that fails is passed over, or off."""

    retries: Annotated[
        Retries,
        BeforeValidator(
            _retries_from_number,
            json_schema_input_type=Annotated[int, Field(ge=0, le=10)] | Retries,
        ),
    ] = Retries()
    """When a failed request is tried again; a bare number is that of the further attempts."""

    replay_body: Annotated[int, Size(0, 16 << 20)] = 64 << 10
    """How much of a request's body is kept for another attempt."""
