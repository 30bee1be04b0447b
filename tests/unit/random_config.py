"""Random configurations, and random requests that their routes might take.

Owns: what varies in the test that `pygw explain` and the data plane agree. A part of the
configuration is used as soon as the model has it.
Runs in: tests.
Never does: keep what the configuration's own rules refuse: such routes are taken out again.
"""

from __future__ import annotations

from random import Random
from typing import Any

from pygw.config import ConfigError
from pygw.config.load import Loaded, check_object
from pygw.config.model.routes import Match

Json = dict[str, Any]

HOSTS = ("a.example", "b.example", "*.a.example", "*.deep.a.example")
ASKED_HOSTS = (
    "a.example", "A.Example:8080", "b.example.", "x.a.example", "y.deep.a.example", "other", "a",
)  # fmt: skip
SEGMENTS = ("users", "items", "7", "123456", "abc", "v1", "a.b")
PATTERNS = ("{id:int}", "{name}", "{word:[a-z]+}", "users", "items", "7", "v1")
KNOWN = PATTERNS if "host" in Match.model_fields else ("users", "items", "7", "v1")
METHODS = ("GET", "POST", "DELETE", "OPTIONS", "HEAD", "PUT", "PATCH")
ORIGINS = ("https://a.example", "https://*.a.example", "http://b.example:8080", "null")
ASKED_ORIGINS = ("https://a.example", "https://x.a.example", "http://b.example:8080", "null", "x")
ASKED_FIELDS = ("X-User", "x-user, X-Canary", "X-Other", "x-user,,")
GIVEN_IDS = ("given", "0190b8f0-0000-7000-8000-000000000000", "a b", "x" * 300)
CLIENTS = ("10.0.0.1", "10.1.2.3", "192.0.2.7", "2001:db8::5")
NETWORKS = ("10.0.0.0/8", "10.1.0.0/16", "192.0.2.0/24", "2001:db8::/32")
ODD = ("%41bc", "..", ".", "", "a%2Fb", "a;b", "%zz", "a%20b", "%2e%2e")


def random_config(chance: Random) -> Loaded:
    """A configuration that passes the check."""
    upstreams = {f"u{n}": _upstream(chance, n) for n in range(chance.randrange(1, 4))}
    routes = [_route(chance, list(upstreams)) for _ in range(chance.randrange(1, 14))]
    routes.append({"match": {"path": "/keep"}, "middleware": [{"respond": {}}]})
    data = {"listeners": [{"bind": "127.0.0.1:8080"}], "upstreams": upstreams, "routes": routes}
    if chance.random() < 0.3:
        data["forwarding"] = {"trusted_proxies": ["10.0.0.0/8"], "forwarded": True}
    return _checked(data)


def _checked(data: Json) -> Loaded:
    while True:
        try:
            return check_object(data, "random")
        except ConfigError as error:
            bad = {p.path[1] for p in error.problems if p.path[:1] == ("routes",)}
            assert bad and len(bad) == len({p.path[:2] for p in error.problems}), str(error)
            data["routes"] = [one for n, one in enumerate(data["routes"]) if n not in bad]


def _some(chance: Random, words: tuple[str, ...], most: int = 2) -> list[str]:
    return chance.sample(words, chance.randrange(1, most + 1))


def _upstream(chance: Random, number: int) -> Json:
    targets: list[Any] = []
    for port in range(9000 + 10 * number, 9000 + 10 * number + chance.randrange(1, 4)):
        one: Json = {"url": f"http://127.0.0.1:{port}"}
        if chance.random() < 0.3:
            one["weight"] = chance.randrange(1, 4)
        if targets and chance.random() < 0.3:
            one["priority"] = 1
        targets.append(one)
    out: Json = {"targets": targets}
    kind = chance.randrange(8)
    if kind < 5:
        out["balance"] = (
            "least_connections",
            "random_two",
            {"hash": "client_ip"},
            {"hash": "path"},
            {"hash": {"header": "X-User"}},
        )[kind]
    elif kind == 5:
        out["sticky"] = {"cookie": "stick"}
    return out


