"""From a plan's text to the data plane's structs, and what is refused on the way."""

from __future__ import annotations

import contextlib
import copy
import json
import random
import subprocess
import sys
from typing import Any

import pygw._core.probe.test_filters
import pytest
from pygw._core.probe.filters import Plan, PlanError

from .plans import Json, build, edits, plan, route, unix_target, upstream

ECHO = {"filter": "echo"}

# Of pygw/_core/limits.pxd.
FILTERS_MAX = 32
HEAD_MAX = 262144
HEADERS_MAX = 256
HOST_NAME_MAX = 253
PLAN_BYTES_MAX = 268435456
START_LINE_SLACK = 64
TARGETS_MAX = 1024


def refusal(text: Json) -> str:
    """The message with which a plan is refused."""
    with pytest.raises(PlanError) as caught:
        build(text)
    return str(caught.value)


def changed(path: str, value: Any, text: Json | None = None) -> Json:
    """A plan whose value at `path` (dots and indices) is another; `...` takes the key out."""
    whole = copy.deepcopy(plan() if text is None else text)
    at: Any = whole
    *way, last = path.split(".")
    for key in way:
        at = at[int(key)] if isinstance(at, list) else at[key]
    if value is ...:
        del at[last]
    elif isinstance(at, list):
        at[int(last)] = value
    else:
        at[last] = value
    return whole


def filtered(*filters: Json) -> Json:
    """A plan whose one route has these filters."""
    return plan(route(middleware=list(filters)))


def test_every_value_of_a_plan_arrives() -> None:
    text = plan(
        route("one", "/v1/", "prefix", middleware=[ECHO]),
        route("two", "/v1/x", "exact", upstream=None, middleware=[ECHO]),
        upstreams=[upstream(retries=3, replay_body=5)],
        trusted_proxies=["10.0.0.0/8", "2001:db8::/32", "192.0.2.1"],
        access_log={"format": "json"},
        forwarded=True,
        listeners=[
            {"name": "a", "half_close": "abort"},
            {"name": "b", "half_close": "answer"},
        ],
    )
    summary: Any = build(text).summary()
    assert summary["generation"] == 7
    assert summary["refs"] == 1
    assert summary["via"] == "pygw-test"
    assert summary["forwarded"] is True
    assert summary["log_format"] == 2
    assert summary["trusted"] == [(4, 8), (6, 32), (4, 32)]
    assert summary["listeners"] == [("a", False), ("b", True)]
    (api,) = summary["upstreams"]
    assert api["retries"] == 3
    assert api["replay_body"] == 5
    assert api["targets"] == [
        {
            "url": "http://127.0.0.1:9001",
            "host": "127.0.0.1",
            "port": 9001,
            "family": "tcp",
            "pool": False,
        }
    ]
    assert api["timeouts"] == {
        "connect_ms": 1,
        "response_ms": 2,
        "between_bytes_ms": 3,
        "total_ms": 0,
    }
    assert api["pool"] == upstream()["pool"]
    assert [r["name"] for r in summary["routes"]] == ["one", "two"]
    assert [r["path"] for r in summary["routes"]] == ["/v1/*", "/v1/x"]
    assert [r["upstream"] for r in summary["routes"]] == ["api", None]


def test_limits_and_client_timeouts_arrive() -> None:
    assert build(plan()).limits() == {
        "request_line": 8192,
        "head": 32768,
        "headers": 100,
        "max_connections": 4000,
        "keepalive_requests": 0,
        "malformed": 20,
        "malformed_window_ms": 60000,
        "client_head_ms": 10000,
        "client_body_ms": 30000,
        "keepalive_ms": 75000,
        "slow_reader_ms": 30000,
    }


def test_null_turns_a_timeout_off() -> None:
    limits = build(changed("timeouts.client_body_ms", None)).limits()
    assert limits["client_body_ms"] == 0


