"""Values that say how upstreams, targets and attempts are chosen.

Owns: the grammars of balance, of split upstreams, of shares and of what is retried.
Runs in: the control plane.
Never does: look an upstream up; that is `semantics`.
Read next: `model.upstreams`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from .values import parse_field_name

SHARES = 10_000
"""What a share is counted in: hundredths of a percent, as in the data plane."""

WEIGHT_MAX = 1000
"""Heaviest target or part of a split."""

SPLITS_MAX = 16
"""Most upstreams of one route."""

ORDERS = ("round_robin", "least_connections", "random_two")
CONDITIONS = ("connect_failure", "reset", "response_timeout")

_SHARE = re.compile(r"([0-9]{1,3})(?:\.([0-9]{1,2}))? ?%\Z")
_COOKIE = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}\Z")

_BALANCE = "must be round_robin, least_connections, random_two or {hash: ...}"
_HASH = "must hash client_ip, path, {header: NAME} or {cookie: NAME}"
_ON = "must be connect_failure, reset, response_timeout or a status from 400 to 599"


@dataclass(frozen=True)
class Balance:
    """How one of several targets is chosen; `key` and `name` are what is hashed."""

    by: str
    key: str | None = None
    name: str | None = None


def parse_share(value: object) -> int:
    """`20%` or `0.5%` in SHARES."""
    match = _SHARE.match(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("must be a share in percent, such as 20% or 0.5%")
    share = int(match[1]) * 100 + int((match[2] or "").ljust(2, "0"))
    if share > SHARES:
        raise ValueError("must be at most 100%")
    return share


def parse_cookie_name(value: object) -> str:
    """The name of a cookie (RFC 6265 §4.1.1), at most 64 bytes."""
    if not isinstance(value, str) or _COOKIE.match(value) is None:
        raise ValueError("must be a cookie's name: 1 to 64 letters, digits or -_.~ and the like")
    return value


def parse_secret(value: object) -> str:
    """Text that nobody guesses; the message does not show it."""
    if not isinstance(value, str) or not 16 <= len(value) <= 1024:
        raise ValueError("needs 16 to 1024 characters of text")
    return value


def parse_balance(value: object) -> Balance:
    """`round_robin` and the like, or `{hash: ...}`."""
    if isinstance(value, str) and value in ORDERS:
        return Balance(value)
    if not isinstance(value, dict) or value.keys() != {"hash"}:
        raise ValueError(_BALANCE)
    what = value["hash"]
    if what in ("client_ip", "path"):
        return Balance("hash", what)
    if not isinstance(what, dict) or len(what) != 1:
        raise ValueError(_HASH)
    ((key, name),) = what.items()
    if key == "header":
        return Balance("hash", "header", parse_field_name(name))
    if key == "cookie":
        return Balance("hash", "cookie", parse_cookie_name(name))
    raise ValueError(_HASH)


def parse_condition(value: object) -> str | int:
    """One thing that another attempt is made for."""
    if isinstance(value, str) and value in CONDITIONS:
        return value
    return _status(value, _ON)


def parse_status(value: object) -> int:
    """A status that speaks of a failure."""
    return _status(value, "must be a status from 400 to 599")


def _status(value: object, message: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 400 <= value <= 599:
        raise ValueError(message)
    return value


def parse_upstream(value: object) -> str | dict[str, int]:
    """The name of an upstream, or a weight for each of several."""
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        raise ValueError("must be an upstream's name, or a mapping of names to weights")
    if not 0 < len(value) <= SPLITS_MAX:
        raise ValueError(f"must name 1 to {SPLITS_MAX} upstreams")
    for name, weight in value.items():
        if isinstance(weight, bool) or not isinstance(weight, int):
            raise ValueError(f"must be whole weights; {name} has none")
        if not 0 <= weight <= WEIGHT_MAX:
            raise ValueError(f"must be weights from 0 to {WEIGHT_MAX}; {name} has {weight}")
    if not any(value.values()):
        raise ValueError("must be weights of which one is above 0")
    return dict(value)


def _object(about: str, **keys: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {key: {"description": about, **inner} for key, inner in keys.items()},
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }


_TOKEN_TEXT = {"type": "string", "pattern": r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"}
_HASHED = _object("The name of what is hashed.", header=dict(_TOKEN_TEXT), cookie=dict(_TOKEN_TEXT))
BALANCE_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"enum": list(ORDERS)},
        _object("What is hashed.", hash={"anyOf": [{"enum": ["client_ip", "path"]}, _HASHED]}),
    ]
}
CONDITION_SCHEMA: dict[str, Any] = {
    "anyOf": [{"enum": list(CONDITIONS)}, {"type": "integer", "minimum": 400, "maximum": 599}]
}
STATUS_SCHEMA: dict[str, Any] = {"type": "integer", "minimum": 400, "maximum": 599}
UPSTREAM_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "additionalProperties": {"type": "integer", "minimum": 0, "maximum": WEIGHT_MAX},
        },
    ]
}
SHARE_SCHEMA: dict[str, Any] = {
    "type": "string",
    "pattern": r"^[0-9]{1,3}(\.[0-9]{1,2})? ?%$",
    "examples": ["20%", "0.5%"],
}
