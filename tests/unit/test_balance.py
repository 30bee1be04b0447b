"""Which target an attempt goes to."""

from __future__ import annotations

import pytest
from pygw._core.probe.filters import Plan

from tests.unit.memory import GET, OK, Gate, serving
from tests.unit.memory import upstream as timed

from .plans import balance, build, eject, plan, retry, target, upstream

EJECT_FAULTS = 3
EJECT_MS = 250
EJECT_CONNECT_MS = 500
HASH_SLOTS = 65536
TURNS_MAX = 65536
BUDGET_MS = 10_000
PICKS = 100_000
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
        for ms in (EJECT_MS, 2 * EJECT_MS, EJECT_CONNECT_MS, EJECT_CONNECT_MS):
            lasts(gate, ms)


def test_success_ends_the_back_off() -> None:
    with serving(one=timed(targets=2, pool={"idle": 0})) as gate:
        ejected(gate)
        lasts(gate, EJECT_MS)
        lasts(gate, 2 * EJECT_MS)
        gate.advance(EJECT_CONNECT_MS)
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


# --- weights --------------------------------------------------------------------------------------


def weighted(*weights: int, by: str = "round_robin", key: str | None = None) -> Plan:
    """A plan with a target of each weight."""
    targets = [target(9001 + place, weight=weight) for place, weight in enumerate(weights)]
    return build(plan(upstreams=[upstream(targets=targets, balance=balance(by, key))]))


def shares(p: Plan, prefix: str | None = None) -> list[float]:
    """Each target's share of PICKS requests, by its place."""
    hits = p.pick_many("api", PICKS, prefix=prefix)
    return [hits[f"http://127.0.0.1:{9001 + place}"] / PICKS for place in range(len(hits))]


def near(got: list[float], weights: list[int]) -> None:
    """Every share is within 2 % of its weight's."""
    for share, weight in zip(got, weights, strict=True):
        assert share == pytest.approx(weight / sum(weights), rel=0.02)


WEIGHTS = [[1, 1], [1, 2, 3], [5, 1, 1], [95, 5], [1000, 999, 1], [7, 7, 7, 7]]


@pytest.mark.parametrize("by", ["round_robin", "least_connections"])
@pytest.mark.parametrize("weights", [*WEIGHTS, [1000, 1]])
def test_turns_are_distributed_by_weight(by: str, weights: list[int]) -> None:
    got = shares(weighted(*weights, by=by))
    for share, weight in zip(got, weights, strict=True):
        assert share == pytest.approx(weight / sum(weights), rel=0.02, abs=1 / PICKS)


@pytest.mark.parametrize("weights", [[1, 1], [1, 2, 3], [5, 1, 1], [7, 7, 7, 7]])
def test_chance_is_distributed_by_weight(weights: list[int]) -> None:
    near(shares(weighted(*weights, by="random_two")), weights)


@pytest.mark.parametrize("weights", [[1, 1], [1, 2, 3], [5, 1, 1], [7, 7, 7, 7]])
def test_hashed_keys_are_distributed_by_weight(weights: list[int]) -> None:
    near(shares(weighted(*weights, by="hash", key="path"), prefix="/user/"), weights)


def test_turns_by_weight_lie_evenly() -> None:
    p = weighted(5, 1, 1)
    turns = [p.pick("api") for _ in range(14)]
    assert turns[:7] == turns[7:]
    assert max(len(run) for run in "".join(map(str, turns)).replace("2", "1").split("1")) <= 3


def test_turns_beyond_turns_max_keep_everybody_in() -> None:
    weights = [1000] * 99 + [1]
    assert sum(weights) > TURNS_MAX
    p = weighted(*weights)
    hits = p.pick_many("api", TURNS_MAX)
    assert min(hits.values()) == 1
    assert max(hits.values()) == pytest.approx(TURNS_MAX / 99, rel=0.02)


def test_shares_of_an_ejected_target_go_to_the_others_by_weight() -> None:
    p = weighted(1, 2, 3)
    p.standing("api", [(0, 0), (0, 0), (0, 10**6)])
    near(shares(p)[:2], [1, 2])


