"""Requests that are accepted, and how they are to be understood.

Owns the cases alone. Never holds a message that two servers could read differently.
Read next: ``requests_bad.py``.
"""

from __future__ import annotations

from tests.corpus.case import Case, request

HOST = b"Host: a.example\r\n"
END = b"\r\n"


def get(target: bytes, fields: bytes = HOST, version: bytes = b"1.1") -> bytes:
    """A GET."""
    return b"GET " + target + b" HTTP/" + version + b"\r\n" + fields + END


def post(fields: bytes, body: bytes, version: bytes = b"1.1") -> bytes:
    """A POST with a body."""
    return b"POST /p HTTP/" + version + b"\r\n" + HOST + fields + END + body


KEEP = frozenset({"keep_alive"})
PLAIN = frozenset()

LINES: list[Case] = [
    request(
        "get_root",
        get(b"/"),
        method=b"GET",
        target=b"/",
        path=b"/",
        query=b"",
        form="origin",
        version=11,
        authority=b"a.example",
        scheme=b"http",
        framing="none",
        flags=KEEP,
        line=b"GET / HTTP/1.1\r\n",
        fields=[(b"Host", b"a.example")],
    ),
    request("query_is_split_at_the_first_mark", get(b"/a?b?c=/d"), path=b"/a", query=b"b?c=/d"),
    request("empty_query", get(b"/a?"), target=b"/a?", path=b"/a", query=b""),
    request("double_slash_stays", get(b"//a//b"), path=b"//a//b", form="origin"),
    request("dot_segments_stay", get(b"/a/../b/./c"), path=b"/a/../b/./c"),
    request("percent_encoding_stays", get(b"/%41%2F%2e%2E"), path=b"/%41%2F%2e%2E"),
    request("percent_in_query_is_free", get(b"/?100%&%00&%zz"), query=b"100%&%00&%zz"),
    request("query_marks_of_browsers", get(b'/?a[]={b}|c^`"<>'), query=b'a[]={b}|c^`"<>'),
    request("colon_in_path", get(b"/a:b@c;d=e,f"), path=b"/a:b@c;d=e,f"),
    request("url_in_path", get(b"/http://b/c"), path=b"/http://b/c", form="origin"),
    request("every_known_letter_case_of_target", get(b"/AbC"), path=b"/AbC"),
    request(
        "options_asterisk",
        b"OPTIONS * HTTP/1.1\r\n" + HOST + END,
        method=b"OPTIONS",
        form="asterisk",
        path=b"*",
        target=b"*",
    ),
    request("options_origin", b"OPTIONS /a HTTP/1.1\r\n" + HOST + END, form="origin", path=b"/a"),
    request("version_1_0", get(b"/", version=b"1.0"), version=10, flags=PLAIN),
    request("version_1_0_without_host", get(b"/", b"", b"1.0"), version=10, authority=b""),
    request("one_empty_line_before", END + get(b"/"), path=b"/", line=b"GET / HTTP/1.1\r\n"),
    request("four_empty_lines_before", 4 * END + get(b"/"), path=b"/"),
    request(
        "line_at_its_limit",
        get(b"/" + 8176 * b"a"),
        limits={"request_line": 8190},
        path=b"/" + 8176 * b"a",
    ),
    request("head_at_its_limit", get(b"/"), limits={"head": len(get(b"/"))}, path=b"/"),
    request(
        "fields_at_their_limit",
        get(b"/", HOST + b"A: b\r\n"),
        limits={"headers": 2},
        fields=[(b"Host", b"a.example"), (b"A", b"b")],
    ),
    request("pipelined_next_stays", get(b"/1") + get(b"/2"), path=b"/1", rest=len(get(b"/2"))),
]

