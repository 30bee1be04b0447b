"""The ready hook `hooks/python/oauth_introspection.py`: what it asks, keeps and answers."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pygw.testing import ConfigError, Gateway, MakeHook, Response

FILE = Path(__file__).parents[2] / "hooks/python/oauth_introspection.py"
HOOK = f"python:{FILE}:OauthIntrospection"
ACTIVE = {"active": True, "sub": "anna", "scope": "read write", "aud": ["orders"]}
Make = Callable[..., Gateway]


@pytest.fixture
def make(pygw_hook: MakeHook) -> Make:
    """The hook; the server says that each token is active."""

    def do(**config: Any) -> Gateway:
        known = {"upstream": "login", "client_id": "gate way", "client_secret": "s:1",
                 "headers": {"sub": "x-user"}}  # fmt: skip
        gateway = pygw_hook(HOOK, known | config, fetch=["login"])
        gateway.upstream("login").answer(json=ACTIVE)
        return gateway

    return do


def ask(gateway: Gateway, text: str = "t-1", **headers: str) -> Response:
    return gateway.get("/", headers={"authorization": f"Bearer {text}"} | headers)


def asked(gateway: Gateway) -> int:
    return len(gateway.upstream("login").requests)


def test_an_active_token_goes_on_with_what_the_server_tells(make: Make) -> None:
    gateway = make(scopes=["read"], audience=["orders"])
    assert ask(gateway, **{"X-User": "root"}).sent.headers.all("x-user") == ["anna"]
    (seen,) = gateway.upstream("login").requests
    assert (seen.method, seen.path, seen.body) == (
        "POST", "/introspect", b"token=t-1&token_type_hint=access_token"
    )  # fmt: skip
    told = base64.b64decode(seen.headers["authorization"].removeprefix("Basic "))
    assert told == b"gate+way:s%3A1"


@pytest.mark.parametrize(
    ("changes", "status", "challenge"),
    [
        ({"active": False}, 401, 'Bearer error="invalid_token"'),
        ({"exp": 1}, 401, 'Bearer error="invalid_token"'),
        ({"nbf": 1 << 33}, 401, 'Bearer error="invalid_token"'),
        ({"aud": "else"}, 401, 'Bearer error="invalid_token"'),
        ({"sub": "a\r\nx-b: 1"}, 401, 'Bearer error="invalid_token"'),
        ({"sub": " a"}, 401, 'Bearer error="invalid_token"'),
        ({"sub": "a" * 1025}, 401, 'Bearer error="invalid_token"'),
        ({"sub": "\ud800"}, 401, 'Bearer error="invalid_token"'),
        ({"sub": True}, 401, 'Bearer error="invalid_token"'),
        ({"scope": "reading"}, 403, 'Bearer error="insufficient_scope", scope="read"'),
        ({"scope": None}, 403, 'Bearer error="insufficient_scope", scope="read"'),
    ],
)
def test_other_tokens_are_refused(
    make: Make, changes: dict[str, Any], status: int, challenge: str
) -> None:
    gateway = make(scopes=["read"], audience=["orders"])
    gateway.upstream("login").answer(json=ACTIVE | changes)
    answer = ask(gateway)
    assert (answer.status, answer.headers["www-authenticate"]) == (status, challenge)
    assert gateway.origin.requests == []


def test_what_is_no_token_is_never_asked_about(make: Make) -> None:
    gateway = make()
    assert gateway.get("/").headers["www-authenticate"] == "Bearer"
    for wrong in ("", "a b", "é", "a" * 4097):
        assert ask(gateway, wrong).status == 401
    assert asked(gateway) == 0


def test_answers_are_kept_but_not_beyond_exp_nor_without_bound(make: Make) -> None:
    gateway = make(entries_max=2)
    for text in ("a", "a", "b", "a", "c", "a", "b"):  # c drives out b
        assert ask(gateway, text).status == 200
    assert asked(gateway) == 4
    gateway = make()
    gateway.upstream("login").answer(json=ACTIVE | {"exp": int(time.time()) + 1})
    first = ask(gateway).status
    time.sleep(1.01)
    assert (first, ask(gateway).status, asked(gateway)) == (200, 401, 2)
    gateway = make(ttl_s=0)
    assert [ask(gateway).status for _ in range(2)] == [200, 200]
    assert asked(gateway) == 2


def test_without_an_answer_the_policy_decides(make: Make) -> None:
    for policy, status in (("refuse", 503), ("pass", 200)):
        gateway = make(unavailable=policy)
        for spoil in (
            lambda origin: origin.answer(500),
            lambda origin: origin.answer(401),
            lambda origin: origin.answer("[]"),
            lambda origin: origin.answer('{"active": "true"}'),
            lambda origin: origin.refuse(),
        ):
            spoil(gateway.upstream("login"))
            answer = ask(gateway, **{"x-user": "root"})
            assert answer.status == status
            passed = gateway.origin.requests
            assert bool(passed) == (policy == "pass")
            assert all("x-user" not in seen.headers for seen in passed)


def test_one_request_asks_for_all_that_bring_the_token(make: Make) -> None:
    gateway = make()
    gateway.upstream("login").answer(json=ACTIVE, after_s=0.2)
    pending = [gateway.start("GET", "/", headers={"authorization": "Bearer a"}) for _ in range(5)]
    assert [one.answer().status for one in pending] == [200] * 5
    assert asked(gateway) == 1


def test_a_wrong_configuration_says_what_is_wrong(make: Make) -> None:
    for config, reason in (
        ({"client_secret": ""}, "client_secret"),
        ({"headers": {"sub": "Host"}}, "host cannot be set"),
        ({"scopes": ['a"b']}, "scopes"),
        ({"ttl": 1}, "ttl"),
    ):
        with pytest.raises(ConfigError, match=reason):
            make(**config)
