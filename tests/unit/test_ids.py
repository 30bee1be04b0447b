"""Identifiers: their form, their freshness, and what is kept of a trace that came along."""

from __future__ import annotations

import re
import uuid

import pytest
from pygw._core.probe.nouns import Ids, expand

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


def test_the_pool_is_the_chacha20_keystream_of_its_key() -> None:
    """RFC 8439 A.1, test vectors 1 and 2: key and nonce of zero, blocks 0 and 1."""
    stream = expand(bytes(32))
    assert stream[:64].hex() == (
        "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
        "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"
    )
    assert stream[64:128].hex() == (
        "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
        "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f"
    )


def test_the_blocks_of_the_pool_all_differ() -> None:
    stream = expand(bytes(range(32)))
    assert len({stream[at : at + 64] for at in range(0, 4096, 64)}) == 64


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