FORMS: list[Case] = [
    request(
        "absolute",
        get(b"http://a.example/b?c"),
        form="absolute",
        authority=b"a.example",
        path=b"/b",
        query=b"c",
        target=b"http://a.example/b?c",
    ),
    request(
        "absolute_in_upper_case", get(b"HTTP://A.Example/"), form="absolute", authority=b"A.Example"
    ),
    request("absolute_with_default_port", get(b"http://a.example:80/"), authority=b"a.example:80"),
    request(
        "absolute_host_has_default_port",
        get(b"http://a.example/", b"Host: A.EXAMPLE:80\r\n"),
        authority=b"a.example",
    ),
    request("absolute_without_path", get(b"http://a.example"), path=b"/", query=b""),
    request("absolute_with_query_only", get(b"http://a.example?q"), path=b"/", query=b"q"),
    request(
        "absolute_with_port",
        get(b"http://a.example:81/", b"Host: a.example:81\r\n"),
        authority=b"a.example:81",
    ),
    request(
        "absolute_ipv6", get(b"http://[::1]:81/", b"Host: [::1]:81\r\n"), authority=b"[::1]:81"
    ),
    request(
        "absolute_options_without_path",
        b"OPTIONS http://a.example HTTP/1.1\r\n" + HOST + END,
        path=b"*",
        form="absolute",
    ),
    request(
        "absolute_options_with_path",
        b"OPTIONS http://a.example/ HTTP/1.1\r\n" + HOST + END,
        path=b"/",
        form="absolute",
    ),
    request(
        "absolute_1_0_without_host",
        get(b"http://a.example/", b"", b"1.0"),
        version=10,
        authority=b"a.example",
    ),
]

HOSTS: list[Case] = [
    request("host_" + name, get(b"/", b"Host: " + host + b"\r\n"), authority=host)
    for name, host in {
        "ipv4": b"127.0.0.1",
        "ipv4_port": b"127.0.0.1:8080",
        "ipv6": b"[2001:db8::1]",
        "ipv6_mapped": b"[::ffff:1.2.3.4]:1",
        "name_port": b"a.example:65535",
        "single_label": b"localhost",
        "trailing_dot": b"a.example.",
        "underscore": b"a_b.example",
        "tilde": b"~a",
        "digits": b"1",
        "upper_case": b"A.EXAMPLE",
    }.items()
] + [
    request("host_with_blanks_around", get(b"/", b"Host: \t a \t \r\n"), authority=b"a"),
    request("host_without_blank", get(b"/", b"Host:a\r\n"), authority=b"a"),
    request("host_name_in_any_case", get(b"/", b"hOsT: a\r\n"), authority=b"a"),
    request("host_last", get(b"/", b"A: b\r\nHost: a\r\n"), authority=b"a"),
]

FIELDS: list[Case] = [
    request(
        "value_trimmed",
        get(b"/", HOST + b"A: \t b c \t\r\n"),
        fields=[(b"Host", b"a.example"), (b"A", b"b c")],
    ),
    request(
        "value_empty",
        get(b"/", HOST + b"A:\r\nB: \r\nC:\t\t\r\n"),
        fields=[(b"Host", b"a.example"), (b"A", b""), (b"B", b""), (b"C", b"")],
    ),
    request(
        "value_with_obs_text",
        get(b"/", HOST + b"A: \x80\xff\xa0\x85\r\n"),
        fields=[(b"Host", b"a.example"), (b"A", b"\x80\xff\xa0\x85")],
    ),
    request(
        "value_with_colons",
        get(b"/", HOST + b"A: b: c:d\r\n"),
        fields=[(b"Host", b"a.example"), (b"A", b"b: c:d")],
    ),
    request(
        "value_with_tab_inside",
        get(b"/", HOST + b"A: b\tc\r\n"),
        fields=[(b"Host", b"a.example"), (b"A", b"b\tc")],
    ),
    request(
        "name_with_every_mark",
        get(b"/", HOST + b"!#$%&'*+-.^_`|~0aZ: b\r\n"),
        fields=[(b"Host", b"a.example"), (b"!#$%&'*+-.^_`|~0aZ", b"b")],
    ),
    request(
        "name_of_255_bytes",
        get(b"/", HOST + 255 * b"n" + b": b\r\n"),
        fields=[(b"Host", b"a.example"), (255 * b"n", b"b")],
    ),
    request(
        "name_of_one_byte",
        get(b"/", HOST + b"n: b\r\n"),
        fields=[(b"Host", b"a.example"), (b"n", b"b")],
    ),
    request(
        "same_name_twice",
        get(b"/", HOST + b"A: 1\r\na: 2\r\n"),
        fields=[(b"Host", b"a.example"), (b"A", b"1"), (b"a", b"2")],
    ),
    request(
        "one_hundred_fields",
        get(b"/", HOST + 99 * b"A: b\r\n"),
        fields=[(b"Host", b"a.example"), *99 * [(b"A", b"b")]],
    ),
    request(
        "value_of_20000_bytes",
        get(b"/", HOST + b"A: " + 20000 * b"v" + b"\r\n"),
        fields=[(b"Host", b"a.example"), (b"A", 20000 * b"v")],
    ),
    request("http2_settings_is_a_field", get(b"/", HOST + b"HTTP2-Settings: AAMA\r\n"), flags=KEEP),
]

