"""The canonical layout: what it looks like, and that it changes no meaning and loses no comment."""

from __future__ import annotations

import json
import random
import re

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pygw.cli.init import TEMPLATE
from pygw.config import ConfigError
from pygw.config.formats.yaml import Loader
from pygw.fmt import CannotFormat, format_text

from .test_config_fuzz import GOOD, garble, mutate
from .test_plan import FULL

MESSY = """\


# yaml-language-server: $schema=pygw.schema.json
# about the routes
routes:
- match: {path: "/a",}   # why
  # above upstream
  upstream: api
  name:   first
  middleware:
      # edit
      - headers:
            response: {remove: [Server]}
            request:
                set:
                    X-A: "b"   # trailing
                    # inside set
      -   body_limit: 1MiB
# before second
-   match:
      path:
        # between
        /b
    middleware: [
        {respond: {status: 200, body: "a
           b"}},   # inside flow
        # own line

      ]   # closing


upstreams:
    api:
        targets: [ http://127.0.0.1:9001 , {url: "http://127.0.0.1:9002"}]
        retries:    2
        # end of api

    # end of upstreams
# at root
listeners:
-
   bind:   127.0.0.1:8080
workers: 2 # two
access_log:
  format: json
  path: |
       abc
         def

# the end
"""

NEAT = """\
# yaml-language-server: $schema=pygw.schema.json

workers: 2  # two
access_log:
  path: |
    abc
      def
  format: json
# at root
listeners:
  - bind: 127.0.0.1:8080

upstreams:
  api:
    targets: [http://127.0.0.1:9001, {url: "http://127.0.0.1:9002"}]
    retries: 2
    # end of api

  # end of upstreams
# about the routes
routes:
  - name: first
    match: {path: "/a"}  # why
    middleware:
      # edit
      - headers:
          request:
            set:
              X-A: "b"         # trailing
              # inside set
          response: {remove: [Server]}
      - body_limit: 1MiB
    # above upstream
    upstream: api
  # before second
  - match:
      # between
      path: /b
    middleware:
      - respond:
          status: 200
          body: "a
            b"     # inside flow
      # own line
      # closing

# the end
"""


def formatted(text: str) -> str:
    return format_text(text, "pygw.yaml")


def test_layout_is_canonical() -> None:
    assert formatted(MESSY) == NEAT


@pytest.mark.parametrize("text", [NEAT, TEMPLATE, FULL], ids=["neat", "template", "full"])
def test_layout_is_laid_out_already(text: str) -> None:
    once = formatted(text)
    assert formatted(once) == once
    if text is not FULL:
        assert once == text


@pytest.mark.parametrize(
    ("text", "neat"),
    [
        ("", ""),
        ("# only\n\n\n# comments", "# only\n\n# comments\n"),
        ("{workers: 1}", "workers: 1\n"),
        ("workers: 1\r\ndrain: 3s\r\n", "workers: 1\ndrain: 3s\n"),
        ("drain: 3s\nworkers: 1", "workers: 1\ndrain: 3s\n"),
        ("zzz: 1\nworkers: 1\naaa: 2\n", "workers: 1\nzzz: 1\naaa: 2\n"),
        ("routes: []\nlisteners: [ ]\n", "listeners: []\nroutes: []\n"),
        ("upstreams: {b: {}, a: {}}\n", "upstreams: {b: {}, a: {}}\n"),
        ("timeouts: {response: 3s, connect: 2s}", "timeouts: {connect: 2s, response: 3s}\n"),
        ("a: &x {b: 1}\nworkers: *x\n", "a: &x {b: 1}\nworkers: *x\n"),
        ("a: &x\n    b: 1\nc: *x\n", "a: &x\n  b: 1\nc: *x\n"),
        ("a:\n- &x\n  b: 1\n- *x\n", "a:\n  - &x\n    b: 1\n  - *x\n"),
        ("a:\n- - 1\n  - 2\n-\n  - 3\n", "a:\n  - - 1\n    - 2\n  - - 3\n"),
        ("a: |2\n    x\n   y\nb: 1\n", "a: |2\n    x\n   y\nb: 1\n"),
        ("a:\n - |1\n    x\n", "a:\n  - |1\n     x\n"),
        ("a: |+\n  x\n\n\nb: 1\n", "a: |+\n  x\n\n\nb: 1\n"),
        ("a: >-  # why\n  x\n  y\n", "a: >-  # why\n  x\n  y\n"),
        ("a: x\n   y\n\n   z\n", "a: x\n  y\n\n  z\n"),
        ('"workers" : 1\n', '"workers": 1\n'),
        ("? workers\n: 1\n", "workers: 1\n"),
        ("a:  # one\n  b: 1  # two\n", "a:  # one\n  b: 1  # two\n"),
        ("a:\n- b: 1\n# of c\nc: 1\n", "a:\n  - b: 1\n# of c\nc: 1\n"),
        ("a: 'x # y'\nb: x#y\n", "a: 'x # y'\nb: x#y\n"),
    ],
)  # fmt: skip
def test_pieces_are_laid_out(text: str, neat: str) -> None:
    assert formatted(text) == neat
    assert formatted(neat) == neat


