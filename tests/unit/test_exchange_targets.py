"""Whole exchanges with several targets and upstreams: statuses tried again, cookies, splits."""

from __future__ import annotations

import re

import pytest

from tests.unit import plans
from tests.unit.memory import GET, OK, Gate, Json, ok, plan_of, post, serving, upstream
from tests.unit.plans import balance, retry, split, target

BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"
ON_503 = upstream(targets=2, retries=retry(1, statuses=[503]))
PUT = post(b"abc").replace(b"POST", b"PUT")
MARKS = ["00000000000000a1", "00000000000000a2"]


def owed(gate: Gate) -> list[str]:
    """Answers OK wherever an answer is owed; the addresses."""
    open_ones = [origin for origin in gate.origins if not origin.closed and origin.owed]
    for origin in open_ones:
        origin.send(OK)
    return [origin.address for origin in open_ones]


# --- statuses -------------------------------------------------------------------------------------


@pytest.mark.parametrize("request_", [GET, PUT])
def test_a_listed_status_is_tried_again_elsewhere(request_: bytes) -> None:
    with serving(one=ON_503) as gate:
        client = gate.client(request_)
        gate.origin.send(BUSY)
        first, second = gate.origins
        assert first.address != second.address
        assert second.request.body == first.request.body
        second.send(OK)
        assert client.answer.status == 200
        assert gate.stats["retries"] == 1


def test_a_listed_status_of_the_last_attempt_is_the_answer() -> None:
    with serving(one=ON_503) as gate:
        client = gate.client(GET)
        gate.origins[0].send(BUSY)
        gate.origins[1].send(BUSY)
        assert (client.answer.status, client.answer.body) == (503, b"busy")


def test_a_listed_status_of_a_post_is_the_answer() -> None:
    with serving(one=ON_503) as gate:
        client = gate.client(post(b"abc"))
        gate.origin.send(BUSY)
        assert client.answer.status == 503


def test_a_status_that_is_not_listed_is_the_answer() -> None:
    with serving(one=ON_503) as gate:
        client = gate.client(GET)
        gate.origin.send(BUSY.replace(b"503", b"502"))
        assert client.answer.status == 502


def test_no_status_is_tried_again_once_the_client_has_heard_something() -> None:
    with serving(one=ON_503) as gate:
        client = gate.client(GET)
        gate.origin.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + BUSY)
        assert client.statuses[-1] == 503


def test_no_status_is_tried_again_when_the_body_is_not_kept() -> None:
    one = upstream(targets=2, retries=retry(1, statuses=[503]), replay_body=2)
    with serving(one=one) as gate:
        client = gate.client(PUT)
        gate.origin.send(BUSY)
        assert client.answer.status == 503


def test_a_retry_beyond_the_budget_is_not_made() -> None:
    one = upstream(targets=2, retries=retry(1, statuses=[503], budget=0, floor=0))
    with serving(one=one) as gate:
        client = gate.client(GET)
        gate.origin.send(BUSY)
        assert client.answer.status == 503
        assert gate.stats["retries_over_budget"] == 1


@pytest.mark.parametrize(("on", "status"), [(["response_timeout"], 200), ([], 504)])
def test_a_response_timeout_is_tried_again_only_if_it_is_listed(on: list[str], status: int) -> None:
    one = upstream(targets=2, retries=retry(1, on=on), timeouts={"response_ms": 100})
    with serving(one=one) as gate:
        client = gate.client(GET)
        gate.advance(150)
        owed(gate)
        assert client.answer.status == status


# --- the sticky cookie ----------------------------------------------------------------------------


def marked(**changes: object) -> Json:
    """Two targets with marks."""
    targets = [
        target(9001 + place, id=mark, cookie=f"at={mark}; Path=/; HttpOnly")
        for place, mark in enumerate(MARKS)
    ]
    return upstream(targets=targets, sticky="at", **changes)


def asking(cookie: str) -> bytes:
    """A request with a Cookie."""
    return GET.replace(b"\r\n\r\n", f"\r\nCookie: {cookie}\r\n\r\n".encode())


def told(gate: Gate, request: bytes) -> tuple[str, list[str]]:
    """Where a request goes and what cookies its answer sets."""
    client = gate.client(request)
    (address,) = owed(gate)
    assert client.answer.status == 200
    cookies = re.findall(rb"Set-Cookie: ([^\r]*)", client.received)
    client.finish()
    return address, [cookie.decode() for cookie in cookies]


def test_an_answer_marks_its_target_and_the_mark_leads_there() -> None:
    with serving(one=marked()) as gate:
        address, (cookie,) = told(gate, GET)
        mark = cookie.partition(";")[0]
        assert cookie.endswith("; Path=/; HttpOnly")
        for _ in range(5):
            assert told(gate, asking(f"a=b; {mark}; c")) == (address, [])


