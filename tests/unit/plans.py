"""Plans for unit tests: the smallest good one, and pieces to vary it.

Owns: the shape of a plan's text, as the control plane serialises it.
Runs in: tests.
Never does: build one; `pygw._core.probe.filters.Plan` does.
Read next: `test_build`.
"""

from __future__ import annotations

import json
from typing import Any

from pygw._core.probe.filters import Plan
from pygw._core.probe.loopback import Loopback

Json = dict[str, Any]


def target(port: int = 9001, **changes: Any) -> Json:
    """A tcp target on 127.0.0.1."""
    return {
        "url": f"http://127.0.0.1:{port}",
        "family": "tcp",
        "host": "127.0.0.1",
        "port": port,
        "weight": 1,
        "priority": 0,
        "id": None,
        "cookie": None,
    } | changes


def unix_target(path: str) -> Json:
    """A target at a unix socket."""
    rest = {key: target()[key] for key in ("weight", "priority", "id", "cookie")}
    return {"url": f"unix:{path}", "family": "unix", "path": path} | rest


def retry(attempts: int = 1, **changes: Any) -> Json:
    """The retries of an upstream."""
    return {
        "attempts": attempts,
        "on": ["connect_failure", "reset"],
        "statuses": [],
        "budget": 2000,
        "floor": 10,
    } | changes


def eject(**changes: Any) -> Json:
    """When an upstream passes a target over."""
    return {"faults": 3, "back_off_ms": 250, "max_back_off_ms": 10000, "statuses": []} | changes


def balance(by: str = "round_robin", key: str | None = None, name: str | None = None) -> Json:
    """How an upstream chooses."""
    return {"by": by, "key": key, "name": name}


def upstream(
    name: str = "api", targets: int | list[Json] = 1, retries: int | Json = 1, **changes: Any
) -> Json:
    """An upstream of these targets, or of so many on 127.0.0.1 ports 9001, 9002, …"""
    if isinstance(targets, int):
        targets = [target(port) for port in range(9001, 9001 + targets)]
    return {
        "name": name,
        "targets": targets,
        "balance": balance(),
        "sticky": None,
        "eject": eject(),
        "timeouts": {
            "connect_ms": 1,
            "response_ms": 2,
            "between_bytes_ms": 3,
            "total_ms": None,
        },
        "pool": {
            "idle": 64,
            "connections": 1024,
            "queue": 1024,
            "queue_timeout_ms": 5000,
            "idle_timeout_ms": 60000,
            "lifetime_ms": 3600000,
        },
        "retries": retry(retries) if isinstance(retries, int) else retries,
        "replay_body": 65536,
    } | changes


def route(name: str = "r1", path: str = "/", match: str = "prefix", **changes: Any) -> Json:
    """A route to the upstream `api` without filters; `match`: exact, or prefix for a final *."""
    return {
        "name": name,
        "match": {"path": f"{path}*" if match == "prefix" else path},
        "upstream": "api",
        "timeouts": None,
        "middleware": [],
    } | changes


def split(to: str = "api", weight: int = 1) -> Json:
    """One of the upstreams that share a route's requests."""
    return {"to": to, "weight": weight, "timeouts": upstream()["timeouts"]}


def plan(*routes: Json, **changes: Any) -> Json:
    """A plan with one upstream `api` and the routes given, or one route for everything."""
    return {
        "version": 1,
        "generation": 7,
        "via": "pygw-test",
        "forwarded": False,
        "trusted_proxies": [],
        "access_log": None,
        "timeouts": {
            "client_head_ms": 10000,
            "client_body_ms": 30000,
            "keepalive_ms": 75000,
            "slow_reader_ms": 30000,
            "connect_ms": 2000,
            "response_ms": 60000,
            "between_bytes_ms": 60001,
            "total_ms": 0,
        },
        "limits": {
            "max_connections": 4000,
            "request_line": 8192,
            "head": 32768,
            "headers": 100,
            "keepalive_requests": 0,
            "malformed": 20,
            "malformed_window_ms": 60000,
        },
        "listeners": [{"name": "http", "half_close": "abort"}],
        "upstreams": [upstream()],
        "routes": list(routes) or [route()],
    } | changes


def build(text: Json) -> Plan:
    """The built plan; PlanError when it is bad."""
    return Plan(json.dumps(text).encode())


def through(*filters: Json, **changes: Any) -> Loopback:
    """A loopback whose one route has these filters."""
    return Loopback(build(plan(route(middleware=list(filters), **changes))))


def edits(set: Any = (), add: Any = (), remove: Any = ()) -> Json:
    """One side of the filter `headers`."""
    return {"set": list(set), "add": list(add), "remove": list(remove)}