def test_long_line_becomes_a_block() -> None:
    targets = ", ".join(f"http://10.0.0.{n}:9000" for n in range(8))
    neat = formatted(f"upstreams: {{api: {{targets: [{targets}]}}}}\n")
    assert neat.splitlines()[:4] == [
        "upstreams:", "  api:", "    targets:", "      - http://10.0.0.0:9000"
    ]  # fmt: skip
    assert formatted(neat) == neat


def test_json_is_laid_out() -> None:
    text = '{"workers": 1, "routes": [], "listeners": [{"bind": "x", "name": "y"}]}'
    neat = format_text(text, "x.json")
    assert list(json.loads(neat)) == ["workers", "listeners", "routes"]
    assert list(json.loads(neat)["listeners"][0]) == ["name", "bind"]
    assert format_text(neat, "x.json") == neat


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("--- \nworkers: 1\n", '"---"'),
        ("%YAML 1.2\n---\nworkers: 1\n", '"---"'),
        ("workers\n", "one value"),
    ],
)
def test_what_is_not_formatted_says_so(text: str, why: str) -> None:
    with pytest.raises(CannotFormat, match=why):
        formatted(text)


@pytest.mark.parametrize("text", ["a: [", "a: 1\na: 2\n", "a: !x 1\n", "a: {<<: {b: 1}}\n"])
def test_what_is_no_configuration_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        formatted(text)


def test_references_are_not_looked_up() -> None:
    text = 'drain: "${NOPE}"\nworkers: ${file:/nonexistent}\n'
    assert formatted(text) == 'workers: ${file:/nonexistent}\ndrain: "${NOPE}"\n'


def disturbed(text: str, rng: random.Random) -> tuple[str, int]:
    """The text with comments and empty lines put in where they change nothing, and how many
    comments. Lines within values are left alone: none of `dump` has any."""
    lines: list[str] = []
    count = 0
    for line in text.splitlines():
        if rng.random() < 0.1:
            lines += [""] * rng.randrange(3)
        if rng.random() < 0.15:
            lines.append(" " * rng.randrange(9) + f"# c{count} 'x: [")
            count += 1
        if rng.random() < 0.15:
            line += " " * rng.randrange(1, 5) + f"#c{count}"
            count += 1
        lines.append(line + " " * rng.randrange(2))
    return "\n".join(lines) + "\n", count


@settings(deadline=None, max_examples=150)
@given(seed=st.integers(0, 2**32))
def test_meaning_and_comments_stay_whatever_the_layout_was(seed: int) -> None:
    rng = random.Random(seed)
    data = mutate(GOOD, rng) if rng.random() < 0.5 else GOOD
    if not isinstance(data, dict):
        return
    flow = rng.choice([True, False, None])
    text = yaml.dump(
        data, sort_keys=rng.random() < 0.5, default_flow_style=flow, indent=rng.choice([2, 3, 6]),
        width=10**6, allow_unicode=True,
    )  # fmt: skip
    if "&id" in text or "!!" in text or "\n\n" in text or "|" in text:
        return
    text, count = disturbed(text, rng)
    before = yaml.load(text, Loader)
    try:
        neat = formatted(text)
    except ConfigError:
        return
    assert repr(yaml.load(neat, Loader)) != "" and yaml.load(neat, Loader) == before
    assert sorted(re.findall(r"# ?c\d+", neat)) == sorted(re.findall(r"# ?c\d+", text))
    assert len(re.findall(r"# ?c\d+", neat)) == count
    assert formatted(neat) == neat
    assert "\n\n\n" not in neat
    assert not any(line.endswith(" ") for line in neat.splitlines())


@pytest.mark.parametrize(
    "text",
    [
        "a: |\n  x\n     \nb: 1\n",
        "a: >\n  x\n    \n",
        "b:\n  a: |-\n    x\n      \n  \n",
        "a: |2\n    x\n   \nb: 1\n",
        "a: |\n  x\n  \t\nb: 1\n",
        "a: |\n  x\n  \nb: 1\n",
    ],
)
def test_spaces_beyond_the_margin_of_a_block_are_text(text: str) -> None:
    neat = formatted(text)
    assert yaml.safe_load(neat) == yaml.safe_load(text)
    assert formatted(neat) == neat


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("&a\nb: 1\n", "take its anchor out"),
        ("a: [1, ? ]\n", "a key of no characters"),
    ],
)
def test_what_no_layout_can_keep_is_refused(text: str, why: str) -> None:
    with pytest.raises(CannotFormat, match=why):
        formatted(text)


@settings(deadline=None, max_examples=150)
@given(seed=st.integers(0, 2**32))
def test_garbled_text_is_formatted_or_refused(seed: int) -> None:
    rng = random.Random(seed)
    text = rng.choice([FULL, MESSY, TEMPLATE])
    for _ in range(rng.choice([1, 1, 2, 5])):
        text = garble(text, rng)
    try:
        neat = formatted(text)
    except (ConfigError, CannotFormat) as error:
        assert "please report" not in str(error), text
        return
    assert formatted(neat) == neat
