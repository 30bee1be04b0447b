"""Responses that are refused, each with the fault that names why.

Owns the cases alone. Read next: ``tests/unit/test_http1_corpus.py``.
"""

from __future__ import annotations

from tests.corpus.case import Case, refused
from tests.corpus.requests_bad import FIELDS as REQUEST_FIELDS
from tests.corpus.requests_bad import FRAMING as REQUEST_FRAMING
from tests.corpus.requests_good import HOST
from tests.corpus.responses_good import END, answer

CHUNKED = b"Transfer-Encoding: chunked\r\n"
LENGTH = b"Content-Length: 0\r\n"


def line(name: str, start: bytes) -> Case:
    """A status line before an ordinary field."""
    return refused(name, "E_UP_PROTOCOL", start + b"\r\n" + LENGTH + END)


LINES: list[Case] = [
    line("http_0_9", b"hello"),
    line("html", b"<html>"),
    line("ssh", b"SSH-2.0-OpenSSH_9.2"),
    line("smtp", b"220 mail ESMTP"),
    line("version_2", b"HTTP/2.0 200 OK"),
    line("version_1_2", b"HTTP/1.2 200 OK"),
    line("version_0_9", b"HTTP/0.9 200 OK"),
    line("version_without_minor", b"HTTP/2 200 OK"),
    line("version_in_lower_case", b"http/1.1 200 OK"),
    line("icy", b"ICY 200 OK"),
    line("rtsp", b"RTSP/1.0 200 OK"),
    line("no_status", b"HTTP/1.1"),
    line("status_empty", b"HTTP/1.1  OK"),
    line("status_two_digits", b"HTTP/1.1 20 OK"),
    line("status_four_digits", b"HTTP/1.1 2000 OK"),
    line("status_letters", b"HTTP/1.1 2x0 OK"),
    line("status_sign", b"HTTP/1.1 +20 OK"),
    line("status_000", b"HTTP/1.1 000 OK"),
    line("status_099", b"HTTP/1.1 099 OK"),
    line("status_600", b"HTTP/1.1 600 OK"),
    line("status_999", b"HTTP/1.1 999 OK"),
    line("two_blanks_before_status", b"HTTP/1.1  200 OK"),
    line("tab_before_status", b"HTTP/1.1\t200 OK"),
    line("tab_after_status", b"HTTP/1.1 200\tOK"),
    line("comma_after_status", b"HTTP/1.1 200,OK"),
    line("blank_first", b" HTTP/1.1 200 OK"),
    line("reason_nul", b"HTTP/1.1 200 O\x00K"),
    line("reason_cr", b"HTTP/1.1 200 O\rK"),
    line("reason_control", b"HTTP/1.1 200 \x01"),
    line("reason_delete", b"HTTP/1.1 200 \x7f"),
    line("reason_escape", b"HTTP/1.1 200 \x1b[0m"),
    line("reason_two_cr", b"HTTP/1.1 200 OK\r"),
    line("a_request", b"GET / HTTP/1.1"),
    refused("lf_alone_ends_line", "E_UP_PROTOCOL", b"HTTP/1.1 200 OK\n" + LENGTH + END),
    refused("empty_line_before", "E_UP_PROTOCOL", END + answer(b"200 OK", LENGTH)),
    refused("lf_before", "E_UP_PROTOCOL", b"\n" + answer(b"200 OK", LENGTH)),
    refused("http2_settings_frame", "E_UP_PROTOCOL", b"\x00\x00\x06\x04\x00\x00\x00\x00\x00"),
    refused("tls_alert", "E_UP_PROTOCOL", b"\x15\x03\x01\x00\x02\x02\x46"),
    refused("continue_in_1_0", "E_UP_PROTOCOL", answer(b"100 Continue", version=b"1.0")),
]

# What is wrong in a request's field lines is wrong in a response's.
FIELDS: list[Case] = [
    refused(case.name, "E_UP_HEADER", b"HTTP/1.1 200 OK\r\n" + LENGTH + case.data.split(HOST, 1)[1])
    for case in REQUEST_FIELDS
    if case.name != "fold_of_the_start_line"
] + [
    refused("fold_of_the_start_line", "E_UP_HEADER", b"HTTP/1.1 200 OK\r\n x\r\n" + LENGTH + END),
]

FRAMING: list[Case] = [
    refused(
        case.name,
        case.error.replace("E_DOWN_", "E_UP_"),
        b"HTTP/1.1 200 OK\r\n" + case.data.split(HOST, 1)[1],
    )
    for case in REQUEST_FRAMING
    if case.error and "1_0" not in case.name and "upgrade" not in case.name
] + [
    refused("chunked_in_1_0", "E_UP_FRAMING", answer(b"200 OK", CHUNKED, b"0\r\n\r\n", b"1.0")),
    refused(
        "coding_in_1_0", "E_UP_FRAMING", answer(b"200 OK", b"Transfer-Encoding: x\r\n", b"", b"1.0")
    ),
    refused(
        "no_content_with_length",
        "E_UP_FRAMING",
        answer(b"204 No Content", b"Content-Length: 5\r\n"),
    ),
    refused("no_content_chunked", "E_UP_FRAMING", answer(b"204 No Content", CHUNKED)),
    refused(
        "continue_with_length", "E_UP_FRAMING", answer(b"100 Continue", b"Content-Length: 1\r\n")
    ),
    refused("early_hints_chunked", "E_UP_FRAMING", answer(b"103 Early Hints", CHUNKED)),
    refused(
        "not_modified_length_twice",
        "E_UP_FRAMING",
        answer(b"304 Not Modified", b"Content-Length: 1\r\nContent-Length: 2\r\n"),
    ),
    refused(
        "head_length_and_chunked",
        "E_UP_FRAMING",
        answer(b"200 OK", CHUNKED + b"Content-Length: 1\r\n"),
        head_request=True,
    ),
    refused("coding_gzip", "E_UP_CODING", answer(b"200 OK", b"Transfer-Encoding: gzip\r\n")),
    refused(
        "coding_identity", "E_UP_CODING", answer(b"200 OK", b"Transfer-Encoding: identity\r\n")
    ),
    refused(
        "switching_without_upgrade", "E_UP_UPGRADE", answer(b"101 X", b"Connection: upgrade\r\n")
    ),
    refused(
        "switching_to_nothing",
        "E_UP_UPGRADE",
        answer(b"101 X", b"Connection: upgrade\r\nUpgrade:\r\n"),
    ),
    refused(
        "switching_to_a_list",
        "E_UP_UPGRADE",
        answer(b"101 X", b"Connection: upgrade\r\nUpgrade: a, b\r\n"),
    ),
]

LIMITS: list[Case] = [
    refused("reason_without_end", "E_UP_HEAD_LENGTH", b"HTTP/1.1 200 " + 40000 * b"a"),
    refused(
        "head_too_large", "E_UP_HEAD_LENGTH", answer(b"200 OK", 40 * (b"A: " + 900 * b"b" + END))
    ),
    refused("field_without_end", "E_UP_HEAD_LENGTH", b"HTTP/1.1 200 OK\r\nA: " + 40000 * b"a"),
    refused("one_field_too_many", "E_UP_HEADER_COUNT", answer(b"200 OK", 101 * b"A: b\r\n")),
    refused("endless_fields", "E_UP_HEADER_COUNT", b"HTTP/1.1 200 OK\r\n" + 5000 * b"A:\r\n"),
]

CASES = [*LINES, *FIELDS, *FRAMING, *LIMITS]
