"""The upstream side of a plan.

Owns: upstreams with every default filled in and every timeout resolved: global, overridden
by upstream, overridden by route.
Runs in: the supervisor.
Never does: judge; what `pygw.config` let through is good.
Read next: `routes`.
"""

from __future__ import annotations

from typing import Any

from ..config.model.base import SideTimeouts
from ..config.model.settings import Timeouts
from ..config.model.upstreams import Upstream
from ..config.values import Target

Plan = dict[str, Any]

_SIDE = ("connect", "response", "between_bytes", "total")


def plan_upstream(name: str, upstream: Upstream, timeouts: Timeouts) -> Plan:
    """One upstream."""
    pool = upstream.pool
    return {
        "name": name,
        "targets": [_target(entry.url) for entry in upstream.targets],
        "timeouts": side_timeouts(timeouts, upstream.timeouts),
        "pool": {
            "idle": pool.idle,
            "connections": pool.connections,
            "queue": pool.queue,
            "queue_timeout_ms": pool.queue_timeout,
            "idle_timeout_ms": pool.idle_timeout,
            "lifetime_ms": pool.lifetime,
        },
        "retries": upstream.retries,
        "replay_body": upstream.replay_body,
    }


def _target(target: Target) -> Plan:
    if target.family == "unix":
        return {"url": target.url, "family": "unix", "path": target.path}
    return {"url": target.url, "family": "tcp", "host": target.host, "port": target.port}


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
