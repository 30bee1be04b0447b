"""Identifiers: their form, their freshness, and what is kept of a trace that came along."""

from __future__ import annotations

import re
import uuid

import pytest
from pygw._core.probe.nouns import Ids

TRACE = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
FORM = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-(0[0-3])")


def test_a_uuid_has_version_7_the_variant_and_the_time() -> None:
    ids = Ids()
    for unix_ms in (0, 1, 0x0123_4567_89AB, 1_700_000_000_000, 2**48 - 1):
        text = ids.uuid7(unix_ms)
        parsed = uuid.UUID(text)
        assert str(parsed) == text
        assert parsed.version == 7
        assert parsed.variant == uuid.RFC_4122
        assert parsed.int >> 80 == unix_ms


def test_uuids_of_one_millisecond_differ_in_all_their_random_bits() -> None:
    ids = Ids()
    seen = [uuid.UUID(ids.uuid7(1)).int for _ in range(5000)]
    assert len(set(seen)) == len(seen)
    ones = zeros = 0
    for value in seen:
        ones |= value
        zeros |= ~value
    random_bits = (0xFFF << 64) | (2**62 - 1)
    assert ones & random_bits == random_bits
    assert zeros & random_bits == random_bits


def test_no_byte_of_the_pool_is_used_twice() -> None:
    ids = Ids()
    seen = {ids.random(16) for _ in range(2000)}
    assert len(seen) == 2000


def test_an_empty_pool_is_filled_with_other_bytes() -> None:
    ids = Ids()
    first = ids.random(64)
    while ids.left >= 64:
        ids.random(64)
    assert ids.random(64) != first
    assert ids.left == 4096 - 64


def test_two_pools_have_nothing_in_common() -> None:
    assert Ids().random(64) != Ids().random(64)


def test_a_new_trace_takes_the_request_id_for_its_own() -> None:
    ids = Ids()
    uuid = ids.uuid7(1_700_000_000_000)
    continued, text = ids.traceparent(b"", uuid.encode())
    trace, parent, flags = FORM.fullmatch(text).groups()
    assert not continued
    assert trace == uuid.replace("-", "")
    assert int(parent, 16)
    assert flags == "01"


def test_a_trace_that_came_goes_on_whatever_the_request_id() -> None:
    ids = Ids()
    continued, text = ids.traceparent(TRACE, ids.uuid7(1_700_000_000_000).encode())
    assert continued
    assert text[:35] == TRACE[:35].decode()


def test_a_trace_is_continued_with_a_new_parent() -> None:
    continued, text = Ids().traceparent(TRACE)
    assert continued
    trace, parent, flags = FORM.fullmatch(text).groups()
    assert trace == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert parent not in ("00f067aa0ba902b7", "0" * 16)
    assert flags == "01"


@pytest.mark.parametrize(
    ("flags", "kept"),
    [(b"00", "00"), (b"01", "01"), (b"02", "02"), (b"03", "03"), (b"ff", "03"), (b"0d", "01")],
)
def test_known_flags_are_kept_and_reserved_ones_cleared(flags: bytes, kept: str) -> None:
    continued, text = Ids().traceparent(TRACE[:-2] + flags)
    assert continued
    assert text[-2:] == kept


def test_a_later_version_is_read_as_far_as_it_is_known() -> None:
    for inbound in (b"01" + TRACE[2:], b"cc" + TRACE[2:] + b"-what-comes-later"):
        continued, text = Ids().traceparent(inbound)
        assert continued
        assert text.startswith("00-4bf92f3577b34da6a3ce929d0e0e4736-")


@pytest.mark.parametrize(
    "inbound",
    [
        b"",
        b"00",
        TRACE[:-1],
        TRACE + b"-",
        TRACE + b"0",
        b"ff" + TRACE[2:],
        b"cc" + TRACE[2:] + b"x",
        TRACE.upper(),
        b"0g" + TRACE[2:],
        TRACE.replace(b"4bf9", b"4bg9"),
        TRACE.replace(b"00f067aa0ba902b7", b"00f067aa0ba902bx"),
        TRACE.replace(b"-01", b"-0x"),
        TRACE.replace(b"4bf92f3577b34da6a3ce929d0e0e4736", b"0" * 32),
        TRACE.replace(b"00f067aa0ba902b7", b"0" * 16),
        b"00_" + TRACE[3:],
        TRACE[:35] + b"_" + TRACE[36:],
        TRACE[:52] + b"_" + TRACE[53:],
    ],
)
def test_a_malformed_trace_is_replaced_by_a_new_one(inbound: bytes) -> None:
    continued, text = Ids().traceparent(inbound)
    assert not continued
    trace, parent, flags = FORM.fullmatch(text).groups()
    assert "4bf92f" not in trace
    assert int(trace, 16)
    assert int(parent, 16)
    assert flags == "01"


def test_an_id_of_zeros_is_drawn_again() -> None:
    ids = Ids()
    ids.poison(0)
    _, text = ids.traceparent(b"")
    trace, parent, _ = FORM.fullmatch(text).groups()
    assert int(trace, 16)
    assert int(parent, 16)
