"""The filters `cors`, `maintenance` and `request_id`."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pygw._core.probe.filters import PlanError

from tests.peers.wire import Message
from tests.unit.memory import GET, serving
from tests.unit.plans import edits, through

Json = dict[str, Any]
CORS_ORIGINS = 256  # of pygw/_core/limits.pxd
PAGE = b"https://a.test"
SIMPLE = ("Access-Control-Allow-Origin", "Access-Control-Allow-Credentials",
          "Access-Control-Expose-Headers")  # fmt: skip


def cors(origins: Any = ("https://a.test",), **changes: Any) -> Json:
    """The filter `cors`."""
    entry: Json = {
        "filter": "cors",
        "origins": origins if origins is None else list(origins),
        "methods": ["GET", "PUT"],
        "headers": ["X-A"],
        "expose": [],
        "credentials": False,
        "max_age_s": None,
        "private_network": False,
    }
    return entry | changes


def maintenance(**changes: Any) -> Json:
    """The filter `maintenance`."""
    entry: Json = {"filter": "maintenance", "allow": [], "retry_after_s": 120, "body": None}
    return entry | {"content_type": "text/html"} | changes


def request_id(header: str = "X-Request-ID", trust: str = "proxies", form: str = "uuid7") -> Json:
    """The filter `request_id`."""
    return {"filter": "request_id", "header": header, "trust": trust, "format": form}


def head(method: bytes, *fields: bytes) -> bytes:
    """A request without a body."""
    return b"\r\n".join([method + b" / HTTP/1.1", b"Host: a", *fields]) + b"\r\n\r\n"


def preflight(*filters: Json, origin: bytes = PAGE, fields: tuple[bytes, ...] = ()) -> Message:
    """The answer to a preflight, which reaches no service."""
    wanted = (b"Access-Control-Request-Method: PUT", *fields)
    with serving(*filters) as gate:
        got = gate.client(head(b"OPTIONS", b"Origin: " + origin, *wanted)).answer
        assert gate.origins == []
        return got


def through_service(
    *filters: Json, fields: tuple[bytes, ...] = (), answered: tuple[bytes, ...] = ()
) -> Message:
    """The answer to a GET that the service answered with these fields."""
    with serving(*filters) as gate:
        client = gate.client(head(b"GET", *fields))
        lines = [b"HTTP/1.1 200 OK", b"Content-Length: 0", *answered]
        gate.origin.send(b"\r\n".join(lines) + b"\r\n\r\n")
        return client.answer


def cors_of(message: Message) -> dict[str, list[bytes]]:
    """Every field of CORS in an answer."""
    names = {name.decode().lower() for name, _ in message.fields}
    return {name: message.all(name) for name in names if name.startswith("access-control-")}


def test_a_preflight_is_answered_here() -> None:
    got = preflight(cors(max_age_s=600, credentials=True, expose=["X-E"]))
    assert got.status == 204
    assert cors_of(got) == {
        "access-control-allow-origin": [PAGE],
        "access-control-allow-methods": [b"GET, PUT"],
        "access-control-allow-headers": [b"X-A"],
        "access-control-allow-credentials": [b"true"],
        "access-control-max-age": [b"600"],
    }
    assert got.one("Vary") == (
        b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
    )


def test_a_preflight_of_a_refused_origin_gets_no_field_of_cors() -> None:
    got = preflight(cors(), origin=b"https://evil.test")
    assert (got.status, cors_of(got)) == (204, {})
    assert got.one("Vary").startswith(b"Origin")


def test_any_method_and_header_are_given_back_if_they_are_names() -> None:
    filters = cors(methods=None, headers=None)
    got = preflight(filters, fields=(b"Access-Control-Request-Headers: x-a, x-b",))
    assert got.one("Access-Control-Allow-Methods") == b"PUT"
    assert got.one("Access-Control-Allow-Headers") == b"x-a, x-b"
    got = preflight(filters, fields=(b"Access-Control-Request-Headers: x-a; x",))
    assert got.all("Access-Control-Allow-Headers") == []


@pytest.mark.parametrize(
    ("on", "asked", "given"), [(True, True, 1), (True, False, 0), (False, True, 0)]
)
def test_private_networks_are_opened_if_asked(on: bool, asked: bool, given: int) -> None:
    fields = (b"Access-Control-Request-Private-Network: true",) if asked else ()
    got = preflight(cors(private_network=on), fields=fields)
    assert got.all("Access-Control-Allow-Private-Network") == [b"true"] * given
    assert got.one("Vary").endswith(b"Private-Network") == on


@pytest.mark.parametrize(
    "fields",
    [(b"Origin: https://a.test",), (b"Access-Control-Request-Method: PUT",)],
)
def test_other_options_requests_reach_the_service(fields: tuple[bytes, ...]) -> None:
    with serving(cors()) as gate:
        client = gate.client(head(b"OPTIONS", *fields))
        gate.origin.send(b"HTTP/1.1 204 No Content\r\n\r\n")
        assert client.statuses == [204]


def test_an_answer_names_the_origin_that_asked_and_replaces_the_services_word() -> None:
    theirs = (
        b"Access-Control-Allow-Origin: *", b"access-control-allow-credentials: true",
        b"Access-Control-Expose-Headers: X-Secret", b"Access-Control-Max-Age: 1",
    )  # fmt: skip
    got = through_service(
        cors(credentials=True, expose=["X-E"]), fields=(b"Origin: " + PAGE,), answered=theirs
    )
    assert cors_of(got) == {
        "access-control-allow-origin": [PAGE],
        "access-control-allow-credentials": [b"true"],
        "access-control-expose-headers": [b"X-E"],
    }
    assert got.all("Vary") == [b"Origin"]


@pytest.mark.parametrize(
    "fields", [(), (b"Origin: https://evil.test",), (b"Origin: https://a.test", b"Origin: x")]
)
def test_whoever_is_not_let_in_gets_no_field_of_cors_but_vary(fields: tuple[bytes, ...]) -> None:
    got = through_service(cors(), fields=fields, answered=(b"Access-Control-Allow-Origin: *",))
    assert cors_of(got) == {}
    assert got.all("Vary") == [b"Origin"]


@pytest.mark.parametrize(
    ("answered", "vary"),
    [
        ((b"Vary: Accept",), [b"Accept", b"Origin"]),
        ((b"Vary: accept, ORIGIN",), [b"accept, ORIGIN"]),
        ((b"Vary: *",), [b"*"]),
        ((b"Vary: a", b"Vary: origin"), [b"a", b"origin"]),
    ],
)
def test_vary_names_origin_once(answered: tuple[bytes, ...], vary: list[bytes]) -> None:
    assert through_service(cors(), answered=answered).all("Vary") == vary


def test_any_origin_is_answered_by_a_star_that_does_not_vary() -> None:
    for fields in ((), (b"Origin: https://x.test",)):
        got = through_service(cors(None, expose=["*"]), fields=fields)
        assert got.one("Access-Control-Allow-Origin") == b"*"
        assert got.one("Access-Control-Expose-Headers") == b"*"
        assert got.all("Vary") == []
    assert preflight(cors(None)).one("Access-Control-Allow-Origin") == b"*"


@pytest.mark.parametrize(
    ("origin", "let_in"),
    [
        (b"https://b.test", True), (b"HTTPS://B.Test", True), (b"https://b.test:444", False),
        (b"http://b.test", False), (b"https://b.test.evil", False), (b"https://xb.test", False),
        (b"https://x.c.test", True), (b"https://x.y.c.test", True), (b"https://c.test", False),
        (b"https://.c.test", False), (b"https://x..c.test", False), (b"https://x.c.test:1", False),
        (b"http://x.c.test", False), (b"https://evil.test/.c.test", False),
        (b"https://evil.test:1.c.test", False), (b"https://a@x.c.test", False),
        (b"https://x.d.test:8443", True), (b"https://x.d.test", False),
        (b"null", True), (b"nul", False), (b"", False),
    ],
)  # fmt: skip
def test_origins_are_exact_or_below_a_name(origin: bytes, let_in: bool) -> None:
    known = cors(["https://b.test", "https://*.c.test", "https://*.d.test:8443", "null"])
    got = through_service(known, fields=(b"Origin: " + origin,))
    assert got.all("Access-Control-Allow-Origin") == ([origin] if let_in else [])


def test_an_origin_field_that_a_later_filter_takes_out_still_counts() -> None:
    gone = {"filter": "headers", "request": edits(remove=["Origin"]), "response": edits()}
    got = through_service(cors(), gone, fields=(b"Origin: " + PAGE,))
    assert got.one("Access-Control-Allow-Origin") == PAGE


def test_answers_of_later_filters_carry_the_fields_of_cors() -> None:
    answer = {"filter": "respond", "status": 401, "headers": [], "body": "no"}
    with serving(cors(), answer) as gate:
        got = gate.client(head(b"GET", b"Origin: " + PAGE)).answer
        assert (got.status, got.one("Access-Control-Allow-Origin")) == (401, PAGE)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (cors([]), "origins: must be 1 to 256 origins"),
        (cors(["https://a"] * (CORS_ORIGINS + 1)), "origins: must be 1 to 256 origins"),
        (cors(["a.test"]), "origins[0]: must be an origin"),
        (cors(["https://a b"]), "origins[0]: must be an origin"),
        (cors(["https://a.*.b"]), "origins[0]: has a * that is no whole first label"),
        (cors(["https://*.*.b"]), "origins[0]: must be an origin"),
        (cors(None, credentials=True), "credentials: needs a list of origins"),
        (cors(methods=["G T"]), "methods[0]: not a name"),
        (cors(headers=["a"] * 257), "headers: has more than 256 names"),
        (cors(max_age_s=-1), "max_age_s: must be from 0"),
        (maintenance(allow=["x"]), "allow[0]: not a CIDR range"),
        (maintenance(content_type="a\n"), "content_type: not a field value"),
        (maintenance(retry_after_s=-1), "retry_after_s: must be from 0"),
        (request_id("Host"), "header: a request has exactly one Host"),
        (request_id("TE"), "header[0]: the gateway writes this field itself"),
        (request_id(trust="x"), "trust: must be proxies, all or none"),
        (request_id(form="x"), "format: must be uuid7 or hex"),
    ],
)
def test_a_bad_entry_is_refused_with_its_place(entry: Json, message: str) -> None:
    with pytest.raises(PlanError) as caught:
        through(entry)
    assert str(caught.value).startswith(f"routes[0].middleware[0].{message}")


def test_maintenance_answers_503_and_says_when_to_come_again() -> None:
    with serving(maintenance()) as gate:
        got = gate.client(GET).answer
        assert (got.status, got.all("Retry-After")) == (503, [b"120"])
        assert got.one("Content-Type") == b"application/problem+json"
        assert b"under maintenance" in got.body
        assert gate.causes == ["maintenance"]


def test_maintenance_answers_with_a_page_of_the_operators() -> None:
    with serving(maintenance(body="<h1>soon</h1>", retry_after_s=0)) as gate:
        got = gate.client(GET).answer
        assert (got.status, got.all("Retry-After"), got.body) == (503, [b"0"], b"<h1>soon</h1>")
        assert got.one("Content-Type") == b"text/html"
        assert gate.causes == ["maintenance"]


@pytest.mark.parametrize(("peer", "passes"), [("192.0.2.7:1", True), ("192.0.3.7:1", False)])
def test_networks_on_the_list_pass_maintenance(peer: str, passes: bool) -> None:
    with serving(maintenance(allow=["192.0.2.0/24"])) as gate:
        client = gate.client(GET, peer=peer)
        assert bool(gate.origins) == passes
        assert client.statuses == ([] if passes else [503])


def ids(*filters: Json, fields: tuple[bytes, ...] = (), **plan: Any) -> tuple[Message, Message]:
    """The request that reached the service, and the answer to it."""
    with serving(*filters, **plan) as gate:
        client = gate.client(head(b"GET", *fields))
        asked = gate.origin.request
        gate.origin.send(
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Request-ID: up\r\nX-Corr: up\r\n\r\n"
        )
        return asked, client.answer


UUID = rb"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"
TRUSTING = {"trusted_proxies": ["192.0.2.0/24"]}


@pytest.mark.parametrize(
    ("trust", "plan", "kept"),
    [
        ("all", {}, True),
        ("proxies", {}, False),
        ("proxies", TRUSTING, True),
        ("none", TRUSTING, False),
    ],
)
@pytest.mark.parametrize("name", ["X-Request-ID", "X-Corr"])
def test_an_id_is_kept_of_whom_is_trusted(name: str, trust: str, plan: Json, kept: bool) -> None:
    fields = (name.encode() + b": mine-1",)
    asked, got = ids(request_id(name, trust), fields=fields, **plan)
    assert asked.one(name) == asked.one("X-Request-ID")
    assert (asked.one(name) == b"mine-1") == kept
    assert got.one(name) == got.one("X-Request-ID") == asked.one(name)
    if not kept:
        assert re.fullmatch(UUID, asked.one(name))


@pytest.mark.parametrize("value", [b"", b"a b", b"x" * 129, b"<x>"])
def test_an_id_that_is_not_sane_is_replaced(value: bytes) -> None:
    asked, _ = ids(request_id("X-Corr", "all"), fields=(b"X-Corr: " + value,))
    assert re.fullmatch(UUID, asked.one("X-Corr"))


def test_two_ids_are_none() -> None:
    asked, _ = ids(request_id("X-Corr", "all"), fields=(b"X-Corr: a", b"X-Corr: b"))
    assert re.fullmatch(UUID, asked.one("X-Corr"))


def test_an_id_may_be_hex() -> None:
    asked, got = ids(request_id(form="hex"))
    assert re.fullmatch(rb"[0-9a-f]{32}", asked.one("X-Request-ID"))
    assert got.one("X-Request-ID") == asked.one("X-Request-ID")
    assert re.fullmatch(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", asked.one("traceparent"))


def test_the_log_tells_the_id() -> None:
    with serving(request_id("X-Corr", "all")) as gate:
        gate.client(head(b"GET", b"X-Corr: mine"))
        gate.origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        assert b'"request_id":"mine"' in gate.worker.lines[0].replace(b": ", b":")
