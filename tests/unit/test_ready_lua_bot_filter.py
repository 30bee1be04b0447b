"""`hooks/lua/bot_filter.lua` does what docs/ready-made.md says.

Owns: agents.
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
CONFIG: dict[str, object] = {"deny": ["Bot", "curl/", "a.b"], "allow": ["goodbot/"]}


@pytest.mark.parametrize(
    ("agent", "status"),
    [
        ("Mozilla/5.0", 200),
        ("EvilBOT/1.0", 403),
        ("curl/8.0", 403),
        ("curl", 200),
        ("xa.bx", 403),
        ("acb", 200),
        ("GoodBot/2.1 (+http://good.example)", 200),
        ("", 403),
        ("x" * 4000 + "bot", 403),
    ],
)
def test_agents_are_judged_by_the_texts_they_hold(
    pygw_hook: MakeHook, agent: str, status: int
) -> None:
    answer = pygw_hook(place("bot_filter"), config=CONFIG).get("/", headers={"user-agent": agent})
    assert answer.status == status
    assert (answer.origin is None) == (status != 200)


def test_who_has_no_agent_is_refused_unless_said_and_who_has_two_always(
    pygw_hook: MakeHook,
) -> None:
    several = {"user-agent": ["Mozilla/5.0", "goodbot/"]}
    gateway = pygw_hook(place("bot_filter"), config=CONFIG)
    answer = gateway.get("/")
    assert (answer.status, answer.text) == (403, "not for robots\n")
    assert answer.headers["cache-control"] == "no-store"
    assert gateway.get("/", headers=several).status == 403
    gateway = pygw_hook(place("bot_filter"), config=CONFIG | {"deny_empty": False})
    assert gateway.get("/").status == 200
    assert gateway.get("/", headers=several).status == 403


def test_the_status_and_text_are_those_of_the_configuration(pygw_hook: MakeHook) -> None:
    answer = pygw_hook(place("bot_filter"), config={"status": 404, "body": "none\n"}).get("/")
    assert (answer.status, answer.text) == (404, "none\n")


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"deny": ["a", " "]}, "config.deny[1] must be 1 to 200 characters"),
        ({"allow": ["x" * 201]}, "config.allow[0] must be 1 to 200 characters"),
        ({"deny_empty": False}, "no request would be refused"),
        ({"status": 200}, "status: must be one of 403, 404, 429"),
    ],
)
def test_a_wrong_configuration_of_agents_is_refused(
    pygw_hook: MakeHook, config: dict[str, object], problem: str
) -> None:
    assert problem in refused(pygw_hook, "bot_filter", config)
