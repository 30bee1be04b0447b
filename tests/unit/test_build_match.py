"""The predicate of a route as a plan writes it: what arrives, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pygw._core.probe.filters import PlanError

from pygw._core.matcher import Matcher
from pygw.config.expressions import compile_expression
from tests.unit import plans

Json = dict[str, Any]

# Of pygw/_core/limits.pxd.
ROUTE_SEGMENTS_MAX = 64
ROUTE_PARAMS_MAX = 16
ROUTE_HOSTS_MAX = 64
ROUTE_TESTS_MAX = 16
ROUTE_CLIENTS_MAX = 16384
ROUTE_CANDIDATES_MAX = 128
ROUTE_EXPRESSIONS_MAX = 16
EXPRESSION_STATES_MAX = 128
HOST_NAME_MAX = 253
FIELD_NAME_MAX = 255


def table(text: str) -> Json:
    """An expression as a plan holds it."""
    made = compile_expression(text)
    return {"classes": made.classes.hex(), "next": made.rows.hex(), "accepts": made.accepts.hex()}


def matcher(*matches: Json, expressions: tuple[str, ...] = (), **changes: Any) -> Matcher:
    """The routes r0, r1, ... with these predicates."""
    routes = [plans.route(f"r{n}") | {"match": match} for n, match in enumerate(matches)]
    extra: Json = (
        {"expressions": {text: table(text) for text in expressions}} if expressions else {}
    )
    return Matcher(json.dumps(plans.plan(*routes, **(extra | changes))).encode())


def refusal(*matches: Json, **changes: Any) -> str:
    """The message with which such a plan is refused."""
    with pytest.raises(PlanError) as caught:
        matcher(*matches, **changes)
    return str(caught.value).removeprefix("routes[0].match")


READING = ".path: must begin with / and have only one reading"
HEX = {"classes": "00" * 256, "next": "0000", "accepts": "0001"}


@pytest.mark.parametrize(
    ("match", "message"),
    [
        ({}, ".path: is missing"),
        ({"path": "a"}, READING),
        ({"path": ""}, READING),
        ({"path": "/a//b"}, READING),
        ({"path": "/a/*/b"}, READING),
        ({"path": "/a{b}"}, READING),
        ({"path": "/{a}b"}, READING),
        ({"path": "/{rest*}/b"}, ".path: must have names"),
        ({"path": "/../{a}"}, READING),
        ({"path": "/a%2f/*"}, READING),
        ({"path": "/..*"}, READING),
        ({"path": "/{}"}, ".path: must have names of letters, digits and _, each once"),
        ({"path": "/{1a}"}, ".path: must have names"),
        ({"path": "/{a}/{a}"}, ".path: must have names"),
        ({"path": "/{a:[a-z]+}"}, ".path: has an expression that is not among `expressions`"),
        ({"path": "/" + "a/" * ROUTE_SEGMENTS_MAX}, ".path: must have at most 64 segments"),
        ({"path": "/{rest}" * 17}, ".path: must have names"),
        ({"path": "/", "hosts": "a"}, ".hosts: must be a list"),
        ({"path": "/", "hosts": ["A"]}, ".hosts[0]: must be a host in lower case, or *. and a"),
        ({"path": "/", "hosts": ["a."]}, ".hosts[0]: must be a host in lower case"),
        ({"path": "/", "hosts": ["*"]}, ".hosts[0]: must be a host in lower case"),
        ({"path": "/", "hosts": ["a:80"]}, ".hosts[0]: must be a host in lower case"),
        ({"path": "/", "hosts": ["a" * 256]}, ".hosts[0]: must be at most 255 bytes long"),
        ({"path": "/", "hosts": ["a", "a"]}, ".hosts[1]: is there twice"),
        ({"path": "/", "methods": ["get"]}, ".methods[0]: is no method that requests have"),
        ({"path": "/", "methods": ["CONNECT"]}, ".methods[0]: is no method"),
        ({"path": "/", "headers": [{}]}, ".headers[0].name: is missing"),
        ({"path": "/", "headers": [{"name": "x"}]}, ".headers[0].present: is missing"),
        (
            {"path": "/", "headers": [{"name": "X", "present": True}]},
            ".headers[0].name: must be a header name in lower case",
        ),
        (
            {"path": "/", "headers": [{"name": "x:", "present": True}]},
            ".headers[0].name: must be a header name in lower case",
        ),
        (
            {"path": "/", "headers": [{"name": "x", "value": "1", "present": True}]},
            ".headers[0].present: unknown key",
        ),
        (
            {"path": "/", "query": [{"name": "x", "expression": "a"}]},
            ".query[0].expression: has an expression that is not among `expressions`",
        ),
        ({"path": "/", "client": ["x"]}, ".client[0]: not a CIDR range: 'x'"),
        ({"path": "/", "port": 1}, ".port: unknown key"),
    ],
)
def test_a_bad_predicate_is_refused_with_its_place(match: Json, message: str) -> None:
    assert refusal(match).startswith(message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"accepts": "01"}, ".accepts: must hold 2 to 128 bytes"),
        ({"accepts": "01" * (EXPRESSION_STATES_MAX + 1)}, ".accepts: must be at most"),
        ({"accepts": "0002"}, ".accepts: must hold numbers below 2"),
        ({"classes": "00"}, ".classes: must hold 256 bytes"),
        ({"classes": "0g" * 256}, ".classes: must be hexadecimal digits"),
        ({"next": "00"}, ".next: must hold 2 bytes"),
        ({"next": "0002"}, ".next: must hold numbers below 2"),
        ({"text": "a"}, ".text: unknown key"),
    ],
)
def test_a_bad_table_of_an_expression_is_refused(change: Json, message: str) -> None:
    with pytest.raises(PlanError) as caught:
        Matcher(json.dumps(plans.plan(expressions={"a": HEX | change})).encode())
    assert str(caught.value).startswith(f"expressions.a{message}")


def test_every_bound_of_a_predicate_is_the_last_that_is_taken() -> None:
    fits: list[Json] = [
        {"path": "/a" * ROUTE_SEGMENTS_MAX},
        {"path": "".join(f"/{{n{i}}}" for i in range(ROUTE_PARAMS_MAX))},
        {"path": "/", "hosts": [f"h{i}" for i in range(ROUTE_HOSTS_MAX)]},
        {"path": "/", "hosts": ["*." + "a" * HOST_NAME_MAX]},
        {"path": "/", "client": [f"10.{i >> 8}.{i & 255}.0/24" for i in range(ROUTE_CLIENTS_MAX)]},
    ]
    for key in ("headers", "query"):
        tests = [{"name": f"x{i}", "present": True} for i in range(ROUTE_TESTS_MAX - 1)]
        fits.append({"path": "/", key: [*tests, {"name": "x" * FIELD_NAME_MAX, "present": True}]})
    for match in fits:
        matcher(match)
    over: list[tuple[Json, str]] = [
        (fits[0] | {"path": fits[0]["path"] + "/a"}, "at most 64 segments"),
        (fits[1] | {"path": fits[1]["path"] + "/*"}, "at most 16 names and wildcards"),
        (fits[2] | {"hosts": [*fits[2]["hosts"], "h"]}, "at most 64 entries"),
        (fits[4] | {"client": [*fits[4]["client"], "::1"]}, "at most 16384 entries"),
        (fits[5] | {"headers": [*fits[5]["headers"], {"name": "y", "value": ""}]}, "at most 16"),
        (fits[6] | {"query": [*fits[6]["query"], {"name": "y", "value": ""}]}, "at most 16"),
    ]
    for match, message in over:
        assert message in refusal(match)


def test_a_place_takes_only_so_many_routes_and_expressions() -> None:
    def tenant(number: int) -> Json:
        return {"path": "/x", "headers": [{"name": "t", "value": str(number)}]}

    many = [tenant(number) for number in range(ROUTE_CANDIDATES_MAX)]
    last = str(ROUTE_CANDIDATES_MAX - 1)
    found = matcher(*many).match("GET", "a", "/x", [("T", last)])
    assert found.route == f"r{last}"
    assert refusal(*many, tenant(999)) == (
        "routes[128].match: has the host and path of 128 other routes, which is the most"
    )

    texts = tuple(f"x{i}" for i in range(ROUTE_EXPRESSIONS_MAX + 1))
    paths = [{"path": f"/{{a:{text}}}"} for text in texts]
    assert matcher(*paths[:-1], expressions=texts).match("GET", "a", "/x15").route == "r15"
    assert refusal(*paths, expressions=texts) == (
        "routes[16].match: has more than 16 expressions at one place, with those of other routes"
    )


def test_routes_that_ask_the_same_are_refused() -> None:
    header = [{"name": "x", "value": "1"}]
    assert refusal({"path": "/a", "hosts": ["x", "y"]}, {"path": "/a", "hosts": ["y"]}) == (
        "routes[1].match: routes[0] asks the same"
    )
    assert refusal({"path": "/{a}", "headers": header}, {"path": "/{b}", "headers": header}) == (
        "routes[1].match: routes[0] asks the same"
    )
    matcher({"path": "/{a}"}, {"path": "/{b}", "headers": header})


def test_the_largest_table_is_run_to_its_end() -> None:
    text = "a" * (EXPRESSION_STATES_MAX - 2)
    door = matcher({"path": f"/{{a:{text}}}"}, expressions=(text,))
    assert len(compile_expression(text).accepts) == EXPRESSION_STATES_MAX
    assert door.match("GET", "h", f"/{text}").params == {"a": text}
    assert door.match("GET", "h", f"/{text}a").status == 404
