"""Sets of address ranges, held against Python's `ipaddress`."""

from __future__ import annotations

import ipaddress
import json
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pygw._core.probe.cidr_set import CidrSet
from pygw._core.probe.filters import PlanError

from pygw._core.matcher import Matcher
from pygw.config.semantics.conflicts import conflicts

from .plans import plan, route

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def network(family: int, start: int, bits: int) -> Network:
    kind = ipaddress.IPv4Network if family == 4 else ipaddress.IPv6Network
    return kind((start, bits), strict=False)


def expected(networks: list[Network], address: str) -> bool:
    """What the standard library says; IPv4 in its IPv6 form counts as IPv4."""
    one = ipaddress.ip_address(address)
    mapped = one.ipv4_mapped if isinstance(one, ipaddress.IPv6Address) else None
    wanted = mapped or one
    return any(wanted.version == n.version and wanted in n for n in networks)


# Few distinct bits, so that ranges lie within and beside each other.
clustered = st.one_of(
    st.integers(0, 255).map(lambda n: n << 24 | 0x0A000001),
    st.integers(0, 2**32 - 1),
    st.sampled_from([0, 1, 2**31, 2**32 - 1, 0x0A0B0C0D, 0x0A0B0C0E, 0x0A0B0D0D]),
)
v4 = st.builds(network, st.just(4), clustered, st.integers(0, 32))
v6_start = st.one_of(
    st.integers(0, 2**128 - 1),
    st.integers(0, 7).map(lambda n: 0x20010DB8 << 96 | n << 62 | n),
    st.sampled_from([0, 1, 2**127, 2**128 - 1, 2**64, 2**63, 0xFFFF00000000]),
)
v6 = st.builds(network, st.just(6), v6_start, st.integers(0, 128)).filter(
    lambda n: n.prefixlen < 96 or n.network_address.ipv4_mapped is None
)
networks_of = st.lists(st.one_of(v4, v6), max_size=60)


def edges(one: Network) -> list[str]:
    """Its first and last address and their neighbours outside."""
    first, last = int(one.network_address), int(one.broadcast_address)
    most = 2 ** (32 if one.version == 4 else 128)
    kind = ipaddress.IPv4Address if one.version == 4 else ipaddress.IPv6Address
    return [str(kind(n)) for n in (first - 1, first, last, last + 1) if 0 <= n < most]


@settings(max_examples=400, deadline=None)
@given(networks_of, st.data())
def test_set_agrees_with_ipaddress(networks: list[Network], data: st.DataObject) -> None:
    held = CidrSet([str(one) for one in networks])
    asked = ["0.0.0.0", "255.255.255.255", "::", "::ffff:10.11.12.13"]
    for one in networks[:12]:
        asked += edges(one)
    asked += [str(ipaddress.IPv4Address(n)) for n in data.draw(st.lists(clustered, max_size=5))]
    asked += [str(ipaddress.IPv6Address(n)) for n in data.draw(st.lists(v6_start, max_size=5))]
    for address in asked:
        assert (address in held) == expected(networks, address), address


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(v4, v6), min_size=1, max_size=60), st.data())
def test_clients_of_a_route_are_those_that_ipaddress_says(
    networks: list[Network], data: st.DataObject
) -> None:
    match = {"path": "/a", "client": [str(one) for one in networks]}
    rows = [route("a") | {"match": match}, route("b", "/")]
    matcher = Matcher(json.dumps(plan(*rows)).encode())
    asked = ["0.0.0.0", "::", "::ffff:10.11.12.13"]
    for one in networks[:8]:
        asked += edges(one)
    asked += [str(ipaddress.IPv4Address(n)) for n in data.draw(st.lists(clustered, max_size=3))]
    asked += [str(ipaddress.IPv6Address(n)) for n in data.draw(st.lists(v6_start, max_size=3))]
    for address in asked:
        taken = "a" if expected(networks, address) else "b"
        assert matcher.match("GET", "x", "/a", client=address).route == taken, address
    assert matcher.match("GET", "x", "/a", client="unix:").route == "b"


@settings(max_examples=200, deadline=None)
@given(*[st.lists(st.one_of(v4, v6), min_size=1, max_size=5)] * 2)
def test_check_finds_routes_whose_clients_meet(one: list[Network], two: list[Network]) -> None:
    rows = [{"match": {"path": "/a", "client": [str(n) for n in some]}} for some in (one, two)]
    meet = any(a.version == b.version and a.overlaps(b) for a in one for b in two)
    assert bool(list(conflicts(rows))) == meet


def test_routes_with_thousands_of_networks_are_checked_by_one_look_at_each() -> None:
    def row(first: int) -> dict[str, object]:
        ranges = [f"{first}.{n >> 8}.{n & 255}.0/24" for n in range(3000)]
        return {"match": {"path": "/a", "client": ranges}}

    assert not list(conflicts([row(10), row(11)]))  # pair by pair nine million looks


def test_everything_and_nothing() -> None:
    nothing = CidrSet([])
    assert "1.2.3.4" not in nothing
    assert "::1" not in nothing
    everything = CidrSet(["0.0.0.0/0", "::/0", "10.0.0.0/8", "10.0.0.1", "fe80::/10", "::1"])
    assert "1.2.3.4" in everything
    assert "::1" in everything
    assert everything.nodes == 2


def test_families_are_apart() -> None:
    four = CidrSet([f"10.{n}.0.0/16" for n in range(0, 20, 2)])
    assert "10.2.0.1" in four
    assert "10.3.0.1" not in four
    assert "a02::1" not in four


def test_mapped_ranges_are_those_of_v4() -> None:
    held = CidrSet(["::ffff:10.0.0.0/104", "::1", "::2", "::3", "::4", "::5"])
    assert "10.9.9.9" in held
    assert "::ffff:10.9.9.9" in held


def test_bits_behind_a_prefix_do_not_matter() -> None:
    held = CidrSet([f"10.0.{n}.77/24" for n in range(10)])
    assert "10.0.3.1" in held
    assert "10.0.11.1" not in held


def test_hundred_thousand_ranges_are_held_in_little_memory() -> None:
    random = Random(7)
    networks = {network(4, random.getrandbits(32), random.randint(20, 32)) for _ in range(50_000)}
    networks |= {
        network(6, 0x2000 << 112 | random.getrandbits(125), random.randint(32, 64))
        for _ in range(50_000)
    }
    held = CidrSet([str(one) for one in networks])
    assert held.nodes < 2 * len(networks)
    assert held.size < 8 << 20
    for one in random.sample(sorted(networks, key=str), 500):
        assert str(one.network_address) in held
        assert str(one.broadcast_address) in held


def test_what_is_no_range_is_told_with_its_place() -> None:
    with pytest.raises(PlanError, match=r"ranges\[6\]: not a CIDR range: 'no'"):
        CidrSet(["::1"] * 6 + ["no"])
