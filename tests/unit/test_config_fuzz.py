"""Whatever is done to a good configuration, it is served or refused, and nothing else happens."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pygw._core.worker import plan_check

from pygw.config import Config, ConfigError, parse_config
from pygw.config.formats.yaml import Loader
from pygw.config.interpolate import Sources
from pygw.config.load import check_object
from pygw.config.schema import config_schema, schemas_in
from pygw.plan import build_plan, serialise_plan

from .test_config_formats import toml_file
from .test_plan import FULL

GOOD: dict[str, Any] = yaml.load(FULL, Loader)
ENVIRON = {"A": "1", "B": "x: [", "C": ""}

JUNK: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**200, 0.5, float("inf"), float("nan"), "", " ",
    "off", "x", "0s", "1s", "1KiB", "30d", "/", "/*", "*", "/{a}/{a}", "/{a:int}/*", "{", "}", "%",
    "100%", "-", "\0", "\r\n", "é", "\N{GRINNING FACE}", "a" * 9000, "http://a", "https://a",
    "unix:", "[::1]:80", "10.0.0.0/8", "::/129", "GET", "${A}", "${B}", "${", "${file:/}", "$${A}",
    "(", "[a-", "(a+)+$", [], [[]], [1], ["x", "x"], {}, {"": 1}, {"x": {}}, {"a": 1, "A": 1},
)  # fmt: skip


def words(schema: dict[str, Any]) -> Iterator[str]:
    """Every key and every word of a choice that the schema knows."""
    for key, inner in schema.get("properties", {}).items():
        yield key
        yield from words(inner)
    for inner in schemas_in(schema):
        yield from words(inner)
    yield from (word for word in schema.get("enum", ()) if isinstance(word, str))


SCHEMA = config_schema()
WORDS = sorted({*words(SCHEMA), *(w for part in SCHEMA["$defs"].values() for w in words(part))})


def mutate(data: Any, rng: random.Random) -> Any:
    """A copy of plain data with one thing changed somewhere."""
    whole = [data]
    holders: list[tuple[Any, Any]] = [(whole, 0)]

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            copy: Any = {key: walk(inner) for key, inner in value.items()}
            holders.extend((copy, key) for key in copy)
        elif isinstance(value, list):
            copy = [walk(inner) for inner in value]
            holders.extend((copy, index) for index in range(len(copy)))
        else:
            copy = value
        return copy

    whole[0] = walk(data)
    holder, key = rng.choice(holders)
    kind = rng.randrange(7)
    if kind == 0 and holder is not whole:
        del holder[key]
    elif kind == 1 and isinstance(holder, dict):
        holder[rng.choice(WORDS)] = holder.pop(key)
    elif kind == 2 and isinstance(holder, dict):
        holder[rng.choice(WORDS)] = rng.choice(JUNK)
    elif kind == 3 and isinstance(holder, list):
        holder.insert(key, json.loads(json.dumps(holder[key])))
    elif kind == 4:
        other, place = rng.choice(holders)
        holder[key] = json.loads(json.dumps(other[place]))
    elif kind == 5:
        holder[key] = [holder[key]]
    else:
        holder[key] = rng.choice(JUNK)
    return whole[0]


def garble(text: str, rng: random.Random) -> str:
    """A text with a piece taken out, doubled, or put in."""
    start = rng.randrange(len(text))
    end = min(len(text), start + rng.choice([1, 1, 1, 2, 10, 100]))
    piece = rng.choice(
        [
            "", "", text[start:end] * 2, ":", "- ", "\n", "  ", "\t", "{", "}", "[", "]", '"', "'",
            "&a ", "*a", "!x ", "<<: ", "#", "|\n", "\0", "\ufeff", "é", "? ", "%YAML 9\n", "---\n",
        ]
    )  # fmt: skip
    return text[:start] + piece + text[end:]


def judge(check: Callable[[], Any]) -> bool:
    """Whether it is good; what is good compiles, what is not says why in a printable way."""
    try:
        config = check()
    except ConfigError as error:
        assert error.problems
        lines = str(error).split("\n")
        assert lines[-1].endswith("nothing was applied")
        assert all(line.isprintable() for line in lines)
        assert all(problem.message and "\n" not in problem.message for problem in error.problems)
        return False
    plan_check(serialise_plan(build_plan(config, 1, "pygw-test")))
    return True


@pytest.mark.parametrize("form", ["yaml", "json", "toml", "object"])
@settings(deadline=None, max_examples=150)
@given(seed=st.integers(0, 2**32))
def test_changed_values_are_served_or_refused(form: str, seed: int) -> None:
    rng = random.Random(seed)
    data = GOOD
    for _ in range(rng.choice([1, 1, 2, 5])):
        data = mutate(data, rng)
    sources = Sources(ENVIRON)
    if form == "object":
        judge(lambda: config_of(data))
    elif form == "json":
        judge(lambda: parse_config(json.dumps(data), "pygw.json", sources))
    elif form == "yaml":
        text = yaml.dump(data, sort_keys=False, allow_unicode=True)
        judge(lambda: parse_config(text, "pygw.yaml", sources))
    elif isinstance(data, dict):
        judge(lambda: parse_config(toml_file(data), "pygw.toml", sources))


@pytest.mark.parametrize("form", ["yaml", "json", "toml"])
@settings(deadline=None, max_examples=150)
@given(seed=st.integers(0, 2**32))
def test_garbled_texts_are_served_or_refused(form: str, seed: int) -> None:
    rng = random.Random(seed)
    texts = {"yaml": FULL, "json": json.dumps(GOOD, indent=1), "toml": toml_file(GOOD)}
    text = texts[form]
    for _ in range(rng.choice([1, 1, 2, 5])):
        text = garble(text, rng)
    judge(lambda: parse_config(text, f"pygw.{form}", Sources(ENVIRON)))


def test_some_changes_are_good_and_some_are_not() -> None:
    """So that the tests above are about both."""
    rng = random.Random(1)
    good = 0
    for _ in range(300):
        data = mutate(GOOD, rng)
        good += judge(partial(config_of, data))
    assert 20 < good < 250


def config_of(data: object) -> Config:
    """The configuration that plain data is."""
    return check_object(data, "app:gateway").config
