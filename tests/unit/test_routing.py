"""The tree decides as the documented rule does, over thousands of plans and requests."""

from __future__ import annotations

import random
from typing import Any

import pytest
from pygw._core.probe.filters import PlanError

from pygw._core.matcher import Matcher
from tests.unit.routing_model import decide
from tests.unit.test_build_match import matcher

Json = dict[str, Any]

HOSTS = ["a.x", "b.x", "*.x", "*.a.x", "x"]
EXPRESSIONS = ("[a-c]+", "[0-9]{2}", "x|y%20z")
WORDS = ["a", "b", "ab", "x", "12", "~u", "a:b", "a%3Ab", "%C3%A9", "%20", "y%20z"]
SEGMENTS = [*WORDS, *WORDS, "{N}", "{N}", "{N:int}", *(f"{{N:{text}}}" for text in EXPRESSIONS)]
METHODS = ["GET", "POST", "HEAD", "QUERY"]
ODD = ["", ".", "..", "%2e", "%2E%2e", "a%2Fb", "a;b", ";", "..;", "a\\b", "%61", "%3b", "%c3%a9"]
TESTS: list[Json] = [
    {"value": "1"},
    {"value": "2"},
    {"present": True},
    {"present": False},
    {"expression": "[a-c]+"},
]


def predicate(chance: random.Random) -> Json:
    """A random route's."""
    segments = [chance.choice(SEGMENTS) for _ in range(chance.randint(0, 3))]
    segments = [one.replace("{N", f"{{n{i}") for i, one in enumerate(segments)]
    end = chance.choice(["", "", "", "/", "/*", "/{rest*}", "/a*", "/ab*"])
    out: Json = {"path": "".join(f"/{one}" for one in segments) + end or "/"}
    if chance.random() < 0.5:
        out["hosts"] = chance.sample(HOSTS, chance.randint(1, 2))
    if chance.random() < 0.4:
        out["methods"] = chance.sample(METHODS, chance.randint(1, 2))
    for key in ("headers", "query"):
        if chance.random() < 0.25:
            out[key] = [
                {"name": name, **chance.choice(TESTS)}
                for name in chance.sample(["t", "u"], chance.randint(1, 2))
            ]
    if chance.random() < 0.15:
        out["client"] = chance.choice([["10.0.0.0/8"], ["10.1.0.0/16", "fd00::/8"]])
    return out


def shape(match: Json) -> str:
    """What may not come twice at one host: the path without its names."""
    path: str = match["path"]
    for i in range(4):
        path = path.replace(f"{{n{i}", "{")
    return path.replace("{rest*}", "*").replace("%3A", ":")


def plan(chance: random.Random) -> list[Json]:
    """Routes without ties: at one host, expressions at one place are the same one."""
    out: list[Json] = []
    seen: set[object] = set()
    for _ in range(chance.randint(1, 14)):
        match = predicate(chance)
        rank = tuple(len(match.get(key, ())) for key in ("headers", "query"))
        sign = (shape(match), "methods" in match, rank, "client" in match)
        if sign not in seen:
            seen.add(sign)
            out.append(match)
    return out


def request(chance: random.Random, matches: list[Json]) -> Json:
    """A random request, mostly along one of the routes."""
    text: str = chance.choice(matches)["path"]
    parts = []
    for part in text.split("/")[1:]:
        word = chance.choice(WORDS) if part.startswith("{") or chance.random() < 0.1 else part
        parts.append(word.replace("*", chance.choice(["", "b", "b/a", "12/x"])))
    if chance.random() < 0.35:
        parts.insert(chance.randint(0, len(parts)), chance.choice(ODD))
    fields = [("T", chance.choice(["1", "2", "ab"])) for _ in range(chance.randint(0, 2))]
    query = "&".join(
        chance.choice(["t=1", "t=%31", "u=2", "t", "u=a+b", "u=abc", "%74=2", "v", ""])
        for _ in range(chance.randint(0, 2))
    )
    return {
        "method": chance.choice(METHODS),
        "host": chance.choice(["a.x", "A.X:80", "b.x.", "c.a.x", "d.c.a.x:1", "x", "z", "ax"]),
        "path": "/" + "/".join(parts),
        "query": query,
        "fields": [*fields, *([("u", "1")] if chance.random() < 0.3 else [])],
        "client": chance.choice(["10.0.0.1", "10.1.2.3", "192.0.2.1", "fd00::1"]),
    }


def ask(door: Matcher, asked: Json) -> tuple[Any, ...]:
    """The data plane's decision."""
    target = asked["path"] + ("?" + asked["query"] if asked["query"] else "")
    found = door.match(asked["method"], asked["host"], target, asked["fields"], asked["client"])
    return tuple(found)


@pytest.mark.parametrize("seed", range(8))
def test_random_plans_and_requests_are_decided_by_the_documented_rule(seed: int) -> None:
    chance = random.Random(seed)
    statuses = {0: 0, 404: 0, 405: 0}
    for _ in range(250):
        matches = plan(chance)
        try:
            door = matcher(*matches, expressions=EXPRESSIONS)
        except PlanError as error:
            pytest.fail(f"{error}: {matches}")
        for _ in range(12):
            asked = request(chance, matches)
            want = decide(matches, asked)
            assert ask(door, asked) == want, (matches, asked)
            statuses[want[0]] += 1
    assert min(statuses.values()) > 50, statuses


def test_candidates_are_all_routes_of_host_and_path_best_first() -> None:
    door = matcher(
        {"path": "/*"},
        {"path": "/a", "methods": ["POST"]},
        {"path": "/{n}", "headers": [{"name": "t", "value": "1"}]},
        {"path": "/b"},
        {"path": "/a", "query": [{"name": "q", "present": True}]},
        {"path": "/a", "client": ["10.0.0.0/8"]},
        {"path": "/a", "hosts": ["other"]},
    )
    assert door.candidates("GET", "h", "/a") == [
        ("r1", "methods"),
        ("r4", "query"),
        ("r5", "client"),
        ("r2", "headers"),
        ("r0", None),
    ]
    assert door.match("GET", "h", "/a").route == "r0"


def test_the_order_in_the_file_plays_no_part() -> None:
    chance = random.Random(7)
    for _ in range(60):
        matches = plan(chance)
        turned = list(reversed(matches))
        one, two = (matcher(*some, expressions=EXPRESSIONS) for some in (matches, turned))
        for _ in range(10):
            asked = request(chance, matches)
            first, second = ask(one, asked), ask(two, asked)
            place = None if first[1] is None else len(matches) - 1 - int(first[1][1:])
            assert second[1] == (None if place is None else f"r{place}"), (matches, asked)
            assert (first[0], *first[2:]) == (second[0], *second[2:])
