"""The requests that a profile in memory is made of: given ones, or one for each route.

Owns: requests made up from a route's predicate, and those of a file in the form that editors send
requests from (.http).
Runs in: the process of the command.
Never does: decide which route takes a request: the data plane's matcher does.
Read next: `rehearsal`.
"""

from __future__ import annotations

import ipaddress
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pygw._core.matcher import Matcher

from ..config.expressions import Expression, compile_expression
from ..config.model import Config
from ..config.model.routes import Match
from ..config.patterns import INTEGER, Segment
from ..config.predicates import Test
from ..explain.request import Request, read_request

FILE_BYTES_MAX = 16 << 20
"""Longest file of requests."""

WITH_BODY = ("POST", "PUT", "PATCH")
BODY = b'{"name": "anna", "mail": "anna@example.com", "roles": ["reader", "writer"]}'
"""What a made up request of these methods carries."""

USUAL = (
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    ("Accept", "text/html,application/json;q=0.9,*/*;q=0.8"),
    ("Accept-Language", "en-US,en;q=0.5"),
    ("Accept-Encoding", "gzip, deflate, br"),
    ("Cookie", "session=0a1b2c3d4e5f60718293a4b5c6d7e8f9; theme=dark"),
    ("Cache-Control", "no-cache"),
)
"""Fields of a made up request, as a browser sends them."""

_ORDER = b"abcdefghijklmnopqrstuvwxyz0123456789-_.~ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Asked:
    """One request, the route that takes it (None: none does), its bytes and its client."""

    request: Request
    route: str | None
    wire: bytes

    @property
    def told(self) -> str:
        """As a person writes it: `GET api.example.com/v1/users/1`."""
        host = "" if self.request.host == "localhost" else self.request.host
        return f"{self.request.method} {host}{self.request.target}"


def asked_of(matcher: Matcher, request: Request, body: bytes = b"") -> Asked:
    """The request with its bytes; fields that frame its body are ours."""
    fields = tuple(one for one in request.fields if one[0].lower() not in _FRAMING)
    if body or request.method in WITH_BODY:
        fields = (*fields, ("Content-Length", str(len(body))))
    request = replace(request, fields=fields)
    try:
        found = matcher.match(
            request.method, request.host, request.target, fields, request.client
        ).route
    except ValueError:
        found = None
    return Asked(request, found, request.head + body)


_FRAMING = ("content-length", "transfer-encoding", "connection", "expect", "upgrade")


# --- made up --------------------------------------------------------------------------------------


def made_up(
    config: Config, plan_routes: Sequence[str], matcher: Matcher, headers: Sequence[str]
) -> tuple[list[Asked], list[str]]:
    """A request for each route, and the names of routes for which none could be made up.

    `headers` (`Name: value`) are sent with each, in place of our own of that name.
    """
    out, left = [], []
    extra = read_request("GET", "/", headers, "127.0.0.1", "localhost").fields
    for name, route in zip(plan_routes, config.routes, strict=True):
        asked = next((a for a in _tries(route.match, extra, matcher) if a.route == name), None)
        if asked is None:
            left.append(name)
        else:
            out.append(asked)
    return out, left


def _tries(match: Match, extra: Sequence[tuple[str, str]], matcher: Matcher) -> Iterator[Asked]:
    host = match.host[0] if match.host else "localhost"
    host = f"www{host[1:]}" if host.startswith("*") else host
    fields = {name.lower(): (name, value) for name, value in USUAL}
    fields |= {n: (n, _value(test)) for n, test in match.headers.items() if test.kind != "absent"}
    fields |= {name.lower(): (name, value) for name, value in extra}
    for name, test in match.headers.items():
        if test.kind == "absent":
            fields.pop(name, None)
    query = "&".join(f"{n}={_value(t)}" for n, t in match.query.items() if t.kind != "absent")
    client = str(ipaddress.ip_network(match.client[0])[0]) if match.client else "127.0.0.1"
    for rest in ("", "x", "x/y"):
        target = _path(match, rest) + (f"?{query}" if query else "")
        for method in match.methods or ("GET",):
            with_body = method in WITH_BODY
            own = dict(fields)
            if with_body:
                own.setdefault("content-type", ("Content-Type", "application/json"))
            request = Request(method, host, target, tuple(own.values()), client)
            yield asked_of(matcher, request, BODY if with_body else b"")


def _path(match: Match, rest: str) -> str:
    return "".join(f"/{_segment(one, rest)}" for one in match.path.segments)


def _segment(segment: Segment, rest: str) -> str:
    if segment.kind == "literal":
        return segment.text
    if segment.kind == "rest":
        return segment.text + (rest or ("x" if segment.name else ""))
    if segment.kind == "param":
        return "x"
    return "1" if segment.kind == "int" else shortest(segment.expression)


def _value(test: Test) -> str:
    if test.kind == "value":
        return test.text
    return shortest(compile_expression(test.text)) if test.kind == "expression" else "1"


def shortest(expression: Expression) -> str:
    """The shortest text that the expression takes, of letters and digits where that will do."""
    if expression == INTEGER:
        return "1"
    order = bytes(dict.fromkeys(_ORDER + bytes(range(33, 127))))
    seen, todo = {1}, deque([(1, b"")])
    while todo:
        state, text = todo.popleft()
        if text and expression.accepts[state]:
            return text.decode()
        for byte in order:
            then = expression.step(state, byte)
            if then and then not in seen:
                seen.add(then)
                todo.append((then, text + bytes([byte])))
    return "x"


# --- given ----------------------------------------------------------------------------------------


def given(
    lines: Sequence[str], headers: Sequence[str], client: str, matcher: Matcher
) -> list[Asked]:
    """Requests as a command line has them: `GET /path`, or a URL alone. ValueError names a bad
    one."""
    out = []
    for line in lines:
        method, _, url = line.strip().rpartition(" ")
        body = BODY if method in WITH_BODY else b""
        out.append(_one(line, method or "GET", url, headers, body, client, matcher))
    return out


def of_file(text: str, headers: Sequence[str], client: str, matcher: Matcher) -> list[Asked]:
    """The requests of an .http file: `METHOD URL`, fields, an empty line, a body; `###` between two
    of them, and lines that begin with # or // before a request are remarks."""
    out = []
    for block in _blocks(text):
        head, _, body = block.partition("\n\n")
        line, *fields = head.split("\n")
        words = line.split()
        if words and words[-1].upper().startswith("HTTP/"):
            words.pop()
        if len(words) not in (1, 2):
            raise ValueError(f"{line!r} is no request: write METHOD URL")
        method, url = words if len(words) == 2 else ("GET", words[0])
        own = [*(one for one in fields if one.strip()), *headers]
        data = body.rstrip("\n").encode()
        out.append(_one(line, method, url, own, data, client, matcher))
    return out


def _blocks(text: str) -> Iterator[str]:
    block: list[str] = []
    for line in [*text.replace("\r\n", "\n").split("\n"), "###"]:
        if line.startswith("###"):
            if block:
                yield "\n".join(block)
            block = []
        elif block or (line.strip() and not line.startswith(("#", "//", "@"))):
            block.append(line)


def _one(
    line: str,
    method: str,
    url: str,
    fields: Sequence[str],
    body: bytes,
    client: str,
    matcher: Matcher,
) -> Asked:
    try:
        return asked_of(matcher, read_request(method, url, fields, client, "localhost"), body)
    except ValueError as error:
        raise ValueError(f"{line!r}: {error}") from None
