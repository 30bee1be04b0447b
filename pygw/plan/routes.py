"""The routes of a plan.

Owns: routes with their names, timeouts and chains.
Runs in: the supervisor.
Never does: judge; what `pygw.config` let through is good.
Read next: `filters`.
"""

from __future__ import annotations

from typing import Any

from ..config.model import Config
from ..config.model.base import SideTimeouts
from ..config.model.routes import Route
from ..config.template import path_params
from .filters import plan_filters
from .upstreams import side_timeouts

Plan = dict[str, Any]


def plan_route(number: int, route: Route, config: Config) -> Plan:
    """The route that stands at place `number`, from 1."""
    params = path_params(route.match.path.path)
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
    return {
        "name": route.name or f"r{number}",
        "match": {"path": route.match.path.path + "*" * (route.match.path.kind == "prefix")},
        "upstream": upstream,
        "mirror": None,
        "timeouts": timeouts,
        "middleware": plan_filters(route.middleware, params),
    }


def _timeouts_to(name: str, route: Route, config: Config) -> Plan:
    return side_timeouts(config.timeouts, config.upstreams[name].timeouts, route.timeouts)