def test_a_unix_target_keeps_its_path() -> None:
    target = unix_target("/run/a b.sock")
    summary: Any = build(changed("upstreams.0.targets.0", target)).summary()
    (seen,) = summary["upstreams"][0]["targets"]
    assert (seen["family"], seen["host"], seen["url"]) == ("unix", "/run/a b.sock", target["url"])


def test_a_routes_timeouts_come_from_itself_then_its_upstream_then_the_plan() -> None:
    own = {"connect_ms": 10, "response_ms": 20, "between_bytes_ms": 30, "total_ms": 40}
    text = plan(
        route("a", "/a", timeouts=own),
        route("b", "/b"),
        route("c", "/c", upstream=None, middleware=[ECHO]),
    )
    summary: Any = build(text).summary()
    by_name = {r["name"]: r["timeouts"] for r in summary["routes"]}
    assert by_name["a"] == own
    assert by_name["b"]["connect_ms"] == 1
    assert by_name["c"]["connect_ms"] == 2000


def test_routes_keep_the_order_of_the_text_and_are_found_exact_first_then_longest() -> None:
    made = build(
        plan(
            route("p1", "/"),
            route("e1", "/a", "exact"),
            route("p2", "/aaaa"),
            route("e2", "/aaaaaa", "exact"),
            route("p3", "/aa"),
            route("p4", "/%7eaa"),
        )
    )
    summary: Any = made.summary()
    assert [r["name"] for r in summary["routes"]] == ["p1", "e1", "p2", "e2", "p3", "p4"]
    paths = (b"/aaaaaa", b"/a", b"/aaaaa", b"/~aab", b"/aab", b"/b")
    assert [made.match(path) for path in paths] == ["e2", "e1", "p2", "p4", "p3", "p1"]


def test_a_chain_leaves_out_phases_in_which_nobody_acts() -> None:
    nothing = {"filter": "headers", "request": edits(), "response": edits()}
    request = nothing | {"request": edits(remove=["a"])}
    response = nothing | {"response": edits(remove=["a"])}
    limit = {"filter": "body_limit", "max_bytes": 1}
    summary: Any = build(filtered(nothing, response, limit, request, ECHO)).summary()
    chain = summary["routes"][0]["chain"]
    assert chain["filters"] == ["headers", "headers", "body_limit", "headers", "echo"]
    assert chain["slots"] == [0, 1, 2, 3, 4]
    assert chain["phases"] == {
        "request": ["body_limit", "headers", "echo"],
        "request_body": ["body_limit"],
        "response": ["headers"],
    }
    assert chain["edits"] == (False, False)


def test_a_chain_that_edits_bodies_says_so() -> None:
    upper = {"filter": "test_upper", "phase": "response_body"}
    summary: Any = build(filtered(upper)).summary()
    assert summary["routes"][0]["chain"]["edits"] == (False, True)
    emit = {"filter": "test_emit", "phase": "request_body", "prefix": "", "suffix": ""}
    summary = build(filtered(ECHO, emit)).summary()
    assert summary["routes"][0]["chain"]["edits"] == (True, False)


