"""From a checked configuration to the plan that a worker compiles.

Owns: the plan's form: plain JSON values, every default filled in, every timeout resolved (global,
overridden by upstream, overridden by route), durations in milliseconds (0 = off), sizes in bytes.
Runs in: the supervisor; a worker only hands the serialised text to the data plane.
Never does: judge; what `pygw.config` let through is good.
Read next: `pygw.worker`, which publishes it.
"""

from __future__ import annotations

import json
import secrets
from typing import Any

from .config.model import (
    Config,
    FieldEdits,
    Middleware,
    Respond,
    Route,
    SideTimeouts,
    Timeouts,
    Upstream,
)
from .config.semantics import BODILESS
from .config.values import Target

PLAN_VERSION = 1
"""Raised when the form changes, so that a worker can refuse a plan it would misread."""

Plan = dict[str, Any]

_SIDE = ("connect", "response", "between_bytes", "total")


def new_pseudonym() -> str:
    """A name for Via that differs between instances, so that chained gateways see no loop."""
    return f"pygw-{secrets.token_hex(3)}"


def build_plan(config: Config, generation: int, pseudonym: str) -> Plan:
    """The plan of `config`; `pseudonym` names this instance where the configuration does not."""
    log = config.access_log
    limits = config.limits
    return {
        "version": PLAN_VERSION,
        "generation": generation,
        "via": config.forwarding.via or pseudonym,
        "forwarded": config.forwarding.forwarded,
        "trusted_proxies": list(config.forwarding.trusted_proxies),
        "access_log": None if log is None else {"format": log.format},
        "timeouts": {f"{name}_ms": value for name, value in config.timeouts},
        "limits": dict(limits),
        "listeners": [
            {"name": listener.name or f"l{number}", "half_close": listener.half_close}
            for number, listener in enumerate(config.listeners, 1)
        ],
        "upstreams": [
            _upstream(name, upstream, config.timeouts)
            for name, upstream in config.upstreams.items()
        ],
        "routes": [_route(n, route, config) for n, route in enumerate(config.routes, 1)],
    }


def serialise_plan(plan: Plan) -> bytes:
    """The plan as UTF-8 JSON, the form `Worker.publish` takes."""
    return json.dumps(plan, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def _upstream(name: str, upstream: Upstream, timeouts: Timeouts) -> Plan:
    pool = upstream.pool
    return {
        "name": name,
        "targets": [_target(entry.url) for entry in upstream.targets],
        "timeouts": _side_timeouts(timeouts, upstream.timeouts),
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


def _route(number: int, route: Route, config: Config) -> Plan:
    timeouts = None
    if route.upstream is not None:
        upstream = config.upstreams[route.upstream]
        timeouts = _side_timeouts(config.timeouts, upstream.timeouts, route.timeouts)
    elif route.timeouts != SideTimeouts():
        timeouts = _side_timeouts(config.timeouts, route.timeouts)
    return {
        "name": route.name or f"r{number}",
        "match": route.match.path.kind,
        "path": route.match.path.path,
        "upstream": route.upstream,
        "timeouts": timeouts,
        "middleware": [_filter(entry) for entry in route.middleware],
    }


def _side_timeouts(base: Timeouts, *overrides: SideTimeouts) -> Plan:
    """The four timeouts of the upstream side; later overrides win."""
    out: Plan = {}
    for name in _SIDE:
        value = getattr(base, name)
        for override in overrides:
            own = getattr(override, name)
            value = value if own is None else own
        out[f"{name}_ms"] = value
    return out


def _filter(entry: Middleware) -> Plan:
    if entry.headers is not None:
        request, response = _edits(entry.headers.request), _edits(entry.headers.response)
        return {"filter": "headers", "request": request, "response": response}
    if entry.ip is not None:
        return {"filter": "ip", "allow": list(entry.ip.allow), "deny": list(entry.ip.deny)}
    if entry.body_limit is not None:
        return {"filter": "body_limit", "max_bytes": entry.body_limit}
    if entry.respond is not None:
        return _respond(entry.respond)
    if entry.redirect is not None:
        redirect = entry.redirect
        return {"filter": "redirect", "status": redirect.status, "location": redirect.to}
    return {"filter": "echo"}


def _respond(respond: Respond) -> Plan:
    fields = [list(field) for field in respond.headers.items()]
    if respond.status not in BODILESS:
        fields.insert(0, ["Content-Type", respond.content_type])
    return {
        "filter": "respond",
        "status": respond.status,
        "headers": fields,
        "body": respond.body,
    }


def _edits(edits: FieldEdits) -> Plan:
    return {
        "set": [list(field) for field in edits.set.items()],
        "add": [list(field) for field in edits.add.items()],
        "remove": list(edits.remove),
    }
