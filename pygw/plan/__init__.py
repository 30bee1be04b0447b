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

from ..config.model import Config
from ..config.model.listeners import Listener
from ..config.model.settings import AccessLog, Limits
from .routes import plan_expressions, plan_route
from .upstreams import plan_upstream

PLAN_VERSION = 1
"""Raised when the form changes, so that a worker can refuse a plan it would misread."""

Plan = dict[str, Any]


def new_pseudonym() -> str:
    """A name for Via that differs between instances, so that chained gateways see no loop."""
    return f"pygw-{secrets.token_hex(3)}"


def build_plan(config: Config, generation: int, pseudonym: str) -> Plan:
    """The plan of `config`; `pseudonym` names this instance where the configuration does not."""
    log = config.access_log
    return {
        "version": PLAN_VERSION,
        "generation": generation,
        "via": config.forwarding.via or pseudonym,
        "forwarded": config.forwarding.forwarded,
        "trusted_proxies": list(config.forwarding.trusted_proxies),
        "access_log": None if log is None else plan_log(log),
        "timeouts": {f"{name}_ms": value for name, value in config.timeouts},
        "limits": plan_limits(config.limits),
        "listeners": [
            {"name": listener.name or f"l{number}", **plan_listener(listener)}
            for number, listener in enumerate(config.listeners, 1)
        ],
        "upstreams": [
            plan_upstream(name, upstream, config.timeouts)
            for name, upstream in config.upstreams.items()
        ],
        "expressions": plan_expressions(config),
        "routes": [plan_route(n, route, config) for n, route in enumerate(config.routes, 1)],
    }


def plan_log(log: AccessLog) -> Plan:
    """The access log as workers see it; what is off is left out."""
    return {"format": log.format, **({"hooks": True} if log.hooks else {})}


def plan_listener(listener: Listener) -> Plan:
    """What the connections of a listener go by; what is off is left out."""
    timing: Plan = {"server_timing": True} if listener.server_timing else {}
    return {"half_close": listener.half_close, **timing}


def plan_limits(limits: Limits) -> Plan:
    """The limits, a duration's unit in its name."""
    out = dict(limits)
    out["malformed_window_ms"] = out.pop("malformed_window")
    return out


def serialise_plan(plan: Plan) -> bytes:
    """The plan as UTF-8 JSON, the form `Worker.publish` takes."""
    return json.dumps(plan, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
