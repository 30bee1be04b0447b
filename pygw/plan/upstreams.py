"""The upstream side of a plan.

Owns: upstreams with every default filled in and every timeout resolved: global, overridden
by upstream, overridden by route.
Runs in: the supervisor.
Never does: judge; what `pygw.config` let through is good.
Read next: `routes`.
"""

from __future__ import annotations

import hmac
from typing import Any

from ..config.choices import CONDITIONS
from ..config.model.base import SideTimeouts
from ..config.model.settings import Timeouts
from ..config.model.upstreams import Eject, Retries, Sticky, TargetEntry, Upstream

Plan = dict[str, Any]

_SIDE = ("connect", "response", "between_bytes", "total")


def plan_upstream(name: str, upstream: Upstream, timeouts: Timeouts) -> Plan:
    """One upstream."""
    pool = upstream.pool
    return {
        "name": name,
        "targets": [_target(name, entry, upstream.sticky) for entry in upstream.targets],
        "balance": {
            "by": upstream.balance.by,
            "key": upstream.balance.key,
            "name": upstream.balance.name,
        },
        "sticky": None if upstream.sticky is None else upstream.sticky.cookie,
        "eject": None if upstream.eject is None else _eject(upstream.eject),
        "timeouts": side_timeouts(timeouts, upstream.timeouts),
        "pool": {
            "idle": pool.idle,
            "connections": pool.connections,
            "queue": pool.queue,
            "queue_timeout_ms": pool.queue_timeout,
            "idle_timeout_ms": pool.idle_timeout,
            "lifetime_ms": pool.lifetime,
        },
        "retries": _retries(upstream.retries),
        "replay_body": upstream.replay_body,
    }


def _target(upstream: str, entry: TargetEntry, sticky: Sticky | None) -> Plan:
    target = entry.url
    place: Plan = {"url": target.url, "family": target.family}
    if target.family == "unix":
        place |= {"path": target.path}
    else:
        place |= {"host": target.host, "port": target.port}
    place |= {"weight": entry.weight, "priority": entry.priority, "id": None, "cookie": None}
    if sticky is not None:
        place["id"] = target_id(upstream, target.url, sticky.secret)
        place["cookie"] = _cookie(place["id"], sticky)
    return place


def target_id(upstream: str, url: str, secret: str | None) -> str:
    """The mark of a target in a sticky cookie: 16 hexadecimal digits, the same in every process."""
    text = f"{upstream}\n{url}".encode()
    return hmac.new((secret or "").encode(), text, "sha256").hexdigest()[:16]


def _cookie(mark: str, sticky: Sticky) -> str:
    """The value of Set-Cookie (RFC 6265 §4.1)."""
    parts = [f"{sticky.cookie}={mark}", "Path=/", "HttpOnly"]
    if sticky.max_age:
        parts.append(f"Max-Age={max(1, sticky.max_age // 1000)}")
    if sticky.secure:
        parts.append("Secure")
    return "; ".join([*parts, f"SameSite={sticky.same_site.capitalize()}"])


def _eject(eject: Eject) -> Plan:
    return {
        "faults": eject.faults,
        "back_off_ms": eject.back_off,
        "max_back_off_ms": max(eject.back_off, eject.max_back_off),
        "statuses": sorted(set(eject.statuses)),
    }


def _retries(retries: Retries) -> Plan:
    return {
        "attempts": retries.attempts,
        "on": [condition for condition in CONDITIONS if condition in retries.on],
        "statuses": sorted({status for status in retries.on if isinstance(status, int)}),
        "budget": retries.budget,
        "floor": retries.floor,
    }


def side_timeouts(base: Timeouts, *overrides: SideTimeouts) -> Plan:
    """The four timeouts of the upstream side; later overrides win."""
    out: Plan = {}
    for name in _SIDE:
        value = getattr(base, name)
        for override in overrides:
            own = getattr(override, name)
            value = value if own is None else own
        out[f"{name}_ms"] = value
    return out