OPTIONS: list[Case] = [
    request(name, get(b"/", HOST + fields, version), flags=frozenset(flags))
    for name, version, fields, flags in (
        ("close", b"1.1", b"Connection: close\r\n", ()),
        ("close_in_any_case", b"1.1", b"Connection: CLOSE\r\n", ()),
        ("close_in_a_list", b"1.1", b"Connection: keep-alive , Close\r\n", ()),
        ("close_in_a_second_field", b"1.1", b"Connection: keep-alive\r\nConnection: close\r\n", ()),
        ("keep_alive_1_1", b"1.1", b"Connection: keep-alive\r\n", ("keep_alive",)),
        ("keep_alive_1_0", b"1.0", b"Connection: Keep-Alive\r\n", ("keep_alive",)),
        ("close_wins_in_1_0", b"1.0", b"Connection: keep-alive, close\r\n", ()),
        ("connection_empty", b"1.1", b"Connection:\r\n", ("keep_alive",)),
        ("connection_empty_members", b"1.1", b"Connection: ,, ,close\r\n", ()),
        (
            "connection_lists_a_field",
            b"1.1",
            b"Connection: X-A\r\n",
            ("keep_alive", "connection_listed"),
        ),
        ("proxy_connection_says_nothing", b"1.1", b"Proxy-Connection: close\r\n", ("keep_alive",)),
        ("te_trailers", b"1.1", b"TE: Trailers\r\n", ("keep_alive", "te_trailers")),
        ("te_in_a_list", b"1.1", b"TE: gzip;q=0.5, trailers\r\n", ("keep_alive", "te_trailers")),
        ("te_other", b"1.1", b"TE: gzip\r\n", ("keep_alive",)),
        ("via", b"1.1", b"Via: 1.1 x\r\n", ("keep_alive", "has_via")),
        (
            "upgrade_websocket",
            b"1.1",
            b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
            ("keep_alive", "upgrade"),
        ),
        (
            "upgrade_with_version",
            b"1.1",
            b"Connection: upgrade\r\nUpgrade: foo/1.2\r\n",
            ("keep_alive", "upgrade"),
        ),
        ("upgrade_not_in_connection", b"1.1", b"Upgrade: websocket\r\n", ("keep_alive",)),
        ("upgrade_without_field", b"1.1", b"Connection: upgrade\r\n", ("keep_alive",)),
        (
            "upgrade_to_two_protocols",
            b"1.1",
            b"Connection: upgrade\r\nUpgrade: websocket, h2c\r\n",
            ("keep_alive",),
        ),
        (
            "upgrade_twice",
            b"1.1",
            b"Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade: x\r\n",
            ("keep_alive",),
        ),
        ("upgrade_h2c", b"1.1", b"Connection: upgrade\r\nUpgrade: h2c\r\n", ("keep_alive",)),
        (
            "upgrade_h2c_in_upper_case",
            b"1.1",
            b"Connection: upgrade\r\nUpgrade: H2C\r\n",
            ("keep_alive",),
        ),
        ("upgrade_h2", b"1.1", b"Connection: upgrade\r\nUpgrade: h2\r\n", ("keep_alive",)),
        (
            "upgrade_to_http",
            b"1.1",
            b"Connection: upgrade\r\nUpgrade: HTTP/2.0\r\n",
            ("keep_alive",),
        ),
        ("upgrade_empty", b"1.1", b"Connection: upgrade\r\nUpgrade:\r\n", ("keep_alive",)),
        ("upgrade_in_1_0", b"1.0", b"Connection: upgrade\r\nUpgrade: websocket\r\n", ()),
        ("expect_without_body", b"1.1", b"Expect: 100-continue\r\n", ("keep_alive",)),
        ("expect_in_1_0", b"1.0", b"Expect: whatever\r\n", ()),
    )
]

