"""Requests that are refused, each with the fault that names why.

Owns the cases alone. A case that answers a known weakness of another server says which.
Read next: ``chunks.py``.
"""

from __future__ import annotations

from tests.corpus.case import Case, refused
from tests.corpus.requests_good import END, HOST, get, post

CHUNKED = b"Transfer-Encoding: chunked\r\n"
LAST = b"0\r\n\r\n"


def line(name: str, error: str, start: bytes) -> Case:
    """A request line before an ordinary Host."""
    return refused(name, error, start + b"\r\n" + HOST + END)


LINES: list[Case] = [
    line("http_0_9", "E_DOWN_LINE", b"GET /"),
    line("http_0_9_with_blank", "E_DOWN_LINE", b"GET / "),
    line("two_blanks_before_target", "E_DOWN_LINE", b"GET  / HTTP/1.1"),
    line("two_blanks_before_version", "E_DOWN_LINE", b"GET /  HTTP/1.1"),
    line("blank_in_target", "E_DOWN_LINE", b"GET /a b HTTP/1.1"),
    line("blank_before_method", "E_DOWN_LINE", b" GET / HTTP/1.1"),
    line("blank_after_version", "E_DOWN_LINE", b"GET / HTTP/1.1 "),
    line("tab_for_blank", "E_DOWN_LINE", b"GET\t/ HTTP/1.1"),
    line("tab_in_target", "E_DOWN_LINE", b"GET /\t HTTP/1.1"),
    line("no_target", "E_DOWN_LINE", b"GET HTTP/1.1"),
    line("no_target_two_blanks", "E_DOWN_LINE", b"GET  HTTP/1.1"),
    line("no_method", "E_DOWN_LINE", b"/ HTTP/1.1"),
    line("method_no_token", "E_DOWN_LINE", b"G(T / HTTP/1.1"),
    line("method_with_colon", "E_DOWN_LINE", b"GET: / HTTP/1.1"),
    line("method_with_slash", "E_DOWN_LINE", b"G/T / HTTP/1.1"),
    line("version_in_lower_case", "E_DOWN_LINE", b"GET / http/1.1"),
    line("version_without_minor", "E_DOWN_LINE", b"GET / HTTP/1"),
    line("version_with_long_minor", "E_DOWN_LINE", b"GET / HTTP/1.10"),
    line("version_with_long_major", "E_DOWN_LINE", b"GET / HTTP/11.1"),
    line("version_with_letters", "E_DOWN_LINE", b"GET / HTTP/1.x"),
    line("version_with_comma", "E_DOWN_LINE", b"GET / HTTP/1,1"),
    line("version_with_sign", "E_DOWN_LINE", b"GET / HTTP/+1.1"),
    line("another_protocol", "E_DOWN_LINE", b"GET / RTSP/1.0"),
    line("icecast", "E_DOWN_LINE", b"SOURCE / ICE/1.0"),
    line("nul_in_line", "E_DOWN_LINE", b"GET /\x00 HTTP/1.1"),
    line("cr_in_line", "E_DOWN_LINE", b"GET /\r HTTP/1.1"),
    line("delete_in_line", "E_DOWN_LINE", b"GET /\x7f HTTP/1.1"),
    line("utf8_in_target", "E_DOWN_LINE", "GET /é HTTP/1.1".encode()),
    line("next_line_in_target", "E_DOWN_LINE", b"GET /\x85 HTTP/1.1"),
    line("vertical_tab_for_blank", "E_DOWN_LINE", b"GET\x0b/ HTTP/1.1"),
    line("form_feed_for_blank", "E_DOWN_LINE", b"GET\x0c/ HTTP/1.1"),
    line("blanks_only", "E_DOWN_LINE", b"   "),
    line("line_ends_in_two_cr", "E_DOWN_LINE", b"GET / HTTP/1.1\r"),
    refused("lf_alone_ends_line", "E_DOWN_LINE", b"GET / HTTP/1.1\n" + HOST + END),
    refused("lf_before_request", "E_DOWN_LINE", b"\n" + get(b"/")),
    refused("cr_before_request", "E_DOWN_LINE", b"\r" + get(b"/")),
    refused("cr_before_cr_lf", "E_DOWN_LINE", b"\r\r\n" + get(b"/")),
    refused("lf_after_empty_line", "E_DOWN_LINE", b"\r\n\n" + get(b"/")),
    refused("five_empty_lines_before", "E_DOWN_LINE", 5 * END + get(b"/")),
    refused("a_thousand_empty_lines", "E_DOWN_LINE", 1000 * END + get(b"/")),
    refused("tls_client_hello", "E_DOWN_LINE", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    refused("a_response", "E_DOWN_LINE", b"HTTP/1.1 200 OK\r\n" + END),
    refused("bytes_of_noise", "E_DOWN_LINE", bytes(range(128, 256))),
    refused("proxy_protocol_v1", "E_DOWN_LINE", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + get(b"/")),
]

VERSIONS: list[Case] = [
    line(
        "version_" + version.decode().replace(".", "_"), "E_DOWN_VERSION", b"GET / HTTP/" + version
    )
    for version in (b"0.9", b"1.2", b"1.9", b"2.0", b"3.0", b"0.0", b"9.9", b"0.1")
] + [
    refused("http2_preface", "E_DOWN_VERSION", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
]

METHODS: list[Case] = [
    line(
        "method_unknown_" + name.decode(),
        "E_DOWN_METHOD",
        name + b" / HTTP/1.1",
    )
    for name in (
        b"FOO",
        b"get",
        b"Get",
        b"GE",
        b"GETT",
        b"G",
        b"POSTS",
        b"DESCRIBE",
        b"ANNOUNCE",
        b"SETUP",
        b"PLAY",
        b"PAUSE",
        b"TEARDOWN",
        b"GET_PARAMETER",
        b"SET_PARAMETER",
        b"REDIRECT",
        b"RECORD",
        b"FLUSH",
        b"PRI",
        b"!",
        b"CONNEC",
        b"BREW",
        300 * b"M",
    )
] + [
    line("connect", "E_DOWN_CONNECT", b"CONNECT a.example:443 HTTP/1.1"),
    line("connect_origin_form", "E_DOWN_CONNECT", b"CONNECT / HTTP/1.1"),
]

TARGETS: list[Case] = [
    line("target_" + name, "E_DOWN_TARGET", b"GET " + target + b" HTTP/1.1")
    for name, target in {
        # CVE-2023-45539: a '#' that path rules did not see
        "fragment": b"/a#b",
        "fragment_in_query": b"/a?b#c",
        "fragment_only": b"#",
        "fragment_absolute": b"http://a.example/#",
        "backslash": b"/a\\b",
        "backslash_in_query": b"/?a\\b",
        "backslash_first": b"\\a",
        "relative": b"a",
        "empty_query_only": b"?a",
        "asterisk_of_get": b"*",
        "asterisk_and_more": b"*a",
        "authority_form": b"a.example:80",
        "https": b"https://a.example/",
        "ftp": b"ftp://a.example/",
        "scheme_only": b"http:",
        "scheme_and_slash": b"http:/a.example",
        "http_prefix": b"httpx://a",
        "no_authority": b"http:///a",
        "no_authority_query": b"http://?a",
        "no_host": b"http://:80/",
        "userinfo": b"http://u@a.example/",
        "userinfo_password": b"http://u:p@a.example/",
        "userinfo_empty": b"http://@a.example/",
        "authority_comma": b"http://a.example,b/",
        "authority_blank_encoded": b"http://a%20b/",
        "authority_port_letters": b"http://a.example:8a/",
        "authority_port_zero": b"http://a.example:0/",
        "authority_port_big": b"http://a.example:65536/",
        "authority_port_empty": b"http://a.example:/",
        "authority_bracket": b"http://[::1/",
        "authority_semicolon": b"http://a.example;b/",
        "percent_end": b"/a%",
        "percent_one": b"/a%4",
        "percent_no_hex": b"/%zz",
        "percent_sign": b"/%+1",
        "percent_nul": b"/a%00",
        "percent_twice": b"/%%41",
        "percent_before_query": b"/%4?a",
        "backslash_authority": b"http://a.example\\b/",
    }.items()
] + [
    line("options_asterisk_and_more", "E_DOWN_TARGET", b"OPTIONS *a HTTP/1.1"),
    line("options_two_asterisks", "E_DOWN_TARGET", b"OPTIONS ** HTTP/1.1"),
    line("options_asterisk_query", "E_DOWN_TARGET", b"OPTIONS *?a HTTP/1.1"),
]

HOSTS: list[Case] = [
    refused("host_missing", "E_DOWN_HOST", get(b"/", b"")),
    refused("host_missing_beside_others", "E_DOWN_HOST", get(b"/", b"Hosts: a\r\nHos: a\r\n")),
    refused("host_missing_in_absolute_form", "E_DOWN_HOST", get(b"http://a.example/", b"")),
    refused("host_twice", "E_DOWN_HOST", get(b"/", b"Host: a\r\nHost: b\r\n")),
    refused("host_twice_the_same", "E_DOWN_HOST", get(b"/", b"Host: a\r\nhost: a\r\n")),
    refused("host_twice_in_1_0", "E_DOWN_HOST", get(b"/", b"Host: a\r\nHost: a\r\n", b"1.0")),
    refused("host_other_than_target", "E_DOWN_HOST", get(b"http://b.example/")),
    refused("host_other_port_than_target", "E_DOWN_HOST", get(b"http://a.example:81/")),
    refused("host_other_than_target_in_1_0", "E_DOWN_HOST", get(b"http://b/", HOST, b"1.0")),
    refused("host_bad_in_1_0", "E_DOWN_HOST", get(b"/", b"Host: a b\r\n", b"1.0")),
] + [
    refused("host_" + name, "E_DOWN_HOST", get(b"/", b"Host: " + host + b"\r\n"))
    for name, host in {
        "empty": b"",
        "blank": b"  ",
        "port_only": b":80",
        "comma": b"a,b",
        "two_words": b"a b",
        "userinfo": b"u@a",
        "path": b"a/b",
        "url": b"http://a/",
        "query": b"a?b",
        "fragment": b"a#b",
        "backslash": b"a\\b",
        "percent": b"a%41",
        "port_letters": b"a:b",
        "port_empty": b"a:",
        "port_zero": b"a:0",
        "port_leading_zero": b"a:080",
        "port_big": b"a:65536",
        "port_long": b"a:000080",
        "port_sign": b"a:+80",
        "port_twice": b"a:80:80",
        "utf8": "ä".encode(),
        "bracket_open": b"[::1",
        "bracket_close": b"::1]",
        "bracket_empty": b"[]",
        "ipv6_bare": b"::1",
        "ipv6_short": b"[1:2]",
        "ipv6_zone": b"[fe80::1%25eth0]",
        "ipv6_letters": b"[::g]",
        "ipv6_long": b"[1:2:3:4:5:6:7:8:9]",
        "ipv6_tail": b"[::1]a",
        "ipv_future": b"[v1.a]",
        "ipv4_in_brackets": b"[127.0.0.1]",
        "quote": b'"a"',
        "semicolon": b"a;b",
        "star": b"*",
        "angle": b"<a>",
        "dollar": b"a$b",
        "equals": b"a=b",
        "ipv6_47_bytes": b"[" + 46 * b":" + b"]",
        "tab_inside": b"a\tb",
    }.items()
]

FIELDS: list[Case] = [
    refused(name, "E_DOWN_HEADER", get(b"/", HOST + fields))
    for name, fields in {
        # CVE-2023-25725: an empty name ended the list
        "name_empty": b": b\r\n",
        "name_blank_before_colon": b"A : b\r\n",
        "name_tab_before_colon": b"A\t: b\r\n",
        "name_with_blank": b"A B: c\r\n",
        "line_without_colon": b"AB\r\n",
        "line_begins_with_blank": b" A: b\r\n",
        "line_begins_with_tab": b"\tA: b\r\n",
        "fold": b"A: b\r\n c\r\n",
        "fold_tab": b"A: b\r\n\tc\r\n",
        "fold_empty": b"A:\r\n b\r\n",
        "fold_last": b"A: b\r\n \r\n",
        "name_nul": b"A\x00: b\r\n",
        "name_utf8": "Ä: b\r\n".encode(),
        "name_parenthesis": b"A(: b\r\n",
        "name_quote": b'"A": b\r\n',
        "name_slash": b"A/B: c\r\n",
        "name_at": b"A@B: c\r\n",
        "name_comma": b"A,B: c\r\n",
        "name_cr": b"A\r: b\r\n",
        "name_lf": b"A\n: b\r\n",
        "value_nul": b"A: b\x00c\r\n",
        "value_cr": b"A: b\rc\r\n",
        "value_lf": b"A: b\nC: d\r\n",
        "value_lf_end": b"A: b\n",
        "value_two_cr": b"A: b\r\r\n",
        "value_control": b"A: \x01\r\n",
        "value_delete": b"A: \x7f\r\n",
        "value_vertical_tab": b"A: \x0bb\r\n",
        "value_form_feed": b"A: b\x0c\r\n",
        "value_escape": b"A: \x1b[0m\r\n",
        "value_cr_only": b"A:\r\r\n",
        # CVE-2021-40346: a name of 270 bytes overflowed an 8-bit length
        "name_of_256_bytes": 256 * b"n" + b": b\r\n",
        "name_of_270_bytes": b"Content-Length0" + 255 * b"a" + b":\r\n",
        "connection_quoted": b'Connection: "close"\r\n',
        "connection_two_words": b"Connection: a b\r\n",
        "connection_parameter": b"Connection: close; q=1\r\n",
        "connection_obs_text": b"Connection: \xff\r\n",
    }.items()
] + [
    refused("fold_of_the_start_line", "E_DOWN_HEADER", b"GET / HTTP/1.1\r\n " + HOST + END),
    refused("lf_ends_head", "E_DOWN_HEADER", b"GET / HTTP/1.1\r\n" + HOST + b"\n"),
    refused("cr_in_the_empty_line", "E_DOWN_HEADER", b"GET / HTTP/1.1\r\n" + HOST + b"\rX\r\n"),
]

FRAMING: list[Case] = (
    [
        refused(name, "E_DOWN_FRAMING", post(fields, LAST))
        for name, fields in {
            # CVE-2022-23959, CVE-2026-2835: which of the two counts
            "length_then_chunked": b"Content-Length: 5\r\n" + CHUNKED,
            "chunked_then_length": CHUNKED + b"Content-Length: 5\r\n",
            "chunked_and_length_zero": CHUNKED + b"Content-Length: 0\r\n",
            "length_twice": b"Content-Length: 5\r\nContent-Length: 6\r\n",
            "length_twice_the_same": b"Content-Length: 5\r\nContent-Length: 5\r\n",
            "length_list": b"Content-Length: 5, 5\r\n",
            "length_list_other": b"Content-Length: 5,6\r\n",
            # CVE-2023-40225: an empty length was passed on
            "length_empty": b"Content-Length:\r\n",
            "length_blank": b"Content-Length:  \r\n",
            # integer parsing of aiohttp, tornado, gunicorn, libevent
            "length_plus": b"Content-Length: +5\r\n",
            "length_minus": b"Content-Length: -5\r\n",
            "length_minus_zero": b"Content-Length: -0\r\n",
            "length_hex": b"Content-Length: 0x5\r\n",
            "length_underscore": b"Content-Length: 1_0\r\n",
            "length_point": b"Content-Length: 5.0\r\n",
            "length_exponent": b"Content-Length: 5e0\r\n",
            "length_letters": b"Content-Length: a\r\n",
            "length_two_words": b"Content-Length: 5 5\r\n",
            "length_quoted": b'Content-Length: "5"\r\n',
            "length_2_to_53": b"Content-Length: 9007199254740992\r\n",
            "length_of_17_digits": b"Content-Length: 00000000000000005\r\n",
            "length_2_to_63_less_one": b"Content-Length: 9223372036854775807\r\n",
            "length_2_to_63": b"Content-Length: 9223372036854775808\r\n",
            "length_2_to_64": b"Content-Length: 18446744073709551616\r\n",
            "length_2_to_64_plus_5": b"Content-Length: 18446744073709551621\r\n",
            "length_of_40_digits": b"Content-Length: " + 40 * b"1" + b"\r\n",
            "length_of_20_zeros": b"Content-Length: " + 20 * b"0" + b"\r\n",
            "length_arabic_digit": b"Content-Length: \xd9\xa5\r\n",
            "chunked_twice": CHUNKED + CHUNKED,
            "coding_list": b"Transfer-Encoding: gzip, chunked\r\n",
            "coding_after_chunked": b"Transfer-Encoding: chunked, gzip\r\n",
            "chunked_in_list_twice": b"Transfer-Encoding: chunked, chunked\r\n",
            # llhttp takes "chunked<tab>" for another coding
            "coding_tab_after": b"Transfer-Encoding: chunked\t\r\n",
            "coding_tab_before": b"Transfer-Encoding:\tchunked\r\n",
            "length_tab_after": b"Content-Length: 5\t\r\n",
            "length_tab_before": b"Content-Length:\t5\r\n",
            "coding_empty": b"Transfer-Encoding:\r\n",
            "coding_comma_first": b"Transfer-Encoding: ,chunked\r\n",
            "coding_comma_last": b"Transfer-Encoding: chunked,\r\n",
            "coding_two_fields": b"Transfer-Encoding: identity\r\n" + CHUNKED,
            "coding_parameter": b"Transfer-Encoding: chunked;a=b\r\n",
            "coding_quoted": b'Transfer-Encoding: "chunked"\r\n',
            "coding_blank_inside": b"Transfer-Encoding: chun ked\r\n",
            "coding_next_line_before": b"Transfer-Encoding: \x85chunked\r\n",
            "coding_no_break_space": b"Transfer-Encoding: chunked\xa0\r\n",
            "coding_colon": b"Transfer-Encoding: : chunked\r\n",
            "coding_unknown_and_length": b"Transfer-Encoding: x\r\nContent-Length: 5\r\n",
        }.items()
    ]
    + [
        refused("chunked_in_1_0", "E_DOWN_FRAMING", post(CHUNKED, LAST, b"1.0")),
        refused("coding_in_1_0", "E_DOWN_FRAMING", post(b"Transfer-Encoding: x\r\n", b"", b"1.0")),
        # CVE-2026-58055: a request with a body that asks for an upgrade
        refused(
            "upgrade_with_length",
            "E_DOWN_FRAMING",
            get(b"/", HOST + b"Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n"),
        ),
        refused(
            "upgrade_with_chunks",
            "E_DOWN_FRAMING",
            get(b"/", HOST + b"Connection: upgrade\r\nUpgrade: websocket\r\n" + CHUNKED),
        ),
    ]
    + [
        refused("obfuscated_" + name, "E_DOWN_HEADER", post(fields, LAST))
        for name, fields in {
            "coding_vertical_tab": b"Transfer-Encoding: \x0bchunked\r\n",
            "coding_nul": b"Transfer-Encoding: chunked\x00\r\n",
            "coding_blank_before_colon": b"Transfer-Encoding : chunked\r\n",
            "coding_fold": b"Transfer-Encoding:\r\n chunked\r\n",
            "coding_bare_lf": b"A: b\nTransfer-Encoding: chunked\r\n",
            "coding_cr_before": b"A: b\r\n\rTransfer-Encoding: chunked\r\n",
            "coding_first_blank": b" Transfer-Encoding: chunked\r\n",
            "coding_no_break_space_in_name": b"Transfer-Encoding\xa0: chunked\r\n",
            "length_blank_before_colon": b"Content-Length : 5\r\n",
            "length_nul_in_name": b"Content-Length\x00: 5\r\n",
        }.items()
    ]
)

CODINGS: list[Case] = [
    refused(
        "coding_" + name.decode().replace("-", "_"),
        "E_DOWN_CODING",
        post(b"Transfer-Encoding: " + name + b"\r\n", LAST),
    )
    for name in (b"gzip", b"identity", b"xchunked", b"chunkedx", b"chunke", b"x-gzip", b"deflate")
]

EXPECTS: list[Case] = [
    refused("expect_" + name, "E_DOWN_EXPECT", post(b"Content-Length: 1\r\n" + fields, b"a"))
    for name, fields in {
        "other": b"Expect: 200-ok\r\n",
        "empty": b"Expect:\r\n",
        "list": b"Expect: 100-continue, a\r\n",
        "twice": 2 * b"Expect: 100-continue\r\n",
        "prefix": b"Expect: 100-continu\r\n",
        "parameter": b"Expect: 100-continue;a\r\n",
    }.items()
]

LIMITS: list[Case] = [
    refused("line_too_long", "E_DOWN_LINE_LENGTH", get(b"/" + 9000 * b"a")),
    refused("line_without_end", "E_DOWN_LINE_LENGTH", b"GET /" + 9000 * b"a"),
    refused("line_one_beyond", "E_DOWN_LINE_LENGTH", get(b"/"), limits={"request_line": 13}),
    refused(
        "line_cr_one_beyond", "E_DOWN_LINE_LENGTH", b"GET / HTTP/1.1\r", limits={"request_line": 13}
    ),
    refused("line_beyond_head", "E_DOWN_HEAD_LENGTH", get(b"/" + 200 * b"a"), limits={"head": 100}),
    refused(
        "head_one_beyond", "E_DOWN_HEAD_LENGTH", get(b"/"), limits={"head": len(get(b"/")) - 1}
    ),
    refused(
        "head_too_large", "E_DOWN_HEAD_LENGTH", get(b"/", HOST + 40 * (b"A: " + 900 * b"b" + END))
    ),
    refused("field_without_end", "E_DOWN_HEAD_LENGTH", b"GET / HTTP/1.1\r\nA: " + 33000 * b"b"),
    refused("name_without_end", "E_DOWN_HEAD_LENGTH", b"GET / HTTP/1.1\r\n" + 33000 * b"b"),
    refused("blanks_without_end", "E_DOWN_HEAD_LENGTH", b"GET / HTTP/1.1\r\nA:" + 33000 * b" "),
    refused("one_field_too_many", "E_DOWN_HEADER_COUNT", get(b"/", HOST + 100 * b"A: b\r\n")),
    refused(
        "one_bad_field_too_many",
        "E_DOWN_HEADER",
        get(b"/", HOST + b"A: b\r\nB\r\n"),
        limits={"headers": 2},
    ),
    refused("fifty_thousand_fields", "E_DOWN_HEADER_COUNT", get(b"/", HOST + 50000 * b"A:\r\n")),
]

CASES = [
    *LINES,
    *VERSIONS,
    *METHODS,
    *TARGETS,
    *HOSTS,
    *FIELDS,
    *FRAMING,
    *CODINGS,
    *EXPECTS,
    *LIMITS,
]
