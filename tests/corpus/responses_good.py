"""Responses that are accepted, and how they are to be understood.

Owns the cases alone. Read next: ``responses_bad.py``.
"""

from __future__ import annotations

from tests.corpus.case import Case, response

END = b"\r\n"
KEEP = frozenset({"keep_alive"})
PLAIN = frozenset()
HEAD_ONLY = frozenset({"keep_alive", "head_only"})


def answer(status: bytes, fields: bytes = b"", body: bytes = b"", version: bytes = b"1.1") -> bytes:
    """A response with a status and reason."""
    return b"HTTP/" + version + b" " + status + b"\r\n" + fields + END + body


LINES: list[Case] = [
    response(
        "ok",
        answer(b"200 OK", b"Content-Length: 0\r\n"),
        version=11,
        status=200,
        reason=b"OK",
        line=b"HTTP/1.1 200 OK\r\n",
        framing="length",
        length=0,
        flags=KEEP,
    ),
    response(
        "reason_empty",
        answer(b"200 ", b"Content-Length: 0\r\n"),
        status=200,
        reason=b"",
        flags=KEEP,
    ),
    response(
        "reason_missing",
        answer(b"200", b"Content-Length: 0\r\n"),
        status=200,
        reason=b"",
        flags=KEEP | {"line_edited"},
    ),
    response("reason_of_blanks", answer(b"200   ", b"Content-Length: 0\r\n"), reason=b"  "),
    response(
        "reason_of_words",
        answer(b"404 Not Found, sorry", b"Content-Length: 0\r\n"),
        status=404,
        reason=b"Not Found, sorry",
    ),
    response(
        "reason_obs_text",
        answer(b"200 \xc3\xa9t\xe9\tx", b"Content-Length: 0\r\n"),
        reason=b"\xc3\xa9t\xe9\tx",
    ),
    response("status_599", answer(b"599 X", b"Content-Length: 0\r\n"), status=599),
    response("status_299", answer(b"299 X", b"Content-Length: 0\r\n"), status=299),
    response(
        "fields",
        answer(b"200 OK", b"Content-Length: 1\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n", b"x"),
        fields=[(b"Content-Length", b"1"), (b"Set-Cookie", b"a"), (b"Set-Cookie", b"b")],
        body=b"x",
    ),
    response("one_hundred_fields", answer(b"200 OK", b"Content-Length: 0\r\n" + 99 * b"A: b\r\n")),
    response(
        "status_line_of_20000_bytes",
        answer(b"200 " + 20000 * b"r", b"Content-Length: 0\r\n"),
        reason=20000 * b"r",
    ),
    response(
        "host_is_a_field_like_others",
        answer(b"200 OK", b"Host: a,b\r\nHost: c\r\nContent-Length: 0\r\n"),
        flags=KEEP,
    ),
]

BODIES: list[Case] = [
    response(
        "length",
        answer(b"200 OK", b"Content-Length: 5\r\n", b"hello"),
        length=5,
        framing="length",
        body=b"hello",
    ),
    response(
        "length_leaves_the_rest",
        answer(b"200 OK", b"Content-Length: 5\r\n", b"helloHTTP"),
        body=b"hello",
        rest=4,
    ),
    response(
        "length_not_reached",
        answer(b"200 OK", b"Content-Length: 9\r\n", b"hello"),
        body=b"hello",
        ended=False,
        finish_error="E_UP_INCOMPLETE",
    ),
    response(
        "until_close",
        answer(b"200 OK", b"", b"hello"),
        framing="close",
        body=b"hello",
        ended=False,
        flags=PLAIN,
    ),
    response("until_close_empty", answer(b"200 OK"), framing="close", ended=False),
    response(
        "until_close_in_1_0",
        answer(b"200 OK", b"", b"hello", b"1.0"),
        framing="close",
        version=10,
        body=b"hello",
        ended=False,
        flags=PLAIN,
    ),
    response(
        "until_close_despite_keep_alive",
        answer(b"200 OK", b"Connection: keep-alive\r\n", b"hello"),
        framing="close",
        body=b"hello",
        ended=False,
        flags=PLAIN,
    ),
    response(
        "length_in_1_0_with_keep_alive",
        answer(b"200 OK", b"Content-Length: 1\r\nConnection: keep-alive\r\n", b"a", b"1.0"),
        body=b"a",
        flags=KEEP,
    ),
    response(
        "length_in_1_0",
        answer(b"200 OK", b"Content-Length: 1\r\n", b"a", b"1.0"),
        body=b"a",
        flags=PLAIN,
    ),
    response(
        "length_and_close",
        answer(b"200 OK", b"Connection: close\r\nContent-Length: 1\r\n", b"a"),
        body=b"a",
        flags=PLAIN,
    ),
    response(
        "chunked_in_upper_case",
        answer(b"200 OK", b"Transfer-Encoding: CHUNKED\r\n", b"0\r\n\r\n"),
        framing="chunked",
        flags=KEEP,
    ),
    response(
        "chunked_with_blanks",
        answer(b"200 OK", b"Transfer-Encoding:  chunked  \r\n", b"0\r\n\r\n"),
        framing="chunked",
    ),
    response("no_head_yet", b"HTTP/1.1 200", ended=False, finish_error="E_UP_CLOSED"),
]

BODILESS: list[Case] = [
    response(
        "head_with_length",
        answer(b"200 OK", b"Content-Length: 5\r\n", b"HTTP"),
        head_request=True,
        framing="none",
        length=0,
        flags=HEAD_ONLY,
        rest=4,
        fields=[(b"Content-Length", b"5")],
    ),
    response(
        "head_with_chunked",
        answer(b"200 OK", b"Transfer-Encoding: chunked\r\n"),
        head_request=True,
        framing="none",
        flags=HEAD_ONLY,
    ),
    response(
        "head_without_length", answer(b"200 OK"), head_request=True, framing="none", flags=HEAD_ONLY
    ),
    response(
        "head_404",
        answer(b"404 Not Found", b"Content-Length: 9\r\n"),
        head_request=True,
        framing="none",
    ),
    response(
        "no_content", answer(b"204 No Content", b"", b"x"), framing="none", flags=HEAD_ONLY, rest=1
    ),
    response(
        "no_content_length_zero",
        answer(b"204 No Content", b"Content-Length: 0\r\n"),
        framing="none",
        flags=HEAD_ONLY,
    ),
    response(
        "not_modified",
        answer(b"304 Not Modified", b"Content-Length: 5\r\n"),
        framing="none",
        length=0,
        flags=HEAD_ONLY,
    ),
    response(
        "not_modified_chunked",
        answer(b"304 Not Modified", b"Transfer-Encoding: chunked\r\n"),
        framing="none",
    ),
    response(
        "continue",
        answer(b"100 Continue", b"", b"HTTP/1.1 200 OK"),
        status=100,
        framing="none",
        rest=15,
    ),
    response(
        "early_hints",
        answer(b"103 Early Hints", b"Link: </a>\r\n"),
        status=103,
        framing="none",
        fields=[(b"Link", b"</a>")],
    ),
    response(
        "continue_length_zero", answer(b"100 Continue", b"Content-Length: 0\r\n"), framing="none"
    ),
    response("unknown_1xx", answer(b"199 X"), framing="none", status=199),
    response(
        "switching",
        answer(
            b"101 Switching Protocols",
            b"Connection: upgrade\r\nUpgrade: websocket\r\n",
            b"\x81\x00",
        ),
        status=101,
        framing="tunnel",
        rest=2,
        flags=frozenset({"head_only", "upgrade"}),
    ),
]

CASES = [*LINES, *BODIES, *BODILESS]
