"""Exchanges without a client, sent by a filter for tests that waits for none of them."""

from __future__ import annotations

from typing import Any

import pytest
from pygw._core.fault import faults

from pygw._core.probe import detached
from tests.unit import plans
from tests.unit.memory import GET, Gate, Json, ok, plan_of, serving, upstream

DETACHED_MAX = 4096  # limits.pxd
NUMBERS = {fact["number"]: name for name, fact in faults().items()}


@pytest.fixture(autouse=True)
def nothing_told() -> None:
    detached.reset()


def sending(count: int = 1, **changes: Any) -> Json:
    return {
        "filter": "test_detached",
        "upstream": 1,
        "count": count,
        "deadline_ms": 5000,
        "body": "",
        "most": 1 << 20,
    } | changes


def two(**changes: Any) -> list[Json]:
    """The route's upstream, and the one that detached requests go to."""
    side = upstream(name="side", targets=[plans.target(9100)], **changes)
    return [upstream(), side]


def told() -> dict[int, tuple[str | None, int, bytes]]:
    return {n: (NUMBERS.get(e), status, body) for n, e, status, body in detached.ended()}


def answer(gate: Gate, port: int, data: bytes) -> None:
    for origin in gate.origins:
        if origin.address.endswith(f":{port}"):
            while origin.owed:
                origin.send(data)


def test_a_detached_request_is_answered_and_its_client_served_beside_it() -> None:
    with serving(sending(), upstreams=two()) as gate:
        client = gate.client(GET)
        ports = sorted(origin.address for origin in gate.origins)
        assert ports == ["127.0.0.1:9001", "127.0.0.1:9100"]
        answer(gate, 9001, ok(b"main"))
        assert client.answer.body == b"main"
        assert detached.ended() == []
        assert gate.stats["live_detached"] == 1
        answer(gate, 9100, ok(b"side"))
        assert told() == {0: (None, 200, b"side")}
        assert gate.stats["live_detached"] == 0
        assert gate.stats["requests"] == 1 == gate.stats["responses_2xx"]
        assert gate.stats["attempts"] == 2
        assert len(gate.worker.lines) == 1


def test_what_leaves_says_for_whom_it_is() -> None:
    with serving(sending(body="hello"), upstreams=two()) as gate:
        gate.client(GET, peer="198.51.100.7:999")
        (main,), (side,) = (
            [o for o in gate.origins if o.address.endswith(port)] for port in ("9001", "9100")
        )
        first, second = main.request, side.request
        assert (second.method, second.target, second.body) == (b"POST", b"/0", b"hello")
        assert second.one("host") == b"side"
        assert second.one("x-forwarded-for") == b"198.51.100.7"
        assert second.one("content-length") == b"5"
        assert second.one("x-request-id") == first.one("x-request-id")
        traces = [one.one("traceparent") or b"" for one in (first, second)]
        assert traces[0][:35] == traces[1][:35], "one trace"
        answer(gate, 9100, ok(b""))
        answer(gate, 9001, ok(b""))
        assert told() == {0: (None, 200, b"")}


def test_fifty_at_once_get_their_own_answers() -> None:
    with serving(sending(50), upstreams=two()) as gate:
        gate.client(GET)
        answer(gate, 9001, ok(b""))
        sides = [o for o in gate.origins if o.address.endswith(":9100")]
        for origin in reversed(sides):
            for request in origin.requests():
                origin.send(ok(request.target))
        assert told() == {n: (None, 200, b"/%d" % n) for n in range(50)}


def test_it_begins_with_the_next_turn_and_its_failure_is_told_by_its_end() -> None:
    with serving(sending(3), upstreams=two(retries=0)) as gate:
        gate.refuse("127.0.0.1:9100")
        client = gate.client(GET)
        answer(gate, 9001, ok(b"main"))
        assert client.statuses == [200]
        gate.advance(2000)
        errors = {error for error, _, _ in told().values()}
        assert errors <= {"E_UP_REFUSED", "E_CORE_NO_TARGET"}
        assert detached.counts() == {"sent": 3, "refused": 0, "heads": 0, "ended": 3}
        assert gate.stats["responses_5xx"] == 0


def test_its_deadline_ends_it_whatever_it_waits_for() -> None:
    with serving(sending(3, deadline_ms=100), upstreams=two()) as gate:
        held = iter([True, False, False])
        gate.worker.policy = lambda end: (
            "hold" if end.address.endswith(":9100") and next(held, False) else "accept"
        )
        gate.client(GET)
        answer(gate, 9001, ok(b""))
        sides = [o for o in gate.origins if o.address.endswith(":9100")]
        sides[1].send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfour")
        gate.advance(90)
        assert detached.ended() == []
        gate.advance(30)
        assert [error for error, _, _ in told().values()] == ["E_CORE_TOTAL_TIMEOUT"] * 3
        assert gate.stats["responses_cut"] == 0


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"nonsense\r\n\r\n", "E_UP_PROTOCOL"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "E_UP_FRAMING"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "E_UP_UPGRADE"),
        (ok(b"x" * 1001), "E_HOOK_BODY_LENGTH"),
    ],
)
def test_an_answer_that_is_none_ends_it_with_its_cause(data: bytes, cause: str) -> None:
    with serving(sending(most=1000), upstreams=two(retries=0)) as gate:
        gate.client(GET)
        answer(gate, 9001, ok(b""))
        (side,) = [o for o in gate.origins if o.address.endswith(":9100")]
        side.cut_allowed = True
        side.send(data)
        assert [error for error, _, _ in told().values()] == [cause]


def test_informational_heads_are_not_its_answer() -> None:
    with serving(sending(), upstreams=two()) as gate:
        gate.client(GET)
        answer(gate, 9001, ok(b""))
        (side,) = [o for o in gate.origins if o.address.endswith(":9100")]
        side.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok(b"yes"))
        assert told() == {0: (None, 200, b"yes")}
        assert detached.counts()["heads"] == 1


def test_a_worker_that_stops_ends_those_that_run_and_those_that_have_not_begun() -> None:
    with serving(sending(2), upstreams=two()) as gate:
        gate.client(GET)
        gate.worker.stop()
        gate.worker.settle()
        assert [error for error, _, _ in told().values()] == ["E_CORE_STOPPED"] * 2


def test_it_keeps_the_plan_that_it_was_made_by() -> None:
    with serving(sending(), upstreams=two()) as gate:
        gate.client(GET)
        answer(gate, 9001, ok(b""))
        gate.publish(plan_of(upstreams=[upstream()]))
        assert gate.stats["live_plans"] == 2
        answer(gate, 9100, ok(b"old"))
        assert told() == {0: (None, 200, b"old")}
        assert gate.stats["live_plans"] == 1


def test_a_worker_has_at_most_detached_max_at_once() -> None:
    more = plans.upstream()["pool"] | {"queue": 10000, "connections": 1}
    with serving(sending(DETACHED_MAX + 4), upstreams=two(pool=more)) as gate:
        gate.client(GET)
        answer(gate, 9001, ok(b""))
        assert detached.counts()["sent"] == DETACHED_MAX
        assert detached.counts()["refused"] == 4
        gate.advance(6000)
        assert detached.counts()["ended"] == DETACHED_MAX
