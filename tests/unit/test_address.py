"""Addresses and ranges, compared with what Python's ipaddress says."""

from __future__ import annotations

import ipaddress
import random
import socket
import struct

import pytest
from pygw._core.probe.nouns import cidr, from_socket, matches, parse

V4, V6, UNIX, NONE = 4, 6, 1, 0


def v6_socket(packed: bytes, port: int = 0) -> bytes:
    """A raw sockaddr_in6."""
    return struct.pack("=H", socket.AF_INET6) + struct.pack("!HI", port, 0) + packed + bytes(4)


def expected_text(address: ipaddress.IPv6Address) -> str:
    """RFC 5952; mapped addresses are v4."""
    return str(address.ipv4_mapped or address)


def test_text_of_v6_is_the_canonical_one_for_random_groups() -> None:
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    for _ in range(20_000):
        groups = [rng.choice([0, 0, 0, 1, 0xA, 0xBC, 0x0FED, 0xFFFF]) for _ in range(8)]
        packed = struct.pack("!8H", *groups)
        wanted = expected_text(ipaddress.IPv6Address(packed))
        assert from_socket(v6_socket(packed))[1] == wanted, seed
        assert parse(wanted.encode())[1] == wanted, seed


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        (b"::", "::"),
        (b"::1", "::1"),
        (b"1::", "1::"),
        (b"2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
        (b"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        (b"::ffff:192.0.2.1", "192.0.2.1"),
        (b"::1.2.3.4", "::102:304"),
        (b"255.255.255.255", "255.255.255.255"),
        (b"0.0.0.0", "0.0.0.0"),
    ],
)
def test_text_is_brought_to_its_canonical_form(text: bytes, canonical: str) -> None:
    assert parse(text)[1] == canonical


@pytest.mark.parametrize(
    ("text", "family", "address", "port"),
    [
        (b"192.0.2.1", V4, "192.0.2.1", 0),
        (b"192.0.2.1:8080", V4, "192.0.2.1", 8080),
        (b"192.0.2.1:0", V4, "192.0.2.1", 0),
        (b"192.0.2.1:65535", V4, "192.0.2.1", 65535),
        (b"2001:db8::1", V6, "2001:db8::1", 0),
        (b"[2001:db8::1]", V6, "2001:db8::1", 0),
        (b"[2001:db8::1]:443", V6, "2001:db8::1", 443),
        (b"[::ffff:192.0.2.1]:443", V4, "192.0.2.1", 443),
    ],
)
def test_members_of_forwarded_for_are_read(
    text: bytes, family: int, address: str, port: int
) -> None:
    assert parse(text)[:3] == (family, address, port)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"unknown",
        b"_hidden",
        b"1.2.3",
        b"1.2.3.4.5",
        b"1.2.3.256",
        b"1.2.3.04",
        b"01.2.3.4",
        b"0x1.2.3.4",
        b"1.2.3.4 ",
        b" 1.2.3.4",
        b"1.2.3.-4",
        b"1.2.3.+4",
        b"1..3.4",
        b"1.2.3.4:",
        b"1.2.3.4:65536",
        b"1.2.3.4:080",
        b"1.2.3.4:80x",
        b"1.2.3.4:99999999999",
        b"9999999999999999999.2.3.4",
        b"4294967297.2.3.4",
        b"1.2.3.4:4294967376",
        b"[1.2.3.4]",
        b"[1.2.3.4]:80",
        b"[::1",
        b"::1]",
        b"[::1]80",
        b"[::1]:",
        b"[::1]:080",
        b"[]",
        b"[",
        b":",
        b":::",
        b"1::2::3",
        b"1:2:3:4:5:6:7",
        b"1:2:3:4:5:6:7:8:9",
        b"12345::",
        b"g::1",
        b"::ffff:1.2.3.04",
        b"fe80::1%eth0",
        b"::1\x00",
        b"::1\x00.2.3.4",
        b"1.2.3.4\x00",
        b"\xff\xfe",
        b"1" * 100,
        b":" * 100,
    ],
)
def test_whatever_two_programs_could_read_differently_is_no_address(text: bytes) -> None:
    assert parse(text) is None


def test_an_address_from_a_socket_has_its_port() -> None:
    raw = struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", 4711, bytes([192, 0, 2, 9]))
    assert from_socket(raw)[:3] == (V4, "192.0.2.9", 4711)
    assert from_socket(v6_socket(ipaddress.ip_address("2001:db8::9").packed, 4711))[:3] == (
        V6,
        "2001:db8::9",
        4711,
    )


def test_a_mapped_peer_is_the_v4_address_it_maps() -> None:
    family, text, port, packed = from_socket(
        v6_socket(ipaddress.ip_address("::ffff:10.1.2.3").packed, 5)
    )
    assert (family, text, port) == (V4, "10.1.2.3", 5)
    assert packed == bytes([10, 1, 2, 3]) + bytes(12)


def test_a_unix_peer_and_an_unknown_family_have_a_name_and_no_address() -> None:
    assert from_socket(struct.pack("=H", socket.AF_UNIX) + b"/run/x\0")[:3] == (UNIX, "unix:", 0)
    assert from_socket(struct.pack("=H", socket.AF_PACKET))[:3] == (NONE, "-", 0)


def test_a_range_matches_what_ipaddress_says_at_every_prefix_length() -> None:
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    for bits in range(33):
        for _ in range(20):
            base = rng.getrandbits(32)
            flip = base ^ (1 << rng.randrange(32))
            network = ipaddress.ip_network((base, bits), strict=False)
            text = f"{ipaddress.IPv4Address(base)}/{bits}".encode()
            other = ipaddress.IPv4Address(flip)
            assert matches(text, str(other).encode()) == (other in network), seed
    for bits in range(129):
        for _ in range(10):
            base = rng.getrandbits(128) | (1 << 125)
            flip = base ^ (1 << rng.randrange(125))
            network = ipaddress.ip_network((base, bits), strict=False)
            text = f"{ipaddress.IPv6Address(base)}/{bits}".encode()
            other = ipaddress.IPv6Address(flip)
            assert matches(text, str(other).encode()) == (other in network), seed


def test_a_range_never_matches_the_other_family() -> None:
    assert not matches(b"0.0.0.0/0", b"::1")
    assert not matches(b"::/0", b"10.0.0.1")


def test_a_mapped_range_is_a_v4_range() -> None:
    assert cidr(b"::ffff:10.0.0.0/104")[:2] == (V4, 8)
    assert matches(b"::ffff:10.0.0.0/104", b"10.200.0.1")
    assert not matches(b"::ffff:10.0.0.0/104", b"11.0.0.1")


def test_a_single_address_is_a_range_of_one() -> None:
    assert cidr(b"10.0.0.1")[:2] == (V4, 32)
    assert cidr(b"2001:db8::1")[:2] == (V6, 128)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"/8",
        b"10.0.0.0/",
        b"10.0.0.0/33",
        b"10.0.0.0/4294967304",
        b"10.0.0.0/-1",
        b"10.0.0.0/08",
        b"10.0.0.0/8/8",
        b"10.0.0/8",
        b"10.0.0.0:80/8",
        b"::/129",
        b"[::]/64",
        b"example.com",
        b"10.0.0.0/8 ",
    ],
)
def test_a_malformed_range_is_refused(text: bytes) -> None:
    assert cidr(text) is None