def test_a_heavy_target_that_is_out_does_not_hide_a_light_one() -> None:
    p = weighted(1000, 1)
    p.standing("api", [(0, 10**6), (0, 0)])
    assert [p.pick("api") for _ in range(3000)] == [1] * 3000


# --- the others -----------------------------------------------------------------------------------


def test_least_connections_takes_the_fewest_for_the_weight() -> None:
    p = weighted(1, 1, 4, by="least_connections")
    for active, best in (([2, 1, 5], 1), ([2, 2, 5], 2), ([1, 1, 5], {0, 1}), ([0, 3, 0], {0, 2})):
        p.standing("api", [(count, 0) for count in active])
        picks = {p.pick("api") for _ in range(20)}
        assert picks == (best if isinstance(best, set) else {best})


def test_random_two_never_takes_the_busiest_of_two() -> None:
    p = weighted(1, 1, by="random_two")
    p.standing("api", [(1, 0), (0, 0)])
    assert p.pick_many("api", 1000)["http://127.0.0.1:9001"] < 400


def test_random_two_leaves_out_what_is_ejected() -> None:
    p = weighted(1, 1, 1, by="random_two")
    p.standing("api", [(0, 0), (0, 10**6), (0, 10**6)])
    assert {p.pick("api") for _ in range(100)} == {0}