def test_size_counts_what_the_plan_holds() -> None:
    small = build(plan()).size_bytes
    body = {"filter": "respond", "status": 200, "headers": [], "body": "x" * 100_000}
    assert 500 < small < 10_000
    assert build(filtered(body)).size_bytes > 100_000


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("version", 2, "version: must be from 1 to 1, got 2"),
        ("version", ..., "version: is missing"),
        ("generation", -1, "generation: must be from 0 to"),
        ("generation", True, "generation: must be a whole number"),
        ("generation", 1.0, "generation: must be a whole number"),
        ("generation", 1 << 70, "generation: must be from 0 to 9223372036854775807, got 118059"),
        ("via", "", "via: must be a token"),
        ("via", "a b", "via: must be a token"),
        ("via", "a\r\nb", "via: must be a token"),
        ("via", "\ud800", "via: must be text that UTF-8 can carry"),
        ("forwarded", 1, "forwarded: must be true or false"),
        ("trusted_proxies", None, "trusted_proxies: must be a list"),
        ("trusted_proxies", ["10.0.0.0/33"], "trusted_proxies[0]: not a CIDR range"),
        ("trusted_proxies", ["10.0.0.0/8", 7], "trusted_proxies[1]: must be text"),
        ("access_log", [], "access_log: must be an object"),
        ("access_log", {"format": "ecs"}, "access_log.format: must be combined or json"),
        ("access_log", {"format": "json", "path": "-"}, "access_log.path: unknown key"),
        ("timeouts.keepalive_ms", ..., "timeouts.keepalive_ms: is missing"),
        ("timeouts.total_ms", -1, "timeouts.total_ms: must be from 0 to 4294967295, got -1"),
        ("timeouts.total_ms", 1 << 32, "timeouts.total_ms: must be from 0 to 4294967295"),
        ("timeouts.extra_ms", 1, "timeouts.extra_ms: unknown key"),
        ("limits.headers", HEADERS_MAX + 1, "limits.headers: must be from 1 to 256, got 257"),
        ("limits.head", HEAD_MAX + 1, "limits.head: must be from 64 to 262144"),
        ("limits.request_line", HEAD_MAX + 1, "limits.request_line: must be from 64 to 262144"),
        ("limits.request_line", START_LINE_SLACK - 1, "limits.request_line: must be from 64"),
        ("limits.max_connections", 0, "limits.max_connections: must be from 1"),
        ("listeners", {}, "listeners: must be a list"),
        ("listeners.0", "x", "listeners[0]: must be an object"),
        ("listeners.0.name", "", "listeners[0].name: must be 1 to 64 letters"),
        ("listeners.0.half_close", "no", "listeners[0].half_close: must be abort or answer"),
        ("upstreams.0.name", "a\nb", "upstreams[0].name: must be 1 to 64 letters"),
        ("upstreams.0.targets", [], "upstreams[0].targets: must be 1 to 1024 targets"),
        ("upstreams.0.targets.0.family", "udp", "upstreams[0].targets[0].family: must be tcp"),
        ("upstreams.0.targets.0.port", 0, "upstreams[0].targets[0].port: must be from 1 to 65535"),
        ("upstreams.0.targets.0.host", "a b", "upstreams[0].targets[0].host: must be a name"),
        ("upstreams.0.targets.0.host", "", "upstreams[0].targets[0].host: must be a name"),
        (
            "upstreams.0.targets.0.host",
            "a" * (HOST_NAME_MAX + 1),
            "upstreams[0].targets[0].host: must be at most 253 bytes",
        ),
        ("upstreams.0.targets.0.url", "a\x00b", "upstreams[0].targets[0].url: must be text"),
        ("upstreams.0.targets.0.path", "/x", "upstreams[0].targets[0].path: unknown key"),
        ("upstreams.0.pool.connections", 0, "upstreams[0].pool.connections: must be from 1"),
        ("upstreams.0.timeouts", None, "upstreams[0].timeouts: must be an object"),
        ("routes", "x", "routes: must be a list"),
        ("routes.0.match", "/", "routes[0].match: must be an object"),
        ("routes.0.match.path", "x", "routes[0].match.path: must begin with /"),
        ("routes.0.match.path", "/a/../b", "routes[0].match.path: must begin with / and have only"),
        ("routes.0.match.path", "/%2f", "routes[0].match.path: must begin with /"),
        ("routes.0.upstream", "nope", "routes[0].upstream: no upstream has the name 'nope'"),
        ("routes.0.upstream", ..., "routes[0].upstream: is missing"),
        ("routes.0.upstream", None, "routes[0]: needs an upstream or a filter that answers"),
        ("routes.0.timeouts", {}, "routes[0].timeouts.connect_ms: is missing"),
        ("routes.0.middleware", [1], "routes[0].middleware[0]: must be an object"),
        ("routes.0.middleware", [{}], "routes[0].middleware[0].filter: is missing"),
        (
            "routes.0.middleware",
            [{"filter": "lua"}],
            "routes[0].middleware[0].filter: there is no filter 'lua'",
        ),
        (
            "routes.0.middleware",
            [ECHO] * (FILTERS_MAX + 1),
            "routes[0].middleware: has more than 32 filters",
        ),
        (
            "routes.0.middleware",
            [ECHO | {"body": 1}],
            "routes[0].middleware[0].body: unknown key",
        ),
        ("nonsense", 1, "nonsense: unknown key"),
    ],
)
def test_a_bad_value_is_refused_with_its_place(path: str, value: Any, message: str) -> None:
    assert refusal(changed(path, value)).startswith(message)


