"""Rules between routes, and between a route and its upstream.

Owns: references, duplicates and unreachable parts.
Runs in: the control plane, on plain data that may be malformed.
Never does: judge a single value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import Path, hint
from ..predicates import parse_method, parse_route_host
from ..template import path_params
from ..values import parse_network
from .conflicts import conflicts
from .hooks import hook_problems
from .middleware import TERMINAL, entry_problems
from .tools import HOOKS, Finding, items, mapping, repeated, same_name


def route_problems(routes: Sequence[Any], upstreams: Mapping[str, Any]) -> Iterator[Finding]:
    """What is wrong with the list of routes."""
    names = [mapping(route).get("name", f"r{i}") for i, route in enumerate(routes, 1)]
    yield from repeated(("routes",), ("name",), names, "name", str)
    yield from conflicts(routes)
    for index, route in enumerate(routes):
        if isinstance(route, Mapping):
            path: Path = ("routes", index)
            yield from _match_problems((*path, "match"), mapping(route.get("match")))
            filters = items(route.get("middleware"))
            params = path_params(mapping(route.get("match")).get("path"))
            yield from _upstream_of(path, route, filters, upstreams)
            yield from _mirrors_of((*path, "mirror"), route, upstreams)
            for place, entry in enumerate(filters):
                if isinstance(entry, Mapping):
                    yield from entry_problems((*path, "middleware", place), entry, params)
                    yield from hook_problems((*path, "middleware", place), entry, upstreams)


def _known(path: Path, name: object, upstreams: Mapping[str, Any]) -> Iterator[Finding]:
    if isinstance(name, str) and name not in upstreams:
        yield path, f"unknown upstream; {hint(name, upstreams, 'upstreams')}"


def _match_problems(path: Path, match: Mapping[str, Any]) -> Iterator[Finding]:
    """What is written twice in one predicate."""
    if isinstance(match.get("host"), list):
        yield from repeated((*path, "host"), (), match["host"], "host", parse_route_host)
    yield from repeated((*path, "methods"), (), items(match.get("methods")), "method", parse_method)
    networks = items(match.get("client"))
    yield from repeated((*path, "client"), (), networks, "network", parse_network)
    yield from same_name((*path, "headers"), mapping(match.get("headers")))


def _mirrors_of(
    path: Path, route: Mapping[str, Any], upstreams: Mapping[str, Any]
) -> Iterator[Finding]:
    """Copies go somewhere else than the requests, and each only once."""
    mirror, upstream = route.get("mirror"), route.get("upstream")
    own = list(upstream) if isinstance(upstream, Mapping) else [upstream]
    names: list[object] = []
    for place, one in enumerate(mirror if isinstance(mirror, list) else [mirror]):
        at = (*path, place) if isinstance(mirror, list) else path
        to = one if isinstance(one, str) else mapping(one).get("to")
        at = at if isinstance(one, str) else (*at, "to")
        if not isinstance(to, str):
            continue
        yield from _known(at, to, upstreams)
        if to in own:
            yield at, "gets the requests themselves; name another upstream for copies"
        elif to in names:
            yield at, f"gets copies already; {to} stands in this list twice, take one out"
        names.append(to)
    if names and "upstream" not in route:
        yield path, "copies what goes to an upstream, and the route has none; take it out"


def _upstream_of(
    path: Path, route: Mapping[str, Any], filters: Sequence[Any], upstreams: Mapping[str, Any]
) -> Iterator[Finding]:
    """Exactly one thing must answer a route: its upstream or the last filter."""
    upstream = route.get("upstream")
    for name in mapping(upstream):
        yield from _known((*path, "upstream", name), name, upstreams)
    yield from _known((*path, "upstream"), upstream, upstreams)
    for place, entry in enumerate(filters):
        kind = next((k for k in TERMINAL if k in mapping(entry)), None)
        if kind is None:
            continue
        if place + 1 < len(filters):
            yield (
                (*path, "middleware", place + 1),
                f"never runs: {kind} before it always answers; put it before that",
            )
        elif "upstream" in route:
            yield (
                (*path, "upstream"),
                f"is never reached: {kind} in middleware always answers; take one out",
            )
        return
    if "upstream" not in route and not any(mapping(entry).keys() & HOOKS for entry in filters):
        yield path, f"needs an upstream, or a filter that answers: {', '.join(TERMINAL)}"
