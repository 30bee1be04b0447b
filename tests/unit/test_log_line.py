"""What a line of the access log says of an exchange, and that no client can write it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator

import pytest
from pygw._core.fault import faults
from pygw._core.probe.hops import Exchange

NOON = 1_700_000_000_123  # 2023-11-14T22:13:20.123Z
LOG_LINE_MAX = 8192
FAULTS = faults()


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is UTC unless the test says otherwise."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def served(fields: list[tuple[bytes, bytes]] | None = None, **facts: object) -> Exchange:
    """An exchange that went well."""
    x = Exchange(fields)
    given = {
        "target": b"/a?b=c",
        "sent": 612,
        "upstream": b"http://127.0.0.1:9001",
        "attempts": 1,
        "duration_ns": 12_345_678,
        "upstream_ns": 9_000_000,
        "route": b"r1",
    }
    x.served(**(given | facts))
    return x


def parsed(x: Exchange) -> dict[str, object]:
    """The JSON line, read back."""
    line = x.line("json", NOON)
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    return json.loads(line)


# --- combined -------------------------------------------------------------------------------------


def test_a_combined_line_is_nginx_combined_with_upstream_time_and_cause() -> None:
    x = served([(b"Referer", b"http://r/"), (b"User-Agent", b"curl/8"), (b"Host", b"h")])
    assert x.line("combined", NOON) == (
        b'192.0.2.7 - - [14/Nov/2023:22:13:20 +0000] "GET /a?b=c HTTP/1.1" 200 612 '
        b'"http://r/" "curl/8" upstream=http://127.0.0.1:9001 t=12.345ms cause=-\n'
    )


def test_what_is_missing_is_a_dash() -> None:
    x = served(
        upstream=b"",
        attempts=0,
        route=b"",
        sent=0,
        status=404,
        error=FAULTS["E_CORE_NO_ROUTE"]["number"],
        duration_ns=0,
    )
    assert x.line("combined", NOON).endswith(
        b'" 404 0 "-" "-" upstream=- t=0.000ms cause=no_route\n'
    )


@pytest.mark.parametrize(
    ("raw", "written"),
    [
        (b'a"b', rb"a\x22b"),
        (b"a\\b", rb"a\x5cb"),
        (b"a\r\nb", rb"a\x0d\x0ab"),
        (b"\x00\x1f\x7f\xff", rb"\x00\x1f\x7f\xff"),
        ("ä".encode(), rb"\xc3\xa4"),
        (b"12345678" + b'"' + b"12345678", rb"12345678\x2212345678"),
        (b"1234567\x7f12345678", rb"1234567\x7f12345678"),
        (b"12\\3456712345678", rb"12\x5c3456712345678"),
        (b"12345678 ~!12345678", rb"12345678 ~!12345678"),
    ],
)
def test_quotes_and_control_bytes_of_a_client_are_escaped(raw: bytes, written: bytes) -> None:
    x = served([(b"User-Agent", raw), (b"Referer", raw)], target=b"/" + raw, method=raw)
    assert x.line("combined", NOON) == (
        b'192.0.2.7 - - [14/Nov/2023:22:13:20 +0000] "'
        + written
        + b" /"
        + written
        + b' HTTP/1.1" 200 612 "'
        + written
        + b'" "'
        + written
        + b'" upstream=http://127.0.0.1:9001 t=12.345ms cause=-\n'
    )


def test_every_byte_of_a_client_yields_one_line_of_plain_text() -> None:
    everything = bytes(range(256))
    for shift in range(8):
        x = served([(b"User-Agent", b"." * shift + everything)], target=everything)
        line = x.line("combined", NOON)
        assert line.count(b"\n") == 1
        assert re.fullmatch(rb"[ -~]*", line[:-1])
        assert line.count(b'"') == 6


def test_an_upstream_with_a_blank_stays_one_word() -> None:
    assert b" upstream=unix:/a\\x20b t=" in served(upstream=b"unix:/a b").line("combined", NOON)


def test_local_time_carries_its_offset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "ABC-05:30")
    time.tzset()
    assert b"[15/Nov/2023:03:43:20 +0530]" in served().line("combined", NOON)
    monkeypatch.setenv("TZ", "ABC+03:45")
    time.tzset()
    assert b"[14/Nov/2023:18:28:20 -0345]" in served().line("combined", NOON)


# --- json -----------------------------------------------------------------------------------------


def test_a_json_line_has_all_members() -> None:
    x = served([(b"Referer", b"http://r/"), (b"User-Agent", b"curl/8")])
    x.set_request_id(b"0190-abc")
    assert parsed(x) == {
        "time": "2023-11-14T22:13:20.123Z",
        "client": "192.0.2.7",
        "method": "GET",
        "target": "/a?b=c",
        "version": "1.1",
        "status": 200,
        "bytes": 612,
        "referer": "http://r/",
        "user_agent": "curl/8",
        "host": "example.com",
        "route": "r1",
        "upstream": "http://127.0.0.1:9001",
        "attempts": 1,
        "duration_ms": 12.345,
        "upstream_ms": 9.0,
        "request_id": "0190-abc",
        "cause": "-",
    }


def test_what_is_missing_is_null() -> None:
    line = parsed(served(upstream=b"", attempts=0, route=b"", status=404))
    for member in ("referer", "user_agent", "route", "upstream", "upstream_ms", "request_id"):
        assert line[member] is None
    assert line["attempts"] == 0


def test_an_upstream_that_never_answered_has_no_time() -> None:
    assert parsed(served(upstream_ns=0))["upstream_ms"] is None


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        (b'a"b\\c', 'a"b\\c'),
        (b"a\r\n\t\x00\x7f", "a\r\n\t\x00\x7f"),
        ("ä€😀\u2028".encode(), "ä€😀\u2028"),
        (b"a\xffb", "a\\xffb"),
        (b"\xc3", "\\xc3"),
        (b"\xc0\x80", "\\xc0\\x80"),
        (b"\xe0\x80\x80", "\\xe0\\x80\\x80"),
        (b"\xed\xa0\x80", "\\xed\\xa0\\x80"),
        (b"\xf0\x80\x80\x80", "\\xf0\\x80\\x80\\x80"),
        (b"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"),
        (b"\xe2\x82", "\\xe2\\x82"),
    ],
)
def test_json_keeps_utf8_and_escapes_all_else(raw: bytes, read: str) -> None:
    line = parsed(served([(b"User-Agent", raw), (b"Referer", b"1234567" + raw)], target=raw))
    assert line["user_agent"] == read
    assert line["referer"] == "1234567" + read
    assert line["target"] == read


def test_json_of_any_two_bytes_is_json() -> None:
    for first in range(0, 256, 3):
        x = served([(b"User-Agent", b"".join(bytes([first, second]) for second in range(64)))])
        parsed(x)
        parsed(served([(b"User-Agent", bytes([first, first]))]))


# --- both -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "status", "logged"),
    [
        ("E_DOWN_RESET", 200, 499),
        ("E_DOWN_CLOSED", 0, 499),
        ("E_DOWN_SLOW_READER", 200, 499),
        ("E_UP_REFUSED", 502, 502),
        ("E_UP_INCOMPLETE", 200, 200),
        ("E_UP_STALLED", 0, 504),
    ],
)
def test_a_fault_is_the_cause_and_a_client_that_left_is_499(
    name: str, status: int, logged: int
) -> None:
    x = served(status=status, error=FAULTS[name]["number"])
    line = parsed(x)
    assert (line["status"], line["cause"]) == (logged, FAULTS[name]["label"])
    combined = x.line("combined", NOON)
    assert f'" {logged} 612 '.encode() in combined
    assert combined.endswith(f" cause={FAULTS[name]['label']}\n".encode())


def test_nothing_answered_and_no_fault_is_status_zero() -> None:
    assert b'" 000 612 ' in served(status=0).line("combined", NOON)
    assert parsed(served(status=0))["status"] == 0


def test_the_request_of_a_head_that_could_not_be_read_is_not_shown() -> None:
    x = served(refused=True, status=400, error=FAULTS["E_DOWN_LINE"]["number"])
    assert b'] "-" 400 ' in x.line("combined", NOON)
    line = parsed(x)
    assert line["method"] is line["target"] is line["version"] is line["host"] is None


def test_a_sensitive_field_is_never_logged() -> None:
    x = served(
        [
            (b"Referer", b"http://secret/"),
            (b"User-Agent", b"secret"),
            (b"Authorization", b"Basic secret"),
            (b"Cookie", b"secret=1"),
        ]
    )
    x.flag(0, sensitive=True)
    x.flag(1, sensitive=True)
    assert b"secret" not in x.line("combined", NOON)
    assert b"secret" not in x.line("json", NOON)


FIELDS = {
    "combined": rb'"GET (.*) HTTP/1.1" 200 612 "(.*)" "(.*)" upstream=',
    "json": rb'"target":"(.*)","version".*"referer":"(.*)","user_agent":"(.*)","host"',
}
BOUNDS = (3072, 2048, 1024)


@pytest.mark.parametrize(
    ("form", "fill", "written", "unit"),
    [
        ("combined", b"x", b"x", 1),
        ("combined", b'"', rb"\x22", 4),
        ("combined", "€".encode(), rb"\xe2\x82\xac", 4),
        ("json", b"x", b"x", 1),
        ("json", b'"', rb"\"", 2),
        ("json", b"\xff", rb"\\xff", 5),
        ("json", b"\x01", rb"\u0001", 6),
        ("json", "€".encode(), "€".encode(), 3),
        ("json", "😀".encode(), "😀".encode(), 4),
    ],
)
def test_a_field_is_cut_at_its_bound_and_never_within_an_escape(
    form: str, fill: bytes, written: bytes, unit: int
) -> None:
    for extra in range(7):
        long = b"y" * extra + fill * 20_000
        x = served([(b"Referer", long), (b"User-Agent", long)], target=long)
        found = re.search(FIELDS[form], x.line(form, NOON))
        assert found
        for raw, most in zip(found.groups(), BOUNDS, strict=True):
            assert most - 6 < len(raw) <= most
            assert (len(raw) - extra) % unit == 0
            assert raw == (b"y" * extra + written * most)[: len(raw)]


@pytest.mark.parametrize("fill", [b"x", b'"', b"\xff", b"\x01", "€".encode(), "😀".encode()])
@pytest.mark.parametrize("form", ["combined", "json"])
def test_fields_of_any_length_stay_within_the_longest_line(form: str, fill: bytes) -> None:
    for extra in range(7):
        long = b"y" * extra + fill * 20_000
        x = Exchange(
            [(b"Referer", long), (b"User-Agent", long)],
            authority=long,
            peer=b"2001:db8:1111:2222:3333:4444:5555:6666",
        )
        x.served(
            method=long,
            target=long,
            route=long,
            upstream=long,
            attempts=2**32 - 1,
            sent=2**64 - 1,
            duration_ns=2**63,
            upstream_ns=2**62,
            status=999,
            error=FAULTS["E_DOWN_HEAD_TIMEOUT"]["number"],
        )
        x.set_request_id(long)
        line = x.line(form, NOON)
        assert len(line) <= LOG_LINE_MAX
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        if form == "json":
            json.loads(line)
