"""Chunked bodies, the same for requests and responses.

Owns the cases alone: each body is put behind a request head and behind a response head.
Read next: ``responses_good.py``.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.corpus.case import Case, Fields, refused, request, response

REQUEST = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def data_line(size: int, extension: bytes = b"") -> bytes:
    """One chunk of so many bytes."""
    return b"%x%s\r\n%s\r\n" % (size, extension, size * b"d")


# name: (bytes, body, trailers, count of bytes behind the message)
GOOD: dict[str, tuple[bytes, bytes, Fields, int]] = {
    "empty": (END, b"", (), 0),
    "one": (b"5\r\nhello\r\n" + END, b"hello", (), 0),
    "two": (b"5\r\nhello\r\n1\r\n!\r\n" + END, b"hello!", (), 0),
    "upper_and_lower_hex": (
        data_line(10) + b"A\r\n0123456789\r\n" + END,
        10 * b"d" + b"0123456789",
        (),
        0,
    ),
    "leading_zeros": (b"0005\r\nhello\r\n000\r\n\r\n", b"hello", (), 0),
    "sixteen_digits": (b"0000000000000005\r\nhello\r\n0000000000000000\r\n\r\n", b"hello", (), 0),
    "line_ends_as_data": (b"4\r\n\r\n\r\n\r\n" + END, b"\r\n\r\n", (), 0),
    "chunk_line_as_data": (b"5\r\n0\r\n\r\n\r\n" + END, b"0\r\n\r\n", (), 0),
    "next_message_stays": (b"1\r\na\r\n" + END + b"GET / HTTP/1.1\r\n", b"a", (), 16),
    "large_chunk": (data_line(70000) + END, 70000 * b"d", (), 0),
    "one_hundred_chunks": (100 * b"1\r\na\r\n" + END, 100 * b"a", (), 0),
    "sixty_four_chunks": (64 * b"1\r\na\r\n" + END, 64 * b"a", (), 0),
    "sixty_five_chunks": (65 * b"1\r\na\r\n" + END, 65 * b"a", (), 0),
    "extension_name": (data_line(1, b";a") + END, b"d", (), 0),
    "extension_value": (data_line(1, b";a=b") + END, b"d", (), 0),
    "extension_quoted": (data_line(1, b';a="b c;=\\"\\\\\t"') + END, b"d", (), 0),
    "extension_quoted_empty": (data_line(1, b';a=""') + END, b"d", (), 0),
    "extensions_many": (data_line(1, b';a;b=c;d="e";f') + END, b"d", (), 0),
    "extension_of_last": (b"0;a=b\r\n\r\n", b"", (), 0),
    "extension_obs_text": (data_line(1, b';a="\xff"') + END, b"d", (), 0),
    "line_of_256_bytes": (data_line(1, b";" + 252 * b"a") + END, b"d", (), 0),
    "small_chunks_for_long": (20000 * b"1\r\na\r\n" + END, 20000 * b"a", (), 0),
    "trailer": (b"0\r\nA: b\r\n\r\n", b"", ((b"A", b"b"),), 0),
    "trailers": (
        b"0\r\nA: b\r\nC:\t d \r\nE:\r\n\r\n",
        b"",
        ((b"A", b"b"), (b"C", b"d"), (b"E", b"")),
        0,
    ),
    "trailer_same_name": (b"0\r\nA: 1\r\nA: 2\r\n\r\n", b"", ((b"A", b"1"), (b"A", b"2")), 0),
    "trailer_then_next": (b"0\r\nA: b\r\n\r\nX", b"", ((b"A", b"b"),), 1),
    "trailers_of_8192_bytes": (
        b"0\r\nA: " + 8185 * b"b" + b"\r\n\r\n",
        b"",
        ((b"A", 8185 * b"b"),),
        0,
    ),
    "trailer_of_grpc": (
        b"0\r\ngrpc-status: 0\r\ngrpc-message: ok\r\n\r\n",
        b"",
        ((b"grpc-status", b"0"), (b"grpc-message", b"ok")),
        0,
    ),
}

OPEN: dict[str, tuple[bytes, bytes]] = {
    "nothing": (b"", b""),
    "size": (b"5", b""),
    "size_cr": (b"5\r", b""),
    "line": (b"5\r\n", b""),
    "data": (b"5\r\nhel", b"hel"),
    "data_whole": (b"5\r\nhello", b"hello"),
    "data_cr": (b"5\r\nhello\r", b"hello"),
    "data_crlf": (b"5\r\nhello\r\n", b"hello"),
    "last": (b"0\r\n", b""),
    "last_cr": (b"0\r\n\r", b""),
    "trailer": (b"0\r\nA: b", b""),
    "trailer_line": (b"0\r\nA: b\r\n", b""),
    "extension": (b"5;a", b""),
    "size_of_2_to_63_less_one": (b"7fffffffffffffff\r\nabc", b"abc"),
}

BAD: dict[str, bytes] = {
    "size_empty": b"\r\nhello\r\n" + END,
    "size_letter": b"g\r\n" + END,
    "size_minus": b"-1\r\n" + END,
    "size_plus": b"+5\r\nhello\r\n" + END,
    "size_0x": b"0x5\r\nhello\r\n" + END,
    "size_underscore": b"1_0\r\n" + 16 * b"a" + b"\r\n" + END,
    "size_point": b"5.0\r\nhello\r\n" + END,
    "size_blank_before": b" 5\r\nhello\r\n" + END,
    "size_tab_before": b"\t5\r\nhello\r\n" + END,
    "size_blank_after": b"5 \r\nhello\r\n" + END,
    "size_tab_after": b"5\t\r\nhello\r\n" + END,
    "size_quoted": b'"5"\r\nhello\r\n' + END,
    "size_two_words": b"5 5\r\nhello\r\n" + END,
    "size_comma": b"5,5\r\nhello\r\n" + END,
    "size_nul": b"5\x00\r\nhello\r\n" + END,
    "size_vertical_tab": b"5\x0b\r\nhello\r\n" + END,
    "size_obs_text": b"5\xa0\r\nhello\r\n" + END,
    "size_of_2_to_63": b"8000000000000000\r\na",
    "size_of_2_to_64": b"10000000000000000\r\na",
    "size_of_2_to_64_plus_5": b"10000000000000005\r\nhello\r\n" + END,
    "size_of_17_digits": b"00000000000000005\r\nhello\r\n" + END,
    "size_of_f": b"ffffffffffffffff\r\na",
    "size_endless": 300 * b"0",
    # CVE-2023-38697, CVE-2025-55315: who takes LF for a line end
    "line_lf": b"5\nhello\r\n" + END,
    "line_cr": b"5\rhello\r\n" + END,
    "line_two_cr": b"5\r\r\nhello\r\n" + END,
    "data_lf": b"5\r\nhello\n" + END,
    "data_cr": b"5\r\nhello\r" + END,
    "data_nothing_after": b"5\r\nhello" + END,
    # VSV16: two bytes after the data were skipped unseen
    "data_other_after": b"5\r\nhelloXX" + END,
    "data_longer": b"5\r\nhello!\r\n" + END,
    "data_shorter": b"5\r\nhell\r\n" + END,
    "data_other_for_cr": b"5\r\nhelloX\n" + END,
    "data_other_for_lf": b"5\r\nhello\rX" + END,
    "data_lfcr": b"5\r\nhello\n\r" + END,
    "last_lf": b"0\n\r\n",
    "empty_line_between": b"5\r\nhello\r\n\r\n" + END,
    "extension_lf": b"5;a\nhello\r\n" + END,
    "extension_cr": b"5;a\rb\r\nhello\r\n" + END,
    "extension_quoted_lf": b'5;a="\n"\r\nhello\r\n' + END,
    "extension_quoted_cr": b'5;a="\r"\r\nhello\r\n' + END,
    "extension_quoted_crlf": b'5;a="\r\n"\r\nhello\r\n' + END,
    "extension_quoted_nul": b'5;a="\x00"\r\nhello\r\n' + END,
    "extension_escaped_lf": b'5;a="\\\n"\r\nhello\r\n' + END,
    "extension_open_quote": b'5;a="b\r\nhello\r\n' + END,
    "extension_after_quote": b'5;a="b"c\r\nhello\r\n' + END,
    "extension_empty": b"5;\r\nhello\r\n" + END,
    "extension_two_marks": b"5;;a\r\nhello\r\n" + END,
    "extension_no_name": b"5;=a\r\nhello\r\n" + END,
    "extension_no_value": b"5;a=\r\nhello\r\n" + END,
    "extension_blank_before": b"5 ;a\r\nhello\r\n" + END,
    "extension_blank_after_mark": b"5; a\r\nhello\r\n" + END,
    "extension_blank_around_equals": b"5;a = b\r\nhello\r\n" + END,
    "extension_blank_at_end": b"5;a \r\nhello\r\n" + END,
    "extension_no_token": b"5;(\r\nhello\r\n" + END,
    "extension_two_values": b"5;a=b=c\r\nhello\r\n" + END,
    "extension_nul": b"5;a\x00\r\nhello\r\n" + END,
    "line_of_257_bytes": data_line(1, b";" + 253 * b"a") + END,
    "line_of_a_megabyte": data_line(1, b";" + 1000000 * b"a") + END,
    "extension_flood": 200 * data_line(1, b";" + 250 * b"a") + END,
}

BAD_TRAILERS: dict[str, bytes] = {
    "line_without_colon": b"AB\r\n",
    "name_empty": b": b\r\n",
    "name_blank": b"A : b\r\n",
    "name_no_token": b"A(: b\r\n",
    "fold": b"A: b\r\n c\r\n",
    "blank_first": b" A: b\r\n",
    "lf": b"A: b\n",
    "cr": b"A: b\rc\r\n",
    "nul": b"A: \x00\r\n",
    "control": b"A: \x01\r\n",
    "two_cr": b"A: b\r\r\n",
    "name_of_256_bytes": 256 * b"n" + b": b\r\n",
    "lf_only": b"\n",
    "length": b"Content-Length: 5\r\n",
    "coding": b"Transfer-Encoding: chunked\r\n",
    "host": b"Host: b\r\n",
    "connection": b"Connection: close\r\n",
    "trailer": b"Trailer: A\r\n",
    "upgrade": b"Upgrade: x\r\n",
    "te": b"TE: trailers\r\n",
    "keep_alive": b"Keep-Alive: 1\r\n",
    "proxy_connection": b"Proxy-Connection: close\r\n",
    "authorization": b"Authorization: Basic a\r\n",
    "proxy_authorization": b"Proxy-Authorization: Basic a\r\n",
    "cookie": b"Cookie: a=b\r\n",
    "set_cookie": b"set-cookie: a=b\r\n",
    "forwarded_for": b"X-Forwarded-For: 1.2.3.4\r\n",
    "forwarded_port": b"X-Forwarded-Port: 1\r\n",
    "forwarded": b"Forwarded: for=1.2.3.4\r\n",
    "forwarded_alias": b"X_Forwarded_For: 1.2.3.4\r\n",
    "real_ip": b"X-Real-IP: 1.2.3.4\r\n",
    "via": b"Via: 1.1 a\r\n",
    "expect": b"Expect: 100-continue\r\n",
    "content_type": b"Content-Type: text/html\r\n",
    "content_encoding": b"Content-Encoding: gzip\r\n",
    "content_range": b"Content-Range: bytes 0-1/2\r\n",
    "cache_control": b"Cache-Control: no-store\r\n",
    "max_forwards": b"Max-Forwards: 1\r\n",
    "location": b"Location: /\r\n",
    "range": b"Range: bytes=0-\r\n",
    "authenticate": b"WWW-Authenticate: Basic\r\n",
    "request_id": b"X-Request-ID: a\r\n",
    "section_of_8193_bytes": b"A: " + 8186 * b"b" + b"\r\n",
    "section_endless": 9000 * b"b",
}


def good() -> Iterator[Case]:
    """Bodies that are read, and those that are not over yet."""
    for name, (data, body, trailers, rest) in GOOD.items():
        yield request(
            f"chunks_{name}",
            REQUEST + data,
            framing="chunked",
            body=body,
            trailers=trailers,
            rest=rest,
        )
        yield response(
            f"chunks_{name}",
            RESPONSE + data,
            framing="chunked",
            body=body,
            trailers=trailers,
            rest=rest,
        )
    for name, (data, body) in OPEN.items():
        yield request(
            f"chunks_open_{name}",
            REQUEST + data,
            body=body,
            ended=False,
            finish_error="E_DOWN_CLOSED",
        )
        yield response(
            f"chunks_open_{name}",
            RESPONSE + data,
            body=body,
            ended=False,
            finish_error="E_UP_INCOMPLETE",
        )


def bad() -> Iterator[Case]:
    """Bodies that are refused."""
    for name, data in BAD.items():
        yield refused(f"chunks_{name}", "E_DOWN_CHUNK", REQUEST + data)
        yield refused(f"chunks_{name}", "E_UP_CHUNK", RESPONSE + data)
    for name, lines in BAD_TRAILERS.items():
        data = b"1\r\na\r\n0\r\n" + lines + b"\r\n"
        yield refused(f"trailers_{name}", "E_DOWN_TRAILER", REQUEST + data)
        yield refused(f"trailers_{name}", "E_UP_TRAILER", RESPONSE + data)
    many = b"0\r\n" + 9 * b"A: b\r\n" + b"\r\n"
    yield refused(
        "trailers_too_many", "E_DOWN_HEADER_COUNT", REQUEST + many, limits={"headers": 10}
    )
    yield refused("trailers_too_many", "E_UP_HEADER_COUNT", RESPONSE + many, limits={"headers": 9})


CASES = [*good(), *bad()]
