"""Values that are accepted: units, addresses, references and YAML 1.2 scalars."""

from __future__ import annotations

import os
import time
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pygw._core.probe.filters import path_form

from pygw._core.probe import http1
from pygw.config import Config, load_config, parse_config
from pygw.config.errors import suggest
from pygw.config.formats import read_document
from pygw.config.interpolate import FILE_MAX_BYTES, InterpolationError, Sources
from pygw.config.patterns import PATH_MAX, parse_path_match
from pygw.config.units import parse_duration_ms, parse_size_bytes, show_duration, show_size
from pygw.config.values import (
    FIELD_NAME_MAX,
    parse_bind,
    parse_field_name,
    parse_network,
    parse_target,
)

SMALLEST = """
listeners: [{bind: "127.0.0.1:0"}]
routes: [{match: {path: /*}, middleware: [{echo: {}}]}]
"""


def config_of(text: str, environ: dict[str, str] | None = None) -> Config:
    return parse_config(SMALLEST + text, "pygw.yaml", Sources(environ or {}))


@pytest.mark.parametrize(
    ("text", "expected_ms"),
    [("500ms", 500), ("30s", 30_000), ("1.5m", 90_000), ("2h", 7_200_000), ("1d", 86_400_000),
     ("0s", 0), ("0.25s", 250), ("3 s", 3000)],
)  # fmt: skip
def test_duration_is_milliseconds(text: str, expected_ms: int) -> None:
    assert parse_duration_ms(text) == expected_ms


@pytest.mark.parametrize(
    ("text", "expected_bytes"),
    [("64B", 64), ("8KiB", 8192), ("1.5KiB", 1536), ("10MiB", 10 << 20), ("1GiB", 1 << 30)],
)
def test_size_is_bytes(text: str, expected_bytes: int) -> None:
    assert parse_size_bytes(text) == expected_bytes


@pytest.mark.parametrize("text", ["", "s", "1", "-1s", "1e3s", "1s2ms", "0x1s", "١s", "1s\n", True])
def test_what_only_looks_like_a_duration_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="must be a duration with a unit"):
        parse_duration_ms(text)


@given(st.integers(0, 10**12))
def test_shown_quantities_read_back(value: int) -> None:
    assert parse_duration_ms(show_duration(value)) == value
    assert parse_size_bytes(show_size(value)) == value


@pytest.mark.parametrize(
    ("text", "family", "shown"),
    [
        ("127.0.0.1:80", "v4", "127.0.0.1:80"),
        ("0.0.0.0:0", "v4", "0.0.0.0:0"),
        ("[0:0::1]:443", "v6", "[::1]:443"),
        ("unix:/run/x.sock", "unix", "unix:/run/x.sock"),
    ],
)
def test_bind_has_a_normal_form(text: str, family: str, shown: str) -> None:
    bind = parse_bind(text)
    assert (bind.family, str(bind)) == (family, shown)


@pytest.mark.parametrize(
    ("text", "url", "host", "port"),
    [
        ("http://Example.COM", "http://example.com:80", "example.com", 80),
        ("HTTP://a.b:9000/", "http://a.b:9000", "a.b", 9000),
        ("http://[0::1]:1", "http://[::1]:1", "::1", 1),
        ("http://10.0.0.1:8", "http://10.0.0.1:8", "10.0.0.1", 8),
        ("http://my_service.", "http://my_service:80", "my_service", 80),
    ],
)
def test_target_has_a_normal_form(text: str, url: str, host: str, port: int) -> None:
    target = parse_target(text)
    assert (target.url, target.host, target.port) == (url, host, port)


@pytest.mark.parametrize("length", [107, 108])
def test_socket_path_is_bounded_by_the_kernel(length: int) -> None:
    path = "/" + "x" * (length - 1)
    if length <= 107:
        assert parse_target(f"unix:{path}").path == path
        return
    with pytest.raises(ValueError, match="at most 107 bytes"):
        parse_target(f"unix:{path}")


def test_single_address_is_a_network_of_one() -> None:
    assert parse_network("10.0.0.1") == "10.0.0.1/32"
    assert parse_network("FD00::/8") == "fd00::/8"


