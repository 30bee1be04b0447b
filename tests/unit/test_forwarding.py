"""What a request tells of its way, and whom it is believed."""

from __future__ import annotations

import re
import time
import uuid
from email.utils import parsedate_to_datetime

import pytest
from pygw._core.fault import faults
from pygw._core.probe.hops import Exchange

LOOP = faults()["E_DOWN_LOOP"]["number"]
MEMORY = faults()["E_CORE_MEMORY"]["number"]
HEADERS_MAX = 256
HEADERS_OWN = 3840
TRACE = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACEPARENT = re.compile(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-01")

PROXY = b"10.0.0.1"
TRUSTED = [b"10.0.0.0/8"]


def sent(x: Exchange) -> dict[bytes, list[bytes]]:
    """Names in lower case and values of what leaves, after begin and request."""
    assert x.begin() == 0
    assert x.request() == 0
    out: dict[bytes, list[bytes]] = {}
    for name, value in x.fields():
        out.setdefault(name.lower(), []).append(value)
    return out


def untrusted(*fields: tuple[bytes, bytes], **options: object) -> Exchange:
    """An exchange of a client that nobody vouches for."""
    return Exchange(list(fields), **options)


def trusted(*fields: tuple[bytes, bytes], **options: object) -> Exchange:
    """An exchange that came by a trusted proxy."""
    return Exchange(list(fields), peer=PROXY, trusted=TRUSTED, **options)


# --- what is added --------------------------------------------------------------------------------


def test_a_plain_request_gets_the_six_fields_and_keeps_its_own() -> None:
    fields = sent(untrusted((b"Host", b"example.com"), (b"Accept", b"*/*")))
    assert fields[b"host"] == [b"example.com"]
    assert fields[b"accept"] == [b"*/*"]
    assert fields[b"x-forwarded-for"] == [b"192.0.2.7"]
    assert fields[b"x-forwarded-proto"] == [b"http"]
    assert fields[b"x-forwarded-host"] == [b"example.com"]
    assert fields[b"via"] == [b"1.1 pygw-1"]
    assert uuid.UUID(fields[b"x-request-id"][0].decode()).version == 7
    assert TRACEPARENT.fullmatch(fields[b"traceparent"][0])
    assert b"forwarded" not in fields


def test_the_added_lines_are_one_run_of_well_formed_bytes() -> None:
    x = untrusted((b"Host", b"example.com"), forwarded=True)
    fields = sent(x)
    raw = x.added()
    assert raw.endswith(b"\r\n")
    lines = [tuple(line.split(b": ", 1)) for line in raw[:-2].split(b"\r\n")]
    assert [name for name, _ in lines] == [
        b"X-Forwarded-For",
        b"X-Forwarded-Proto",
        b"X-Forwarded-Host",
        b"Forwarded",
        b"Via",
        b"X-Request-ID",
        b"traceparent",
    ]
    assert all(fields[name.lower()] == [value] for name, value in lines)


def test_a_request_without_authority_gets_no_forwarded_host() -> None:
    fields = sent(untrusted(authority=b"", version=10, forwarded=True))
    assert b"x-forwarded-host" not in fields
    assert fields[b"forwarded"] == [b"for=192.0.2.7;proto=http"]


def test_via_names_the_version_the_request_came_in() -> None:
    assert sent(untrusted(version=10))[b"via"] == [b"1.0 pygw-1"]


def test_no_pseudonym_writes_no_via() -> None:
    assert b"via" not in sent(untrusted(via=b""))


# --- who is believed ------------------------------------------------------------------------------

SPOOFED = (
    (b"X-Forwarded-For", b"6.6.6.6"),
    (b"x-forwarded-for", b"6.6.6.7"),
    (b"X-Forwarded-Proto", b"https"),
    (b"X-Forwarded-Host", b"evil"),
    (b"X-Forwarded-Port", b"evil666"),
    (b"X-Forwarded-Prefix", b"/evil"),
    (b"X-Real-IP", b"6.6.6.6"),
    (b"X_Forwarded_For", b"6.6.6.6"),
    (b"X-Forwarded_Host", b"evil"),
    (b"Forwarded", b"for=6.6.6.6"),
    (b"X-Request-ID", b"evil"),
)


def test_an_untrusted_client_can_not_speak_of_its_way() -> None:
    x = untrusted((b"X-Keep", b"1"), *SPOOFED)
    fields = sent(x)
    everything = b" ".join(value for values in fields.values() for value in values)
    assert b"6.6.6" not in everything
    assert b"evil" not in everything
    assert fields[b"x-forwarded-for"] == [b"192.0.2.7"]
    assert fields[b"x-forwarded-proto"] == [b"http"]
    assert fields[b"x-keep"] == [b"1"]
    assert x.client == "192.0.2.7"


@pytest.mark.parametrize(
    "name",
    [b"X-Forwarder", b"X-Real-IPs", b"X-Forwarded-", b"Forwarded-X", b"XX-Forwarded-For"],
)
def test_a_field_whose_name_only_resembles_passes(name: bytes) -> None:
    assert sent(untrusted((name, b"kept")))[name.lower()] == [b"kept"]


def test_a_trusted_proxy_is_appended_to_and_its_word_on_host_and_proto_stays() -> None:
    x = trusted(
        (b"X-Forwarded-For", b"198.51.100.4"),
        (b"X-Forwarded-Proto", b"https"),
        (b"X-Forwarded-Host", b"public.example"),
        (b"X-Forwarded-Port", b"443"),
        (b"X-Real-IP", b"198.51.100.4"),
        (b"Forwarded", b"for=198.51.100.4"),
    )
    fields = sent(x)
    assert fields[b"x-forwarded-for"] == [b"198.51.100.4, 10.0.0.1"]
    assert fields[b"x-forwarded-proto"] == [b"https"]
    assert fields[b"x-forwarded-host"] == [b"public.example"]
    assert fields[b"x-forwarded-port"] == [b"443"]
    assert fields[b"x-real-ip"] == [b"198.51.100.4"]
    assert fields[b"forwarded"] == [b"for=198.51.100.4"]


def test_several_forwarded_for_lines_of_a_trusted_proxy_become_one_in_order() -> None:
    x = trusted(
        (b"X-Forwarded-For", b"198.51.100.4, 198.51.100.5"),
        (b"X-Forwarded-For", b""),
        (b"X-Forwarded-For", b"10.9.9.9"),
    )
    assert sent(x)[b"x-forwarded-for"] == [b"198.51.100.4, 198.51.100.5, 10.9.9.9, 10.0.0.1"]


def test_a_trusted_proxy_that_says_nothing_gets_all_fields() -> None:
    fields = sent(trusted())
    assert fields[b"x-forwarded-for"] == [b"10.0.0.1"]
    assert fields[b"x-forwarded-proto"] == [b"http"]
    assert fields[b"x-forwarded-host"] == [b"example.com"]


def test_a_unix_peer_is_not_trusted_whatever_the_ranges_say() -> None:
    x = Exchange(
        [(b"X-Forwarded-For", b"6.6.6.6")],
        peer=b"unix:",
        trusted=[b"0.0.0.0/0", b"::/0"],
        forwarded=True,
    )
    fields = sent(x)
    assert fields[b"x-forwarded-for"] == [b"unix:"]
    assert fields[b"forwarded"][0].startswith(b"for=unknown;")


@pytest.mark.parametrize(
    ("members", "client"),
    [
        ([b"198.51.100.4"], "198.51.100.4"),
        ([b"6.6.6.6, 198.51.100.4"], "198.51.100.4"),
        ([b"6.6.6.6, 198.51.100.4, 10.1.1.1, 10.2.2.2"], "198.51.100.4"),
        ([b"6.6.6.6", b"198.51.100.4,10.1.1.1", b"10.2.2.2"], "198.51.100.4"),
        ([b"10.1.1.1, 10.2.2.2"], "10.1.1.1"),
        ([b"[2001:db8::9]:1234"], "2001:db8::9"),
        ([b"198.51.100.4:5678, 10.1.1.1"], "198.51.100.4"),
        ([b"6.6.6.6, unknown, 10.1.1.1"], "10.1.1.1"),
        ([b"6.6.6.6, nonsense"], "10.0.0.1"),
        ([b" , 198.51.100.4 , ,"], "198.51.100.4"),
        ([b""], "10.0.0.1"),
        ([], "10.0.0.1"),
    ],
)
def test_the_client_is_the_rightmost_untrusted_address(members: list[bytes], client: str) -> None:
    x = trusted(*[(b"X-Forwarded-For", member) for member in members])
    assert x.begin() == 0
    assert x.client == client


def test_the_client_of_an_untrusted_peer_is_the_peer() -> None:
    x = Exchange([(b"X-Forwarded-For", b"10.1.1.1")], peer=b"192.0.2.7", trusted=TRUSTED)
    assert x.begin() == 0
    assert x.client == "192.0.2.7"


# --- Forwarded (RFC 7239) -------------------------------------------------------------------------


def test_forwarded_is_written_on_request_with_v6_in_quotes() -> None:
    x = untrusted(peer=b"2001:db8::7", forwarded=True, authority=b"example.com:8080")
    assert sent(x)[b"forwarded"] == [b'for="[2001:db8::7]";host="example.com:8080";proto=http']


def test_forwarded_of_a_trusted_proxy_is_appended_to() -> None:
    x = trusted(
        (b"Forwarded", b"for=198.51.100.4"), (b"Forwarded", b"for=10.9.9.9"), forwarded=True
    )
    assert sent(x)[b"forwarded"] == [
        b'for=198.51.100.4, for=10.9.9.9, for=10.0.0.1;host="example.com";proto=http'
    ]


@pytest.mark.parametrize("authority", [b'a"b', b"a\\b"])
def test_forwarded_leaves_out_a_host_that_would_end_its_quotes(authority: bytes) -> None:
    assert sent(untrusted(authority=authority, forwarded=True))[b"forwarded"] == [
        b"for=192.0.2.7;proto=http"
    ]


# --- Via ------------------------------------------------------------------------------------------


def test_via_is_added_behind_those_that_came() -> None:
    assert sent(untrusted((b"Via", b"1.0 fred, 1.1 p.example")))[b"via"] == [
        b"1.0 fred, 1.1 p.example",
        b"1.1 pygw-1",
    ]


@pytest.mark.parametrize(
    "value",
    [
        b"1.1 pygw-1",
        b"1.1 PYGW-1",
        b"HTTP/1.1 pygw-1",
        b"1.0 fred, 1.1 pygw-1",
        b"1.1\tpygw-1 (a comment)",
        b"1.1   pygw-1(comment)",
        b"1.0 fred (left open, 1.1 pygw-1",
    ],
)
def test_a_via_that_names_this_instance_is_a_loop(value: bytes) -> None:
    x = untrusted((b"Via", b"1.1 other"), (b"Via", value))
    assert x.begin() == LOOP
    assert x.client == "192.0.2.7"
    assert x.request_id


@pytest.mark.parametrize(
    "value",
    [
        b"1.1 pygw-2",
        b"1.1 pygw-11",
        b"1.1 xpygw-1",
        b"pygw-1",
        b"pygw-1 1.1",
        b"1.1 fred (pygw-1)",
        b"1.1 pygw-1:80",
        b"",
    ],
)
def test_a_via_that_names_others_is_no_loop(value: bytes) -> None:
    assert untrusted((b"Via", value)).begin() == 0


# --- ids ------------------------------------------------------------------------------------------


def test_a_sane_request_id_of_a_trusted_proxy_is_kept_where_it_stands() -> None:
    x = trusted((b"X-Request-ID", b"Abc-1.2_3~4+5/6=7:8"), (b"Accept", b"*/*"))
    assert sent(x)[b"x-request-id"] == [b"Abc-1.2_3~4+5/6=7:8"]
    assert b"X-Request-ID" not in x.added()
    assert x.request_id == b"Abc-1.2_3~4+5/6=7:8"


@pytest.mark.parametrize(
    "values",
    [
        [b"has space"],
        [b'quote"'],
        [b"semi;colon"],
        [b"\xc3\xa4"],
        [b"x" * 129],
        [b""],
        [b"one", b"two"],
        [b"one", b"one"],
    ],
)
def test_an_odd_request_id_is_replaced_even_of_a_trusted_proxy(values: list[bytes]) -> None:
    x = trusted(*[(b"X-Request-ID", value) for value in values])
    kept = sent(x)[b"x-request-id"]
    assert len(kept) == 1
    assert uuid.UUID(kept[0].decode()).version == 7
    assert x.request_id == kept[0]


def test_a_request_id_of_128_characters_is_kept() -> None:
    assert sent(trusted((b"X-Request-ID", b"x" * 128)))[b"x-request-id"] == [b"x" * 128]


def test_a_trace_is_continued_and_its_state_passes() -> None:
    fields = sent(
        untrusted((b"traceparent", TRACE), (b"tracestate", b"a=1"), (b"tracestate", b"b=2"))
    )
    assert len(fields[b"traceparent"]) == 1
    assert fields[b"traceparent"][0].startswith(TRACE[:36])
    assert fields[b"traceparent"][0][36:52] != TRACE[36:52]
    assert fields[b"tracestate"] == [b"a=1", b"b=2"]


@pytest.mark.parametrize(
    "parents",
    [[], [b"junk"], [TRACE, TRACE], [TRACE, b"junk"]],
    ids=["none", "bad", "two", "mixed"],
)
def test_the_state_of_a_trace_that_is_not_continued_is_dropped(parents: list[bytes]) -> None:
    x = untrusted(
        *[(b"traceparent", parent) for parent in parents],
        (b"tracestate", b"a=1"),
        (b"tracestate", b"b=2"),
    )
    fields = sent(x)
    assert len(fields[b"traceparent"]) == 1
    assert TRACEPARENT.fullmatch(fields[b"traceparent"][0])
    assert not fields[b"traceparent"][0].startswith(TRACE[:36])
    assert b"tracestate" not in fields


@pytest.mark.parametrize("make", [untrusted, trusted])
@pytest.mark.parametrize(
    "name",
    [
        b"X-Forwarded-For",
        b"X-Forwarded-Proto",
        b"X-Forwarded-Host",
        b"Forwarded",
        b"X-Request-ID",
        b"traceparent",
        b"X-Forwarded-Port",
    ],
)
def test_a_field_that_a_filter_set_stays_and_is_not_doubled(make: object, name: bytes) -> None:
    x = make((name, b"operator"), forwarded=True)
    x.flag(0, edited=True)
    assert sent(x)[name.lower()] == [b"operator"]


# --- bounds and the response ----------------------------------------------------------------------


def test_without_memory_begin_and_request_say_so() -> None:
    assert untrusted(arena=8).begin() == MEMORY
    x = untrusted(arena=64)
    assert x.begin() == 0
    assert x.request() == MEMORY


def test_a_request_of_the_most_fields_has_room_for_all_that_is_added() -> None:
    fields = sent(Exchange([(b"A", b"1")] * HEADERS_MAX, forwarded=True))
    assert fields[b"a"] == [b"1"] * HEADERS_MAX
    assert fields[b"x-forwarded-for"] == [b"192.0.2.7"]


def test_a_list_of_fields_that_is_full_is_refused_and_not_overrun() -> None:
    x = Exchange([(b"A", b"1")] * (HEADERS_MAX + HEADERS_OWN - 3))
    assert x.begin() == 0
    assert x.request() == MEMORY


def test_long_values_of_a_trusted_proxy_all_fit() -> None:
    many = b", ".join(b"10.%d.%d.1" % (a, b) for a in range(8) for b in range(200))
    x = trusted(
        (b"X-Forwarded-For", many),
        (b"Forwarded", b"for=" + b"x" * 9000),
        authority=b"h" * 4000,
        forwarded=True,
        via=b"v" * 200,
    )
    fields = sent(x)
    assert fields[b"x-forwarded-for"] == [many + b", 10.0.0.1"]
    assert fields[b"x-forwarded-host"] == [b"h" * 4000]
    assert fields[b"forwarded"][0].endswith(b'host="' + b"h" * 4000 + b'";proto=http')


def test_the_response_echoes_the_request_id_instead_of_the_upstreams() -> None:
    x = untrusted()
    assert x.begin() == 0
    x.set_response_fields(
        [(b"X-Request-ID", b"theirs"), (b"Date", b"d"), (b"x-request-id", b"theirs too")]
    )
    assert x.response() == 0
    assert x.response_fields() == [(b"Date", b"d"), (b"X-Request-ID", x.request_id)]


def test_a_response_without_date_gets_the_time_of_now() -> None:
    x = untrusted()
    assert x.begin() == 0
    x.set_response_fields([(b"Server", b"s")])
    before = int(time.time())
    assert x.response() == 0
    names = [name for name, _ in x.response_fields()]
    assert names == [b"Server", b"Date", b"X-Request-ID"]
    stamp = parsedate_to_datetime(dict(x.response_fields())[b"Date"].decode()).timestamp()
    assert before - 1 <= stamp <= time.time()


def test_a_response_to_a_head_that_could_not_be_read_has_no_request_id() -> None:
    x = untrusted()
    x.set_response_fields([(b"Date", b"d")])
    assert x.response() == 0
    assert x.response_fields() == [(b"Date", b"d")]
