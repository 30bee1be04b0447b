"""Memory runs out at any single moment: that exchange is refused or its connection ends, the worker
lives, the next exchange is served, nothing leaks.

Every n-th allocation of a case fails, for all n until none is left to fail. Needs a debug build,
where each allocation of an arena is one, and nothing is kept for reuse.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pygw._core.memory_worker import allocations, fail_allocations

from pygw._core import variant
from tests.unit.memory import GET, OK, Client, Gate, chunked, ok, plan_of, post, upstream
from tests.unit.test_exchange_leaving import SWITCH, UPGRADE, allow_cuts, canary

needs_debug = pytest.mark.skipif(not variant.DEBUG, reason="allocations fail in debug builds only")


def answer_all(gate: Gate, data: bytes = OK) -> None:
    """Every origin that was asked and has not answered does."""
    for origin in gate.origins:
        asked = [request for request in origin.requests() if request.complete]
        for _ in asked[origin.sent.count(b"HTTP/1.1 2") :]:
            origin.send(data)


def plain(gate: Gate) -> None:
    gate.client(GET)
    answer_all(gate)


def upload(gate: Gate) -> None:
    client = gate.client()
    client.send(post(b"x" * 40_000), 8192)
    answer_all(gate)


def chunks_both_ways(gate: Gate) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    client = gate.client()
    client.send(head + chunked(b"ab", b"cd", trailers=b"X-T: 1\r\n"), 9)
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer_all(gate, answer + chunked(b"ef", b"gh", trailers=b"X-T: 1\r\n"))


def slow_reader(gate: Gate) -> None:
    client = gate.client()
    client.window(100)
    client.send(GET)
    answer_all(gate, ok(b"x" * 5000))
    while client.take(1000):
        pass


def many_fields(gate: Gate) -> None:
    fields = b"".join(b"X-%d: %d\r\n" % (i, i) for i in range(60))
    gate.client(b"GET / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n")
    answer_all(gate, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + fields + b"\r\n")


def long_head(gate: Gate) -> None:
    client = gate.client()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 25_000 + b"\r\n\r\n", 8000)
    answer_all(gate)


def refused_head(gate: Gate) -> None:
    gate.client(b"GET / HTTP/1.1\r\nBad Field: 1\r\n\r\n")


def interim(gate: Gate) -> None:
    gate.client(GET)
    for origin in gate.origins:
        origin.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
    answer_all(gate)


def retry(gate: Gate) -> None:
    client = gate.client(post(b"body").replace(b"POST", b"PUT"))
    for origin in list(gate.origins):
        origin.reset()
    answer_all(gate)
    client.reset()


def tunnel(gate: Gate) -> None:
    client = gate.client(UPGRADE)
    for origin in gate.origins:
        origin.tunnel_at = len(origin.received)
        origin.send(SWITCH)
        client.window(10)
        origin.send(b"x" * 30_000)
        client.send(b"y" * 30_000)
        client.window(None)
        client.reset()


def early_answer(gate: Gate) -> None:
    client = gate.client(post(b"x" * 1000)[:-500])
    for origin in gate.origins:
        origin.send(OK)
    client.send(b"x" * 500)


def own_answer(gate: Gate) -> None:
    gate.refuse()
    gate.client(GET)
    gate.accept()


CASES: list[Callable[[Gate], None]] = [
    plain, upload, chunks_both_ways, slow_reader, many_fields, long_head, refused_head, interim,
    retry, tunnel, early_answer, own_answer,
]  # fmt: skip
PHASES = ("request", "request_body", "attempt", "response", "response_body")
CHAINS = {
    "bare": [],
    "edits": [{"filter": "test_upper", "phase": "request_body"},
              {"filter": "test_emit", "phase": "response_body", "prefix": "<", "suffix": ">"}],
    "waits": [{"filter": "test_wait", "phase": phase, "ms": 10} for phase in PHASES],
    "headers": [{"filter": "headers",
                 "request": {"set": [["X-A", "b"]], "add": [["X-B", "c"]], "remove": []},
                 "response": {"set": [["X-A", "b"]], "add": [["X-B", "c"]], "remove": []}}],
}  # fmt: skip

TURNS = 12  # a wait of 10 ms takes two at most, and a second attempt waits once more


def whole(client: Client) -> None:
    """An answer that is not whole stands on a connection that says so."""
    client.window(None)
    if b"HTTP/1.1 101" in client.received:
        return
    for answer in client.answers():
        assert answer.complete or client.ended != "open", client.received


def once(gate: Gate, case: Callable[[Gate], None], good: int, bad: int) -> int:
    """Plays a case with these allocations failing; how many there were."""
    fail_allocations(good, bad)
    try:
        case(gate)
        for _ in range(TURNS):
            gate.advance(11)
            answer_all(gate)
    except MemoryError:
        pass  # a client that was not even accepted
    finally:
        asked: int = allocations()
        fail_allocations(-1)
    for client in gate.clients:
        whole(client)
        if not client.closed:
            client.reset()
    gate.advance(120_000)
    assert not any(gate.worker.live().values()), (good, gate.worker.live())
    gate.clients.clear()
    return asked


@needs_debug
@pytest.mark.parametrize("bad", [1, 3, 1000])
@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_any_allocation_may_fail(case: Callable[[Gate], None], chain: str, bad: int) -> None:
    gate = Gate(plan_of(*CHAINS[chain], one=upstream(pool={"idle_timeout_ms": 1000})))
    total = once(gate, case, -1, 0)
    for good in range(total):
        once(gate, case, good, bad)
        assert gate.stats["spins"] == 0, good
    fail_allocations(-1)
    if chain == "bare":
        canary(gate)
    allow_cuts(gate)
    gate.worker.close()


@needs_debug
def test_plan_that_finds_no_memory_leaves_the_old_one() -> None:
    gate = Gate(plan_of())
    failed = 0
    for good in range(200):
        fail_allocations(good)
        try:
            gate.publish(plan_of(one=upstream(name="api", targets=3)))
        except (MemoryError, ValueError):
            failed += 1
        finally:
            fail_allocations(-1)
        assert gate.stats["live_plans"] == 1
    assert failed
    gate.publish(plan_of())
    assert gate.stats["live_pools"] == 1
    canary(gate)
    gate.worker.close()


@needs_debug
def test_refused_for_memory_is_a_503() -> None:
    gate = Gate(plan_of())
    statuses = set()
    for good in range(60):
        fail_allocations(good)
        try:
            client = gate.client(GET)
            statuses |= set(client.statuses)
        except MemoryError:
            continue
        finally:
            fail_allocations(-1)
        client.reset()
        for origin in gate.origins:
            origin.cut_allowed = True
    assert 503 in statuses
    assert statuses <= {503, 500, 502}
    gate.worker.close()


@needs_debug
@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_answer_cut_for_memory_is_neither_sent_nor_logged_as_whole(version: bytes) -> None:
    cut = 0
    for good in range(40):
        gate = Gate(plan_of())
        fail_allocations(good)
        try:
            client = gate.client()
            client.window(100)
            client.send(b"GET / HTTP/" + version + b"\r\nHost: a\r\n\r\n")
            answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            answer_all(gate, answer + chunked(b"x" * 5000))
        except MemoryError:
            continue
        finally:
            fail_allocations(-1)
        client.window(None)
        gate.advance(100)
        bodies = [one.body for one in client.answers() if one.status == 200 and one.complete]
        assert bodies in ([], [b"x" * 5000]), good
        if not bodies and client.statuses != [503]:
            cut += 1
            assert gate.causes != ["-"], good
            assert client.closed, good
        allow_cuts(gate)
        gate.worker.close()
    assert cut