BODIES: list[Case] = [
    request(
        "length",
        post(b"Content-Length: 5\r\n", b"hello"),
        framing="length",
        length=5,
        body=b"hello",
    ),
    request("length_zero", post(b"Content-Length: 0\r\n", b""), framing="length", length=0),
    request(
        "length_with_leading_zeros",
        post(b"Content-Length: 0005\r\n", b"hello"),
        length=5,
        body=b"hello",
    ),
    request(
        "length_with_blanks", post(b"Content-Length:  5 \r\n", b"hello"), length=5, body=b"hello"
    ),
    request(
        "length_of_2_to_53_less_one",
        post(b"Content-Length: 9007199254740991\r\n", b"abc"),
        length=2**53 - 1,
        body=b"abc",
        ended=False,
        finish_error="E_DOWN_CLOSED",
    ),
    request("length_leaves_the_rest", post(b"Content-Length: 2\r\n", b"hello"), body=b"he", rest=3),
    request(
        "length_not_reached",
        post(b"Content-Length: 9\r\n", b"hello"),
        body=b"hello",
        ended=False,
        finish_error="E_DOWN_CLOSED",
    ),
    request(
        "length_in_1_0", post(b"Content-Length: 5\r\n", b"hello", b"1.0"), body=b"hello", version=10
    ),
    request("length_of_get", get(b"/", HOST + b"Content-Length: 2\r\n") + b"ab", body=b"ab"),
    request("post_without_length_has_no_body", post(b"", b"GET"), framing="none", rest=3),
    request(
        "expect_with_length",
        post(b"Expect: 100-Continue\r\nContent-Length: 2\r\n", b"ab"),
        flags=KEEP | {"expect_continue"},
        body=b"ab",
    ),
    request(
        "expect_with_length_zero",
        post(b"Expect: 100-continue\r\nContent-Length: 0\r\n", b""),
        flags=KEEP,
    ),
    request(
        "expect_with_chunks",
        post(b"Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
        flags=KEEP | {"expect_continue"},
        framing="chunked",
    ),
    request(
        "upgrade_with_length_zero",
        get(b"/", HOST + b"Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 0\r\n"),
        flags=KEEP | {"upgrade"},
    ),
    request(
        "h2c_wish_with_a_body_is_only_a_request",
        post(b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n", b"ab"),
        flags=KEEP,
        body=b"ab",
    ),
]

METHODS: list[Case] = [
    request(
        "method_" + name.decode().lower().replace("-", "_"),
        name + b" /a HTTP/1.1\r\n" + HOST + END,
        method=name,
        path=b"/a",
    )
    for name in (
        b"DELETE",
        b"GET",
        b"HEAD",
        b"POST",
        b"PUT",
        b"OPTIONS",
        b"TRACE",
        b"COPY",
        b"LOCK",
        b"MKCOL",
        b"MOVE",
        b"PROPFIND",
        b"PROPPATCH",
        b"SEARCH",
        b"UNLOCK",
        b"BIND",
        b"REBIND",
        b"UNBIND",
        b"ACL",
        b"REPORT",
        b"MKACTIVITY",
        b"CHECKOUT",
        b"MERGE",
        b"M-SEARCH",
        b"NOTIFY",
        b"SUBSCRIBE",
        b"UNSUBSCRIBE",
        b"PATCH",
        b"PURGE",
        b"MKCALENDAR",
        b"LINK",
        b"UNLINK",
        b"QUERY",
    )
]

CASES = [*LINES, *FORMS, *HOSTS, *FIELDS, *OPTIONS, *BODIES, *METHODS]
