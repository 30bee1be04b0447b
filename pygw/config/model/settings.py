"""What holds for the whole gateway.

Owns: the models of the keys `access_log`, `forwarding`, `timeouts` and `limits`.
Runs in: the control plane.
Never does: compare one part of the configuration with another; that is `semantics`.
Read next: `listeners`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ..units import Size
from ..values import parse_pseudonym
from .base import Network, OptionalMs, Parsed, Part, TimeoutMs, text


class AccessLog(Part):
    """Where access lines go: a file, or `-` for standard output."""

    path: Annotated[str, Field(min_length=1, examples=["/var/log/pygw/access.log"])] = "-"
    """The file that lines are appended to; - is standard output."""

    format: Literal["combined", "json"] = "combined"
    """The form of a line."""

    hooks: bool = False
    """Whether a line of format json says what each filter took and came to."""


def off_is_none(value: object) -> object:
    """`off` as None; anything but a mapping is refused."""
    if value != "off" and not isinstance(value, (dict, AccessLog)):
        raise ValueError("must be a mapping or off")
    return None if value == "off" else value


class Forwarding(Part):
    """What is believed of, and told about, the peers on the way."""

    trusted_proxies: list[Network] = []
    """Networks whose X-Forwarded-*, Forwarded and X-Request-ID are believed."""

    forwarded: bool = False
    """Whether Forwarded (RFC 7239) is written as well."""

    via: (
        Annotated[
            str, Parsed(parse_pseudonym, text(r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$", "edge-1"))
        ]
        | None
    ) = None
    """This gateway's name in Via; a random one of this instance unless set."""


class Timeouts(Part):
    """The defaults of every wait; 0 is off."""

    client_head: TimeoutMs = 10_000
    """From the first byte of a request's head to its last; also for a silent new connection."""

    client_body: TimeoutMs = 30_000
    """Longest pause between two pieces of a request's body."""

    keepalive: TimeoutMs = 75_000
    """Longest pause between two requests of a connection."""

    slow_reader: TimeoutMs = 30_000
    """How long a client may take nothing of its answer."""

    connect: TimeoutMs = 2_000
    """Longest wait for a connection to a service."""

    response: TimeoutMs = 60_000
    """From the request's end to the answer's first byte, at most."""

    between_bytes: TimeoutMs = 60_000
    """Longest pause between two pieces of an answer."""

    total: OptionalMs = 0
    """Longest time for a whole request with its answer, tunnels excepted, or off."""


class Limits(Part):
    """Bounds on what a client may send and hold."""

    max_connections: Annotated[int, Field(ge=1, le=1_000_000)] = 4000
    """Clients of one worker; lowered where the limit of open files is lower."""

    request_line: Annotated[int, Size(64, 256 << 10)] = 8 << 10
    """Longest request line; a longer one is answered with 414."""

    head: Annotated[int, Size(1 << 10, 256 << 10)] = 32 << 10
    """Longest head of a request; a longer one is answered with 431."""

    headers: Annotated[int, Field(ge=1, le=256)] = 100
    """Most header fields of a request; more are answered with 431."""

    malformed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 20
    """Malformed requests of a client in malformed_window after which a line is logged; 0: none."""

    malformed_window: TimeoutMs = 60_000
    """The time in which malformed requests of a client are counted together."""

    keepalive_requests: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0
    """Most requests of one connection; 0 is without limit."""