@pytest.mark.parametrize("targets", [2, 3, 10, 100])
def test_consistent_hash_moves_only_the_keys_of_the_target_that_goes(targets: int) -> None:
    keys = [f"user-{i}".encode() for i in range(PICKS // 5)]
    whole = [target(9001 + place) for place in range(targets)]
    gone = whole[targets // 2]
    by = balance("hash", "header", "X-User")
    before, after = (
        build(plan(upstreams=[upstream(targets=left, balance=by)]))
        for left in (whole, [one for one in whole if one is not gone])
    )
    moved = 0
    for key in keys:
        was = before.url("api", before.pick("api", key=key))
        now = after.url("api", after.pick("api", key=key))
        moved += was != now
        assert was == now or was == gone["url"]
    assert moved / len(keys) <= 1.3 / targets


def test_keys_of_an_ejected_target_go_to_all_others_and_no_other_key_moves() -> None:
    p = weighted(1, 1, 1, 1, by="hash", key="path")
    keys = [f"/{i}".encode() for i in range(4000)]
    before = [p.pick("api", key=key) for key in keys]
    p.standing("api", [(0, 10**6), (0, 0), (0, 0), (0, 0)])
    after = [p.pick("api", key=key) for key in keys]
    assert all(was == now for was, now in zip(before, after, strict=True) if was != 0)
    moved = [now for was, now in zip(before, after, strict=True) if was == 0]
    assert {place: moved.count(place) > len(moved) / 4 for place in (1, 2, 3)} == {
        1: True,
        2: True,
        3: True,
    }


def test_a_table_of_hash_slots_is_the_same_whatever_the_order_of_targets() -> None:
    targets = [target(9001 + place) for place in range(5)]
    by = balance("hash", "path")
    one, other = (
        build(plan(upstreams=[upstream(targets=order, balance=by)]))
        for order in (targets, targets[::-1])
    )
    assert one.size_bytes >= 2 * HASH_SLOTS
    for i in range(1000):
        key = f"/{i}".encode()
        assert one.url("api", one.pick("api", key=key)) == other.url(
            "api", other.pick("api", key=key)
        )


def test_a_request_without_the_hashed_value_goes_by_turns() -> None:
    p = weighted(1, 1, by="hash", key="path")
    assert [p.pick("api") for _ in range(4)] == [0, 1, 0, 1]


# --- priorities -----------------------------------------------------------------------------------


def ranked(*priorities: int) -> Plan:
    """A plan with a target of each priority."""
    targets = [target(9001 + place, priority=one) for place, one in enumerate(priorities)]
    return build(plan(upstreams=[upstream(targets=targets)]))


def test_a_group_gets_requests_only_while_all_before_it_are_out() -> None:
    p = ranked(0, 0, 1, 7)
    assert {p.pick("api") for _ in range(20)} == {0, 1}
    p.standing("api", [(0, 10**6), (0, 0), (0, 0), (0, 0)])
    assert {p.pick("api") for _ in range(20)} == {1}
    p.standing("api", [(0, 10**6), (0, 10**6), (0, 0), (0, 0)])
    assert {p.pick("api") for _ in range(20)} == {2}
    p.standing("api", [(0, 10**6), (0, 10**6), (0, 10**6), (0, 0)])
    assert {p.pick("api") for _ in range(20)} == {3}


def test_the_first_group_takes_turns_when_all_are_out() -> None:
    p = ranked(0, 0, 1)
    p.standing("api", [(0, 10**6)] * 3)
    assert {p.pick("api") for _ in range(20)} == {0, 1}


def test_another_attempt_goes_to_the_next_group_when_its_own_has_no_other() -> None:
    assert ranked(0, 1).pick("api", tried=0) == 1


def test_groups_stand_in_the_order_of_their_numbers() -> None:
    assert ranked(3, 0).url("api", 0) == "http://127.0.0.1:9002"


# --- the way back ---------------------------------------------------------------------------------


def test_one_attempt_at_a_time_tells_whether_an_ejected_target_is_back() -> None:
    p = weighted(1, 1)
    p.standing("api", [(0, 0), (0, 1000)])
    at = 1001 * 10**6
    assert [p.pick("api", now_ns=at) for _ in range(6)].count(1) == 1
    assert [p.pick("api", now_ns=at + 250 * 10**6) for _ in range(6)].count(1) == 1


def test_attempts_begun_before_an_ejection_do_not_lengthen_it() -> None:
    with serving(one=timed(targets=2, retries=0)) as gate:
        clients = [gate.client(GET) for _ in range(40)]
        gate.advance(1)
        for origin in gate.origins:
            if origin.address == BAD:
                origin.reset()
        gate.advance(EJECT_MS)
        before = tries(gate)
        for _ in range(2):
            gate.client(GET)
        assert tries(gate) == before + 1
        assert gate.stats["ejections"] == 1
        for origin in gate.origins:
            if not origin.closed and origin.owed:
                origin.send(OK)
        assert [client.answer.status for client in clients].count(502) == 20


def test_eject_off_takes_nobody_out() -> None:
    with serving(one=timed(targets=2, eject=None)) as gate:
        gate.refuse(BAD)
        assert sum(ask(gate) for _ in range(20)) >= 10


def test_listed_statuses_take_a_target_out() -> None:
    one = timed(targets=2, eject=eject(faults=1, statuses=[503]))
    with serving(one=one) as gate:
        for _ in range(2):
            gate.client(GET)
        for origin in gate.origins:
            origin.send(OK if origin.address != BAD else OK.replace(b"200 OK", b"503 No"))
        before = len(gate.origins[-1].requests())
        for _ in range(6):
            ask(gate)
        bad = next(origin for origin in gate.origins if origin.address == BAD)
        assert len(bad.requests()) == 1
        assert before <= 2
        assert gate.stats["ejections"] == 1


# --- the retry budget -----------------------------------------------------------------------------


def test_retries_stay_within_their_share_of_the_last_requests() -> None:
    one = upstream(retries=retry(budget=2000, floor=0))
    p = build(plan(upstreams=[one]))
    for _ in range(100):
        p.budget("api", BUDGET_MS)
    assert [p.budget("api", BUDGET_MS, retry=True) for _ in range(22)] == [True] * 20 + [False] * 2
    assert not p.budget("api", BUDGET_MS + BUDGET_MS // 2, retry=True)
    assert not p.budget("api", 2 * BUDGET_MS + 1, retry=True)
    for _ in range(5):
        p.budget("api", 2 * BUDGET_MS + 1)
    assert p.budget("api", 2 * BUDGET_MS + 1, retry=True)


def test_the_floor_allows_retries_whatever_the_share_is() -> None:
    p = build(plan(upstreams=[upstream(retries=retry(budget=0, floor=2))]))
    allowed = 2 * BUDGET_MS // 1000
    assert [p.budget("api", 5, retry=True) for _ in range(allowed + 1)] == [True] * allowed + [
        False
    ]
