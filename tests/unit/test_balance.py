"""Which target an attempt goes to."""

from __future__ import annotations

import pytest
from pygw._core.probe.filters import Plan

from .plans import build, plan, upstream


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
