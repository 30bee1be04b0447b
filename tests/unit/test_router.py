"""Which route a path takes: order, plain paths, and every way to write a path differently."""

from __future__ import annotations

import random
import re
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pygw._core.probe.filters import Plan, path_form

from .plans import build, plan, route


def routes(*paths: str) -> Plan:
    """A plan whose routes are named by their path; a final * makes a prefix."""
    return build(
        plan(
            *(
                route(f"n{i}", path.removesuffix("*"), "prefix" if path.endswith("*") else "exact")
                for i, path in enumerate(paths)
            )
        )
    )


def name_of(plan: Plan, paths: tuple[str, ...], path: str | bytes) -> str | None:
    """The configured path of the route that takes `path`."""
    name = plan.match(path if isinstance(path, bytes) else path.encode())
    return None if name is None else paths[int(name[1:])]


ADMIN = ("/*", "/admin/*", "/admin", "/pub/*")


def taken(path: str | bytes, paths: tuple[str, ...] = ADMIN) -> str | None:
    """The configured path of the route that takes `path` among `paths`."""
    return name_of(routes(*paths), paths, path)


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/a", "/a"),
        ("/a/", "/a/*"),
        ("/a/b", "/a/*"),
        ("/a/b/c", "/a/b/*"),
        ("/a/b/", "/a/b/*"),
        ("/a/x", "/a/x"),
        ("/a/xy", "/a/*"),
        ("/ab", None),
        ("/", None),
        ("/b/a", None),
    ],
)
def test_exact_comes_before_prefix_and_longest_prefix_wins(path: str, route: str | None) -> None:
    assert taken(path, ("/a/*", "/a", "/a/b/*", "/a/x")) == route


def test_an_exact_route_wins_over_a_longer_prefix() -> None:
    assert taken("/abc", ("/ab*", "/abc", "/abc*")) == "/abc"
    assert taken("/abcd", ("/ab*", "/abc", "/abc*")) == "/abc*"


def test_a_prefix_need_not_end_with_a_slash() -> None:
    assert taken("/v1x/y", ("/v1*",)) == "/v1*"


@pytest.mark.parametrize("path", ["/.well-known/x", "/a/...", "/a/.b", "/a/..b", "/a.", "/a/b.."])
def test_dots_inside_a_segment_are_plain(path: str) -> None:
    assert taken(path) == "/*"


@pytest.mark.parametrize("path", ["", "*", "a", "admin/x", "http://h/admin/"])
def test_what_is_no_absolute_path_takes_no_route(path: str) -> None:
    assert taken(path, ("/admin/*", "/a")) is None


def test_asterisk_takes_the_route_for_everything_and_no_other() -> None:
    assert taken("*") == "/*"
    assert taken("*", ("/", "/a*")) is None


@pytest.mark.parametrize(
    "path",
    [
        "/%61dmin/x",  # RFC 3986 6.2.2.2: an unreserved character written as a triplet
        "/admin/%7Euser",
        "/admin/%7euser",
        "/admin/./x",
        "/admin/y/../x",
        "/admin/x/.",
        "/admin/x/..",
        "/admin//x",
        "/admin/x//",
        "/admin/x;v=1",
        "/admin/a%2Fb",
        "/admin/a\\b",
        "/admin/%20",
    ],
)
def test_other_spellings_within_a_route_take_it(path: str) -> None:
    assert taken(path) == "/admin/*"


@pytest.mark.parametrize(
    "path",
    [
        "//admin/x",
        "/pub//../admin/x",
        "/./admin/x",
        "/pub/../admin/x",
        "/admin/../pub/x",
        "/pub/..//admin/x",
        "/pub/%2e%2e/admin/x",
        "/pub/%2E./admin/x",
        "/pub/.%2e/admin/x",
        "/pub/..;/admin/x",
        "/pub/..;a=b/admin/x",
        "/pub/..%2Fadmin/x",
        "/pub/..%2fadmin/x",
        "/pub/..%5Cadmin/x",
        "/pub/..\\admin/x",
        "/pub\\..\\admin\\x",
        "/admin%2Fx",
        "/admin%2fx",
        "/admin%5cx",
        "\\admin\\x",
        "/\\admin/x",
        "/admin;/x",
        "/admin;v=1/x",
        "/;/admin/x",
        "/%2Fadmin/x",
        "/admin%3Bx/y",
        "/;%2f.../admin",
    ],
)
def test_a_path_whose_readings_lead_to_different_routes_takes_none(path: str) -> None:
    assert taken(path) is None


@pytest.mark.parametrize(
    "path",
    [
        "/..",
        "/../admin/x",
        "/a/../../admin/x",
        "/a/../..",
        "/%2e%2e/",
        "/a/%2e/b",
        "/a/.;/b",
        "/a%00",
        "/a%00/../b",
        "/a%",
        "/a%4",
        "/a%zz",
        "/a%4g",
        "/a#b",
        "/a?b",
        "/a b",
        b"/a\x00b",
        b"/a\x7f",
        b"/a\x0a",
        b"/a%20\x01",
    ],
)
def test_climbing_disguise_and_malformed_triplets_take_no_route_at_all(path: str | bytes) -> None:
    assert taken(path, ("/*",)) is None