def _path(chance: Random) -> str:
    depth = chance.choice((0, 0, 1, 1, 1, 2, 3))
    segments, names = [], set()
    for _ in range(depth):
        segment = chance.choice(KNOWN)
        if segment in names:
            segment = chance.choice(SEGMENTS)
        names.add(segment)
        segments.append(segment)
    path = "/" + "/".join(segments)
    kind = chance.randrange(4)
    if kind == 0:
        return path.rstrip("/") + "/*"
    if kind == 1 and KNOWN is PATTERNS:
        return path.rstrip("/") + "/{rest*}"
    if kind == 2 and path != "/" and not path.endswith("}"):
        return path + "*"
    return path


def _match(chance: Random) -> Json:
    match: Json = {}
    if chance.random() < 0.6:
        match["host"] = chance.choice(HOSTS) if chance.random() < 0.7 else _some(chance, HOSTS)
    match["path"] = _path(chance)
    if chance.random() < 0.4:
        match["methods"] = _some(chance, METHODS, 3)
    if chance.random() < 0.2:
        match["headers"] = {"X-Canary": chance.choice(("1", "2"))}
    if chance.random() < 0.2:
        match["query"] = {"v": chance.choice(("1", "2"))}
    if chance.random() < 0.2:
        match["client"] = _some(chance, NETWORKS)
    return {key: value for key, value in match.items() if key in Match.model_fields}


def _copies(chance: Random, upstreams: list[str]) -> list[Json]:
    """Mirrors to some upstreams."""
    names = chance.sample(upstreams, chance.randrange(1, len(upstreams) + 1))
    out: list[Json] = []
    for name in names:
        one = {"to": name, "body_max": chance.choice(("0B", "10B", "1KiB"))}
        if chance.random() < 0.3:
            one["share"] = chance.choice(("0%", "50%"))
        out.append(one)
    return out


def _route(chance: Random, upstreams: list[str]) -> Json:
    route: Json = {"match": _match(chance)}
    route["middleware"] = [_filter(chance) for _ in range(chance.randrange(0, 4))]
    answer = chance.randrange(8)
    if answer < 3:
        entry: Json = (
            {"respond": {"status": 418, "body": "tea", "headers": {"X-Answer": "1"}}},
            {"redirect": {"to": "https://example.com/new", "status": 302}},
            {"echo": {}},
        )[answer]
        route["middleware"].append(entry)
    elif answer == 3 and len(upstreams) > 1:
        route["upstream"] = {name: chance.randrange(1, 5) for name in upstreams}
    else:
        route["upstream"] = chance.choice(upstreams)
        others = [name for name in upstreams if name != route["upstream"]]
        if others and chance.random() < 0.4:
            route["mirror"] = _copies(chance, others)
    return route


def _more_filters(chance: Random) -> Json:
    """Those that look at what the client says of itself."""
    kind = chance.randrange(7)
    if kind in (0, 6):
        return {"gzip": {"min_length": chance.choice(("0B", "1KiB")), "types": ["text/*"]}}
    if kind == 1:
        allow = _some(chance, NETWORKS) if chance.random() < 0.7 else []
        one: Json = {"enabled": chance.random() < 0.5, "allow": allow, "retry_after": "1m"}
        return {"maintenance": one | ({"body": "<p>soon"} if chance.random() < 0.5 else {})}
    if kind == 2:
        return {
            "request_id": {
                "header": chance.choice(("X-Request-ID", "X-Rid")),
                "trust": chance.choice(("proxies", "all", "none")),
                "format": chance.choice(("uuid7", "hex")),
            }
        }
    if kind < 5:
        cors: Json = {"origins": ["*"] if chance.random() < 0.3 else _some(chance, ORIGINS, 3)}
        if chance.random() < 0.5:
            cors["methods"] = ["*"] if chance.random() < 0.3 else _some(chance, METHODS, 3)
        if chance.random() < 0.4:
            cors["headers"] = _some(chance, ("X-User", "X-Canary"))
        if chance.random() < 0.4:
            cors |= {"expose": ["X-Answer"], "max_age": "10m", "private_network": True}
        if cors["origins"] != ["*"] and chance.random() < 0.5:
            cors["credentials"] = True
        return {"cors": cors}
    edits: Json = {
        "keep": _some(chance, ("v", "x")),
        "remove": _some(chance, ("v", "x", "y")),
        "rename": {"x": "z"},
        "set": {"v": chance.choice(("3", "{client_ip}", "a b&c"))},
        "add": {"n": "{method}"},
    }
    return {"query": {name: edits[name] for name in _some(chance, tuple(edits), 3)}}


