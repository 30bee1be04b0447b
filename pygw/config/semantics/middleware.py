"""Rules within a middleware list.

Owns: contradictions within one entry and between the entries of a list.
Runs in: the control plane, on plain data that may be malformed.
Never does: judge a single value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

from ..errors import Path
from ..targets import goal_of
from ..template import has_values, values_in
from ..values import parse_network
from .templates import ORIGIN_VALUES, template_problems
from .tools import Finding, items, mapping, repeated, same_name

BODY_TEMPLATE_MAX = 256 << 10
"""Longest body with values in it, in bytes, as in the data plane's limits."""

TERMINAL = ("respond", "redirect", "echo")
"""Filters that always answer, so that nothing behind them runs."""

BODILESS = (204, 205, 304)
"""Statuses whose response has no body (RFC 9110 §15.3.5, §15.3.6, §15.4.5)."""


IP_LISTS = frozenset({"allow", "deny", "allow_file", "deny_file"})
"""Keys of the filter ip of which one must be there."""


def entry_problems(
    path: Path, entry: Mapping[str, Any], params: Sequence[str]
) -> Iterator[Finding]:
    """What is wrong with an entry that is a mapping; `params` are the names in its route's path."""
    if not entry:
        yield path, "must have exactly one key, the name of a filter"
    if len(entry) > 1:
        yield path, f"must have exactly one key; make each of {', '.join(entry)} its own entry"
    for side in ("request", "response"):
        edits = mapping(mapping(entry.get("headers")).get(side))
        yield from _edits((*path, "headers", side), edits, side)
    if isinstance(entry.get("ip"), Mapping) and not (entry["ip"].keys() & IP_LISTS):
        yield (*path, "ip"), "needs allow or deny"
    if "gzip" in entry:
        yield from _gzip((*path, "gzip"))
    for key in ("allow", "deny"):
        networks = items(mapping(entry.get("ip")).get(key))
        yield from repeated((*path, "ip", key), (), networks, "network", parse_network)
    yield from _respond((*path, "respond"), mapping(entry.get("respond")))
    yield from _redirect((*path, "redirect"), mapping(entry.get("redirect")), params)
    yield from _cors((*path, "cors"), mapping(entry.get("cors")))
    header = mapping(entry.get("request_id")).get("header")
    if isinstance(header, str) and header.lower() == "host":
        yield (*path, "request_id", "header"), "is a header of its own meaning; name another"
    for key, needs in (("rewrite", ("path", "query")), ("query", _QUERY_EDITS)):
        if isinstance(entry.get(key), Mapping) and not entry[key].keys() & set(needs):
            yield (*path, key), f"needs {', '.join(needs[:-1])} or {needs[-1]}"
    yield from template_problems(path, entry, params)


def _respond(path: Path, respond: Mapping[str, Any]) -> Iterator[Finding]:
    status, body = respond.get("status", 200), respond.get("body")
    for key in ("body", "file"):
        if status in BODILESS and respond.get(key):
            yield (*path, key), f"a response with status {status} has no body; take it out"
    if "body" in respond and "file" in respond:
        yield (*path, "file"), "is one too many; body is set, too"
    size = len(body.encode("utf-8", "replace")) if isinstance(body, str) else 0
    if size > BODY_TEMPLATE_MAX and has_values(respond["body"]):
        yield (*path, "body"), "with values in it must be at most 256KiB long"
    for name in mapping(respond.get("headers")):
        if name.lower() == "content-type":
            yield (*path, "headers", name), "write it as content_type"
    yield from same_name((*path, "headers"), mapping(respond.get("headers")))


def _redirect(path: Path, redirect: Mapping[str, Any], params: Sequence[str]) -> Iterator[Finding]:
    """What leads to another host must be the operator's word."""
    if not isinstance(redirect.get("to"), str):
        return
    goal = goal_of(redirect["to"])
    for name in values_in(goal.origin):
        if name not in params and name not in ORIGIN_VALUES:
            known = ", ".join(sorted(ORIGIN_VALUES))
            yield (
                (*path, "to"),
                f"{{{name}}} cannot stand in a host; valid are {known} and names in the path",
            )
    if has_values(goal.fragment):
        yield (*path, "to"), "cannot have a value behind #; write out what stands there"


def _cors(path: Path, cors: Mapping[str, Any]) -> Iterator[Finding]:
    for key in ("origins", "methods", "headers"):
        if "*" in items(cors.get(key)) and len(cors[key]) > 1:
            yield (*path, key), "must have nothing beside *"
    if "*" in items(cors.get("expose")) and cors.get("credentials") is True:
        yield (*path, "expose"), "means no header * with credentials; name the headers"
    if cors.get("credentials") is True:
        for word in ("*", "null"):
            if word in items(cors.get("origins")):
                yield (*path, "credentials"), f"needs a list of origins without {word}"


_QUERY_EDITS = ("keep", "remove", "rename", "set", "add")


def _gzip(path: Path) -> Iterator[Finding]:
    """Compression is the one filter that needs a library which may be missing."""
    try:
        problem = import_module("pygw._core.libs.zlib").problem
    except ImportError:
        return  # the core is not built: `pygw doctor` says so, and nothing runs
    if problem is not None:
        yield path, f"needs zlib: {problem.problem}; {problem.remedy}"


def _edits(path: Path, edits: Mapping[str, Any], side: str) -> Iterator[Finding]:
    for key in ("set", "add", "default", "rename"):
        yield from same_name((*path, key), mapping(edits.get(key)))
    if side == "request":
        # RFC 9110 §7.2: a request has exactly one Host.
        for key in ("add", "default", "rename"):
            for name, value in mapping(edits.get(key)).items():
                if name.lower() == "host" or (
                    key == "rename" and isinstance(value, str) and value.lower() == "host"
                ):
                    yield (*path, key, name), "a request has exactly one Host; use set"
        for index, name in enumerate(items(edits.get("remove"))):
            if isinstance(name, str) and name.lower() == "host":
                yield (*path, "remove", index), "a request has exactly one Host; use set"
