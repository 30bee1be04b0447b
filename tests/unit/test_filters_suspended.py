"""Filters that wait, hold, replace and emit, in every phase, also when a peer leaves meanwhile.

The filters are those of `pygw._core.probe.test_filters`; the exchange is the real one between
scripted streams (`pygw._core.probe.loopback`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pygw._core.fault import faults
from pygw._core.probe.filters import PlanError
from pygw._core.probe.loopback import Loopback

from pygw._core.probe import test_filters

from .memory import GET, OK, serving, upstream
from .plans import through

CLEAN = {"buffers": 0, "slices": 0, "pins": 0, "timers": False}
HEADS = ("request", "attempt", "response")
BODIES = ("request_body", "response_body")
PHASES = HEADS + BODIES
FAULTS = faults()


def test_answer_that_comes_while_a_filter_still_holds_the_request_is_refused() -> None:
    """It answers nothing; taking it once let the filter resume into an attempt that was over."""
    held = {"filter": "test_wait", "phase": "attempt", "ms": 10}
    with serving(held, one=upstream(retries=0)) as gate:
        client = gate.client(GET)
        gate.origin.send(OK)
        assert client.answer.status == 502
        gate.advance(100)
        assert gate.causes == ["bad_response"]
        assert gate.origin.closed


def number(name: str) -> int:
    """The number of an E_*."""
    value = FAULTS[name]["number"]
    assert isinstance(value, int)
    return value


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    """No state is alive after a test, no WAIT was stranded, no cancel came astray."""
    test_filters.reset()
    yield
    for name, count in test_filters.counts().items():
        assert count["live"] == 0, name
        assert count["stranded"] == 0, name
        assert count["wrong_cancels"] == 0, name
        assert count["waits"] == count["resumes"] + count["cancels"], name


def counts(name: str) -> dict[str, int]:
    """The counters of one filter."""
    return test_filters.counts()[name]


def wait(phase: str, ms: int | None = 10, **more: Any) -> dict[str, Any]:
    """The filter `test_wait`."""
    return {"filter": "test_wait", "phase": phase, "ms": ms} | more


def body_filter(name: str, phase: str, **more: Any) -> dict[str, Any]:
    """Another test filter."""
    return {"filter": f"test_{name}", "phase": phase} | more


def ticking(run: Loopback, until: Any, limit: int = 200) -> None:
    """Moves the clock until something is so."""
    for _ in range(limit):
        if until():
            return
        run.tick(8)
    pytest.fail("never came about")


def whole(run: Loopback, up: list[bytes], down: list[bytes]) -> None:
    """Runs an exchange to its end with these pieces of body, the clock moving in between."""
    run.begin(b"POST", framing="chunked")
    for piece in up:
        run.client_body(piece)
        run.tick(4)
    run.client_end()
    ticking(run, lambda: run.up.ends == 1)
    run.answer(200, framing="chunked")
    for piece in down:
        run.answer_body(piece)
        run.tick(4)
    run.answer_end()
    ticking(run, lambda: run.done)


@pytest.mark.parametrize("phase", PHASES)
def test_a_wait_delays_and_loses_nothing(phase: str) -> None:
    run = through(wait(phase))
    whole(run, [b"one ", b"two ", b"three"], [b"four ", b"five"])
    assert run.up.body == b"one two three"
    assert run.down.body == b"four five"
    assert (run.status, run.cause, run.logs, run.live) == (200, "-", (1, 200), CLEAN)
    assert counts("test_wait")["waits"] == 1
    assert counts("test_wait")["resumes"] == 1
    assert counts("test_wait")["logs"] == 1


@pytest.mark.parametrize("phase", HEADS)
def test_a_wait_holds_the_head_back_until_it_is_over(phase: str) -> None:
    run = through(wait(phase, 100))
    run.begin()
    if phase == "response":
        run.answer(200)
    side = run.down if phase == "response" else run.up
    run.tick(80)
    assert side.heads == 0
    run.tick(40)
    assert side.heads == 1
    if phase != "response":
        run.answer(200)
    run.answer_end()
    assert run.done


@pytest.mark.parametrize("phase", BODIES)
@pytest.mark.parametrize("take", [False, True])
@pytest.mark.parametrize("when", ["first", "each", "last"])
def test_body_passes_in_order_however_often_it_is_suspended(
    phase: str, take: bool, when: str
) -> None:
    run = through(wait(phase, 10, when=when, take=take))
    pieces = [b"%d " % i for i in range(20)]
    whole(run, pieces, pieces)
    assert run.up.body == b"".join(pieces)
    assert run.down.body == b"".join(pieces)
    assert (run.up.ends, run.down.ends, run.live) == (1, 1, CLEAN)


@pytest.mark.parametrize("phase", PHASES)
def test_two_filters_wait_one_after_the_other(phase: str) -> None:
    run = through(wait(phase), wait(phase, 20, when="last"), wait(phase, when="each"))
    whole(run, [b"up"], [b"do", b"wn"])
    assert (run.up.body, run.down.body, run.live) == (b"up", b"down", CLEAN)
    assert counts("test_wait")["waits"] >= 3


def test_waits_in_all_phases_of_one_exchange_end_well() -> None:
    run = through(*(wait(phase, when="each") for phase in PHASES))
    whole(run, [b"a", b"b"], [b"c", b"d"])
    assert (run.up.body, run.down.body, run.cause) == (b"ab", b"cd", "-")
    assert run.live == CLEAN


@pytest.mark.parametrize("phase", BODIES)
def test_hold_lets_all_go_at_the_end(phase: str) -> None:
    run = through(body_filter("hold", phase))
    run.begin(b"POST", framing="chunked")
    run.client_body(b"one ")
    run.client_body(b"two")
    assert run.up.body == (b"" if phase == "request_body" else b"one two")
    run.client_end()
    assert run.up.body == b"one two"
    run.answer(200, framing="chunked")
    run.answer_body(b"three ")
    run.answer_body(b"four")
    assert run.down.body == (b"" if phase == "response_body" else b"three four")
    run.answer_end()
    assert run.down.body == b"three four"
    assert (run.done, run.live) == (True, CLEAN)


@pytest.mark.parametrize("phase", BODIES)
def test_replaced_body_leaves_as_the_replacement(phase: str) -> None:
    run = through(body_filter("upper", phase))
    big = bytes(range(256)) * 300
    whole(run, [b"ab", big], [b"cd", big])
    up, down = b"ab" + big, b"cd" + big
    assert run.up.body == (upper(up) if phase == "request_body" else up)
    assert run.down.body == (upper(down) if phase == "response_body" else down)
    assert (run.up.edited, run.down.edited) == (phase == "request_body", phase == "response_body")
    assert run.live == CLEAN


def upper(data: bytes) -> bytes:
    """ASCII letters in upper case, all else as it is."""
    return bytes(c - 32 if 97 <= c <= 122 else c for c in data)


@pytest.mark.parametrize("phase", BODIES)
@pytest.mark.parametrize("pieces", [[], [b"x"], [b"x", b"y", b"z"]])
def test_emitted_body_surrounds_what_came(phase: str, pieces: list[bytes]) -> None:
    run = through(body_filter("emit", phase, prefix="<", suffix=">"))
    whole(run, pieces, pieces)
    plain = b"".join(pieces)
    assert run.up.body == (b"<" + plain + b">" if phase == "request_body" else plain)
    assert run.down.body == (b"<" + plain + b">" if phase == "response_body" else plain)
    assert run.live == CLEAN


@pytest.mark.parametrize("phase", BODIES)
def test_filters_of_all_kinds_work_in_the_order_of_the_list(phase: str) -> None:
    run = through(
        body_filter("emit", phase, prefix="a", suffix="b"),
        wait(phase, when="each", take=True),
        body_filter("upper", phase),
        body_filter("hold", phase),
        wait(phase, when="last"),
        body_filter("emit", phase, prefix="c", suffix="d"),
    )
    whole(run, [b"x", b"y"], [b"x", b"y"])
    assert (run.up.body if phase == "request_body" else run.down.body) == b"cAXYBd"
    assert run.live == CLEAN


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("fault", ["E_DOWN_CLOSED", "E_DOWN_RESET"])
def test_a_client_that_leaves_cancels_the_wait(phase: str, fault: str) -> None:
    run = through(wait(phase, None, take=True))
    reach(run, phase)
    assert not run.done
    run.client_fault(number(fault))
    assert run.done
    assert run.cause == FAULTS[fault]["label"]
    assert counts("test_wait") | {"calls": 0} == {
        "calls": 0,
        "waits": 1,
        "resumes": 0,
        "cancels": 1,
        "logs": 1,
        "live": 0,
        "stranded": 0,
        "wrong_cancels": 0,
    }
    assert run.attempts[0] == run.attempts[1]
    assert (run.logs[0], run.live) == (1, CLEAN)


def reach(run: Loopback, phase: str) -> None:
    """Brings an exchange into the WAIT of that phase."""
    run.begin(b"POST", framing="chunked")
    run.client_body(b"up")
    if phase.startswith("response"):
        run.client_end()
        run.answer(200, framing="chunked")
        run.answer_body(b"down")


@pytest.mark.parametrize("phase", PHASES)
def test_a_timer_that_is_due_after_the_client_left_fires_into_nothing(phase: str) -> None:
    run = through(wait(phase, 50))
    reach(run, phase)
    run.client_fault(number("E_DOWN_RESET"))
    assert run.done
    run.tick(1000)
    assert counts("test_wait")["resumes"] == 0
    assert run.live == CLEAN


@pytest.mark.parametrize("phase", ["request_body", "response", "response_body"])
def test_an_upstream_that_fails_meanwhile_ends_the_wait(phase: str) -> None:
    run = through(wait(phase, None, take=True))
    reach(run, phase)
    run.answer_fault(number("E_UP_RESET"))
    assert run.done
    assert run.cause == "upstream_reset"
    if phase == "response_body":
        assert (run.status, run.down.resets, run.down.ends) == (200, 1, 0)
    else:
        assert (run.status, run.down.resets, run.down.ends) == (502, 0, 1)
    assert counts("test_wait")["cancels"] == 1
    assert run.live == CLEAN


def test_a_wait_of_the_attempt_phase_runs_again_for_the_next_attempt() -> None:
    run = through(wait("attempt"))
    run.begin()
    run.answer_fault(number("E_UP_CLOSED"))
    ticking(run, lambda: run.done or run.up.heads == 1)
    if not run.done:
        run.answer(200)
        run.answer_end()
    assert run.done
    assert run.attempts[0] == run.attempts[1]
    assert run.live == CLEAN


@pytest.mark.parametrize("phase", PHASES)
def test_the_total_timeout_ends_a_wait(phase: str) -> None:
    timeouts = {"connect_ms": 0, "response_ms": 0, "between_bytes_ms": 0, "total_ms": 100}
    run = through(wait(phase, None), timeouts=timeouts)
    reach(run, phase)
    run.tick(50)
    assert not run.done
    run.tick(60)
    assert run.done
    assert run.cause == "total_timeout"
    assert run.status == (200 if phase == "response_body" else 504)
    assert counts("test_wait")["cancels"] == 1
    assert run.live == CLEAN


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("verdict", ["reply", "abort"])
@pytest.mark.parametrize("late", [False, True])
def test_reply_and_abort_are_legal_in_every_phase_at_once_and_after_a_wait(
    phase: str, verdict: str, late: bool
) -> None:
    entry = wait(phase, 10, verdict=verdict) if late else body_filter(verdict, phase)
    run = through(entry)
    reach(run, phase)
    run.tick(20)
    assert run.done
    if phase == "response_body":
        # the head has left: only a cut is possible, and REPLY is a fault of the filter
        assert (run.status, run.down.resets, run.down.ends) == (200, 1, 0)
        assert run.cause == ("hook_aborted" if verdict == "abort" else "internal_error")
    elif verdict == "reply":
        assert (run.status, run.down.body, run.cause) == (299, b"replied\n", "-")
        assert (run.down.ends, run.down.resets) == (1, 0)
    else:
        assert (run.status, run.cause) == (500, "hook_aborted")
    assert (run.down.heads, run.logs, run.live) == (1, (1, run.status), CLEAN)
    assert run.attempts[0] == run.attempts[1]


@pytest.mark.parametrize("phase", PHASES)
def test_body_goes_on_arriving_while_a_filter_waits_and_reading_stops_in_time(phase: str) -> None:
    run = through(wait(phase, 100))
    reach(run, phase)
    source = run.up if phase.startswith("response") else run.down
    pieces = 0
    while not source.paused:
        (run.answer_body if phase.startswith("response") else run.client_body)(b"x" * 16384)
        pieces += 1
        assert pieces < 20
    run.tick(120)
    assert not source.paused
    run.client_end() if not phase.startswith("response") else run.answer_end()
    if not phase.startswith("response"):
        assert len(run.up.body) == 2 + pieces * 16384
        run.answer(200)
        run.answer_end()
    else:
        assert len(run.down.body) == 4 + pieces * 16384
    assert run.done
    assert run.live == CLEAN


@pytest.mark.parametrize("phase", PHASES)
def test_the_worker_that_stops_ends_a_wait(phase: str) -> None:
    run = through(wait(phase, None))
    reach(run, phase)
    run.abort(number("E_CORE_STOPPED"))
    assert (run.done, run.cause, run.live) == (True, "stopped", CLEAN)


def test_a_cancelled_wait_stays_over_while_its_exchange_still_sends() -> None:
    run = through(wait("response", 50))
    reach(run, "response")
    run.congest(1)
    run.answer_fault(number("E_UP_RESET"))
    assert (run.status, run.done) == (502, False)
    run.tick(1000)
    assert counts("test_wait")["resumes"] == 0
    run.congest(0)
    assert (run.done, run.cause, run.live) == (True, "upstream_reset", CLEAN)


def test_exchanges_one_after_the_other_each_have_their_own_state() -> None:
    run = through(*(wait(phase, when="each") for phase in PHASES), body_filter("hold", BODIES[0]))
    for _ in range(3):
        run.begin(b"POST", framing="chunked")
        ticking(run, lambda: run.attempts[0] > run.attempts[1] or run.done)
        run.client_body(b"x")
        run.client_fault(number("E_DOWN_RESET"))
        assert run.done
    assert run.live == CLEAN


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"filter": "test_wait", "ms": 1}, "phase: is missing"),
        (wait("log"), "phase: must be one of"),
        (wait("request", 0), "ms: must be from 1"),
        (wait("request", 1, verdict="wait"), "verdict: must be one of"),
        (body_filter("hold", "request"), "phase: must be a body phase"),
        (body_filter("upper", "response"), "phase: must be a body phase"),
    ],
)
def test_a_bad_test_filter_is_refused(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanError, match=rf"middleware\[0\].{message}"):
        through(entry)
