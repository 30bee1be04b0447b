"""`hooks/lua/maintenance.lua` does what docs/ready-made.md says.

Owns: configurations and requests.
Runs in: tests, with the gateway in this process.
Never does: open a socket.
Read next: `docs/ready-made.md`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from pygw.testing import MakeHook
from tests.unit.lua_hooks import needs_lua
from tests.unit.ready_hooks import place, refused

pytestmark = needs_lua
SECRET = "let-me-in-please"
BYPASS = {"x-maintenance-bypass": SECRET}


def test_who_has_no_secret_is_told_to_come_back(pygw_hook: MakeHook) -> None:
    config = {"enabled": True, "bypass_secret": SECRET, "retry_after": 60}
    gateway = pygw_hook(place("maintenance"), config=config)
    for headers in ({}, {"x-maintenance-bypass": ""}, {"x-maintenance-bypass": SECRET + "x"}):
        answer = gateway.get("/x", headers=headers)
        assert (answer.status, answer.text) == (503, "down for maintenance\n")
        assert answer.headers["retry-after"] == "60"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers.all("content-type") == ["text/plain; charset=utf-8"]
        assert answer.origin is None


def test_who_has_the_secret_is_served_and_the_service_does_not_see_it(pygw_hook: MakeHook) -> None:
    for on in (True, False):
        config = {"enabled": on, "bypass_secret": SECRET}
        answer = pygw_hook(place("maintenance"), config=config).get("/x", headers=BYPASS)
        assert answer.status == 200
        assert "x-maintenance-bypass" not in answer.sent.headers


def test_without_a_secret_nobody_passes_and_without_the_switch_everybody_does(
    pygw_hook: MakeHook,
) -> None:
    gateway = pygw_hook(place("maintenance"), config={"enabled": True})
    assert gateway.get("/", headers={"x-maintenance-bypass": ""}).status == 503
    assert pygw_hook(place("maintenance")).get("/").status == 200


def test_paths_of_the_list_are_served(pygw_hook: MakeHook) -> None:
    gateway = pygw_hook(place("maintenance"), config={"enabled": True, "allow_paths": ["/healthz"]})
    assert gateway.get("/healthz?x=1").status == 200
    assert gateway.get("/healthz/more").status == 503


def test_another_hook_turns_the_switch(pygw_hook: MakeHook, tmp_path: Path) -> None:
    (tmp_path / "switch.lua").write_text(
        "return function(req) if req.path == '/off' then gw.kv.delete('down') end"
        " if req.path == '/on' then gw.kv.set('down', '1', 60) end end"
    )
    gateway = pygw_hook(
        place("maintenance"),
        config={"switch_key": "down"},
        before=[{"lua": {"file": str(tmp_path / "switch.lua")}}],
    )
    assert [gateway.get(path).status for path in ("/", "/on", "/", "/off", "/on")] == [
        200,
        503,
        503,
        200,
        503,
    ]
    gateway.advance(61)
    assert gateway.get("/").status == 200


def test_a_page_of_the_configuration_is_the_answer(pygw_hook: MakeHook) -> None:
    config = {"enabled": True, "body": "<h1>Soon</h1>", "content_type": "text/html"}
    answer = pygw_hook(place("maintenance"), config=config).get("/")
    assert (answer.text, answer.headers["content-type"]) == ("<h1>Soon</h1>", "text/html")


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"bypass_secret": "short"}, "config.bypass_secret must have at least 16"),
        ({"bypass_header": "a b"}, "config.bypass_header must be the name of a field"),
        ({"retry_after": 0}, "retry_after: must be at least 1"),
        ({"allow_paths": ["/a", "b"]}, "config.allow_paths[1] must begin with /"),
        ({"content_type": "a\nb"}, "config.content_type has a control"),
    ],
)
def test_a_wrong_configuration_of_maintenance_is_refused(
    pygw_hook: MakeHook, config: dict[str, object], problem: str
) -> None:
    assert problem in refused(pygw_hook, "maintenance", config)
