"""Configs of the tests, built as the plain data that becomes YAML.

Two sets of timeouts: `LONG`, where no timeout may play a part, and `SHORT`, for tests about
timeouts. Nothing here knows a process. Read next: `gateway`.
"""

from __future__ import annotations

from typing import Any

from tests.peers.origin import Origin

Config = dict[str, Any]

VIA = "gw-test"
LONG = {
    "client_head": "20s",
    "client_body": "20s",
    "keepalive": "20s",
    "slow_reader": "20s",
    "connect": "5s",
    "response": "20s",
    "between_bytes": "20s",
}
SHORT = {
    "client_head": "400ms",
    "client_body": "400ms",
    "keepalive": "600ms",
    "slow_reader": "500ms",
    "connect": "300ms",
    "response": "400ms",
    "between_bytes": "400ms",
}
SHORT_S = {name: int(text[:-2]) / 1000 for name, text in SHORT.items()}


def proxy_config(
    *origins: Origin | str,
    timeouts: dict[str, str] | None = None,
    limits: dict[str, Any] | None = None,
    upstream: dict[str, Any] | None = None,
    middleware: list[dict[str, Any]] | None = None,
    routes: list[dict[str, Any]] | None = None,
    listeners: list[dict[str, Any]] | None = None,
    **top: Any,
) -> Config:
    """One upstream `api` over origins or URLs and one route to it, unless said otherwise."""
    config: Config = {
        "workers": 1,
        "drain": "5s",
        "forwarding": {"via": VIA},
        "timeouts": {**LONG, **(timeouts or {})},
        "listeners": listeners or [{"name": "http", "bind": "127.0.0.1:0"}],
    }
    if limits:
        config["limits"] = limits
    if origins:
        targets = [o if isinstance(o, str) else o.url for o in origins]
        config["upstreams"] = {"api": {"targets": targets, **(upstream or {})}}
    route: dict[str, Any] = {"name": "all", "match": {"path": "/*"}}
    if middleware:
        route["middleware"] = middleware
    if origins:
        route["upstream"] = "api"
    config["routes"] = routes or [route]
    config.update(top)
    return config
