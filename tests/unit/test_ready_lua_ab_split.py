"""`hooks/lua/ab_split.lua` does what docs/ready-made.md says.

Owns: clients with and without cookies.
Runs in: tests, with the gateway in this process.
Never does: open a socket.
Read next: `docs/ready-made.md`.
"""

from __future__ import annotations

import pytest

from pygw.testing import MakeHook
from tests.unit.lua_hooks import needs_lua
from tests.unit.ready_hooks import place, refused

pytestmark = needs_lua
VARIANTS: dict[str, object] = {"old": 3, "new-1": 1}


def test_a_new_client_gets_a_variant_that_its_cookie_keeps(pygw_hook: MakeHook) -> None:
    gateway = pygw_hook(place("ab_split"), config={"variants": VARIANTS})
    gateway.origin.answer(200, headers=[("Set-Cookie", "s=1"), ("Cache-Control", "max-age=60")])
    answer = gateway.get("/", headers={"x-variant": "mine"})
    variant = answer.sent.headers["x-variant"]
    assert answer.sent.headers.all("x-variant") == [variant]
    assert variant in VARIANTS
    assert answer.vars["variant"] == variant
    tail = "Path=/; Max-Age=2592000; SameSite=Lax; HttpOnly; Secure"
    assert answer.headers.all("set-cookie") == ["s=1", f"ab={variant}; {tail}"]
    assert answer.headers.all("cache-control") == ["no-store"]
    assert answer.headers.all("vary") == ["Cookie"]


@pytest.mark.parametrize(
    "cookies", ["ab=new-1", "a=b;ab=new-1 ; c=d", ["x=y", "ab=new-1"], "ab=gone; ab=new-1"]
)
def test_a_client_keeps_its_variant_and_gets_no_cookie_again(
    pygw_hook: MakeHook, cookies: str | list[str]
) -> None:
    gateway = pygw_hook(place("ab_split"), config={"variants": {"old": 1, "new-1": 0}})
    gateway.origin.answer(200, headers={"Cache-Control": "max-age=60"})
    answer = gateway.get("/", headers={"cookie": cookies})
    assert answer.sent.headers["x-variant"] == "new-1"
    assert "set-cookie" not in answer.headers
    assert answer.headers["cache-control"] == "max-age=60"
    assert answer.headers["vary"] == "Cookie"


@pytest.mark.parametrize("cookie", ["ab=gone", "ab=", "ab=new-1x", "xab=new-1", "AB=new-1"])
def test_a_value_that_is_no_variant_is_as_none(pygw_hook: MakeHook, cookie: str) -> None:
    gateway = pygw_hook(place("ab_split"), config={"variants": {"old": 1, "new-1": 0}})
    answer = gateway.get("/", headers={"cookie": cookie})
    assert answer.sent.headers["x-variant"] == "old"
    assert answer.headers["set-cookie"].startswith("ab=old; ")


def test_weights_are_shares_of_new_clients(pygw_hook: MakeHook) -> None:
    gateway = pygw_hook(place("ab_split"), config={"variants": VARIANTS})
    got = [gateway.get("/").sent.headers["x-variant"] for _ in range(400)]
    assert 40 < got.count("new-1") < 180  # 100 expected: seven standard deviations and more


@pytest.mark.parametrize(
    ("vary", "fields"),
    [("Accept", ["Accept", "Cookie"]), ("accept, COOKIE", ["accept, COOKIE"]), ("*", ["*"])],
)
def test_vary_names_cookies_once(pygw_hook: MakeHook, vary: str, fields: list[str]) -> None:
    gateway = pygw_hook(place("ab_split"), config={"variants": VARIANTS, "secure": False})
    gateway.origin.answer(200, headers={"Vary": vary})
    answer = gateway.get("/")
    assert answer.headers.all("vary") == fields
    assert answer.headers["set-cookie"].endswith("; HttpOnly")


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"variants": {"a": 1}}, "variants: must be at least 2"),
        ({"variants": {"a": 0, "b": 0}}, "config.variants has no weight above 0"),
        ({"variants": {"a": 1.5, "b": 1}}, "config.variants.a must be a whole number"),
        ({"variants": {"a": 1, "b": -1}}, "config.variants.b must be a whole number"),
        ({"variants": {"a;b": 1, "b": 1}}, "config.variants has a name that is not"),
        ({"variants": VARIANTS, "cookie": "a b"}, "config.cookie must be of letters"),
        ({"variants": VARIANTS, "header": "a b"}, "config.header must be the name of a field"),
    ],
)
def test_a_wrong_configuration_of_variants_is_refused(
    pygw_hook: MakeHook, config: dict[str, object], problem: str
) -> None:
    assert problem in refused(pygw_hook, "ab_split", config)
