"""Who sends malformed requests is told once, and the table of them stays as it is."""

from __future__ import annotations

import pytest
from pygw._core.probe.malformed import CLIENTS, Table, is_malformed

from tests.unit.memory import GET, OK, serving

LINES_MAX = 10  # MALFORMED_LINES


def test_client_that_reaches_the_bound_gets_one_line() -> None:
    table = Table(3, 1000)
    table.note(b"192.0.2.1", 0, 2)
    assert table.lines == []
    table.note(b"192.0.2.1", 900, 10)
    (line,) = table.lines
    told = b" client 192.0.2.1 sent 3 malformed requests within 1 s, the last: bad_header\n"
    assert line[8:] == told
    assert table.counted == (12, 1)


def test_window_that_is_over_begins_anew() -> None:
    table = Table(3, 1000)
    for now in range(0, 10_000, 600):
        table.note(b"192.0.2.1", now)
    assert table.lines == []
    table.note(b"192.0.2.1", 20_000, 3)
    table.note(b"192.0.2.1", 30_000, 3)
    assert len(table.lines) == 2


def test_clients_are_counted_apart_and_ipv6_by_their_network() -> None:
    table = Table(2, 1000)
    for last in range(1, 200):
        table.note(b"192.0.2.%d" % last, 0)
    assert table.lines == []
    table.note(b"2001:db8::1", 0)
    table.note(b"2001:db8:0:1::1", 0)
    assert table.lines == []
    table.note(b"2001:db8::2", 0)
    assert len(table.lines) == 1


def test_off_counts_and_tells_nobody() -> None:
    table = Table(0, 1000)
    table.note(b"192.0.2.1", 0, 100)
    assert table.lines == []
    assert table.counted == (100, 0)


def test_lines_of_all_clients_in_a_window_are_bounded() -> None:
    table = Table(1, 1000)
    for last in range(50):
        table.note(b"192.0.2.%d" % last, 0)
    assert len(table.lines) == LINES_MAX
    assert table.counted == (50, 50)
    table.note(b"192.0.2.77", 1001)
    assert len(table.lines) == LINES_MAX + 1


def test_more_clients_than_there_is_room_for_push_out_the_rare_ones_first() -> None:
    """MALFORMED_CLIENTS."""
    table = Table(100, 60_000)
    table.note(b"192.0.2.1", 0, 99)
    for number in range(20 * CLIENTS):
        table.note(b"10.%d.%d.1" % (number >> 8, number & 255), 1)
    table.note(b"192.0.2.1", 2)
    assert len(table.lines) == 1


@pytest.mark.parametrize(
    ("error", "expected"),
    [(-1, True), (-14, True), (-16, True), (-15, False), (-17, False), (-21, False), (-65, False)],
)
def test_only_what_was_sent_counts(error: int, expected: bool) -> None:
    assert is_malformed(error) == expected


def test_refused_heads_and_broken_bodies_count_and_traffic_goes_on() -> None:
    bad_chunk = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"
    with serving(limits={"malformed": 2}) as gate:
        for data in (b"GET / HTTP/1.1\r\n\r\n", bad_chunk, b"\x16\x03\x01\r\n\r\n"):
            gate.client(data)
            for origin in gate.origins:
                origin.cut_allowed = True
        assert gate.stats["malformed"] == 3
        assert gate.stats["malformed_clients"] == 1
        client = gate.client(GET)
        gate.origins[-1].send(OK)
        assert client.answer.status == 200
