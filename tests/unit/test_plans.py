"""Plans that come and go while exchanges run: two steps, pins, and what is given back."""

from __future__ import annotations

import json

import pytest

from tests.unit.memory import GET, Gate, ok, plan_of, serving, upstream


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
