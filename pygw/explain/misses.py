"""Routes that would have taken a request if something about it were different.

Owns: near misses: a condition, the method, the host, or a slash at the end.
Runs in: the process of the command.
Never does: match: each "what if" is asked of the data plane's matcher.
Read next: `report`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

from pygw._core.dry_run import Ran
from pygw._core.matcher import Matcher

from .predicate import conditions_of, hosts_of, told_networks, told_test
from .request import Request

Json = dict[str, Any]
Plan = Mapping[str, Any]

MISSES_MAX = 20
"""Most near misses that are told."""

HOSTS_MAX = 100
"""Most other hosts that are tried."""


def near_misses(matcher: Matcher, plan: Plan, request: Request, ran: Ran) -> list[Json]:
    """Each with `route`, `failed` (what was wrong) and `why`; the nearest first."""
    out: dict[str, Json] = {}
    for one in _all(matcher, plan, request, ran):
        if one["route"] != ran.route:
            out.setdefault(one["route"], one)
        if len(out) == MISSES_MAX:
            break
    return list(out.values())


def _all(matcher: Matcher, plan: Plan, request: Request, ran: Ran) -> Iterator[Json]:
    routes = {one["name"]: one for one in plan["routes"]}
    path, mark, query = request.target.partition("?")

    def asked(host: str, target: str) -> list[tuple[str, str | None]]:
        try:
            found = matcher.candidates(request.method, host, target, request.fields, ran.client)
        except (ValueError, MemoryError):
            return []  # a request that no route could take
        return [(one.route, one.failed) for one in found]

    for name, failed in asked(request.host, request.target):
        if failed is None:
            yield _miss(name, "precedence", f"{ran.route} is more specific")
        else:
            yield _miss(name, failed, _why(routes[name], failed, request, ran))
    if ran.route is not None:
        return
    other = path[:-1] if path.endswith("/") else path + "/"
    for target, why in (
        (other, f"the path would have to be {other}"),
        (path.lower(), "case counts in paths"),
    ):
        if target and target != path:
            for name, failed in asked(request.host, target + mark + query):
                if failed is None:
                    yield _miss(name, "path", why)
    for host in _other_hosts(plan, request.host):
        for name, failed in asked(host, request.target):
            if failed is None:
                hosts = ", ".join(hosts_of(routes[name]))
                yield _miss(name, "host", f"wants host {hosts}, got {request.host}")


def _miss(name: str, failed: str, why: str) -> Json:
    return {"route": name, "failed": failed, "why": why}


def _other_hosts(plan: Plan, host: str) -> list[str]:
    """One host for each pattern of the configuration, but for the one that was asked."""
    names = dict.fromkeys(one for route in plan["routes"] for one in hosts_of(route))
    return [f"a{name[1:]}" if name.startswith("*") else name for name in names][:HOSTS_MAX]


def _why(route: Plan, failed: str, request: Request, ran: Ran) -> str:
    match = route["match"]
    if failed == "methods":
        return f"wants {' or '.join(match['methods'])}, got {request.method}"
    if failed == "client":
        return f"wants a client of {told_networks(match['client'])}, got {ran.client}"
    if failed in ("headers", "query"):
        kind = "header" if failed == "headers" else "query"
        parts = [
            f"{kind} {told_test(test)} (got {_got(test['name'], failed, request)})"
            for test in match.get(failed, ())
        ]
        return "wants " + " and ".join(parts)
    return "wants " + ", ".join(conditions_of(route))


def _got(name: str, failed: str, request: Request) -> str:
    if failed == "headers":
        values = [value for key, value in request.fields if key.lower() == name.lower()]
    else:
        query = request.target.partition("?")[2]
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=1000)
        values = [value for key, value in pairs if key == name]
    return ", ".join(repr(value) for value in values) or "none"
