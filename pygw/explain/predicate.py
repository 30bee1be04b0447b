"""A route's predicate in words, and its place in the order of precedence.

Owns: how a predicate of a plan is told; the order in which `pygw routes` lists routes. The rule
itself is the data plane's (`pygw/_core/router.pxd`); tests hold this order against it.
Runs in: the process of the command.
Never does: match a request.
Read next: `routes`, `report`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

Plan = Mapping[str, Any]

NETWORKS_SHOWN = 4
"""Networks of one list that are told; a list may have thousands."""

_INTEGER = re.compile(r"\{[^{}:]*:int\}\Z")
_EXPRESSION = re.compile(r"\{[^{}:]*:.*\}\Z", re.S)
_TAIL = re.compile(r"\{[^{}:]*\*\}\Z")
_PARAM = re.compile(r"\{[^{}:]*\}\Z")


def hosts_of(route: Plan) -> tuple[str, ...]:
    """The hosts of a plan's route; empty for any."""
    return tuple(route["match"].get("hosts", ()))


def path_of(route: Plan) -> str:
    """The path of a plan's route."""
    path: str = route["match"]["path"]
    return path


def conditions_of(route: Plan) -> list[str]:
    """What it asks besides host, path and method, each as `header X-A: 1`."""
    match = route["match"]
    out = [f"header {told_test(one)}" for one in match.get("headers", ())]
    out += [f"query {told_test(one)}" for one in match.get("query", ())]
    if match.get("client"):
        out.append(f"client {told_networks(match['client'])}")
    return out


def told_networks(networks: Sequence[str]) -> str:
    """The first few of them, and how many more there are."""
    more = len(networks) - NETWORKS_SHOWN
    shown = ", ".join(networks[:NETWORKS_SHOWN])
    return f"{shown} and {more} more" if more > 0 else shown


def told_test(test: Plan) -> str:
    """`x-a: 1`, `x-a: /expression/`, `x-a` (any value) or `no x-a`."""
    if "value" in test:
        return f"{test['name']}: {test['value']}"
    if "expression" in test:
        return f"{test['name']}: /{test['expression']}/"
    return str(test["name"]) if test.get("present", True) else f"no {test['name']}"


def rank(route: Plan, host: str) -> tuple[Any, ...]:
    """Where a route stands for one of its hosts; less is asked first. `host` is empty for any."""
    match = route["match"]
    methods = match.get("methods", ())
    wanted = (
        0 if methods else 1,
        -len(match.get("headers", ())),
        -len(match.get("query", ())),
        0 if match.get("client") else 1,
        0 if "HEAD" in methods and "GET" not in methods else 1,
        0 if match.get("preflight") else 1,
    )
    return (_host_rank(host), _path_rank(path_of(route)), wanted)


def _host_rank(host: str) -> tuple[int, int, str]:
    if host.startswith("*"):
        return (1, -len(host), host)
    return (0 if host else 2, 0, host)


def _path_rank(path: str) -> tuple[tuple[int, int, str], ...]:
    return tuple(_segment_rank(segment) for segment in split_segments(path))


def split_segments(path: str) -> list[str]:
    """The segments of a route's path; a slash within braces does not end one."""
    out, depth = [""], 0
    for char in path[1:]:
        depth += {"{": 1, "}": -1}.get(char, 0)
        if char == "/" and depth == 0:
            out.append("")
        else:
            out[-1] += char
    return out


def _segment_rank(segment: str) -> tuple[int, int, str]:
    if segment == "*" or _TAIL.match(segment):
        return (5, 0, "")
    if segment.endswith("*"):
        return (4, -len(segment), segment)
    if _INTEGER.match(segment):
        return (1, 0, "")
    if _PARAM.match(segment):
        return (3, 0, "")
    if _EXPRESSION.match(segment):
        return (2, 0, segment)
    return (0, 0, segment)
