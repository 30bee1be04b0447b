"""Copies of requests for a second upstream: what they are, and that nobody else notices."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pygw._core.memory_worker import fail_allocations

from pygw._core import variant
from tests.unit import plans
from tests.unit.memory import (
    GET,
    OK,
    Gate,
    Json,
    Origin,
    chunked,
    ok,
    plan_of,
    post,
    serving,
    upstream,
)
from tests.unit.test_exchange_leaving import allow_cuts
from tests.unit.test_exchange_shortage import once

MIRRORS_MAX = 1024  # limits.pxd
MIRROR_BYTES_MAX = 67108864
MIRROR_BODY_MAX = 16777216
MIRROR_MS_MAX = 60000
MIRROR_LOG_MS = 10000
ROUTE_MIRRORS_MAX = 8

CHUNKED = b"POST /a?b=c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\n\r\n"
needs_debug = pytest.mark.skipif(not variant.DEBUG, reason="allocations fail in debug builds only")


def to_shadow(**changes: Any) -> Json:
    return {"to": "shadow", "share": 10000, "max_bytes": 65536, "timeout_ms": 5000} | changes


def mirrored_plan(*mirrors: Json, filters: tuple[Json, ...] = (), **changes: Any) -> Json:
    side = upstream(name="shadow", targets=[plans.target(9100)], **changes)
    plan = plan_of(*filters, upstreams=[upstream(), side])
    plan["routes"][0]["mirrors"] = list(mirrors or (to_shadow(),))
    return plan


@contextmanager
def mirroring(*mirrors: Json, filters: tuple[Json, ...] = (), **changes: Any) -> Iterator[Gate]:
    plan = mirrored_plan(*mirrors, filters=filters, **changes)
    with serving(upstreams=plan["upstreams"], routes=plan["routes"]) as gate:
        yield gate


def at(gate: Gate, port: int) -> list[Origin]:
    return [origin for origin in gate.origins if origin.address.endswith(f":{port}")]


def answer(gate: Gate, port: int, data: bytes = OK) -> None:
    for origin in at(gate, port):
        while origin.owed > 0:
            origin.send(data)


def outcome(gate: Gate) -> dict[str, int]:
    names = ("mirrored", "faults", "too_large", "no_room", "cut")
    stats = gate.stats
    counts = {name: stats["mirrored" if name == "mirrored" else f"mirror_{name}"] for name in names}
    return {name: count for name, count in counts.items() if count}


REQUESTS = {
    "get": GET,
    "fields": b"GET /x?y=%20z HTTP/1.1\r\nHost: a\r\n"
    + b"".join(b"X-%d: %d\r\n" % (i, i) for i in range(60))
    + b"\r\n",
    "length": post(b"x" * 40_000),
    "chunks": CHUNKED + chunked(b"ab", b"c" * 3000, trailers=b"X-T: 1\r\n"),
    "no body": post(b""),
    "absolute": b"GET http://b:81/p HTTP/1.1\r\nHost: b:81\r\n\r\n",
    "old": b"GET /p HTTP/1.0\r\n\r\n",
}


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("size", [0, 7])
def test_a_copy_is_byte_for_byte_what_the_service_gets(name: str, size: int) -> None:
    with mirroring() as gate:
        client = gate.client()
        client.send(REQUESTS[name], size)
        answer(gate, 9001)
        answer(gate, 9100)
        (main,), (side,) = at(gate, 9001), at(gate, 9100)
        if name == "chunks":
            assert side.request.body == main.request.body == b"ab" + b"c" * 3000
            assert side.request.trailers == main.request.trailers
            assert (
                side.received.partition(b"\r\n\r\n")[0] == main.received.partition(b"\r\n\r\n")[0]
            )
        else:
            assert side.received == main.received
        assert client.statuses == [200]
        assert outcome(gate) == {"mirrored": 1}


def test_a_copy_leaves_behind_the_request_itself() -> None:
    with mirroring() as gate:
        gate.client(GET)
        assert [one.address for one in gate.origins] == ["127.0.0.1:9001", "127.0.0.1:9100"]
        answer(gate, 9001)
        answer(gate, 9100)


def test_what_filters_do_to_a_request_its_copy_has_too() -> None:
    edits = {"set": [["X-A", "new"]], "add": [], "remove": ["X-B"]}
    filters = ({"filter": "headers", "request": edits, "response": plans.edits()},)
    with mirroring(filters=filters) as gate:
        gate.client(b"GET / HTTP/1.1\r\nHost: a\r\nX-A: old\r\nX-B: b\r\n\r\n")
        answer(gate, 9001)
        answer(gate, 9100)
        assert at(gate, 9001)[0].received == at(gate, 9100)[0].received
        assert b"X-A: new" in at(gate, 9100)[0].received


def test_what_a_filter_answers_is_not_copied() -> None:
    filters = ({"filter": "body_limit", "max_bytes": 3},)
    with mirroring(filters=filters) as gate:
        assert gate.client(post(b"long")).statuses == [413]
        assert outcome(gate) == {}
        gate.client(CHUNKED + chunked(b"ab", b"cd"))
        assert outcome(gate) in ({}, {"cut": 1})


def ask(gate: Gate, data: bytes = GET) -> None:
    """One request of a client of its own, answered by the service."""
    client = gate.client(data)
    at(gate, 9001)[-1].send(OK)
    client.finish()


def test_a_share_is_held_within_two_percent() -> None:
    with mirroring(to_shadow(share=2500)) as gate:
        for _ in range(2000):
            before = gate.stats["mirrored"]
            ask(gate)
            if gate.stats["mirrored"] > before:
                at(gate, 9100)[-1].send(OK)
        assert abs(gate.stats["mirrored"] - 500) <= 10


def test_a_share_of_nothing_copies_nothing() -> None:
    with mirroring(to_shadow(share=0)) as gate:
        gate.client(GET)
        answer(gate, 9001)
        assert outcome(gate) == {}


def silent(gate: Gate) -> None:
    gate.advance(6000)


def garbage(gate: Gate) -> None:
    for origin in at(gate, 9100):
        origin.send(b"\x00\x01 no http\r\n\r\n")


def resets(gate: Gate) -> None:
    for origin in at(gate, 9100):
        origin.reset()


def cut(gate: Gate) -> None:
    for origin in at(gate, 9100):
        origin.send(ok(b"long")[:-2])
        origin.finish()


def switches(gate: Gate) -> None:
    for origin in at(gate, 9100):
        origin.send(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
        )


@pytest.mark.parametrize("ill", [silent, garbage, resets, cut, switches])
def test_a_mirror_that_fails_is_counted_and_changes_nothing_for_the_client(ill: Any) -> None:
    with mirroring() as gate:
        client = gate.client(GET)
        ill(gate)
        answer(gate, 9001, ok(b"main"))
        assert client.answer.body == b"main"
        assert client.answer.status == 200
        assert outcome(gate) == {"mirrored": 1, "faults": 1}
        assert gate.stats["retries"] == 0
        assert gate.stats["live_mirrors"] == 0


def test_a_mirror_that_is_down_changes_nothing_for_the_client() -> None:
    with mirroring() as gate:
        gate.refuse("127.0.0.1:9100")
        client = gate.client(post(b"x" * 1000))
        answer(gate, 9001, ok(b"main"))
        assert client.answer.body == b"main"
        assert outcome(gate) == {"mirrored": 1, "faults": 1}


def test_what_does_not_reach_a_mirror_is_told_with_route_upstream_and_reason() -> None:
    with mirroring() as gate:
        gate.refuse("127.0.0.1:9100")
        ask(gate)
        (line,) = gate.worker.told
        assert re.fullmatch(
            r"\d\d:\d\d:\d\d warning mirror: 1 requests did not reach their second upstream, "
            r"the last of route r1 to shadow: connection_refused",
            line,
        )


def test_failures_of_ten_seconds_make_one_line_that_counts_them() -> None:
    with mirroring() as gate:
        gate.refuse("127.0.0.1:9100")
        for _ in range(5):
            ask(gate)
        gate.advance(MIRROR_LOG_MS - 1)
        ask(gate)
        assert len(gate.worker.told) == 1
        gate.advance(1)
        ask(gate)
        (_, second) = gate.worker.told
        assert "mirror: 6 requests did not reach" in second
        gate.advance(MIRROR_LOG_MS)
        assert len(gate.worker.told) == 2


def test_a_line_of_the_longest_names_is_whole_or_not_there() -> None:
    plan = mirrored_plan(to_shadow(to="s" * 64))
    plan["upstreams"][1]["name"] = "s" * 64
    plan["routes"][0]["name"] = "r" * 64
    with serving(upstreams=plan["upstreams"], routes=plan["routes"]) as gate:
        gate.refuse("127.0.0.1:9100")
        ask(gate)
        (line,) = gate.worker.told
        assert f"the last of route {'r' * 64} to {'s' * 64}: connection_refused" in line


def test_a_slow_mirror_does_not_make_the_client_wait() -> None:
    with mirroring() as gate:
        gate.hold("127.0.0.1:9100")
        client = gate.client(post(b"x" * 1000))
        answer(gate, 9001, ok(b"main"))
        assert client.answer.body == b"main"
        client.send(GET)
        answer(gate, 9001, ok(b"next"))
        assert [one.body for one in client.answers()] == [b"main", b"next"]
        assert gate.stats["live_mirrors"] == 2
        client.finish()
        for origin in at(gate, 9100):
            origin.accept()
        answer(gate, 9100)
        assert gate.stats["live_mirrors"] == 0


def test_a_request_whose_service_is_down_is_copied_all_the_same() -> None:
    with mirroring() as gate:
        gate.refuse("127.0.0.1:9001")
        assert gate.client(GET).statuses == [502]
        answer(gate, 9100)
        assert outcome(gate) == {"mirrored": 1}


@pytest.mark.parametrize("head", [post(b"x" * 101), CHUNKED + chunked(b"x" * 60, b"y" * 41)])
def test_a_body_over_the_bound_is_not_copied_and_counted(head: bytes) -> None:
    with mirroring(to_shadow(max_bytes=100)) as gate:
        client = gate.client()
        client.send(head, 50)
        answer(gate, 9001)
        assert client.statuses == [200]
        assert at(gate, 9100) == []
        assert outcome(gate) == {"too_large": 1}


def test_a_body_at_the_bound_is_copied() -> None:
    with mirroring(to_shadow(max_bytes=100)) as gate:
        gate.client(CHUNKED + chunked(b"x" * 60, b"y" * 40))
        answer(gate, 9001)
        answer(gate, 9100)
        assert at(gate, 9100)[0].request.body == b"x" * 60 + b"y" * 40


def test_the_request_of_a_client_that_leaves_within_its_body_is_not_copied() -> None:
    with mirroring() as gate:
        client = gate.client()
        client.send(post(b"x" * 1000)[:-1])
        client.reset()
        for origin in at(gate, 9001):
            origin.cut_allowed = True
        assert at(gate, 9100) == []
        assert outcome(gate) == {"cut": 1}


def test_an_answer_before_the_end_of_the_body_leaves_no_copy() -> None:
    with mirroring() as gate:
        client = gate.client()
        client.send(post(b"x" * 1000)[:-500])
        at(gate, 9001)[0].send(ok(b"early"))
        at(gate, 9001)[0].cut_allowed = True
        assert client.answer.body == b"early"
        assert at(gate, 9100) == []
        assert outcome(gate) == {"cut": 1}


def test_a_copy_outlives_the_client_and_its_connection() -> None:
    with mirroring() as gate:
        client = gate.client(post(b"body"))
        client.reset()
        (side,) = at(gate, 9100)
        assert side.request.body == b"body"
        assert gate.stats["live_exchanges"] == 0
        answer(gate, 9100)
        assert outcome(gate) == {"mirrored": 1}


def test_a_retried_request_is_copied_once() -> None:
    with mirroring() as gate:
        client = gate.client(GET)
        at(gate, 9001)[0].reset()
        answer(gate, 9001)
        answer(gate, 9100)
        assert client.statuses == [200]
        assert gate.stats["retries"] == 1
        assert outcome(gate) == {"mirrored": 1}


def test_a_request_for_another_protocol_is_not_copied() -> None:
    fields = b"Connection: upgrade\r\nUpgrade: x\r\n"
    with mirroring() as gate:
        gate.client(b"GET / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n")
        answer(gate, 9001)
        assert outcome(gate) == {}


def test_an_expectation_is_the_business_of_the_service_that_answers() -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    with mirroring() as gate:
        client = gate.client(head)
        at(gate, 9001)[0].send(b"HTTP/1.1 100 Continue\r\n\r\n")
        client.send(b"ab")
        answer(gate, 9001)
        answer(gate, 9100)
        assert b"Expect" not in at(gate, 9100)[0].received
        assert at(gate, 9100)[0].request.body == b"ab"


def test_a_route_may_have_several_mirrors() -> None:
    plan = mirrored_plan(to_shadow(), to_shadow(to="other"))
    plan["upstreams"].append(upstream(name="other", targets=[plans.target(9200)]))
    with serving(upstreams=plan["upstreams"], routes=plan["routes"]) as gate:
        gate.client(post(b"body"))
        for port in (9001, 9100, 9200):
            assert at(gate, port)[0].request.body == b"body"
            answer(gate, port)
        assert outcome(gate) == {"mirrored": 2}


def test_only_so_many_copies_are_on_their_way() -> None:
    with mirroring() as gate:
        for _ in range(MIRRORS_MAX + 3):
            ask(gate)
        assert gate.stats["live_mirrors"] == MIRRORS_MAX
        assert outcome(gate) == {"mirrored": MIRRORS_MAX, "no_room": 3}
        gate.advance(6000)
        assert gate.stats["live_mirrors"] == 0
        assert gate.stats["mirror_faults"] == MIRRORS_MAX


def test_only_so_much_memory_is_kept_by_copies() -> None:
    data = post(b"x" * 8_000_000)
    with mirroring(to_shadow(max_bytes=MIRROR_BODY_MAX)) as gate:
        gate.hold("127.0.0.1:9100")
        for _ in range(10):
            ask(gate, data)
        assert [one.statuses for one in gate.clients] == [[200]] * 10
        assert gate.stats["mirror_no_room"] > 0
        assert gate.stats["live_buffer_bytes"] < MIRROR_BYTES_MAX + (2 << 20)
        gate.advance(6000)
        assert gate.stats["live_mirrors"] == 0


def test_an_event_stream_on_a_mirrored_route_lets_go_of_its_plan() -> None:
    with mirroring() as gate:
        gate.client(GET)
        answer(gate, 9100)
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        at(gate, 9001)[0].send(head + b"2\r\nab\r\n")
        at(gate, 9001)[0].cut_allowed = True
        gate.publish(mirrored_plan())
        gate.advance(1100)
        assert gate.stats["live_plans"] == 1
        at(gate, 9001)[0].send(b"0\r\n\r\n")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"to": "none"}, "no upstream has the name"),
        ({"to": None}, "must name an upstream"),
        ({"share": 10001}, "must be from 0 to 10000"),
        ({"max_bytes": MIRROR_BODY_MAX + 1}, f"must be from 0 to {MIRROR_BODY_MAX}"),
        ({"timeout_ms": MIRROR_MS_MAX + 1}, f"must be from 1 to {MIRROR_MS_MAX}"),
        ({"other": 1}, "unknown key"),
    ],
)
def test_a_mirror_that_is_wrong_is_no_plan(change: Json, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        plans.build(mirrored_plan(to_shadow(**change)))


def test_a_route_has_only_so_many_mirrors() -> None:
    plans.build(mirrored_plan(*[to_shadow()] * ROUTE_MIRRORS_MAX))
    with pytest.raises(ValueError, match=f"more than {ROUTE_MIRRORS_MAX}"):
        plans.build(mirrored_plan(*[to_shadow()] * (ROUTE_MIRRORS_MAX + 1)))


def get_once(gate: Gate) -> None:
    gate.client(GET)


def fields_once(gate: Gate) -> None:
    gate.client(REQUESTS["fields"])


def chunks_once(gate: Gate) -> None:
    gate.client(REQUESTS["chunks"])


@needs_debug
@pytest.mark.parametrize("case", [get_once, fields_once, chunks_once])
def test_memory_that_ends_anywhere_leaves_nothing_behind(case: Any) -> None:
    gate = Gate(mirrored_plan(pool={"idle_timeout_ms": 1000}))
    total = once(gate, case, -1, 0)
    assert gate.stats["mirrored"] == 1
    for good in range(total):
        once(gate, case, good, 1)
        assert gate.stats["spins"] == 0, good
    fail_allocations(-1)
    allow_cuts(gate)
    gate.worker.close()