def test_as_much_as_the_bounds_allow_is_taken_and_one_more_target_is_not() -> None:
    text = filtered(*[ECHO] * FILTERS_MAX)
    text["upstreams"] = [upstream(targets=TARGETS_MAX)]
    text["limits"] |= {"head": HEAD_MAX, "request_line": START_LINE_SLACK, "headers": HEADERS_MAX}
    summary: Any = build(text).summary()
    assert len(summary["routes"][0]["chain"]["filters"]) == FILTERS_MAX
    assert len(summary["upstreams"][0]["targets"]) == TARGETS_MAX
    text["upstreams"] = [upstream(targets=TARGETS_MAX + 1)]
    assert refusal(text) == "upstreams[0].targets: must be 1 to 1024 targets"


def test_equal_names_and_equal_paths_are_refused() -> None:
    assert refusal(plan(route("a", "/a"), route("a", "/b"))) == (
        "routes[1].name: routes[0] has the same name"
    )
    assert refusal(plan(route("a", "/~a"), route("b", "/%7ea"))) == (
        "routes[1].match: routes[0] asks the same"
    )
    assert refusal(plan(upstreams=[upstream(), upstream()])) == (
        "upstreams[1].name: upstreams[0] has the same name"
    )
    build(plan(route("a", "/a"), route("b", "/a", "exact")))


def test_the_place_of_a_filters_value_is_named() -> None:
    text = plan(
        route("a", "/a"),
        route("b", "/b"),
        route("c", "/c", middleware=[{"filter": "ip", "allow": ["::1", "no"], "deny": []}]),
    )
    assert refusal(text) == "routes[2].middleware[0].allow[1]: not a CIDR range: 'no'"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "the plan is not JSON"),
        (b"[]", "the plan must be an object"),
        (b"null", "the plan must be an object"),
        (b"{", "the plan is not JSON"),
        (b"\xff{}", "the plan is not JSON"),
        (b'{"version": NaN}', "the plan is not JSON: NaN"),
        (b'{"version": -Infinity}', "the plan is not JSON: -Infinity"),
        (b'{"a": 1, "a": 2}', "the plan has the key 'a' twice"),
        (b"[" * 100_000, "the plan is nested too deeply"),
        (b'{"a":' * 100_000, "the plan is nested too deeply"),
        (b'{"version": ' + b"9" * 5000 + b"}", "the plan is not JSON"),
        ("{}".encode("utf-16"), "the plan is not JSON"),
    ],
)
def test_what_is_no_json_object_is_refused(text: bytes, message: str) -> None:
    with pytest.raises(PlanError, match=message.replace("[", r"\[")):
        Plan(text)


EVERYTHING = plan(
    route("a", "/a", middleware=[ECHO]),
    route(
        "b",
        "/b",
        middleware=[
            {"filter": "ip", "allow": ["10.0.0.0/8"], "deny": ["::1"]},
            {
                "filter": "headers",
                "request": edits([["a", "b"]], [["c", "d"]], ["e"]),
                "response": edits([["a", "b"]], [["c", "d"]], ["e"]),
            },
            {"filter": "body_limit", "max_bytes": 3},
            {"filter": "respond", "status": 200, "headers": [["a", "b"]], "body": "x"},
            {"filter": "redirect", "status": 308, "location": "/x"},
        ],
    ),
    access_log={"format": "combined"},
    trusted_proxies=["10.0.0.0/8"],
)


