"""Plans that come and go while exchanges run: two steps, pins, and what is given back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.tidy.scan import fields_of
from tests.unit.memory import GET, Gate, ok, plan_of, serving, upstream

HEARTBEAT_MS = 500
PINS_STEP = 1024
UPGRADE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def other() -> dict[str, object]:
    """A plan that leads elsewhere."""
    one = upstream()
    one["targets"][0] |= {"url": "http://192.0.2.9:9009", "host": "192.0.2.9", "port": 9009}
    return plan_of(one=one)


def prepare(gate: Gate, plan: object) -> None:
    gate.worker.prepare(json.dumps(plan).encode())


def test_prepared_plan_serves_nobody_before_it_is_committed() -> None:
    with serving() as gate:
        before = gate.client(GET)
        gate.origins[0].send(ok(b"old"))
        prepare(gate, other())
        before.send(GET)
        gate.origins[0].send(ok(b"still old"))
        gate.worker.commit()
        before.send(GET)
        assert [one.address for one in gate.origins][1:] == ["192.0.2.9:9009"]
        gate.origins[1].send(ok(b"new"))
        assert [one.body for one in before.answers()] == [b"old", b"still old", b"new"]
        assert gate.stats["live_plans"] == 1


def test_dropped_plan_leaves_nothing_behind() -> None:
    with serving() as gate:
        pools = gate.stats["live_pools"]
        prepare(gate, other())
        assert gate.stats["live_plans"] == 2
        assert gate.stats["live_pools"] == pools + 1
        gate.worker.commit(False)
        assert gate.stats["live_plans"] == 1
        assert gate.stats["live_pools"] == pools
        client = gate.client(GET)
        gate.origin.send(ok(b"old"))
        assert client.answer.body == b"old"


def test_prepared_plan_changes_no_bound_of_a_pool_before_it_is_committed() -> None:
    with serving(one=upstream(pool={"connections": 1, "queue": 8})) as gate:
        prepare(gate, plan_of(one=upstream(pool={"connections": 2, "queue": 8})))
        clients = [gate.client(GET) for _ in range(2)]
        assert len(gate.origins) == 1
        gate.worker.commit()
        clients.append(gate.client(GET))
        assert len(gate.origins) == 2
        for _ in clients:
            for origin in gate.origins:
                while origin.owed > 0:
                    origin.send(ok(b"x"))
        assert [client.answer.body for client in clients] == [b"x"] * 3


def test_exchange_ends_by_the_plan_it_began_with() -> None:
    with serving() as gate:
        client = gate.client(GET)
        gate.publish(other())
        assert gate.stats["live_plans"] == 2
        gate.origin.send(ok(b"old"))
        assert client.answer.body == b"old"
        assert gate.stats["live_plans"] == 1


def test_connections_to_a_target_that_both_plans_name_are_kept() -> None:
    with serving() as gate:
        client = gate.client(GET)
        gate.origin.send(ok(b"1"))
        gate.publish(plan_of())
        client.send(GET)
        gate.origin.send(ok(b"2"))
        assert [one.body for one in client.answers()] == [b"1", b"2"]


@pytest.mark.parametrize("text", [b"{", b"{}", b"[]", b""])
def test_plan_that_does_not_compile_changes_nothing(text: bytes) -> None:
    with serving() as gate:
        with pytest.raises(ValueError):
            gate.worker.publish(text)
        client = gate.client(GET)
        gate.origin.send(ok(b"old"))
        assert client.answer.body == b"old"
        assert gate.stats["live_plans"] == 1


def lives(gate: Gate) -> int:
    """Plans that live once what may move has moved."""
    gate.advance(2 * HEARTBEAT_MS)
    return gate.stats["live_plans"]


def agent(value: str) -> dict[str, object]:
    """A filter whose bytes lie in the plan and are logged."""
    edits = {"set": [["User-Agent", value]], "add": [], "remove": []}
    return {"filter": "headers", "request": edits, "response": {**edits, "set": [["X-A", value]]}}


def test_tunnel_lets_go_of_its_plan() -> None:
    with serving(agent("from-the-old-plan")) as gate:
        client = gate.client(UPGRADE)
        gate.origin.send(SWITCH)
        client.tunnel_at, gate.origin.tunnel_at = len(client.received), len(gate.origin.received)
        for _ in range(3):
            gate.publish(plan_of())
            assert lives(gate) == 1
        client.send(b"up")
        gate.origin.send(b"down")
        assert client.received.endswith(b"down") and gate.origin.received.endswith(b"up")
        client.reset()
        (line,) = map(json.loads, gate.worker.lines)
        assert line["user_agent"] == "from-the-old-plan"
        assert (line["route"], line["upstream"]) == ("r1", "http://127.0.0.1:9001")


def test_event_stream_lets_go_of_its_plan_and_goes_on() -> None:
    with serving(agent("old")) as gate:
        client = gate.client(GET)
        gate.origin.send(EVENTS + b"1\r\na\r\n")
        for _ in range(3):
            gate.publish(plan_of(agent("new")))
            assert lives(gate) == 1
            gate.origin.send(b"1\r\nb\r\n")
        gate.origin.send(b"0\r\n\r\n")
        assert client.answer.body == b"abbb"
        client.send(GET)
        gate.origin.send(ok(b"x"))  # its connection is in the pool of the new plan
        assert [json.loads(line)["user_agent"] for line in gate.worker.lines] == ["old", "new"]


def test_slow_reader_of_a_long_answer_lets_go_once_its_head_is_out() -> None:
    with serving(agent("a" * 3000)) as gate:
        client = gate.client()
        client.window(1000)
        client.send(GET)
        gate.origin.send(EVENTS + b"1\r\na\r\n")
        gate.publish(plan_of())
        assert lives(gate) == 2  # the field that the old plan's filter set is still to be written
        client.take(1000)
        client.take(1000)
        client.take(1000)
        client.window(1000)
        client.take(1000)
        for _ in range(40):
            gate.origin.send(b"3e8\r\n" + b"b" * 1000 + b"\r\n")
        assert lives(gate) == 1
        client.window(None)
        gate.origin.send(b"0\r\n\r\n")
        assert len(client.answer.body) == 40_001


@pytest.mark.parametrize("gone", ["route", "upstream", "target"])
def test_exchange_whose_part_is_gone_keeps_its_plan_to_its_end(gone: str) -> None:
    with serving() as gate:
        client = gate.client(GET)
        gate.origin.send(EVENTS + b"1\r\na\r\n")
        plan = plan_of()
        if gone == "route":
            plan["routes"][0]["name"] = "other"
        elif gone == "upstream":
            plan["upstreams"][0]["name"] = plan["routes"][0]["upstream"] = "other"
        else:
            plan = other()
        gate.publish(plan)
        assert lives(gate) == 2
        gate.origin.send(b"1\r\nb\r\n0\r\n\r\n")
        assert client.answer.body == b"ab"
        assert gate.stats["live_plans"] == 1


def test_exchange_without_an_answer_keeps_its_plan() -> None:
    with serving() as gate:
        client = gate.client(GET)
        gate.publish(plan_of())
        assert lives(gate) == 2
        gate.origin.send(EVENTS)
        assert lives(gate) == 1
        gate.origin.send(b"1\r\na\r\n0\r\n\r\n")
        assert client.answer.body == b"a"


def test_response_that_passes_a_filter_keeps_its_plan() -> None:
    upper = {"filter": "test_upper", "phase": "response_body"}
    with serving(upper) as gate:
        client = gate.client(GET)
        gate.origin.send(EVENTS + b"1\r\na\r\n")
        gate.publish(plan_of(upper))
        assert lives(gate) == 2
        gate.origin.send(b"1\r\nb\r\n0\r\n\r\n")
        assert client.answer.body == b"AB"
        assert gate.stats["live_plans"] == 1


def test_half_a_head_goes_on_by_the_new_plan() -> None:
    with serving() as gate:
        client = gate.client(GET[:10])
        gate.publish(other())
        assert lives(gate) == 1
        client.send(GET[10:])
        assert gate.origin.address == "192.0.2.9:9009"
        gate.origin.send(ok(b"new"))
        assert client.answer.body == b"new"


def test_many_connections_are_looked_at_step_by_step() -> None:
    with serving(timeouts={"client_head_ms": 60_000}) as gate:
        for _ in range(PINS_STEP + 1):
            gate.client(GET[:3])
        gate.publish(plan_of(timeouts={"client_head_ms": 60_000}))
        gate.advance(HEARTBEAT_MS)
        assert gate.stats["live_plans"] == 2
        assert lives(gate) == 1


def test_connection_that_goes_while_it_is_next_to_be_looked_at_does_no_harm() -> None:
    with serving(timeouts={"client_head_ms": 60_000}) as gate:
        clients = [gate.client(GET[:3]) for _ in range(PINS_STEP + 3)]
        gate.publish(plan_of(timeouts={"client_head_ms": 60_000}))
        gate.advance(HEARTBEAT_MS)
        for client in clients[:2]:  # newest are looked at first
            client.reset()
        assert lives(gate) == 1


def test_whatever_an_exchange_has_of_its_plan_moves_with_it() -> None:
    """A field that leads into the plan must be set by pins.pyx, or be safe to leave."""
    core = Path(__file__).resolve().parents[2] / "pygw" / "_core"
    moved = (core / "pins.pyx").read_text()
    fields = fields_of((core / "types" / "exchange.pxd").read_text())
    mine = [f for f in fields if f.struct in ("exchange_t", "attempt_t")]
    names = [f.declaration.split()[-1].lstrip("*") for f in mine if f.comment.startswith("plan")]
    assert {"route", "listener", "target"} <= set(names)
    left = [name for name in names if name not in ("reply_body",) and f"{name} = " not in moved]
    assert not left, f"pins.pyx moves an exchange to another plan and leaves {left} behind"
