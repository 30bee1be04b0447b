"""Field names, and lists of fields: look-up, addition, removal, hop-by-hop marks.

Runs without sockets. Read next: ``pygw/_core/headers.pxd``.
"""

from __future__ import annotations

import string

import pytest

from pygw._core.probe import http1

Fields = http1.Fields

# header_id of types/header.pxd, in its order.
NAMES = [
    b"Accept", b"Authorization", b"Cache-Control", b"Connection", b"Content-Length",
    b"Content-Type", b"Cookie", b"Date", b"Expect", b"Forwarded", b"Host", b"Keep-Alive",
    b"Location", b"Proxy-Authorization", b"Proxy-Connection", b"Proxy-Status", b"Referer",
    b"Retry-After", b"Server", b"Set-Cookie", b"TE", b"traceparent", b"tracestate", b"Trailer",
    b"Transfer-Encoding", b"Upgrade", b"User-Agent", b"Via", b"X-Forwarded-For",
    b"X-Forwarded-Host", b"X-Forwarded-Proto", b"X-Request-ID",
]  # fmt: skip
IDS = {name: number for number, name in enumerate(NAMES, 1)}
TOKEN = (string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~").encode()
OTHER = 0
HEADERS_MAX = 256  # of limits.pxd
HEADERS_OWN = 3840
ALIAS = len(NAMES) + 1
HOP = [
    b"Connection", b"Keep-Alive", b"Proxy-Connection", b"TE", b"Transfer-Encoding", b"Upgrade",
    b"Proxy-Authorization",
]  # fmt: skip


def live(fields: Fields) -> list[tuple[bytes, bytes]]:
    return [(f["name"], f["value"]) for f in fields.all() if not f["flags"] & {"removed", "hop"}]


def fields_of(*pairs: tuple[bytes, bytes]) -> Fields:
    """A list as a peer sent it."""
    fields = Fields()
    for name, value in pairs:
        assert fields.edit("add", name, value) is None
    fields.as_received()
    return fields


@pytest.mark.parametrize("name", NAMES)
def test_known_name_has_its_id_in_any_case(name: bytes) -> None:
    for spelling in (name, name.lower(), name.upper(), name.swapcase(), name.title()):
        assert http1.header_id(spelling) == IDS[name]
    assert http1.header_name(IDS[name]) == name


@pytest.mark.parametrize("name", NAMES)
def test_name_one_byte_off_is_another_name(name: bytes) -> None:
    others = {name[:-1], name + b"s", b"x" + name, name[1:]}
    for at in range(len(name)):
        for byte in (b"q", b"z", b"-", b"_", b"0", b"~"):
            others.add(name[:at] + byte + name[at + 1 :])
    others -= {spelling for spelling in others if spelling.lower() in map(bytes.lower, NAMES)}
    for other in others:
        assert http1.header_id(other) in (OTHER, ALIAS), other


def test_ids_without_a_name_have_none() -> None:
    assert http1.header_name(OTHER) == b""
    assert http1.header_name(ALIAS) == b""
    assert http1.header_name(ALIAS + 1) == b""
    assert http1.header_name(65535) == b""


@pytest.mark.parametrize("size", [0, 1, 2, 8, 24, 25, 255, 1000, 100_000])
def test_unknown_names_of_any_length_have_no_id(size: int) -> None:
    for letter in (b"a", b"x", b"-", b"_"):
        assert http1.header_id(size * letter) == OTHER


@pytest.mark.parametrize(
    "name",
    [
        b"X_Forwarded_For", b"X_FORWARDED_FOR", b"x-forwarded_for", b"X_Forwarded-Host",
        b"X_Forwarded_Proto", b"X-Forwarded_Port", b"x_forwarded_prefix", b"X_Real_IP",
        b"x-real_ip",
    ],
)  # fmt: skip
def test_forwarding_name_with_underscores_is_an_alias(name: bytes) -> None:
    assert http1.header_id(name) == ALIAS


@pytest.mark.parametrize(
    "name",
    [
        b"X-Forwarded-Port", b"X-Real-IP", b"X_Forwarded", b"X_Forwarded_", b"X_Request_ID",
        b"XX_Forwarded_For", b"Y_Forwarded_For", b"X_Real_IPs", b"A_B",
    ],
)  # fmt: skip
def test_other_name_is_no_alias(name: bytes) -> None:
    assert http1.header_id(name) == OTHER


def test_name_is_a_token() -> None:
    assert not http1.name_valid(b"")
    for byte in range(256):
        assert http1.name_valid(b"a" + bytes([byte])) == (byte in TOKEN)


def test_value_is_text_without_outer_blanks() -> None:
    assert http1.value_valid(b"")
    for byte in range(256):
        inside = byte == 9 or (byte >= 32 and byte != 127)
        assert http1.value_valid(b"a" + bytes([byte]) + b"b") == inside
        outside = inside and byte not in b" \t"
        assert http1.value_valid(bytes([byte])) == outside
        assert http1.value_valid(b"a" + bytes([byte])) == outside
        assert http1.value_valid(bytes([byte]) + b"a") == outside


@pytest.mark.parametrize("around", [b"abcdefgh", b"\x80\x7e\xff\x20\x21\x7e\x80\xff"])
def test_value_is_looked_at_in_every_place_whatever_its_length(around: bytes) -> None:
    for size in range(1, 27):
        good = (b"." + around * 4)[: size - 1] + b"."
        assert http1.value_valid(good)
        for place in range(size):
            for byte in (0, 10, 13, 27, 31, 127):
                bad = good[:place] + bytes([byte]) + good[place + 1 :]
                assert not http1.value_valid(bad), bad
            for byte in (32, 33, 126, 128, 255, 9):
                fine = good[:place] + bytes([byte]) + good[place + 1 :]
                assert http1.value_valid(fine) == (fine == fine.strip(b" \t")), fine


@pytest.mark.parametrize(("size", "place"), [(1, 0), (3, 1), (5, 4), (8, 3), (9, 8), (17, 9)])
def test_name_is_found_in_any_case_and_by_no_other_byte(size: int, place: int) -> None:
    def name(byte: int) -> bytes:
        whole = bytearray(b"k-0z.K_9q" * 2)[:size]
        whole[place] = byte
        return bytes(whole)

    fields = Fields()
    for byte in TOKEN:
        assert fields.edit("add", name(byte), b"") is None
    for byte in range(256):
        found = [field["name"] for field in fields.find(name(byte).swapcase())]
        wanted = [name(other) for other in TOKEN if bytes([other]).lower() == bytes([byte]).lower()]
        assert found == wanted, byte


def test_added_field_is_one_whole_line() -> None:
    fields = Fields()
    assert fields.edit("add", b"X-A", b"b c") is None
    (field,) = fields.all()
    assert field["raw"] == b"X-A: b c\r\n"
    assert (field["name"], field["value"]) == (b"X-A", b"b c")
    assert field["flags"] == {"edited"}


@pytest.mark.parametrize("name", [b"", b"a b", b"a:", b"a\r\n", b"a\x00", b" a", "ä".encode()])
@pytest.mark.parametrize("way", ["add", "set"])
def test_bad_name_is_not_written(way: str, name: bytes) -> None:
    fields = fields_of((b"A", b"1"))
    assert fields.edit(way, name, b"b") == "E_CORE_INTERNAL"
    assert live(fields) == [(b"A", b"1")]


@pytest.mark.parametrize("value", [b"a\r\nB: c", b"a\n", b"\r", b"a\x00b", b" a", b"a\t", b"\x7f"])
@pytest.mark.parametrize("way", ["add", "set"])
def test_bad_value_is_not_written(way: str, value: bytes) -> None:
    fields = fields_of((b"A", b"1"))
    assert fields.edit(way, b"A", value) == "E_CORE_INTERNAL"
    assert live(fields) == [(b"A", b"1")]


def test_set_replaces_every_field_of_the_name() -> None:
    fields = fields_of((b"A", b"1"), (b"B", b"2"), (b"a", b"3"))
    assert fields.edit("set", b"a", b"4") is None
    assert live(fields) == [(b"B", b"2"), (b"a", b"4")]


def test_remove_takes_every_field_of_the_name_in_any_case() -> None:
    fields = fields_of((b"Cookie", b"1"), (b"X-a", b"2"), (b"cOOKIE", b"3"), (b"x-A", b"4"))
    fields.edit("remove", b"COOKIE")
    assert live(fields) == [(b"X-a", b"2"), (b"x-A", b"4")]
    fields.edit("remove", b"X-A")
    assert live(fields) == []


def test_find_yields_fields_in_order_and_none_removed() -> None:
    fields = fields_of((b"Via", b"1"), (b"A", b"2"), (b"via", b"3"))
    assert [f["value"] for f in fields.find(b"VIA")] == [b"1", b"3"]
    assert [f["value"] for f in fields.find_id(IDS[b"Via"])] == [b"1", b"3"]
    assert [f["value"] for f in fields.find(b"a")] == [b"2"]
    fields.edit("remove", b"via")
    assert fields.find(b"Via") == []
    assert fields.find_id(IDS[b"Via"]) == []
    assert fields.find(b"missing") == []


def test_aliases_are_told_apart_by_name() -> None:
    fields = fields_of((b"X_Forwarded_For", b"1"), (b"X_Forwarded_Host", b"2"))
    assert [f["value"] for f in fields.find(b"x_forwarded_host")] == [b"2"]
    fields.edit("remove", b"X_Forwarded_For")
    assert live(fields) == [(b"X_Forwarded_Host", b"2")]


def test_list_grows_up_to_its_bound() -> None:
    fields = Fields()
    wanted = [b"%d" % number for number in range(HEADERS_MAX + HEADERS_OWN)]
    for value in wanted:
        assert fields.edit("add", b"N", value) is None
    assert fields.edit("add", b"N", b"one more") == "E_CORE_MEMORY"
    assert [f["value"] for f in fields.find(b"n")] == wanted


@pytest.mark.parametrize(
    "name", [b"Authorization", b"Cookie", b"Set-Cookie", b"Proxy-Authorization"]
)
def test_secret_is_marked_sensitive(name: bytes) -> None:
    fields = Fields()
    fields.edit("add", name, b"secret")
    assert "sensitive" in fields.all()[0]["flags"]
    data = b"GET / HTTP/1.1\r\nHost: a\r\n" + name + b": secret\r\n\r\n"
    for cuts in ((), [5]):
        head = http1.read(data, splits=cuts)["head"]
        assert [f["flags"] for f in head["fields"]] == [set(), {"sensitive"}]


@pytest.mark.parametrize("name", HOP)
def test_hop_by_hop_field_is_marked(name: bytes) -> None:
    fields = fields_of((b"A", b"1"), (name, b"x"), (b"B", b"2"))
    fields.mark_hop()
    assert live(fields) == [(b"A", b"1"), (b"B", b"2")]


def test_fields_listed_in_connection_are_marked() -> None:
    fields = fields_of(
        (b"X-a", b"1"), (b"Connection", b"close, X-A ,,x-c"), (b"x-A", b"2"), (b"X-B", b"3"),
        (b"Connection", b"X-D"), (b"X-C", b"4"), (b"X-D", b"5"),
    )  # fmt: skip
    fields.mark_hop()
    assert live(fields) == [(b"X-B", b"3")]


@pytest.mark.parametrize("name", [name for name in NAMES if name not in HOP])
def test_connection_does_not_drop_what_the_gateway_acts_on(name: bytes) -> None:
    fields = fields_of((b"Connection", name), (name, b"1"))
    fields.mark_hop()
    assert live(fields) == [(name, b"1")]


def test_connection_does_not_drop_what_we_added() -> None:
    fields = fields_of((b"Connection", b"X-User"))
    fields.edit("add", b"X-User", b"42")
    fields.mark_hop()
    assert live(fields) == [(b"X-User", b"42")]


def test_removed_connection_field_drops_nothing() -> None:
    fields = fields_of((b"Connection", b"X-A"), (b"X-A", b"1"))
    fields.edit("remove", b"Connection")
    fields.mark_hop()
    assert live(fields) == [(b"X-A", b"1")]


def test_close_is_no_field_name() -> None:
    fields = fields_of((b"Connection", b"close"), (b"Close", b"1"))
    fields.mark_hop()
    assert live(fields) == [(b"Close", b"1")]
