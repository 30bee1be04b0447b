"""Hooks are reloaded while they run: the new version at once, the old one to the end, then gone.

`python -m benchmarks.hook_reload` does the same 200 times under load with a gateway of its own.
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.lua_hooks import lua, needs_lua
from tests.unit.memory import GET, OK, Client, Gate, Json, plan_of, serving
from tests.unit.native_hooks import native
from tests.unit.python_hooks import python, waiting

KEEPS_ITSELF = """
typedef struct { const char *file; void *base; const char *name; void *at; } place_t;
extern int dladdr(const void *at, place_t *place);
extern void *dlopen(const char *file, int flags);
static int anchor;
"""
NODELETE = "place_t p; dladdr(&anchor, &p); dlopen(p.file, 0x1002);"  # RTLD_NOW | RTLD_NODELETE


def native_version(number: int) -> Json:
    return native(response=f'H->header_set(C, PYGW_RESPONSE, "x-v", 3, "{number}", 1);')


def lua_version(number: int) -> Json:
    return lua(f"return {{ response = function(r, resp) resp.set_header('x-v', '{number}') end }}")


def python_version(number: int, head: str = "def") -> Json:
    text = f"@hook(phase='response')\n{head} h(req, resp): resp.headers['x-v'] = '{number}'\n"
    return python(text)


VERSIONS = [
    native_version,
    pytest.param(lua_version, marks=needs_lua),
    python_version,
    lambda number: python_version(number, "async def"),
]


def version_of(client: Client) -> bytes | None:
    seen: bytes | None = client.answer.one("x-v")
    return seen


@pytest.mark.parametrize("version", VERSIONS, ids=["native", "lua", "def", "async"])
def test_a_new_version_is_served_at_once_and_the_old_one_to_its_end(
    version: Callable[[int], Json],
) -> None:
    with waiting(version(1)) as (turns, gate):
        clients = []
        for number in range(1, 7):  # each is in use when the next comes
            clients.append(turns.do(lambda: gate.client(GET)))
            turns.do(lambda: gate.publish(plan_of(version(number + 1))))  # noqa: B023
        for origin in gate.origins:
            turns.do(lambda: origin.send(OK))  # noqa: B023
        assert [version_of(one) for one in clients] == [b"%d" % n for n in range(1, 7)]


def mapped() -> set[str]:
    """The copies of native hooks that this process has mapped."""
    maps = Path("/proc/self/maps").read_text()
    return set(re.findall(r" (\d+) +/memfd:pygw-plugin", maps))


def test_an_old_shared_object_is_unmapped_when_its_last_exchange_is_over() -> None:
    before = mapped()
    with serving(native_version(1)) as gate:
        client = gate.client(GET)
        gate.publish(plan_of(native_version(2)))
        assert len(mapped() - before) == 2
        gate.origin.send(OK)
        assert version_of(client) == b"1"
        assert len(mapped() - before) == 1
    assert mapped() <= before


def test_a_shared_object_that_will_not_go_is_not_taken_for_its_next_version() -> None:
    def stays(number: int) -> Json:
        code = f'H->header_set(C, PYGW_RESPONSE, "x-v", 3, "{number}", 1);'
        return native(before=KEEPS_ITSELF, init=NODELETE, response=code)

    with serving(stays(1)) as gate:
        for number in range(1, 5):
            gate.publish(plan_of(stays(number)))
            client = gate.client(GET)
            gate.origins[-1].send(OK)
            assert version_of(client) == b"%d" % number


@needs_lua
@pytest.mark.parametrize("waits", ["", "if req.path == '/w' then gw.sleep(1) end"])
def test_an_old_version_of_lua_is_gone_although_it_was_compiled(waits: str) -> None:
    ballast = 512 << 10

    def version(number: int) -> Json:
        text = f"('{number} ' .. i):rep(300):sub(-999)"
        kept = f"local kept = {{}} for i = 1, {ballast >> 10} do kept[i] = {text} end"
        return lua(f"{kept} return function(req) {waits} gw.reply(200, nil, #kept) end")

    def serve(gate: Gate) -> None:
        client = gate.client(GET * 200)
        assert client.statuses == [200] * 200

    with serving(version(0)) as gate:
        serve(gate)
        gate.publish(plan_of(version(1)))
        first = gate.worker.lua_bytes()
        for number in range(2, 12):
            serve(gate)
            gate.publish(plan_of(version(number)))
        assert gate.worker.lua_bytes() < first + ballast // 2


living: weakref.WeakSet[Any] = weakref.WeakSet()


@pytest.mark.parametrize("head", ["def", "async def"])
def test_an_old_version_of_python_is_gone(head: str) -> None:
    def version(number: int) -> Json:
        known = "from tests.unit import test_hook_reloads\ntest_hook_reloads.living.add(h)"
        return python(f"{head} h(req): return Reply(200, '{number}')\n{known}")

    with waiting(version(0)) as (turns, gate):
        for number in range(1, 5):
            assert turns.do(lambda: gate.client(GET)).answer.body == b"%d" % (number - 1)
            turns.do(lambda: gate.publish(plan_of(version(number))))  # noqa: B023
        turns.until(lambda: len(living) == 1, gate)
