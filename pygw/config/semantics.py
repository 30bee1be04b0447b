"""Rules between the parts of a configuration.

Owns: references, duplicates, unreachable parts and contradictions.
Runs in: the control plane, on plain data and beside `model`, so that a person sees the mistakes of
both kinds at once; every function therefore takes malformed data calmly and leaves its report to
the model.
Never does: judge a single value.
Read next: `load`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from .errors import Path, hint, show_path
from .units import parse_size_bytes, show_size
from .values import parse_bind, parse_network, parse_path_match, parse_target

Finding = tuple[Path, str]

TERMINAL = ("respond", "redirect", "echo")
"""Filters that always answer, so that nothing behind them runs."""

BODILESS = (204, 205, 304)
"""Statuses whose response has no body (RFC 9110 §15.3.5, §15.3.6, §15.4.5)."""


def find_problems(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Every broken rule, in no particular order."""
    yield from _listeners(_items(data.get("listeners")))
    for name, upstream in _map(data.get("upstreams")).items():
        targets = _items(_map(upstream).get("targets"))
        urls = [_map(t).get("url", t) for t in targets]
        yield from _repeated(("upstreams", name, "targets"), (), urls, "target", parse_target)
    yield from _limits(_map(data.get("limits")))
    yield from _routes(_items(data.get("routes")), _map(data.get("upstreams")))


def _listeners(listeners: Sequence[Any]) -> Iterator[Finding]:
    binds = [_map(one).get("bind") for one in listeners]
    fixed = [None if isinstance(b, str) and b.endswith(":0") else b for b in binds]
    yield from _repeated(("listeners",), ("bind",), fixed, "address", parse_bind)
    names = [_map(one).get("name", f"l{i}") for i, one in enumerate(listeners, 1)]
    yield from _repeated(("listeners",), ("name",), names, "name", str)


def _limits(limits: Mapping[str, Any]) -> Iterator[Finding]:
    line, head = (_try(parse_size_bytes, limits.get(key)) for key in ("request_line", "head"))
    if line is not None and line > (32 << 10 if head is None else head):
        most = show_size(32 << 10 if head is None else head)
        yield ("limits", "request_line"), f"must be at most the head's limit of {most}"


def _routes(routes: Sequence[Any], upstreams: Mapping[str, Any]) -> Iterator[Finding]:
    names = [_map(route).get("name", f"r{i}") for i, route in enumerate(routes, 1)]
    yield from _repeated(("routes",), ("name",), names, "name", str)
    paths = [_map(_map(route).get("match")).get("path") for route in routes]
    yield from _repeated(("routes",), ("match", "path"), paths, "path", parse_path_match)
    for index, route in enumerate(routes):
        if isinstance(route, Mapping):
            path: Path = ("routes", index)
            filters = _items(route.get("middleware"))
            yield from _upstream_of(path, route, filters, upstreams)
            for place, entry in enumerate(filters):
                if isinstance(entry, Mapping):
                    yield from _entry((*path, "middleware", place), entry)


def _upstream_of(
    path: Path, route: Mapping[str, Any], filters: Sequence[Any], upstreams: Mapping[str, Any]
) -> Iterator[Finding]:
    """Exactly one thing must answer a route: its upstream or the last filter."""
    upstream = route.get("upstream")
    if isinstance(upstream, str) and upstream not in upstreams:
        yield (*path, "upstream"), f"unknown upstream; {hint(upstream, upstreams, 'upstreams')}"
    for place, entry in enumerate(filters):
        kind = next((k for k in TERMINAL if k in _map(entry)), None)
        if kind is None:
            continue
        if place + 1 < len(filters):
            yield (*path, "middleware", place + 1), f"never runs: {kind} before it always answers"
        elif "upstream" in route:
            yield (*path, "upstream"), f"is never reached: {kind} in middleware always answers"
        return
    if "upstream" not in route:
        yield path, f"needs an upstream, or a filter that answers: {', '.join(TERMINAL)}"


def _entry(path: Path, entry: Mapping[str, Any]) -> Iterator[Finding]:
    if not entry:
        yield path, "must have exactly one key, the name of a filter"
    if len(entry) > 1:
        yield path, f"must have exactly one key; make each of {', '.join(entry)} its own entry"
    for side in ("request", "response"):
        edits = _map(_map(entry.get("headers")).get(side))
        yield from _edits((*path, "headers", side), edits, side)
    if isinstance(entry.get("ip"), Mapping) and not (entry["ip"].keys() & {"allow", "deny"}):
        yield (*path, "ip"), "needs allow or deny"
    for key in ("allow", "deny"):
        networks = _items(_map(entry.get("ip")).get(key))
        yield from _repeated((*path, "ip", key), (), networks, "network", parse_network)
    respond = _map(entry.get("respond"))
    if respond.get("status", 200) in BODILESS and respond.get("body"):
        yield (*path, "respond", "body"), f"a response with status {respond['status']} has no body"
    for name in _map(respond.get("headers")):
        if name.lower() == "content-type":
            yield (*path, "respond", "headers", name), "write it as content_type"
    yield from _same_name((*path, "respond", "headers"), _map(respond.get("headers")))


def _edits(path: Path, edits: Mapping[str, Any], side: str) -> Iterator[Finding]:
    for key in ("set", "add"):
        yield from _same_name((*path, key), _map(edits.get(key)))
    if side == "request":
        # RFC 9110 §7.2: a request has exactly one Host.
        for name in _map(edits.get("add")):
            if name.lower() == "host":
                yield (*path, "add", name), "a request has exactly one Host; use set"
        for index, name in enumerate(_items(edits.get("remove"))):
            if isinstance(name, str) and name.lower() == "host":
                yield (*path, "remove", index), "a request has exactly one Host; use set"


def _same_name(path: Path, fields: Mapping[str, Any]) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for name in fields:
        first = seen.setdefault(name.lower(), name)
        if first != name:
            yield (*path, name), f"the same header as {first}: names ignore case"


def _repeated(
    path: Path, tail: Path, values: Sequence[Any], what: str, normal: Callable[[Any], Any]
) -> Iterator[Finding]:
    """The later of two values with the same normal form; values without one are skipped."""
    seen: dict[Any, int] = {}
    for index, value in enumerate(values):
        form = _try(normal, value)
        if form is None:
            continue
        first = seen.setdefault(form, index)
        if first != index:
            yield (*path, index, *tail), f"duplicate {what}; {show_path((*path, first))} has it"


def _try(parse: Callable[[Any], Any], value: Any) -> Any:
    try:
        return None if value is None else parse(value)
    except ValueError:
        return None


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _items(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()
