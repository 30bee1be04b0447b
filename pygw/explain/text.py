"""A report as text.

Owns: how a person reads what `report` found.
Runs in: the process of the command.
Never does: find out anything.
"""

from __future__ import annotations

from typing import Any

from ..config.errors import printable

Json = dict[str, Any]

_INDENT = 10


def render_report(report: Json) -> str:
    """The report, a paragraph for each of its parts."""
    request = report["request"]
    lines = [f"{request['method']} {request['url']} from {request['client']}"]
    lines += _part("route", _route(report))
    lines += _part("misses", [f"{one['route']}: {one['why']}" for one in report["near_misses"]])
    lines += _part("filters", _filters(report["filters"]))
    lines += _part("upstream", _upstream(report["upstream"]))
    lines += _part("sends", report["forwarded"] or [])
    lines += _part("answer", _answer(report))
    return "".join(f"{printable(line).rstrip()}\n" for line in lines)


def _part(title: str, lines: list[str]) -> list[str]:
    first = f"{title.ljust(_INDENT)}{lines[0]}" if lines else ""
    return [first, *(" " * _INDENT + line for line in lines[1:])] if lines else []


def _route(report: Json) -> list[str]:
    route = report["route"]
    if route is None:
        if report["status"] == 405:
            return [f"none: {report['request']['method']} is not one of {_listed(report['allow'])}"]
        return ["none"]
    out = [route["name"]]
    if route["hosts"]:
        out.append(f"host {' or '.join(route['hosts'])}")
    params = ", ".join(f"{name}={value}" for name, value in route["params"].items())
    out.append(f"path {route['path']}{f' with {params}' if params else ''}")
    if route["methods"]:
        asked = "" if report["request"]["method"] in route["methods"] else "a preflight for "
        out.append(f"method {asked}{' or '.join(route['methods'])}")
    return out + list(route["conditions"])


def _filters(filters: list[Json]) -> list[str]:
    width = max((len(one["filter"]) for one in filters), default=0)
    out = []
    for number, one in enumerate(filters, 1):
        does = "; ".join(one["does"])
        if one["verdict"] == "off":
            does = "is off"
        if one["verdict"] == "not reached":
            does = f"not reached{f', but {does}' if does else ''}"
        out.append(f"{number:2} {one['filter'].ljust(width)}  {does or 'changes nothing'}")
    return out


def _upstream(upstream: Json | None) -> list[str]:
    if upstream is None:
        return []
    if upstream["target"] is None:
        return [upstream["why"]]
    shares, name = upstream["shares"], upstream["name"]
    total = sum(shares.values()) or 1
    if len(shares) > 1:
        split = ", ".join(f"{one} {weight / total:.2%}" for one, weight in shares.items())
        out = [f"split: {split}"]
    else:
        out = [name]
    copies = [_copies(one) for one in upstream["mirrors"]]
    if upstream["pinned"]:
        return [*out, f"{upstream['target']} ({upstream['why']})", *copies]
    urls = ", ".join(one["url"] for one in upstream["eligible"])
    return [*out, f"{urls} ({upstream['why']})", *copies]


def _copies(mirror: Json) -> str:
    if mirror["copied"] is False:
        return f"no copy of this request to {mirror['to']}"
    return f"copies of {mirror['share']:.2%} to {mirror['to']}"


def _answer(report: Json) -> list[str]:
    answer = report["answer"]
    if report["outcome"] == "forwarded" and report["cause"] is None:
        return ["the service's"]
    cause = f" ({report['cause']})" if report["cause"] else ""
    return [f"{answer['status']}{cause}", *answer["fields"][1:]]


def _listed(words: list[str]) -> str:
    return ", ".join(words) or "none"
