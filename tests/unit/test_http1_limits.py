"""Every bound of the reader: reached, held at once, and not reached one byte earlier.

Bytes are fed one at a time, as a slow peer sends them. Runs without sockets.
Read next: ``pygw/_core/limits.pxd``.
"""

from __future__ import annotations

from itertools import chain, cycle, islice, repeat
from typing import Any

import pytest

from pygw._core.probe import http1

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
# The bounds of limits.pxd, and CHUNK_FREE of http1_chunk.pxd.
EMPTY_LINES_MAX = 4
BODY_SPANS = 64
CHUNK_LINE_MAX = 256
TRAILERS_MAX = 8192
CHUNK_OVERHEAD_MAX = 16384
CHUNK_FREE = 20
HEADERS_MAX = 256
FIELD_NAME_MAX = 255
CONNECTION_MEMBERS_MAX = 64


def drip(data: Any, kind: str = "request", **limits: int) -> tuple[str | None, int]:
    """Feed bytes one by one until the reader refuses; the fault and how many bytes it took."""
    reading = http1.Reading(kind, False, 300_000, limits)
    count = 0
    for byte in data:
        reading.feed(bytes([byte]))
        count += 1
        if reading.error is not None or reading.ended:
            break
    return reading.error, count


def test_request_line_is_refused_while_it_still_comes() -> None:
    endless = chain(b"GET /", repeat(0x61, 20000))
    assert drip(endless, request_line=1000) == ("E_DOWN_LINE_LENGTH", 1002)


def test_request_line_at_its_limit_is_read() -> None:
    line = b"GET /" + 986 * b"a" + b" HTTP/1.1"
    assert len(line) == 1000
    data = line + b"\r\nHost: a\r\n\r\n"
    assert drip(data, request_line=1000) == (None, len(data))
    assert drip(data, request_line=999) == ("E_DOWN_LINE_LENGTH", 1001)


def test_status_line_is_refused_while_it_still_comes() -> None:
    endless = chain(b"HTTP/1.1 200 ", repeat(0x61, 20000))
    assert drip(endless, "response", head=1000) == ("E_UP_HEAD_LENGTH", 1000)


@pytest.mark.parametrize("filler", [b"a", b" ", b"A: b\r\n", b"A:\r\n"])
@pytest.mark.parametrize(
    ("kind", "start", "fault"),
    [
        ("request", b"GET / HTTP/1.1\r\nHost: a\r\nA:", "E_DOWN_HEAD_LENGTH"),
        ("response", b"HTTP/1.1 200 OK\r\nA:", "E_UP_HEAD_LENGTH"),
    ],
)
def test_head_is_refused_while_it_still_comes(
    kind: str, start: bytes, fault: str, filler: bytes
) -> None:
    endless = chain(start, b"\r\n" if b":" in filler else b"", islice(cycle(filler), 20000))
    assert drip(endless, kind, head=1000, headers=256) == (fault, 1000)


def test_fields_are_counted_while_they_still_come() -> None:
    start = b"GET / HTTP/1.1\r\nHost: a\r\n"
    error, count = drip(start + 200 * b"A: b\r\n", headers=10)
    assert error == "E_DOWN_HEADER_COUNT"
    assert count == len(start + 9 * b"A: b\r\n" + b"A:")


def test_empty_lines_before_a_request_are_four_at_most() -> None:
    assert drip(1000 * b"\r\n") == ("E_DOWN_LINE", 2 * EMPTY_LINES_MAX + 2)


def test_empty_lines_leave_nothing_to_keep() -> None:
    for data in (b"\r\n", b"\r\n\r\n", b"\r", b"\r\n\r"):
        outcome = http1.read(data)
        assert outcome["state"] == "waiting", data
        assert outcome["consumed"] == len(data)
        assert http1.read(data, finish=True)["finish_error"] is None


