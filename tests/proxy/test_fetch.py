"""Requests of hooks over sockets: `gw.fetch` and `req.fetch` in a running gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.peers.fleet import Stage
from tests.peers.origin import Origin
from tests.peers.payload import answer, request
from tests.peers.settings import proxy_config
from tests.unit.lua_hooks import needs_lua

LUA = """
return function(req)
  for i = 1, 3 do
    local res, why = gw.fetch("side", { path = "/side" .. req.path, timeout = 5 })
    if not res then gw.reply(503, nil, why) return end
    req.set_header("x-side", res.body)
  end
end
"""
PYTHON = """
from pygw.hooks import Reply, Request, hook

@hook(deadline="9s")
async def check(req: Request):
    for _ in range(3):
        res = await req.fetch("side", "/side" + req.path, timeout=5)
        req.headers["x-side"] = res.text
"""


def hook_of(language: str, folder: Path) -> dict[str, Any]:
    """A middleware entry that fetches from `side`, whose code lies in the folder."""
    if language == "lua":
        (folder / "hook.lua").write_text(LUA)
        return {"lua": {"file": str(folder / "hook.lua"), "fetch": ["side"], "deadline": "9s"}}
    (folder / "hook.py").write_text(PYTHON)
    return {"python": {"object": f"{folder}/hook.py:check", "fetch": ["side"]}}


@pytest.mark.parametrize("language", [pytest.param("lua", marks=needs_lua), "python"])
def test_hooks_fetch_beside_their_exchange(
    stage: Stage, origin: Origin, tmp_path: Path, language: str
) -> None:
    config = proxy_config(origin, middleware=[hook_of(language, tmp_path)])
    config["upstreams"]["side"] = {"targets": [origin.url]}
    gw = stage.gateway(config)
    origin.serve(lambda asked: answer(asked.target))
    with gw.client() as client:
        for n in range(100):
            assert client.ask(request(f"/{n}")).body == b"/%d" % n
    mains = [one for one in origin.requests if not one.target.startswith(b"/side")]
    assert [one.one("x-side") for one in mains] == [b"/side/%d" % n for n in range(100)]
    assert len(origin.requests) == 400
