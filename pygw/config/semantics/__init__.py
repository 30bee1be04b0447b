"""Rules between the parts of a configuration.

Owns: references, duplicates, unreachable parts and contradictions.
Runs in: the control plane, on plain data and beside `model`, so that a person sees the mistakes of
both kinds at once; every function therefore takes malformed data calmly and leaves its report to
the model.
Never does: judge a single value.
Read next: `load`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..units import parse_size_bytes, show_size
from ..values import parse_bind, parse_target
from .middleware import BODILESS, TERMINAL
from .routes import route_problems
from .settings import setting_warnings
from .tools import Finding, attempt, items, mapping, repeated

__all__ = ["BODILESS", "TERMINAL", "Finding", "find_problems", "find_warnings"]


def find_problems(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Every broken rule, in no particular order."""
    yield from _listeners(items(data.get("listeners")))
    for name, upstream in mapping(data.get("upstreams")).items():
        targets = items(mapping(upstream).get("targets"))
        urls = [mapping(t).get("url", t) for t in targets]
        yield from repeated(("upstreams", name, "targets"), (), urls, "target", parse_target)
        sticky = mapping(mapping(upstream).get("sticky"))
        if sticky.get("same_site") == "none" and sticky.get("secure", False) is False:
            yield ("upstreams", name, "sticky", "same_site"), "none needs secure: true"
    log = mapping(data.get("access_log"))
    if log.get("hooks") is True and log.get("format", "combined") == "combined":
        yield ("access_log", "hooks"), "the format combined has no place for them; say format: json"
    yield from _limits(mapping(data.get("limits")))
    yield from route_problems(items(data.get("routes")), mapping(data.get("upstreams")))


def find_warnings(data: Mapping[str, Any]) -> Iterator[Finding]:
    """What works but is hardly meant, in a configuration that is good."""
    yield from setting_warnings(data)


def _listeners(listeners: Sequence[Any]) -> Iterator[Finding]:
    binds = [mapping(one).get("bind") for one in listeners]
    fixed = [None if isinstance(b, str) and b.endswith(":0") else b for b in binds]
    yield from repeated(("listeners",), ("bind",), fixed, "address", parse_bind)
    names = [mapping(one).get("name", f"l{i}") for i, one in enumerate(listeners, 1)]
    yield from repeated(("listeners",), ("name",), names, "name", str)


def _limits(limits: Mapping[str, Any]) -> Iterator[Finding]:
    line, head = (attempt(parse_size_bytes, limits.get(key)) for key in ("request_line", "head"))
    if line is not None and line > (32 << 10 if head is None else head):
        most = show_size(32 << 10 if head is None else head)
        yield ("limits", "request_line"), f"must be at most the head's limit of {most}"