def _filter(chance: Random) -> Json:
    if chance.random() < 0.45:
        return _more_filters(chance)
    kind = chance.randrange(7)
    if kind == 0:
        return {"ip": {chance.choice(("allow", "deny")): _some(chance, NETWORKS)}}
    if kind == 1:
        return {"body_limit": chance.choice(("0B", "10B", "1KiB"))}
    if kind == 2:
        return {"rewrite": {"path": chance.choice(("/new", "/new{path}"))}}
    if kind == 3:
        return {"strip_prefix": chance.choice(("/users", "/v1"))}
    edits: Json = {}
    for side in ("request", "response"):
        edits[side] = {}
        if chance.random() < 0.5:
            edits[side]["set"] = {"X-Canary": "9"}
        if chance.random() < 0.5:
            edits[side]["add"] = {"X-Added": "1"}
        if chance.random() < 0.5:
            edits[side]["remove"] = ["X-User"]
    return {"headers": edits}


def random_request(chance: Random) -> tuple[str, str, list[str], str, bytes]:
    """Method, target, headers (`Name: value`, Host among them), client and body."""
    depth = chance.choice((0, 1, 1, 2, 2, 3, 4))
    path = "/" + "/".join(chance.choice(SEGMENTS) for _ in range(depth))
    if chance.random() < 0.15:
        path += "/" + chance.choice(ODD) + chance.choice(("", "/x"))
    elif chance.random() < 0.1:
        path += "/"
    query = chance.choice(("", "", "?v=1", "?v=2", "?v=1&v=2", "?x=%31&v=%31"))
    headers = [f"Host: {chance.choice(ASKED_HOSTS)}"]
    if chance.random() < 0.4:
        headers.append(f"X-Canary: {chance.choice('12')}")
    if chance.random() < 0.3:
        headers.append(f"X-User: u{chance.randrange(20)}")
    if chance.random() < 0.2:
        headers.append("X-Forwarded-For: 192.0.2.7")
    method = chance.choice(METHODS)
    headers += _about_itself(chance, method)
    body = b"x" * chance.choice((0, 5, 50, 2000)) if method in ("POST", "PUT", "PATCH") else b""
    if method in ("POST", "PUT", "PATCH"):
        headers.append(f"Content-Length: {len(body)}")
    return method, path + query, headers, chance.choice(CLIENTS), body


def _about_itself(chance: Random, method: str) -> list[str]:
    """What browsers, proxies and tools say beside the request."""
    out: list[str] = []
    if chance.random() < 0.5:
        out.append(f"Origin: {chance.choice(ASKED_ORIGINS)}")
        if method == "OPTIONS" and chance.random() < 0.8:
            out.append(f"Access-Control-Request-Method: {chance.choice((*METHODS, 'get', ' '))}")
            if chance.random() < 0.5:
                out.append(f"Access-Control-Request-Headers: {chance.choice(ASKED_FIELDS)}")
            if chance.random() < 0.2:
                out.append("Access-Control-Request-Private-Network: true")
    if chance.random() < 0.6:
        out.append(f"Accept-Encoding: {chance.choice(('gzip', 'br, gzip;q=0', '*', 'identity'))}")
    if chance.random() < 0.2:
        out.append('If-None-Match: W/"abc~gzip"')
    if chance.random() < 0.2:
        out.append(f"{chance.choice(('X-Request-ID', 'X-Rid'))}: {chance.choice(GIVEN_IDS)}")
    if chance.random() < 0.2:
        out.append(f"Accept: {chance.choice(('application/json', 'text/html', '*/*'))}")
    return out


def random_answer(chance: Random, method: str) -> bytes:
    """What services answer."""
    body = b"a word " * chance.choice((0, 1, 300))
    fields = [b"Content-Type: " + chance.choice((b"text/plain", b"text/html; x=y", b"image/png"))]
    fields.append(b"Content-Length: %d" % len(body))
    if chance.random() < 0.5:
        fields.append(b'ETag: "abc"')
    if chance.random() < 0.3:
        fields.append(b"Vary: " + chance.choice((b"Origin", b"accept-encoding", b"*")))
    if chance.random() < 0.2:
        fields.append(b"Access-Control-Allow-Origin: *")
    head = b"\r\n".join((b"HTTP/1.1 200 OK", *fields)) + b"\r\n\r\n"
    return head if method == "HEAD" else head + body
