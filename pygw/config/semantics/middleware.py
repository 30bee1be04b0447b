"""Rules within a middleware list.

Owns: contradictions within one entry and between the entries of a list.
Runs in: the control plane, on plain data that may be malformed.
Never does: judge a single value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from ..errors import Path
from ..values import parse_network
from .tools import Finding, items, mapping, repeated, same_name

TERMINAL = ("respond", "redirect", "echo")
"""Filters that always answer, so that nothing behind them runs."""

BODILESS = (204, 205, 304)
"""Statuses whose response has no body (RFC 9110 §15.3.5, §15.3.6, §15.4.5)."""


IP_LISTS = frozenset({"allow", "deny", "allow_file", "deny_file"})
"""Keys of the filter ip of which one must be there."""


def entry_problems(path: Path, entry: Mapping[str, Any]) -> Iterator[Finding]:
    """What is wrong with one entry that is a mapping."""
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
    respond = mapping(entry.get("respond"))
    if respond.get("status", 200) in BODILESS and respond.get("body"):
        yield (*path, "respond", "body"), f"a response with status {respond['status']} has no body"
    for name in mapping(respond.get("headers")):
        if name.lower() == "content-type":
            yield (*path, "respond", "headers", name), "write it as content_type"
    yield from same_name((*path, "respond", "headers"), mapping(respond.get("headers")))


def _gzip(path: Path) -> Iterator[Finding]:
    """Compression is the one filter that needs a library which may be missing."""
    try:
        problem = import_module("pygw._core.libs.zlib").problem
    except ImportError:
        return  # the core is not built: `pygw doctor` says so, and nothing runs
    if problem is not None:
        yield path, f"needs zlib: {problem.problem}; {problem.remedy}"


def _edits(path: Path, edits: Mapping[str, Any], side: str) -> Iterator[Finding]:
    for key in ("set", "add"):
        yield from same_name((*path, key), mapping(edits.get(key)))
    if side == "request":
        # RFC 9110 §7.2: a request has exactly one Host.
        for name in mapping(edits.get("add")):
            if name.lower() == "host":
                yield (*path, "add", name), "a request has exactly one Host; use set"
        for index, name in enumerate(items(edits.get("remove"))):
            if isinstance(name, str) and name.lower() == "host":
                yield (*path, "remove", index), "a request has exactly one Host; use set"
