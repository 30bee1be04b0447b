"""The filter `body_limit`: refused by length before any attempt, or by counting."""

from __future__ import annotations

import pytest
from pygw._core.probe.filters import PlanError

from .plans import through

CLEAN = {"buffers": 0, "slices": 0, "pins": 0, "timers": False}


def limit(max_bytes: int) -> dict[str, object]:
    """The filter with its bound."""
    return {"filter": "body_limit", "max_bytes": max_bytes}


@pytest.mark.parametrize(("length", "passes"), [(0, True), (9, True), (10, True), (11, False)])
def test_a_length_beyond_the_limit_is_refused_before_any_attempt(length: int, passes: bool) -> None:
    run = through(limit(10))
    run.begin(b"POST", framing="length", length=length)
    if passes:
        assert run.attempts == (1, 0)
        assert not run.done
        return
    assert (run.status, run.cause) == (413, "body_too_large")
    assert run.attempts == (0, 0)


@pytest.mark.parametrize("length", [1 << 32, (1 << 63) - 1])
def test_a_huge_length_is_no_small_one(length: int) -> None:
    run = through(limit(10))
    run.begin(b"POST", framing="length", length=length)
    assert run.status == 413


def test_a_chunked_body_within_the_limit_passes_whole() -> None:
    run = through(limit(10))
    run.begin(b"POST", framing="chunked")
    run.client_body(b"12345")
    run.client_body(b"67890")
    run.client_end()
    assert run.up.body == b"1234567890"
    assert run.up.ends == 1
    assert not run.done


@pytest.mark.parametrize("pieces", [[b"12345678901"], [b"1234567890", b"1"], [b"1"] * 11])
def test_a_chunked_body_beyond_the_limit_ends_with_413(pieces: list[bytes]) -> None:
    run = through(limit(10))
    run.begin(b"POST", framing="chunked")
    for piece in pieces:
        assert not run.done
        run.client_body(piece)
    assert run.done
    assert (run.status, run.cause) == (413, "body_too_large")
    assert len(run.up.body) <= 10
    assert run.up.ends == 0
    assert run.attempts == (1, 1)
    assert run.live == CLEAN


def test_beyond_the_limit_after_the_answer_began_the_answer_is_cut() -> None:
    run = through(limit(4))
    run.begin(b"POST", framing="chunked")
    run.answer(200, framing="chunked")
    run.answer_body(b"early")
    run.client_body(b"12345")
    assert run.done
    assert (run.down.resets, run.down.ends, run.cause) == (1, 0, "body_too_large")
    assert run.live == CLEAN


def test_a_limit_of_nothing_takes_an_empty_body_only() -> None:
    run = through(limit(0))
    run.begin(b"POST", framing="chunked")
    run.client_end()
    assert run.up.ends == 1
    run = through(limit(0))
    run.begin(b"POST", framing="chunked")
    run.client_body(b"1")
    assert run.status == 413


def test_two_limits_count_on_their_own() -> None:
    run = through(limit(10), limit(3))
    run.begin(b"POST", framing="chunked")
    run.client_body(b"123")
    assert not run.done
    run.client_body(b"4")
    assert run.status == 413


@pytest.mark.parametrize("bad", [-1, 1 << 63, "10", None, 1.5, True])
def test_a_bound_that_is_no_size_is_refused(bad: object) -> None:
    with pytest.raises(PlanError, match=r"middleware\[0\].max_bytes: must be "):
        through({"filter": "body_limit", "max_bytes": bad})