def test_an_encoded_reserved_character_does_not_slip_past_a_route() -> None:
    paths = ("/*", "/a:b/*")
    assert taken("/a:b/x", paths) == "/a:b/*"
    assert taken("/a%3Ab/x", paths) is None
    assert taken("/c%3Ab/x", paths) == "/*"


def test_a_route_beyond_ascii_is_found_in_every_spelling() -> None:
    paths = ("/*", "/caf%c3%a9/*")
    for path in (b"/caf%C3%A9/x", b"/caf%c3%a9/x", b"/caf\xc3\xa9/x", b"/caf\xc3%a9/x"):
        assert taken(path, paths) == "/caf%c3%a9/*"
    assert taken("/cafe/x", paths) == "/*"


def test_an_odd_path_longer_than_the_scratch_takes_no_route_and_a_plain_one_does() -> None:
    assert taken("/" + "a" * 20000, ("/*",)) == "/*"
    assert taken("/%41" + "a" * 8100, ("/*",)) == "/*"
    assert taken("/%41" + "a" * 8200, ("/*",)) is None
    assert taken("/" + "%2F" * 3000, ("/*",)) is None


@pytest.mark.parametrize(
    ("path", "form"),
    [
        (b"/", b"/"),
        (b"/v1/", b"/v1/"),
        (b"/%7eme", b"/~me"),
        (b"/caf%c3%a9", b"/caf%C3%A9"),
        (b"/caf\xc3\xa9", b"/caf%C3%A9"),
        (b"/a%3ab", b"/a%3Ab"),
        (b"/.well-known/", b"/.well-known/"),
    ],
)
def test_a_routes_path_is_kept_in_its_normal_form(path: bytes, form: bytes) -> None:
    assert path_form(path) == form


@pytest.mark.parametrize(
    "path",
    [
        b"",
        b"a",
        b"*",
        b"/a//b",
        b"/a/./b",
        b"/a/../b",
        b"/..",
        b"/a/%2e",
        b"/a;b",
        b"/a\\b",
        b"/a%2Fb",
        b"/a%5cb",
        b"/a%00",
        b"/a%",
        b"/a?b",
        b"/a#b",
        b"/a b",
        b"/" + b"a" * 9000,
    ],
)
def test_a_path_that_could_hide_another_route_can_be_none(path: bytes) -> None:
    assert path_form(path) is None


def forms_of(path: bytes) -> set[bytes]:
    """What origins may make of a path: combinations of what servers are known to do.

    All begin by decoding unreserved characters, which never changes a URL (RFC 3986 6.2.2.2).
    """
    forms = {re.sub(rb"(?i)%(61|69|2e|7e)", lambda m: unquote_to_bytes(m[0]), path)}
    for step in (
        unquote_to_bytes,
        lambda p: p.replace(b"\\", b"/"),
        lambda p: re.sub(rb";[^/]*", b"", p),
        lambda p: re.sub(rb"/+", b"/", p),
        resolved,
    ):
        forms |= {step(form) for form in forms}
    return forms


def resolved(path: bytes) -> bytes:
    """Dot segments taken out (RFC 3986 5.2.4)."""
    out: list[bytes] = []
    parts = path.split(b"/")[1:]
    for i, part in enumerate(parts):
        last = i == len(parts) - 1
        if part == b"..":
            out = out[:-1]
        if part in (b".", b".."):
            out += [b""] if last else []
        else:
            out.append(part)
    return b"/" + b"/".join(out)


DELIMITERS = ["/", "//", ".", "..", "%2e", "%2E", "%2f", "%5c", "\\", ";", ";x", "%3b"]
PIECES = [*DELIMITERS, "admin", "pub", "x", "%61dmin", "adm%69n", "%25", "a", "%c3", "~", "%7e"]


def test_whatever_reading_an_origin_takes_leads_to_the_same_route() -> None:
    chance = random.Random(20261123)
    routed = 0
    for _ in range(40_000):
        pieces = (chance.choice(PIECES) for _ in range(chance.randint(1, 9)))
        path = b"/" + "".join(pieces).encode()
        name = OPEN_AND_SHUT.match(path)
        routed += name is not None
        for form in forms_of(path) if name is not None else ():
            inside = form == b"/admin" or form.startswith(b"/admin/")
            assert inside == (name != "n0"), (path, form)
    assert routed > 10_000


OPEN_AND_SHUT = routes("/*", "/admin/*", "/admin")


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=40))
def test_no_bytes_crash_the_router(tail: bytes) -> None:
    name = OPEN_AND_SHUT.match(b"/" + tail)
    assert name in ("n0", "n1", "n2", None)
