"""What the builder refuses of the upstream side of a plan."""

from __future__ import annotations

from typing import Any

import pytest

from .plans import balance, split, target
from .test_build import changed, refusal

SPLITS_MAX = 16


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("upstreams.0.retries.attempts", 11, "attempts: must be from 0 to 10, got 11"),
        ("upstreams.0.retries", 1, "upstreams[0].retries: must be an object"),
        ("upstreams.0.retries.on", ["x"], "on: must be of connect_failure, reset, response_t"),
        ("upstreams.0.retries.on", [[]], "on: must be of connect_failure, reset, response_t"),
        ("upstreams.0.retries.statuses", [600], "statuses: must be statuses from 400 to 599"),
        ("upstreams.0.retries.budget", 10001, "budget: must be from 0 to 10000, got 10001"),
        ("upstreams.0.eject.faults", 0, "eject.faults: must be from 1 to 1000, got 0"),
        ("upstreams.0.eject.max_back_off_ms", 249, "max_back_off_ms: must be from 250 to"),
        ("upstreams.0.balance.by", "luck", "balance.by: must be round_robin, hash, least_conn"),
        ("upstreams.0.balance", balance("hash", "x"), "must be client_ip, pat"),
        ("upstreams.0.balance", balance("hash", "header", "a b"), "must be a token"),
        ("upstreams.0.sticky", "a;b", "upstreams[0].sticky: must be a token"),
        ("upstreams.0.targets.0.weight", 0, "weight: must be from 1 to 1000, got 0"),
        ("upstreams.0.targets.0.priority", 8, "priority: must be from 0 to 7, got 8"),
        ("upstreams.0.targets.0.id", "x", "targets[0].id: must be 16 hexadecimal digits"),
        ("upstreams.0.targets.0", target(id="a" * 16, cookie="a\r\nb"), "without control bytes"),
        ("routes.0.upstream", [], "upstream: must be 1 to 16 upstreams"),
        ("routes.0.upstream", [split("nope")], "upstream[0].to: no upstream has the name"),
        ("routes.0.upstream", [split(weight=0)], "upstream: needs a weight above 0"),
        (
            "routes.0.upstream",
            [split()] * (SPLITS_MAX + 1),
            "upstream: must be 1 to 16 upstreams",
        ),
    ],
)
def test_a_bad_value_is_refused_with_its_place(place: str, value: Any, message: str) -> None:
    assert message in refusal(changed(place, value))
