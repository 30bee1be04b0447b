"""The ready-made Lua hooks of hooks/lua do what docs/ready-made.md says.

Owns: configurations and requests.
Runs in: tests, with the gateway in this process.
Never does: open a socket.
Read next: `docs/ready-made.md`.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
import yaml

from benchmarks.micro import hooks
from pygw.testing import MakeHook
from tests.unit.lua_hooks import needs_lua
from tests.unit.ready_hooks import FOLDER, place, refused

pytestmark = needs_lua


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


KEYS = {"anna": digest("k-anna"), "ben": [digest("k-old"), digest("k-new").upper()]}


@pytest.mark.parametrize(
    ("key", "consumer"), [("k-anna", "anna"), ("k-old", "ben"), ("k-new", "ben")]
)
def test_a_key_names_its_consumer_and_stays_here(
    pygw_hook: MakeHook, key: str, consumer: str
) -> None:
    gateway = pygw_hook(place("api_key"), config={"keys": KEYS})
    answer = gateway.get("/x?a=1", headers={"x-api-key": key, "x-consumer": "root"})
    assert answer.status == 200
    assert answer.sent.headers.all("x-consumer") == [consumer]
    assert "x-api-key" not in answer.sent.headers
    assert answer.vars["consumer"] == consumer


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-api-key": ""},
        {"x-api-key": "k-other"},
        {"x-api-key": digest("k-anna")},
        {"x-consumer": "anna"},
        {"x-api-key": ["k-anna", "k-anna"]},
    ],
)
def test_who_brings_no_key_or_several_is_refused(
    pygw_hook: MakeHook, headers: dict[str, str]
) -> None:
    gateway = pygw_hook(place("api_key"), config={"keys": KEYS, "realm": "shop"})
    answer = gateway.get("/x?key=k-anna", headers=headers)
    assert (answer.status, answer.text) == (401, "a valid API key is needed\n")
    assert answer.headers["www-authenticate"] == 'ApiKey realm="shop"'
    assert answer.headers["cache-control"] == "no-store"
    assert answer.origin is None


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("key=k-anna", "/x"),
        ("a=1&key=k-anna&b=%20", "/x?a=1&b=%20"),
        ("%6bey=k%2Danna&a=1", "/x?a=1"),
    ],
)
def test_a_key_in_the_query_is_taken_out_of_it(pygw_hook: MakeHook, query: str, left: str) -> None:
    gateway = pygw_hook(place("api_key"), config={"keys": KEYS, "query": "key"})
    answer = gateway.get(f"/x?{query}")
    assert answer.sent.headers["x-consumer"] == "anna"
    assert answer.sent.target == left


def test_keys_at_two_places_are_refused(pygw_hook: MakeHook) -> None:
    gateway = pygw_hook(place("api_key"), config={"keys": KEYS, "query": "key"})
    assert gateway.get("/?key=k-anna&key=k-anna").status == 401
    assert gateway.get("/?key=k-anna", headers={"x-api-key": "k-anna"}).status == 401


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({}, "keys: is required"),
        ({"keys": {}}, "keys: must be at least 1"),
        ({"keys": {"anna": "k-anna"}}, "config.keys.anna must be 64 hexadecimal digits"),
        ({"keys": {"anna": []}}, "config.keys.anna has no digest"),
        ({"keys": {"anna": [digest("a"), digest("a")]}}, "has the key of anna"),
        ({"keys": {"an\nna": digest("a")}}, "a consumer that no field can carry"),
        ({"keys": KEYS, "header": "x y"}, "config.header must be the name of a field"),
        ({"keys": KEYS, "consumer_header": "x-api-key"}, "must be another field than header"),
        ({"keys": KEYS, "realm": 'a"b'}, "config.realm must be visible ASCII"),
    ],
)
def test_a_wrong_configuration_of_keys_is_refused(
    pygw_hook: MakeHook, config: dict[str, object], problem: str
) -> None:
    assert problem in refused(pygw_hook, "api_key", config)


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.lua")), ids=lambda file: file.stem)
def test_the_page_has_a_working_example_and_every_key_of_a_hook(
    pygw_hook: MakeHook, file: Path
) -> None:
    page = (FOLDER.parents[1] / "docs" / "ready-made.md").read_text("utf-8")
    section = page.split(f"\n## {file.stem}\n", 1)[1].split("\n## ", 1)[0]
    keys = re.findall(r"^  (\w+) = \{ type", file.read_text("utf-8"), re.MULTILINE)
    assert keys == re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    example = section.split("```yaml\n", 1)[1].split("```", 1)[0]
    example = re.sub(r"\$\{\w+\}", "x" * 32, example)
    hook = yaml.safe_load(example)["middleware"][0]["lua"]
    assert hook.pop("file") == f"hooks/lua/{file.name}"
    pygw_hook(place(file.stem), **hook).get("/")


def test_the_probe_gives_variables_back_with_their_memory() -> None:
    chain = hooks.chain_of(hooks.lua_entry("return function() gw.var.a = 'b' end"))
    try:
        assert all(chain.run(100) > 0 for _ in range(3))
    finally:
        chain.close()
