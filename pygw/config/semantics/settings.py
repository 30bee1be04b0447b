"""Rules on the whole.

Owns: warnings about what works but is hardly meant.
Runs in: the control plane, on plain data that is good.
Never does: judge a single value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .tools import HOOKS, Finding, items, mapping

EVERYONE = ("0.0.0.0/0", "::/0")
"""Networks that hold every address."""


def setting_warnings(data: Mapping[str, Any]) -> Iterator[Finding]:
    """What is hardly meant."""
    for place, network in enumerate(items(mapping(data.get("forwarding")).get("trusted_proxies"))):
        if network in EVERYONE:
            message = "believes every client's X-Forwarded-For; name the networks of your proxies"
            yield ("forwarding", "trusted_proxies", place), message
    used = set().union(*(_upstreams_of(route) for route in items(data.get("routes"))))
    for name in mapping(data.get("upstreams")):
        if name not in used:
            yield ("upstreams", name), "no route leads here; give it a route or take it out"


def _upstreams_of(route: Any) -> set[Any]:
    """The names of upstreams in a route: its own, those of a split, those its hooks fetch from."""
    upstream = mapping(route).get("upstream")
    used = set(mapping(upstream)) if isinstance(upstream, Mapping) else {upstream}
    for entry in items(mapping(route).get("middleware")):
        for kind in HOOKS & mapping(entry).keys():
            used.update(items(mapping(mapping(entry)[kind]).get("fetch")))
    return used