def test_mapped_network_is_refused_because_peers_are_compared_as_ipv4() -> None:
    with pytest.raises(ValueError, match="IPv4 form"):
        parse_network("::ffff:10.0.0.0/104")


@pytest.mark.parametrize("size", [PATH_MAX, PATH_MAX + 1])
def test_path_is_bounded_by_what_the_data_plane_takes(size: int) -> None:
    path = "/" + "a" * (size - 1)
    if size > PATH_MAX:
        with pytest.raises(ValueError, match=f"at most {PATH_MAX} bytes"):
            parse_path_match(path)
    else:
        parse_path_match(path)
    assert (path_form(path.encode()) is None) == (size > PATH_MAX)


def test_paths_that_the_data_plane_refuses_are_refused_and_the_others_become_its_form() -> None:
    pieces = ["/", "a", ".", "..", ";", "%2e", "%2F", "%5c", "%00", "%3B", "%61", "%c3%a9", "%25"]
    pieces += ["%20", "+", "@", "%2", "\\", "//"]
    accepted = 0
    for middle in product(pieces, repeat=3):
        path = "/" + "".join(middle)
        form = path_form(path.encode())
        try:
            taken = parse_path_match(path).path.encode()
        except ValueError:
            taken = None
        assert taken == form, path
        accepted += taken is not None
    assert accepted > 500


@pytest.mark.parametrize("size", [FIELD_NAME_MAX, FIELD_NAME_MAX + 1])
def test_field_name_is_bounded_as_a_peer_is(size: int) -> None:
    if size > FIELD_NAME_MAX:
        with pytest.raises(ValueError, match="header name"):
            parse_field_name("n" * size)
    else:
        assert parse_field_name("n" * size)
    head = b"GET / HTTP/1.1\r\nHost: a\r\n" + b"n" * size + b": v\r\n\r\n"
    assert (http1.read(head)["error"] is None) == (size <= FIELD_NAME_MAX)


def test_final_star_makes_a_prefix() -> None:
    assert (parse_path_match("/v1/*").kind, parse_path_match("/v1/*").path) == ("prefix", "/v1/")
    assert (parse_path_match("/v1").kind, parse_path_match("/v1").path) == ("exact", "/v1")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"), ("off", "off"), ("True", True), ("012", 12), ("0o17", 15), ("0x1F", 31),
        ("1_000", "1_000"), ("12:30:45", "12:30:45"), ("2001-01-01", "2001-01-01"), ("1e3", 1000.0),
        ('"5"', "5"), ("!!str 5", "5"), ("!!int '5'", 5), (".5", 0.5), ("+7", 7), (".", "."),
    ],
)  # fmt: skip
def test_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    document = read_document(f"x: {text}", "x", Sources({}))
    assert document.data == {"x": value}
    assert type(document.data["x"]) is type(value)


def test_alias_repeats_a_value() -> None:
    text = "timeouts: &t {connect: 1s}\nupstreams: {a: {targets: ['http://a'], timeouts: *t}}\n"
    config = config_of(text)
    assert config.upstreams["a"].timeouts.connect == config.timeouts.connect == 1000


def test_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("\ufeff" + SMALLEST, "utf-8")
    assert load_config(str(tmp_path / "x.yaml"), {}).workers == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a${A}b${B}c", "aONEbTWOc"),
        ("${EMPTY}", ""),
        ("${EMPTY:-x}", "x"),
        ("${NOPE:-}", ""),
        ("${NOPE:-a:b/c d}", "a:b/c d"),
        ("${A:-x}${A:?y}", "ONEONE"),
        ("$${A} $A $$ ${A}", "${A} $A $$ ONE"),
        ("${LOOP}", "${A}"),
    ],
)
def test_references_are_replaced_once(text: str, value: str) -> None:
    environ = {"A": "ONE", "B": "TWO", "EMPTY": "", "LOOP": "${A}"}
    assert Sources(environ).interpolate(text) == value