@pytest.mark.parametrize(
    "value", ["", "x", "127.0.0.1:1", "00000000000000A1", "00000000000000a3", "0" * 16, "a1"]
)
def test_a_mark_that_is_nobodys_means_nothing(value: str) -> None:
    with serving(one=marked()) as gate:
        addresses = {told(gate, asking(f"at={value}"))[0] for _ in range(4)}
        assert addresses == {"127.0.0.1:9001", "127.0.0.1:9002"}


def test_a_client_of_an_ejected_target_goes_elsewhere_and_is_marked_anew() -> None:
    with serving(one=marked(pool={"idle": 0})) as gate:
        gate.refuse("127.0.0.1:9001")
        for _ in range(6):
            client = gate.client(asking(f"at={MARKS[0]}"))
            assert owed(gate) == ["127.0.0.1:9002"]
            assert f"at={MARKS[1]}".encode() in client.received
            client.finish()
        assert gate.stats["ejections"] == 1


def test_a_cookie_that_a_filter_takes_out_still_leads() -> None:
    edits = {
        "filter": "headers",
        "request": plans.edits(remove=["Cookie"]),
        "response": plans.edits(),
    }
    with serving(edits, one=marked()) as gate:
        assert {told(gate, asking(f"at={MARKS[1]}"))[0] for _ in range(4)} == {"127.0.0.1:9002"}


# --- hash -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "name", "field"),
    [("header", "X-User", "X-User: {}"), ("cookie", "u", "Cookie: a=b; u={}"), ("path", None, "")],
)
def test_equal_values_go_to_equal_targets(key: str, name: str | None, field: str) -> None:
    with serving(one=upstream(targets=4, balance=balance("hash", key, name))) as gate:
        seen: dict[str, set[str]] = {}
        for value in ["a", "b", "c", "d", "e", "f", "g", "h"] * 2:
            line = f"\r\n{field.format(value)}" if field else ""
            request = f"GET /{value} HTTP/1.1\r\nHost: a{line}\r\n\r\n".encode()
            seen.setdefault(value, set()).add(told(gate, request)[0])
        assert all(len(addresses) == 1 for addresses in seen.values())
        assert len(set.union(*seen.values())) > 1


def test_the_clients_address_is_hashed_without_its_port() -> None:
    with serving(one=upstream(targets=4, balance=balance("hash", "client_ip"))) as gate:
        for port in range(1000, 1008):
            gate.client(GET, peer=f"192.0.2.7:{port}")
        assert len(set(owed(gate))) == 1


# --- splits and state -----------------------------------------------------------------------------


def two_upstreams(weights: dict[str, int]) -> Json:
    """A plan whose route is split between upstreams `api` and `canary`."""
    plan = plan_of()
    other = upstream(name="canary", targets=[target(9101)])
    plan["upstreams"].append(other)
    plan["routes"][0]["upstream"] = [split(name, weight) for name, weight in weights.items()]
    for one in plan["routes"][0]["upstream"]:
        one["timeouts"] = upstream()["timeouts"]
    return plan


@pytest.mark.parametrize("weights", [(95, 5), (1, 1), (0, 3)])
def test_a_split_gives_each_upstream_its_share(weights: tuple[int, int]) -> None:
    gate = Gate(two_upstreams({"api": weights[0], "canary": weights[1]}))
    hits = {"127.0.0.1:9001": 0, "127.0.0.1:9101": 0}
    client = gate.client()
    for _ in range(200):
        client.send(GET)
        for address in owed(gate):
            hits[address] += 1
    for count, weight in zip(hits.values(), weights, strict=True):
        assert count == pytest.approx(200 * weight / sum(weights), abs=2)
    gate.judge()


def test_turns_go_on_where_they_were_after_a_reload() -> None:
    with serving(one=upstream(targets=3)) as gate:
        addresses = []
        for _ in range(6):
            addresses.append(told(gate, GET)[0])
            gate.publish(plan_of(one=upstream(targets=3)))
        assert addresses[:3] == addresses[3:]
        assert len(set(addresses)) == 3


def test_an_ejection_survives_a_reload() -> None:
    with serving(one=upstream(targets=2)) as gate:
        gate.refuse("127.0.0.1:9002")
        for _ in range(8):
            told_to = gate.client(GET)
            owed(gate)
            assert told_to.answer.body == b"ok"
        before = gate.stats["upstream_connect_faults"]
        gate.publish(plan_of(one=upstream(targets=2)))
        for _ in range(4):
            told(gate, GET)
        assert gate.stats["upstream_connect_faults"] == before


def test_the_fewest_running_requests_decide() -> None:
    with serving(one=upstream(targets=2, balance=balance("least_connections"))) as gate:
        slow = gate.client(GET)
        (busy,) = gate.origins
        for _ in range(4):
            client = gate.client(GET)
            free = next(one for one in gate.origins if one is not busy and one.owed)
            assert free.address != busy.address
            free.send(OK)
            assert client.answer.status == 200
            client.finish()
        busy.send(ok(b"late"))
        assert slow.answer.body == b"late"
