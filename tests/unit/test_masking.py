"""What must not be shown is not shown, and everything else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from pygw.config import ConfigError
from pygw.config.interpolate import Sources
from pygw.config.load import check_text, load
from pygw.config.masking import INNER_MIN, MASK, Secrets, looks_secret
from pygw.plan import build_plan

SMALLEST = """
listeners: [{bind: "127.0.0.1:0"}]
upstreams: {api: {targets: ["http://a"]}}
routes:
- match: {path: /*}
  middleware:
  - headers:
      request: {set: {X-Team: blue, X-Upstream-Auth: "Basic ${file:secret}", Cookie: "a=b"}}
  upstream: api
"""


@pytest.mark.parametrize(
    "name",
    ["Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "X-Api-Key", "apikey",
     "API_TOKEN", "DB_PASSWORD", "MY_SECRET", "JWT", "private_key", "X-Auth-Token",
     "DB_PASS", "AWS_ACCESS_KEY_ID", "SESSION_SALT"],
)  # fmt: skip
def test_names_of_secrets_are_known(name: str) -> None:
    assert looks_secret(name)


@pytest.mark.parametrize(
    "name", ["Accept", "Author", "X-Team", "PORT", "HOST", "path", "keepalive", "Host", "monkey"]
)
def test_names_of_other_things_are_not(name: str) -> None:
    assert not looks_secret(name)


def test_what_came_from_a_file_is_masked_in_the_plan(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("dXNlcjpwdw==\n")
    (tmp_path / "pygw.yaml").write_text(SMALLEST)
    loaded = load(str(tmp_path / "pygw.yaml"), {})
    assert str(tmp_path / "secret") in loaded.files
    plan = build_plan(loaded.config, 1, "x")
    assert "dXNlcjpwdw==" in str(plan)
    shown = loaded.secrets.mask(plan)
    fields = shown["routes"][0]["middleware"][0]["request"]["set"]
    assert fields == [["X-Team", "blue"], ["X-Upstream-Auth", MASK], ["Cookie", MASK]]
    assert "dXNlcjpwdw==" not in str(shown)
    assert shown["upstreams"] == plan["upstreams"]


def test_what_came_from_a_secret_variable_is_masked_wherever_it_went() -> None:
    text = SMALLEST.replace("${file:secret}", "x").replace("blue", "'is-${API_TOKEN}-${PORT}'")
    environ = {"API_TOKEN": "s3cr3t", "PORT": "8080"}
    loaded = check_text(text, "x.yaml", Sources(environ))
    assert loaded.secrets.mask({"x": ["is-s3cr3t-8080"]}) == {"x": [f"is-{MASK}-8080"]}


def test_keys_are_not_masked_and_names_of_keys_are_not_secrets() -> None:
    data = {"sticky": {"cookie": "pygw_target"}, "rate_limit": {"key": "client_ip"}}
    assert Secrets().mask(data) == data
    fields = {"headers": {"cookie": "a=b", "key": "x", "X-A": "b"}}
    assert Secrets().mask(fields) == {"headers": {"cookie": MASK, "key": MASK, "X-A": "b"}}


def test_fields_of_a_plan_are_masked_in_any_form_and_nothing_else_is() -> None:
    plan = {
        "set": [["Authorization", "x"], ["X-Token", {"parts": ["x"]}], ["X-A", "b"]],
        "params": ["token", "id"],
        "headers": [{"name": "Cookie", "exact": "x"}, {"name": "X-A", "exact": "b"}],
        "query": [{"name": "token", "present": True}],
        "upstreams": [{"name": "auth", "balance": "round_robin"}],
    }
    assert Secrets().mask(plan) == {
        "set": [["Authorization", MASK], ["X-Token", MASK], ["X-A", "b"]],
        "params": ["token", "id"],
        "headers": [{"name": "Cookie", "exact": MASK}, {"name": "X-A", "exact": "b"}],
        "query": [{"name": "token", "present": True}],
        "upstreams": [{"name": "auth", "balance": "round_robin"}],
    }


@pytest.mark.parametrize("length", [INNER_MIN - 1, INNER_MIN])
def test_short_secret_is_masked_only_where_it_is_all(length: int) -> None:
    secrets = Secrets()
    secrets.add("q" * length)
    assert secrets.mask("q" * length) == MASK
    assert (MASK in secrets.mask("is " + "q" * length)) == (length >= INNER_MIN)


def test_secret_within_another_is_masked_whole() -> None:
    secrets = Secrets()
    secrets.add("abcd")
    secrets.add("abcdefgh")
    assert secrets.mask_text("x abcdefgh y") == f"x {MASK} y"


def test_lines_of_a_secret_are_secrets() -> None:
    secrets = Secrets()
    secrets.add("-----BEGIN-----\nabcdef\n")
    assert secrets.mask_text("got abcdef") == f"got {MASK}"


def test_messages_hold_no_secret() -> None:
    text = SMALLEST.replace('"http://a"', '"${TOKEN}:80"').replace("${file:secret}", "x")
    with pytest.raises(ConfigError) as caught:
        check_text(text, "x.yaml", Sources({"TOKEN": "hunter22"}))
    assert f'did you mean "http://{MASK}:80"?' in str(caught.value)
    assert "hunter22" not in str(caught.value)


def test_secrets_in_the_text_are_masked_in_the_lines_that_are_shown() -> None:
    text = SMALLEST.replace('Cookie: "a=b"', "Cookie: sessionid, X-A: 1")
    with pytest.raises(ConfigError) as caught:
        check_text(text.replace("${file:secret}", "x"), "x.yaml", Sources({}))
    assert "X-A: must be text, got 1; put the value in quotes" in str(caught.value)
    line, caret = str(caught.value).splitlines()[1:3]
    assert "Cookie: *********, X-A: 1}" in line
    assert line[caret.index("^")] == "1"


def test_wrong_secret_is_not_repeated() -> None:
    text = SMALLEST.replace('"a=b"', '" hunter22"').replace("${file:secret}", "x")
    with pytest.raises(ConfigError) as caught:
        check_text(text, "x.yaml", Sources({}))
    assert f'must not begin or end with white space, got "{MASK}"' in str(caught.value)
    assert "hunter22" not in str(caught.value)