@pytest.mark.parametrize(("kind", "head"), [("request", HEAD), ("response", ANSWER)])
class TestChunks:
    """Bounds of chunked bodies, for both kinds."""

    def test_chunk_line_is_refused_while_it_still_comes(self, kind: str, head: bytes) -> None:
        error, count = drip(head + b"1;" + 5000 * b"a", kind)
        assert error == ("E_DOWN_CHUNK" if kind == "request" else "E_UP_CHUNK")
        assert count == len(head) + CHUNK_LINE_MAX + 1

    def test_size_has_sixteen_digits_at_most(self, kind: str, head: bytes) -> None:
        error, count = drip(head + 5000 * b"0", kind)
        assert error is not None
        assert count == len(head) + 17

    def test_size_does_not_overflow(self, kind: str, head: bytes) -> None:
        error, count = drip(head + b"8000000000000000\r\n", kind)
        assert error is not None
        assert count == len(head) + 16

    def test_overhead_of_extensions_adds_up(self, kind: str, head: bytes) -> None:
        line = b"1;" + 251 * b"a" + b"\r\n"
        assert len(line) == CHUNK_LINE_MAX - 1
        free = CHUNK_OVERHEAD_MAX // (len(line) - CHUNK_FREE)
        chunk = line + b"d\r\n"
        good = http1.read(head + free * chunk + b"0\r\n\r\n", kind)
        assert (good["error"], good["received"]) == (None, free)
        bad = http1.read(head + (free + 1) * chunk + b"0\r\n\r\n", kind)
        assert bad["error"] == ("E_DOWN_CHUNK" if kind == "request" else "E_UP_CHUNK")
        assert bad["received"] == free

    def test_overhead_is_measured_against_data(self, kind: str, head: bytes) -> None:
        line = b"400;" + 250 * b"a" + b"\r\n"
        outcome = http1.read(head + 300 * (line + 1024 * b"d" + b"\r\n") + b"0\r\n\r\n", kind)
        assert (outcome["error"], outcome["received"]) == (None, 300 * 1024)

    def test_plain_small_chunks_have_no_overhead(self, kind: str, head: bytes) -> None:
        outcome = http1.read(head + 50_000 * b"1\r\na\r\n" + b"0\r\n\r\n", kind)
        assert (outcome["error"], outcome["received"]) == (None, 50_000)

    def test_trailer_section_is_refused_while_it_still_comes(self, kind: str, head: bytes) -> None:
        error, count = drip(head + b"0\r\n" + b"A: " + 10_000 * b"b", kind)
        assert error == ("E_DOWN_TRAILER" if kind == "request" else "E_UP_TRAILER")
        assert count == len(head) + 3 + TRAILERS_MAX + 1

    def test_trailers_count_with_the_fields(self, kind: str, head: bytes) -> None:
        room = 10 - (2 if kind == "request" else 1)
        lines = b"0\r\n" + room * b"A: b\r\n"
        assert http1.read(head + lines + b"\r\n", kind, headers=10)["error"] is None
        error, count = drip(head + lines + b"A: b\r\n", kind, headers=10)
        assert error == ("E_DOWN_HEADER_COUNT" if kind == "request" else "E_UP_HEADER_COUNT")
        assert count == len(head + lines) + 6

    def test_more_pieces_than_fit_are_read_in_further_calls(self, kind: str, head: bytes) -> None:
        reading = http1.Reading(kind, False, 5000, {})
        reading.feed(head + 200 * b"1\r\na\r\n" + b"0\r\n\r\nX")
        assert len(reading.body) == 200
        assert reading.ended
        assert reading.consumed == len(head) + 200 * 6 + 5
        assert reading.calls == 200 // BODY_SPANS + 1


def test_fields_beyond_the_inline_ones_are_kept_in_the_arena() -> None:
    fields = b"".join(b"N%d: v%d\r\n" % (n, n) for n in range(255))
    data = b"GET / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n"
    for cuts in ((), [len(data) // 2], range(0, len(data), 7)):
        head = http1.read(data, splits=cuts, headers=HEADERS_MAX)["head"]
        assert [field["name"] for field in head["fields"]][-1] == b"N254"
        assert len(head["fields"]) == HEADERS_MAX


@pytest.mark.parametrize(
    ("kind", "start", "fault"),
    [
        ("request", b"GET / HTTP/1.1\r\nHost: a\r\n", "E_DOWN_HEADER"),
        ("response", b"HTTP/1.1 200 OK\r\n", "E_UP_HEADER"),
    ],
)
class TestFields:
    """Bounds of single fields, for both kinds."""

    def test_name_is_bounded(self, kind: str, start: bytes, fault: str) -> None:
        for size, error in ((FIELD_NAME_MAX, None), (FIELD_NAME_MAX + 1, fault)):
            assert http1.read(start + size * b"n" + b": v\r\n\r\n", kind)["error"] == error

    def test_name_in_a_trailer_is_bounded(self, kind: str, start: bytes, fault: str) -> None:
        start += b"Transfer-Encoding: chunked\r\n\r\n0\r\n"
        for size, error in ((FIELD_NAME_MAX, None), (FIELD_NAME_MAX + 1, fault[:-6] + "TRAILER")):
            assert http1.read(start + size * b"n" + b": v\r\n\r\n", kind)["error"] == error

    @pytest.mark.parametrize("lists", [1, 2, 8])
    @pytest.mark.parametrize("member", [b"x-a", b"close", b"keep-alive", b""])
    def test_members_of_connection_are_bounded_over_all_its_fields(
        self, kind: str, start: bytes, fault: str, lists: int, member: bytes
    ) -> None:
        line = b"Connection: " + b",".join([member] * (CONNECTION_MEMBERS_MAX // lists)) + b"\r\n"
        assert http1.read(start + line * lists + b"\r\n", kind)["error"] is None
        more = b"Connection: close\r\n"
        assert http1.read(start + line * lists + more + b"\r\n", kind)["error"] == fault
        assert http1.read(start + more + line * lists + b"\r\n", kind)["error"] == fault
