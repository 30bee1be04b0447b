"""The pool of one target: its bounds, its queue, its reuse, and names that are not known yet."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.memory import (
    GET,
    MINUTE,
    OK,
    Client,
    Gate,
    Json,
    ok,
    plan_of,
    post,
    serving,
    upstream,
)  # fmt: skip
from tests.unit.plans import unix_target
from tests.unit.test_exchange_leaving import canary


def pool(**limits: int) -> Json:
    """An upstream whose pool has these limits."""
    return upstream(pool=limits)


def crowd(gate: Gate, size: int) -> list[Client]:
    return [gate.client(GET) for _ in range(size)]


def answer_all(gate: Gate, answer: bytes = OK) -> None:
    """Every whole request is answered, those too that only now get a connection."""
    while owed := [origin for origin in gate.origins if origin.owed]:
        for origin in owed:
            origin.send(answer)


def named(name: str = "service.internal", **changes: Any) -> Json:
    """An upstream whose one target has a name."""
    one = upstream(**changes)
    one["targets"][0] |= {"url": f"http://{name}:9001", "host": name}
    return one


def open_now(gate: Gate) -> int:
    return sum(not origin.closed for origin in gate.origins)


@pytest.mark.parametrize("bound", [1, 2, 5])
def test_connections_never_exceed_their_bound(bound: int) -> None:
    with serving(one=pool(connections=bound)) as gate:
        clients = crowd(gate, 8)
        assert len(gate.origins) == bound
        answer_all(gate)
        assert [client.answer.status for client in clients] == [200] * 8
        assert len(gate.origins) == bound


def test_bound_counts_connects_on_their_way() -> None:
    with serving(one=pool(connections=3)) as gate:
        gate.hold()
        crowd(gate, 10)
        assert len(gate.origins) == 3
        for client in gate.clients:
            client.reset()


def test_who_waits_is_served_in_order() -> None:
    with serving(one=pool(connections=1)) as gate:
        clients = [gate.client(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % i) for i in range(6)]
        for i in range(6):
            assert gate.origin.requests()[i].target == b"/%d" % i
            gate.origin.send(ok(b"%d" % i))
        assert [client.answer.body for client in clients] == [b"%d" % i for i in range(6)]


def test_queue_is_bounded_and_the_next_is_refused_at_once() -> None:
    with serving(one=pool(connections=1, queue=3)) as gate:
        clients = crowd(gate, 5)
        assert [len(client.answers()) for client in clients] == [0, 0, 0, 0, 1]
        assert clients[4].answer.status == 503
        assert clients[4].answer.error == "connection_limit_reached"
        for _ in range(4):
            gate.origin.send(OK)
        assert [client.answer.status for client in clients] == [200] * 4 + [503]
        assert gate.causes[0] == "queue_full"


def test_queue_of_none_refuses_whoever_finds_no_connection() -> None:
    with serving(one=pool(connections=1, queue=0)) as gate:
        clients = crowd(gate, 2)
        assert clients[1].answer.status == 503
        gate.origin.send(OK)
        assert clients[0].answer.status == 200


def test_who_leaves_the_queue_does_not_hold_its_place() -> None:
    with serving(one=pool(connections=1)) as gate:
        first, second, third = crowd(gate, 3)
        second.reset()
        gate.origin.send(OK)
        gate.origin.send(OK)
        assert first.answer.status == third.answer.status == 200
        assert len(gate.origin.requests()) == 2


def test_queue_goes_on_when_a_connection_ends_instead_of_resting() -> None:
    with serving(one=pool(connections=1)) as gate:
        clients = crowd(gate, 3)
        for i in range(3):
            gate.origins[i].send(ok(b"x", b"Connection: close"))
        assert [client.answer.status for client in clients] == [200] * 3
        assert len(gate.origins) == 3


def test_queue_goes_on_when_a_connect_fails() -> None:
    with serving(one=upstream(pool={"connections": 1}, retries=0)) as gate:
        gate.hold()
        first, second = crowd(gate, 2)
        gate.origins[0].refuse()
        assert first.answer.status == 502
        assert second.received == b""
        gate.accept()
        gate.origins[1].accept()
        gate.origins[1].send(OK)
        assert second.answer.status == 200


@pytest.mark.parametrize("idle", [0, 1, 3])
def test_no_more_than_idle_connections_rest(idle: int) -> None:
    with serving(one=pool(idle=idle)) as gate:
        crowd(gate, 5)
        for origin in gate.origins:
            origin.send(OK)
        assert open_now(gate) == gate.stats["upstream_idle"] == idle


def test_most_recently_used_connection_is_taken_first() -> None:
    with serving() as gate:
        crowd(gate, 2)
        first, second = gate.origins
        second.send(OK)
        first.send(OK)
        client = gate.client(GET)
        assert len(first.requests()) == 2
        first.send(OK)
        assert client.answer.status == 200


def test_idle_connection_the_origin_ends_is_noticed_by_nobody() -> None:
    with serving() as gate:
        crowd(gate, 3)
        for origin in gate.origins:
            origin.send(OK)
        for origin in list(gate.origins):
            origin.finish()
        assert open_now(gate) == gate.stats["upstream_idle"] == 0
        canary(gate)


def test_restart_of_the_origin_with_a_full_pool_costs_no_request() -> None:
    with serving(one=pool(idle=8)) as gate:
        clients = crowd(gate, 8)
        for origin in gate.origins:
            origin.send(OK)
        for origin in gate.origins:  # all in the turn in which the next requests come
            origin.end.reset()
        for client in clients:
            client.end.send(GET)
            client.sent += GET
        gate.worker.settle()
        for origin in gate.origins:
            if origin.received and not origin.sent:
                origin.send(OK)
        assert [client.statuses for client in clients] == [[200, 200]] * 8


def test_pool_outlives_the_plan_that_made_it() -> None:
    with serving() as gate:
        client = gate.client(GET)
        gate.origin.send(OK)
        gate.publish(plan_of())
        client.send(GET)
        gate.origin.send(OK)
        assert client.statuses == [200, 200]
        assert gate.stats["live_plans"] == 1


def test_pool_nobody_names_any_more_closes_its_connections() -> None:
    with serving() as gate:
        client = gate.client(GET)
        gate.origin.send(OK)
        other = upstream()
        other["targets"][0] |= {"url": "http://127.0.0.1:7000", "port": 7000}
        gate.publish(plan_of(one=other))
        assert gate.origin.closed is False or gate.origin.ended == "fin"
        gate.worker.settle()
        assert gate.origin.closed
        assert gate.stats["live_pools"] == 1
        client.send(GET)
        assert gate.origins[1].address == "127.0.0.1:7000"
        gate.origins[1].send(OK)
        assert client.statuses == [200, 200]


def test_exchange_ends_on_the_plan_it_began_with() -> None:
    with serving() as gate:
        client = gate.client(GET)
        respond = {"filter": "respond", "status": 201, "headers": [], "body": "new"}
        gate.publish(plan_of(respond))
        assert gate.stats["live_plans"] == 2
        gate.origin.send(OK)
        assert gate.stats["live_plans"] == 1
        client.send(GET)
        assert client.statuses == [200, 201]


def test_shrunk_bounds_of_a_new_plan_hold_from_then_on() -> None:
    with serving(one=pool(connections=4)) as gate:
        crowd(gate, 4)
        gate.publish(plan_of(one=pool(connections=1, idle=1)))
        gate.client(GET)
        assert len(gate.origins) == 4
        for origin in gate.origins:
            origin.send(OK)
        answer_all(gate)
        assert [client.answer.status for client in gate.clients] == [200] * 5
        assert open_now(gate) == 1


def test_unix_target_is_connected_by_its_path() -> None:
    one = upstream(targets=1)
    one["targets"] = [unix_target("/run/app.sock")]
    with serving(one=one) as gate:
        client = gate.client(post(b"x"))
        assert gate.origin.address == "unix:/run/app.sock"
        gate.origin.send(OK)
        assert client.answer.status == 200


def test_stop_does_not_wait_for_a_connect_that_hangs_for_ever() -> None:
    with serving(one=upstream(timeouts={"connect_ms": None})) as gate:
        gate.hold()
        gate.client(GET).reset()
        gate.worker.stop()
        gate.worker.settle()
        assert gate.origin.closed


def test_connect_that_outlives_its_client_serves_the_next() -> None:
    with serving(one=pool(connections=1)) as gate:
        gate.hold()
        gate.client(GET).reset()
        client = gate.client(GET)
        gate.origin.accept()
        assert len(gate.origin.requests()) == 1
        gate.origin.send(OK)
        assert client.answer.status == 200


def test_queue_timeout_does_not_run_out_while_a_connect_may_still_end() -> None:
    one = upstream(pool={"queue_timeout_ms": 100}, timeouts={"connect_ms": 2000}, retries=0)
    with serving(one=one) as gate:
        gate.hold()
        client = gate.client(GET)
        gate.advance(1900)
        gate.origin.accept()
        gate.origin.send(OK)
        assert client.answer.status == 200


def test_many_exchanges_over_few_connections_leave_nothing(minutes: int = 1) -> None:
    with serving(one=pool(connections=3, idle=2, queue=100)) as gate:
        for round_ in range(20):
            clients = crowd(gate, 10)
            answer_all(gate, ok(b"x", b"Connection: close") if round_ % 3 == 0 else OK)
            assert [client.answer.status for client in clients] == [200] * 10
            for client in clients:
                client.finish()
        gate.advance(minutes * MINUTE + 10)
        assert gate.stats["live_transports"] == 0


def test_request_waits_for_the_name_and_then_goes_there() -> None:
    with serving(one=named()) as gate:
        client = gate.client(GET)
        assert (gate.worker.names, gate.origins) == (["service.internal"], [])
        gate.resolve("192.0.2.7")
        assert gate.origin.address == "192.0.2.7:9001"
        gate.origin.send(OK)
        assert client.answer.status == 200


def test_name_that_does_not_resolve_is_a_502_for_all_who_wait() -> None:
    with serving(one=named(retries=0)) as gate:
        clients = crowd(gate, 3)
        gate.resolve()
        assert [client.answer.status for client in clients] == [502] * 3
        assert gate.causes == ["dns_error"] * 3
        late = gate.client(GET)
        assert late.answer.error == "dns_error"


def test_name_that_never_answers_is_a_502_after_the_time_in_the_queue() -> None:
    one = named(retries=0, pool={"queue_timeout_ms": 1000}, timeouts={"connect_ms": 500})
    with serving(one=one) as gate:
        client = gate.client(GET)
        gate.advance(1600)
        assert client.answer.error == "dns_error"


def test_next_address_of_a_name_is_tried_within_one_attempt() -> None:
    with serving(one=named(retries=0)) as gate:
        gate.refuse("192.0.2.1:9001", "192.0.2.2:9001")
        client = gate.client(GET)
        gate.resolve("192.0.2.1", "192.0.2.2", "192.0.2.3")
        assert [o.address for o in gate.origins] == [f"192.0.2.{i}:9001" for i in (1, 2, 3)]
        gate.origins[2].send(OK)
        assert client.answer.status == 200


def test_name_none_of_whose_addresses_accepts_is_a_502() -> None:
    with serving(one=named(retries=0)) as gate:
        gate.refuse()
        client = gate.client(GET)
        gate.resolve("192.0.2.1", "192.0.2.2")
        assert client.answer.error == "connection_refused"
        assert len(gate.origins) == 2


def test_last_good_address_is_kept_when_a_later_look_up_fails() -> None:
    with serving(one=named()) as gate:
        gate.resolve("192.0.2.7")
        gate.advance(31_000)
        gate.resolve()
        client = gate.client(GET)
        assert gate.origin.address == "192.0.2.7:9001"
        gate.origin.send(OK)
        assert client.answer.status == 200


def test_new_address_serves_new_connections() -> None:
    with serving(one=named(pool={"idle": 0})) as gate:
        gate.resolve("192.0.2.7")
        client = gate.client(GET)
        gate.origin.send(OK)
        gate.advance(31_000)
        gate.resolve("192.0.2.8")
        client.send(GET)
        assert gate.origins[1].address == "192.0.2.8:9001"
        gate.origins[1].send(OK)
        assert client.statuses == [200, 200]


def test_client_that_leaves_while_the_name_is_looked_up_leaves_nothing() -> None:
    with serving(one=named()) as gate:
        gate.client(GET).reset()
        gate.resolve("192.0.2.7")
        assert gate.origins == []
