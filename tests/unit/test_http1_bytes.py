"""Every byte at every kind of place: accepted where the RFCs allow it, refused everywhere else.

The allowed sets are written down here from the RFCs, not taken from the code. Each message is read
whole and byte by byte. Read next: ``test_http1_corpus.py``.
"""

from __future__ import annotations

import string

import pytest

from pygw._core.probe import http1

ALPHA = set(string.ascii_letters.encode())
DIGIT = set(string.digits.encode())
TCHAR = ALPHA | DIGIT | set(b"!#$%&'*+-.^_`|~")  # RFC 9110 5.6.2
VCHAR = set(range(0x21, 0x7F))
OBS_TEXT = set(range(0x80, 0x100))  # RFC 9110 5.5
BLANK = set(b" \t")

# place: (bytes before, bytes after, allowed bytes, kind, faults of the others)
PLACES: dict[str, tuple[bytes, bytes, set[int], str, str]] = {
    "name": (
        b"GET / HTTP/1.1\r\nHost: a\r\nA", b"B: c\r\n\r\n",
        # ':' ends the name there: "A:" with the value "B: c"
        TCHAR | {0x3A}, "request", "E_DOWN_HEADER",
    ),
    "name_first": (
        b"GET / HTTP/1.1\r\nHost: a\r\n", b"B: c\r\n\r\n", TCHAR, "request", "E_DOWN_HEADER",
    ),
    "value": (
        b"GET / HTTP/1.1\r\nHost: a\r\nA: b", b"c\r\n\r\n", VCHAR | OBS_TEXT | BLANK, "request",
        "E_DOWN_HEADER",
    ),
    "value_first": (
        b"GET / HTTP/1.1\r\nHost: a\r\nA:", b"c\r\n\r\n", VCHAR | OBS_TEXT | BLANK, "request",
        "E_DOWN_HEADER",
    ),
    "value_last": (
        b"GET / HTTP/1.1\r\nHost: a\r\nA: b", b"\r\n\r\n", VCHAR | OBS_TEXT | BLANK, "request",
        "E_DOWN_HEADER",
    ),
    "value_long": (
        b"HTTP/1.1 204 X\r\nA: 0123456", b"89abcdefghi\r\n\r\n", VCHAR | OBS_TEXT | BLANK,
        "response", "E_UP_HEADER",
    ),
    "target": (
        b"GET /a", b"b HTTP/1.1\r\nHost: a\r\n\r\n", VCHAR - set(b"#\\%"), "request",
        "E_DOWN_TARGET E_DOWN_LINE",
    ),
    "query": (
        b"GET /a?", b"b HTTP/1.1\r\nHost: a\r\n\r\n", VCHAR - set(b"#\\"), "request",
        "E_DOWN_TARGET E_DOWN_LINE",
    ),
    "method": (
        b"M", b"SEARCH / HTTP/1.1\r\nHost: a\r\n\r\n", {0x2D}, "request",
        "E_DOWN_METHOD E_DOWN_LINE",
    ),
    "host": (
        b"GET / HTTP/1.1\r\nHost: a", b"b\r\n\r\n", ALPHA | DIGIT | set(b"-._~"), "request",
        "E_DOWN_HOST E_DOWN_HEADER",
    ),
    "major": (
        b"GET / HTTP/", b".1\r\nHost: a\r\n\r\n", {0x31}, "request",
        "E_DOWN_VERSION E_DOWN_LINE",
    ),
    "minor": (
        b"GET / HTTP/1.", b"\r\nHost: a\r\n\r\n", {0x30, 0x31}, "request",
        "E_DOWN_VERSION E_DOWN_LINE",
    ),
    "length": (
        b"HTTP/1.1 200 X\r\nContent-Length: ", b"\r\n\r\n", DIGIT, "response",
        "E_UP_FRAMING E_UP_HEADER",
    ),
    "reason": (
        b"HTTP/1.1 204 X", b"Y\r\n\r\n", VCHAR | OBS_TEXT | BLANK, "response", "E_UP_PROTOCOL",
    ),
    "status": (
        b"HTTP/1.1 2", b"4 X\r\n\r\n", DIGIT, "response", "E_UP_PROTOCOL",
    ),
    "chunk_size": (
        b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n", b"\r\n",
        DIGIT | set(b"abcdefABCDEF"), "response", "E_UP_CHUNK",
    ),
    "chunk_size_end": (
        b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n1", b"\r\n",
        DIGIT | set(b"abcdefABCDEF"), "response", "E_UP_CHUNK",
    ),
    "extension": (
        b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n1;a", b"b=c\r\n",
        TCHAR | {0x3B}, "response", "E_UP_CHUNK",
    ),
    "extension_quoted": (
        b'HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n1;a="', b'b"\r\n',
        (VCHAR | OBS_TEXT | BLANK) - set(b'"'), "response", "E_UP_CHUNK",
    ),
    "extension_escaped": (
        b'HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n1;a="\\', b'b"\r\n',
        VCHAR | OBS_TEXT | BLANK, "response", "E_UP_CHUNK",
    ),
    "trailer_name": (
        b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA", b"B: c\r\n\r\n",
        TCHAR | {0x3A}, "response", "E_UP_TRAILER",
    ),
    "trailer_value": (
        b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b", b"c\r\n\r\n",
        VCHAR | OBS_TEXT | BLANK, "response", "E_UP_TRAILER",
    ),
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_each_byte_is_accepted_only_where_it_is_allowed(place: str) -> None:
    before, after, allowed, kind, faults = PLACES[place]
    accepted = set()
    for byte in range(256):
        data = before + bytes([byte]) + after
        outcome = http1.read(data, kind)
        assert http1.read(data, kind, range(len(data))) == outcome, bytes([byte])
        if outcome["error"] is None:
            accepted.add(byte)
        else:
            assert outcome["error"] in faults.split(), bytes([byte])
    assert accepted == allowed


@pytest.mark.parametrize("byte", sorted(VCHAR - set(b"#\\%?")))
def test_each_byte_of_a_target_stays_as_it_came(byte: int) -> None:
    path = b"/a" + bytes([byte]) + b"b"
    head = http1.read(b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n")["head"]
    assert head["path"] == path
    assert head["query"] == b""


@pytest.mark.parametrize("line_end", [b"\n", b"\r", b"\n\r", b"\r\r\n", b"\x0b", b"\x85", b""])
@pytest.mark.parametrize("at", range(3))
def test_line_of_a_head_ends_in_crlf_only(line_end: bytes, at: int) -> None:
    ends = [b"\r\n", b"\r\n", b"\r\n"]
    ends[at] = line_end
    data = b"GET / HTTP/1.1%bHost: a%bA: b%b\r\n" % tuple(ends)
    outcome = http1.read(data + b"GET / HTTP/1.1\r\nHost: b\r\n\r\n")
    joined = outcome["head"] and [field["value"] for field in outcome["head"]["fields"]]
    assert outcome["error"] in ("E_DOWN_LINE", "E_DOWN_HEADER", "E_DOWN_HOST"), joined
