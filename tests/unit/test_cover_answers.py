"""Memory runs out while heads are made that take more of it than others: filters' own answers,
heads of more pieces than one write has, all forwarding fields. See `test_exchange_shortage`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pygw._core.memory_worker import fail_allocations

from pygw._core import variant
from tests.unit.memory import GET, Gate, plan_of, post, upstream
from tests.unit.test_exchange_leaving import allow_cuts, canary
from tests.unit.test_exchange_shortage import answer_all, once

pytestmark = pytest.mark.skipif(not variant.DEBUG, reason="allocations fail in debug builds only")

GATHER_MAX = 64
FIELDS = [f"X-{n}" for n in range(GATHER_MAX * 2)]
RESPOND = {"filter": "respond", "status": 200, "body": "hello",
           "headers": [[f"Y-{n}", "z"] for n in range(40)]}  # fmt: skip
REDIRECT = {"filter": "redirect", "status": 308, "location": "https://example.com/"}
# Every second line goes: what stays are as many pieces as lines.
EDITS: dict[str, Any] = {"set": [], "add": [], "remove": FIELDS[::2]}
HEADERS = {"filter": "headers", "request": EDITS, "response": EDITS}
LINES = "".join(f"{name}: 1\r\n" for name in FIELDS).encode()


def short(gate: Gate) -> None:
    gate.client(GET)
    answer_all(gate)


def old_client(gate: Gate) -> None:
    gate.client(b"GET / HTTP/1.0\r\n\r\n")
    answer_all(gate)


def long_heads(gate: Gate) -> None:
    gate.client(b"GET / HTTP/1.1\r\nHost: a\r\n" + LINES + b"\r\n")
    answer_all(gate, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + LINES + b"\r\n")


def upload_refused(gate: Gate) -> None:
    gate.client(post(b"x" * 3000))


PLANS: dict[str, tuple[list[Any], dict[str, Any], Callable[[Gate], None]]] = {
    "respond": ([RESPOND], {}, short),
    "respond-to-1.0": ([RESPOND], {}, old_client),
    "redirect": ([REDIRECT], {}, short),
    "redirect-upload": ([REDIRECT], {}, upload_refused),
    "echo": ([{"filter": "echo"}], {}, long_heads),
    "many-pieces": ([HEADERS], {"limits": {"headers": 200}}, long_heads),
    "forwarded": ([], {"forwarded": True}, short),
    "forwarded-for-1.0": ([], {"forwarded": True, "via": "me"}, old_client),
}


@pytest.mark.parametrize("name", PLANS)
def test_any_allocation_of_a_costly_head_may_fail(name: str) -> None:
    chain, changes, case = PLANS[name]
    gate = Gate(plan_of(*chain, one=upstream(pool={"idle_timeout_ms": 1000}), **changes))
    total = once(gate, case, -1, 0)
    assert total > 1
    for good in range(total):
        once(gate, case, good, 1)
    if not chain:
        canary(gate)
    allow_cuts(gate)
    gate.worker.close()


@pytest.mark.parametrize("name", ["respond", "redirect"])
def test_own_answer_that_finds_no_memory_is_another_or_none(name: str) -> None:
    chain, changes, _ = PLANS[name]
    gate = Gate(plan_of(*chain, **changes))
    seen: set[int] = set()
    for good in range(60):
        fail_allocations(good)
        try:
            seen |= set(gate.client(GET).statuses)
        except MemoryError:
            pass  # not even accepted
        finally:
            fail_allocations(-1)
    usual = 200 if name == "respond" else 308
    assert {usual, 503} <= seen <= {usual, 500, 503}
    allow_cuts(gate)
    gate.worker.close()