def test_inserted_value_cannot_add_yaml() -> None:
    text = 'forwarding: {via: "${V}"}\n'
    with pytest.raises(Exception, match="must be a token"):
        config_of(text, {"V": 'x"}\nworkers: 7'})


def test_inserted_plain_value_takes_its_own_type() -> None:
    assert config_of("workers: ${N}", {"N": "3"}).workers == 3
    with pytest.raises(Exception, match="must be a whole number"):
        config_of('workers: "${N}"', {"N": "3"})


def test_file_reference_is_relative_to_the_config_and_loses_one_line_end(tmp_path: Path) -> None:
    (tmp_path / "name").write_text("gw-1\r\n")
    (tmp_path / "x.yaml").write_text(SMALLEST + "forwarding: {via: '${file:name}'}\n")
    assert load_config(str(tmp_path / "x.yaml"), {}).forwarding.via == "gw-1"


def test_file_reference_never_waits_and_is_bounded(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "big").write_bytes(b"x" * (FILE_MAX_BYTES + 1))
    (tmp_path / "binary").write_bytes(b"\xff")
    sources = Sources({}, str(tmp_path))
    for name, why in (("fifo", "regular"), ("big", "larger"), ("binary", "UTF-8"), ("", "path")):
        with pytest.raises(InterpolationError, match=why):
            sources.interpolate(f"${{file:{name}}}")


def test_file_reference_leaves_no_descriptor_open(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    before = os.listdir("/proc/self/fd")
    sources = Sources({}, str(tmp_path))
    assert sources.interpolate("${file:a}") == "x"
    with pytest.raises(InterpolationError):
        sources.interpolate("${file:/}")
    assert os.listdir("/proc/self/fd") == before


def test_overrides_replace_workers_and_the_first_bind() -> None:
    overrides = {"workers": 3, "listen": "[::1]:90"}
    config = parse_config(SMALLEST, "pygw.yaml", Sources({}), overrides)
    assert (config.workers, str(config.listeners[0].bind)) == (3, "[::1]:90")


@pytest.mark.parametrize(
    ("word", "guess"),
    [("listners", "listeners"), ("route", "routes"), ("workres", "workers"), ("zzz", None)],
)
def test_suggestion_is_the_nearest_word(word: str, guess: str | None) -> None:
    assert suggest(word, ["listeners", "routes", "workers", "drain"]) == guess


def test_nothing_in_the_data_breaks_the_rules_between_parts() -> None:
    """Rules between parts run on unchecked data, so any shape must only give a report."""
    from pygw.config.semantics import find_problems

    shapes: list[object] = [None, 3, "x", [], {}, [None], [[1]], {"a": None}, {"a": [1]}]
    keys = ("listeners", "limits", "upstreams", "routes")
    for shape in shapes:
        list(find_problems(dict.fromkeys(keys, shape)))
        list(find_problems({"routes": [{"match": shape, "middleware": shape, "upstream": shape}]}))
        for name in ("headers", "ip", "respond", "redirect", "echo"):
            list(find_problems({"routes": [{"middleware": [{name: shape}]}]}))
            for key in ("request", "allow", "headers", "status", "body", "set"):
                list(find_problems({"routes": [{"middleware": [{name: {key: shape}}]}]}))


def test_ten_thousand_routes_are_read() -> None:
    """Within the bound on values, in a time that grows with the file: about two seconds."""
    routes = "".join(
        f"- {{name: n{n}, match: {{path: /s{n % 100}/t{n}/*}}, upstream: u{n % 200},\n"
        f"   middleware: [{{headers: {{request: {{set: {{X-N: '{n}'}}}}}}}}, {{body_limit: 1B}}]}}"
        "\n"
        for n in range(10_000)
    )
    upstreams = "".join(f"  u{n}: {{targets: ['http://10.0.0.{n}:80']}}\n" for n in range(200))
    text = f"listeners: [{{bind: '127.0.0.1:0'}}]\nupstreams:\n{upstreams}routes:\n{routes}"
    begin = time.perf_counter()
    assert len(parse_config(text, "pygw.yaml", Sources({})).routes) == 10_000
    assert time.perf_counter() - begin < 60
