"""The routes of a plan.

Owns: routes with their names, predicates, timeouts and chains, and the expressions they use.
Runs in: the supervisor.
Never does: judge; what `pygw.config` let through is good.
Read next: `filters`.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

from ..config.expressions import Expression, compile_expression
from ..config.model import Config
from ..config.model.base import SideTimeouts
from ..config.model.routes import Match, Mirror, Route
from ..config.predicates import Test, methods_taken
from .filters import plan_filters
from .upstreams import side_timeouts

Plan = dict[str, Any]

NAME_MAX = 64
"""Bytes of a name in rows of what filters cost, as in `pygw/_core/types/bill.pxd`."""


def plan_match(match: Match, *, preflight: bool = False) -> Plan:
    """What a route asks; what it does not ask is left out. With `preflight` it answers CORS."""
    out: Plan = {"path": str(match.path)}
    methods = methods_taken(match.methods)
    lists = {"hosts": match.host, "methods": methods, "client": match.client}
    out |= {key: list(one) for key, one in lists.items() if one}
    if methods and preflight:
        out["preflight"] = True
    for key, tests in (("headers", match.headers), ("query", match.query)):
        if tests:
            out[key] = [{"name": name, **_test(test)} for name, test in tests.items()]
    return out


def _test(test: Test) -> Plan:
    if test.kind in ("present", "absent"):
        return {"present": test.kind == "present"}
    return {test.kind: test.text}


def plan_expressions(config: Config) -> Plan:
    """The tables of all expressions that routes use, by their text."""
    texts: dict[str, None] = {}
    for route in config.routes:
        match = route.match
        texts |= {one.text: None for one in match.path.segments if one.kind == "expression"}
        tests = (*match.headers.values(), *match.query.values())
        texts |= {test.text: None for test in tests if test.kind == "expression"}
    return {text: _table(compile_expression(text)) for text in texts}


def _table(made: Expression) -> Plan:
    return {"classes": made.classes.hex(), "next": made.rows.hex(), "accepts": made.accepts.hex()}


def plan_route(number: int, route: Route, config: Config) -> Plan:
    """The route that stands at place `number`, from 1."""
    params = route.match.path.names
    timeouts = None
    upstream: Any = route.upstream
    if isinstance(upstream, str):
        timeouts = _timeouts_to(upstream, route, config)
    elif upstream is not None:
        upstream = [
            {"to": name, "weight": weight, "timeouts": _timeouts_to(name, route, config)}
            for name, weight in upstream.items()
        ]
    elif route.timeouts != SideTimeouts():
        timeouts = side_timeouts(config.timeouts, route.timeouts)
    match = plan_match(route.match, preflight=any(one.cors for one in route.middleware))
    return {
        "name": route.name or f"r{number}",
        **({} if route.name else {"bill_name": bill_name(match)}),
        "match": match,
        "upstream": upstream,
        "timeouts": timeouts,
        "middleware": plan_filters(route.middleware, params),
        **({"mirrors": [_mirror(one) for one in route.mirror]} if route.mirror else {}),
    }


def bill_name(match: Plan) -> str:
    """What counts of a route without a name go by: its predicate, `GET,HEAD a.example/x/{id}`.

    It stays what it is when other routes come and go. What has no room in 64 bytes, and values that
    fields and parameters must have, which may be secrets, are told apart by a digest.
    """
    methods, hosts = ",".join(match.get("methods", ())), ",".join(match.get("hosts", ()))
    name = f"{methods} {hosts}{match['path']}".strip()
    kept = {"path", "hosts", "methods", "preflight"}
    if set(match) <= kept and len(name) <= NAME_MAX and name.isascii():
        return name
    digest = sha256(json.dumps(match, sort_keys=True).encode()).hexdigest()[:8]
    shown = name.encode("ascii", "replace").decode()[: NAME_MAX - 9]
    return f"{shown}~{digest}"


def _mirror(mirror: Mirror) -> Plan:
    return {
        "to": mirror.to,
        "share": mirror.share,
        "max_bytes": mirror.body_max,
        "timeout_ms": mirror.timeout,
    }


def _timeouts_to(name: str, route: Route, config: Config) -> Plan:
    return side_timeouts(config.timeouts, config.upstreams[name].timeouts, route.timeouts)
