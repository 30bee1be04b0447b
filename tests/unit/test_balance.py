"""Which target an attempt goes to."""

from __future__ import annotations

import pytest
from pygw._core.probe.filters import Plan

from tests.unit.memory import GET, OK, Gate, serving
from tests.unit.memory import upstream as timed

from .plans import build, plan, upstream

EJECT_FAULTS = 3
EJECT_MS = 250
EJECT_MS_MAX = 1000
BAD = "127.0.0.1:9002"


def picker(targets: int) -> Plan:
    """A plan with one upstream of so many targets."""
    return build(plan(upstreams=[upstream(targets=targets)]))


def test_targets_are_taken_in_turn() -> None:
    p = picker(3)
    assert [p.pick("api") for _ in range(7)] == [0, 1, 2, 0, 1, 2, 0]


def test_the_target_tried_before_is_avoided_if_there_is_another() -> None:
    p = picker(2)
    assert p.pick("api") == 0
    assert p.pick("api", tried=1) == 0
    assert p.pick("api", tried=1) == 0


def test_a_single_target_is_tried_again() -> None:
    p = picker(1)
    assert [p.pick("api", tried=0) for _ in range(3)] == [0, 0, 0]


def test_upstreams_take_turns_on_their_own() -> None:
    p = build(plan(upstreams=[upstream("api", 2), upstream("other", 2)]))
    assert [p.pick("api"), p.pick("other"), p.pick("api"), p.pick("other")] == [0, 0, 1, 1]


def test_an_upstream_without_targets_offers_none() -> None:
    p = picker(2)
    p.empty("api")
    assert p.pick("api") is None


def test_the_turn_survives_a_fall_in_the_number_of_targets() -> None:
    p = picker(2)
    p.pick("api")
    p.pick("api")
    assert p.pick("api") == 0


@pytest.mark.parametrize("targets", [1, 2, 3, 7, 1024])
def test_every_target_gets_the_same_share(targets: int) -> None:
    p = picker(targets)
    picks = [p.pick("api") for _ in range(targets * 3)]
    assert sorted(picks) == sorted([*range(targets)] * 3)


def ask(gate: Gate) -> int:
    """One request; how many connects to the bad target it cost."""
    before = tries(gate)
    client = gate.client(GET)
    for origin in gate.origins:
        if not origin.closed and origin.owed:
            origin.send(OK)
    assert client.answer.status == 200
    return tries(gate) - before


def tries(gate: Gate) -> int:
    """Connects to the bad target so far."""
    return sum(origin.address == BAD for origin in gate.origins)


def ejected(gate: Gate) -> None:
    """Takes the bad target out of rotation."""
    gate.refuse(BAD)
    assert sum(ask(gate) for _ in range(20)) == EJECT_FAULTS


def test_target_is_left_alone_after_eject_faults_in_a_row_and_clients_notice_nothing() -> None:
    with serving(one=timed(targets=2)) as gate:
        ejected(gate)


def lasts(gate: Gate, ms: int) -> None:
    """The bad target is out of rotation for exactly so long; then one failure ejects it again."""
    gate.advance(ms - 1)
    assert [ask(gate) for _ in range(4)] == [0] * 4
    gate.advance(1)
    assert sum(ask(gate) for _ in range(4)) == 1


def test_ejection_lasts_longer_each_time_up_to_its_bound() -> None:
    with serving(one=timed(targets=2)) as gate:
        ejected(gate)
        for ms in (EJECT_MS, 2 * EJECT_MS, EJECT_MS_MAX, EJECT_MS_MAX):
            lasts(gate, ms)


def test_success_ends_the_back_off() -> None:
    with serving(one=timed(targets=2, pool={"idle": 0})) as gate:
        ejected(gate)
        lasts(gate, EJECT_MS)
        lasts(gate, 2 * EJECT_MS)
        gate.advance(EJECT_MS_MAX)
        gate.accept()
        assert any(ask(gate) for _ in range(3))
        ejected(gate)
        lasts(gate, EJECT_MS)


def test_faults_that_are_not_in_a_row_eject_nobody() -> None:
    with serving(one=timed(targets=2, pool={"idle": 0})) as gate:
        for _ in range(5):
            gate.refuse(BAD)
            failed = 0
            while failed < EJECT_FAULTS - 1:
                failed += ask(gate) or ask(gate)
            gate.accept()
            assert any(ask(gate) for _ in range(3))


def test_targets_that_are_all_ejected_take_turns_all_the_same() -> None:
    with serving(one=timed(targets=2, retries=0)) as gate:
        gate.refuse()
        clients = [gate.client(GET) for _ in range(20)]
        assert [client.answer.status for client in clients] == [502] * 20
        assert len({origin.address for origin in gate.origins[-2:]}) == 2
        gate.accept()
        assert ask(gate) in (0, 1)