def test_no_change_of_a_good_plan_crashes_the_builder() -> None:
    build(EVERYTHING)
    chance = random.Random(2)
    built = 0
    for _ in range(4000):
        text = copy.deepcopy(EVERYTHING)
        for _ in range(chance.randint(1, 3)):
            mutate(text, chance)
        try:
            Plan(json.dumps(text).encode("utf-8", "surrogatepass"))
            built += 1
        except PlanError as error:
            assert str(error)
    assert 0 < built < 4000


VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 255, 1 << 31, 1 << 32, 1 << 64, 1.5, "", "a", "/", "\x00", "é",
    "a\r\nb", "\ud800", "x" * 300, "x" * 100_000, [], [[]], [None], {}, {"filter": "echo"},
    ["a", "b"], [["a"]], [["a", "b", "c"]], [1, 2], "unix", "10.0.0.0/8", "host",
]  # fmt: skip


def mutate(text: Json, chance: random.Random) -> None:
    """Changes one value somewhere: replaced, removed, doubled or of another key."""
    places = list(walk(text))
    holder, key = chance.choice(places)
    how = chance.random()
    if how < 0.7:
        holder[key] = copy.deepcopy(chance.choice(VALUES))
    elif how < 0.85:
        del holder[key]
    elif isinstance(holder, list):
        holder.insert(key, copy.deepcopy(holder[key]))
    else:
        holder[str(key) + "x"] = holder.pop(key)


def walk(at: Any) -> Any:
    """Every (container, key) of a JSON value."""
    pairs = at.items() if isinstance(at, dict) else enumerate(at) if isinstance(at, list) else ()
    for key, value in list(pairs):
        yield at, key
        yield from walk(value)


def test_no_change_of_the_texts_bytes_crashes_the_builder() -> None:
    text = json.dumps(filtered(ECHO)).encode()
    chance = random.Random(3)
    for _ in range(4000):
        spoilt = bytearray(text)
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(spoilt))
            spoilt[place : place + chance.randint(0, 2)] = chance.randbytes(chance.randint(0, 2))
        with contextlib.suppress(PlanError):
            Plan(bytes(spoilt))


def test_a_text_longer_than_a_plan_may_be_is_refused_unread() -> None:
    with pytest.raises(PlanError, match=f"the plan is longer than {PLAN_BYTES_MAX} bytes"):
        Plan(b" " * (PLAN_BYTES_MAX + 1))


def test_a_plan_beyond_its_bound_in_memory_is_refused_at_every_allocation() -> None:
    text = json.dumps(EVERYTHING).encode()
    needed = Plan(text).size_bytes
    for max_bytes in range(needed):
        try:
            assert Plan(text, max_bytes).size_bytes == needed
        except PlanError as error:
            assert str(error) == f"the plan takes more memory than it may have ({max_bytes} bytes)"
            assert max_bytes < needed
    with pytest.raises(PlanError):
        Plan(text, needed // 2)


def test_filters_for_tests_are_unknown_to_a_process_that_does_not_load_them() -> None:
    text = json.dumps(filtered({"filter": "test_hold", "phase": "request_body"}))
    Plan(text.encode())
    program = "import sys; from pygw._core.probe.filters import Plan; Plan(sys.argv[1].encode())"
    run = subprocess.run([sys.executable, "-c", program, text], capture_output=True, text=True)
    assert run.returncode == 1
    assert "middleware[0].filter: there is no filter 'test_hold'" in run.stderr


def test_a_filters_name_can_be_taken_only_once() -> None:
    with pytest.raises(ValueError, match="there is a filter test_hold already"):
        pygw._core.probe.test_filters.register_again()
