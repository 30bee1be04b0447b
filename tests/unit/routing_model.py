"""The documented rule of routing, written to be obviously right and not to be fast.

Owns: `decide`, which judges every route for every reading of the path.
Runs in: tests.
Never does: share code with what it is held against.
Read next: `test_routing`.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any
from urllib.parse import parse_qsl

Json = dict[str, Any]
UNRESERVED = re.compile(r"[A-Za-z0-9\-._~]")
Found = tuple[int, str | None, dict[str, str], tuple[str, ...]]


def decoded(path: str) -> str:
    return re.sub("%(..)", lambda m: chr(int(m[1], 16)), path)


def literal(path: str) -> str:
    """Unreserved characters decoded, other triplets in upper case."""

    def one(match: re.Match[str]) -> str:
        character = chr(int(match[1], 16))
        return character if UNRESERVED.fullmatch(character) else match[0].upper()

    return re.sub("%(..)", one, path)


def resolved(path: str) -> str | None:
    """Dot segments taken out (RFC 3986 5.2.4); None when the path climbs above the root."""
    out: list[str] = []
    parts = path.split("/")[1:]
    for i, part in enumerate(parts):
        if part == ".." and not out:
            return None
        if part == "..":
            out.pop()
        if part in (".", ".."):
            out += [""] if i == len(parts) - 1 else []
        else:
            out.append(part)
    return "/" + "/".join(out)


def dots(path: str) -> int:
    return len([part for part in path.split("/")[1:] if part in (".", "..")])


def lenient(path: str) -> str | None:
    """All triplets decoded, backslash a slash, parameters cut off, empty segments dropped."""
    plain = decoded(path)
    # A slash in disguise among parameters: does it end them, or belong to them?
    for run in re.findall(r"(?:;|%3[Bb])((?:[^/])*)", path):
        if "\\" in run or re.search("%2[Ff]|%5[Cc]", run):
            return None
    out = re.sub(r"/+", "/", re.sub(r";[^/]*", "", plain.replace("\\", "/")))
    if dots(out) != dots(path):
        return None
    if dots(path) and (len(out) != len(plain) or out.count("/") != path.count("/")):
        return None
    return resolved(out)


def readings(path: str) -> list[tuple[str, bool]] | None:
    """Each way to read a path, and whether literals of routes are to be decoded for it."""
    if not re.fullmatch(r"/(?:[!-~]|[\x80-\xff])*", path) or re.search("[#?]", path):
        return None
    if re.search("%(?![0-9A-Fa-f]{2})|%00", path):
        return None
    plain = not re.search(r"[%\\;]", path) and "//" not in path and not dots(path)
    if plain:
        return [(path, False)]
    first, second, third = literal(path), resolved(literal(path)), lenient(path)
    if second is None or third is None:
        return None
    return [(first, False), (third, True), (second, False)]


def host_rank(pattern: str, host: str) -> tuple[int, int] | None:
    host = re.sub(r":[0-9]*$", "", host).lower()
    host = host.removesuffix(".") if len(host) > 1 else host
    if pattern == "":
        return 0, 0
    if pattern.startswith("*."):
        below = host.endswith(pattern[1:]) and len(host) > len(pattern) - 1
        return (1, len(pattern)) if below else None
    return (2, 0) if pattern == host else None


def segments_of(pattern: str) -> list[str]:
    """Between slashes outside of braces."""
    return re.findall(r"/((?:\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}|[^/{}])*)", pattern)


def path_rank(
    pattern: str, path: str, decode: bool
) -> tuple[tuple[tuple[int, int], ...], dict[str, str]] | None:
    """How specific each segment is and what the names take; None: the path does not match."""
    names: dict[str, str] = {}
    rank: list[tuple[int, int]] = []
    rest: str | None = path
    for segment in segments_of(pattern):
        if rest is None or not rest.startswith("/"):
            return None
        text = decoded(segment) if decode and not segment.startswith("{") else segment
        if segment.endswith(("*", "*}")) and pattern.endswith(segment):
            beginning = "" if segment.startswith("{") else text[:-1]
            if not rest[1:].startswith(beginning):
                return None
            if segment.startswith("{"):
                names[segment[1:-2]] = rest[1:]
            return (*rank, (1, len(beginning))), names
        here, slash, after = rest[1:].partition("/")
        rest = f"/{after}" if slash else None
        if segment.startswith("{"):
            name, _, kind = segment[1:-1].partition(":")
            wanted = {"": ".+", "int": "[0-9]{1,19}"}.get(kind, kind)
            if not re.fullmatch(wanted, here, re.S):
                return None
            names[name] = here
            rank.append(({"": 2, "int": 4}.get(kind, 3), 0))
        elif text != here:
            return None
        else:
            rank.append((5, 0))
    return (tuple(rank), names) if rest is None else None


def test_holds(test: Json, values: list[str]) -> bool:
    if "present" in test:
        return bool(values) == test["present"]
    if len(values) != 1:
        return False
    if "value" in test:
        return values[0] == test["value"]
    return re.fullmatch(test["expression"], values[0], re.S) is not None


def others_hold(match: Json, query: str, fields: list[tuple[str, str]], client: str) -> bool:
    """All conditions but the method."""
    pairs = parse_qsl(query, keep_blank_values=True, encoding="latin-1", separator="&")
    address = ipaddress.ip_address(client)
    return (
        all(
            test_holds(test, [v for n, v in fields if n.lower() == test["name"]])
            for test in match.get("headers", ())
        )
        and all(
            test_holds(test, [v for n, v in pairs if n == test["name"]])
            for test in match.get("query", ())
        )
        and (
            "client" not in match
            or any(address in ipaddress.ip_network(one) for one in match["client"])
        )
    )


def read(matches: list[Json], asked: Json, path: str, decode: bool) -> Found:
    """What one reading of the path leads to."""
    best: tuple[Any, str, dict[str, str]] | None = None
    allow: set[str] = set()
    for number, match in enumerate(matches):
        ranks = [host_rank(one, asked["host"]) for one in match.get("hosts") or [""]]
        host = max((rank for rank in ranks if rank is not None), default=None)
        found = path_rank(match["path"], path, decode)
        if host is None or found is None:
            continue
        if not others_hold(match, asked["query"], asked["fields"], asked["client"]):
            continue
        if "methods" in match and asked["method"] not in match["methods"]:
            allow |= set(match["methods"])
            continue
        tests = [len(match.get(key, ())) for key in ("headers", "query")]
        methods = match.get("methods", ())
        alone = "HEAD" in methods and "GET" not in methods
        wanted = (bool(methods), *tests, "client" in match, alone)
        rank = (host, found[0], wanted, -number)
        if best is None or rank > best[0]:
            best = (rank, f"r{number}", found[1])
    if best is None:
        return (405 if allow else 404), None, {}, tuple(sorted(allow))
    return 0, best[1], best[2], ()


def decide(matches: list[Json], asked: Json) -> Found:
    """Status (0: routed), route, names and allowed methods."""
    forms = readings(asked["path"])
    if forms is None:
        return 404, None, {}, ()
    found = [read(matches, asked, form, decode) for form, decode in forms]
    if any((one[0], one[1], one[3]) != (found[-1][0], found[-1][1], found[-1][3]) for one in found):
        return 404, None, {}, ()
    return found[-1]
