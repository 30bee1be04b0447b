"""What the standard hook costs in a request chain: `python -m benchmarks.micro.hooks`.

The standard hook finds one of 20 fields, compares 24 bytes and sets one field. Chains with the hook
and without any are timed in turns; what stands in the table is the median of the differences. The
floor, which is taken off, is the empty chain with the restoring of the request.

Owns: the request, the plans and the table.
Runs in: this process, without a server.
Never does: judge; `docs` and the issue hold the targets.
Read next: `pygw._core.probe.hook_bench`.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

SAMPLES: Any = import_module("tests.unit.test_native_samples")
PLANS: Any = import_module("tests.unit.plans")
ROUNDS = 100_000
TURNS = 21
FIELDS = [(b"x-field-%02d" % n, b"value %02d of this field" % n) for n in range(18)] + [
    (b"Host", b"example.com"),
    (b"X-API-Key", SAMPLES.CONFIG["key"].encode()),
]


def plan(*filters: dict[str, Any]) -> bytes:
    """A plan with these filters on its only route."""
    return json.dumps(PLANS.plan(PLANS.route(middleware=list(filters)))).encode()


def measure(entry: dict[str, Any]) -> tuple[float, float]:
    """Medians in nanoseconds a call: of the hook beyond the empty chain, and of that."""
    chain = import_module("pygw._core.probe.hook_bench").HookChain
    empty, hooked = chain(plan(), FIELDS), chain(plan(entry), FIELDS)
    floors, costs = [], []
    for turn in range(TURNS + 1):
        floor, whole = empty.run(ROUNDS), hooked.run(ROUNDS)
        if turn:  # the first warms up
            floors.append(floor)
            costs.append(whole - floor)
    empty.close()
    hooked.close()
    return statistics.median(costs), statistics.median(floors)


LUA = """
local key
return {
  config = {key = {type = "string"}, user = {type = "string"}},
  init = function(config) key = config.key end,
  request = function(req)
    if req.header("x-api-key") == key then req.set_header("x-user", "alice") end
  end,
}"""

PYTHON = f"""
def h(req):
    if req.headers.get("x-api-key") == {SAMPLES.CONFIG["key"]!r}:
        req.headers["x-user"] = "alice"
"""


def cost_of(language: str, folder: Path) -> tuple[float, float]:
    """What `measure` says of the standard hook in this language."""
    if language == "lua":
        key = SAMPLES.CONFIG["key"]
        return measure(import_module("tests.unit.lua_hooks").lua(LUA, config={"key": key}))
    if language == "python":
        return measure(import_module("tests.unit.python_hooks").python(PYTHON))
    entry = import_module("tests.unit.native_hooks").entry
    return measure(entry(SAMPLES.build(language, folder), config=SAMPLES.CONFIG))


def main() -> None:
    """The table on standard output."""
    for language in sys.argv[1:] or ["c", "rust", "lua", "python"]:
        with tempfile.TemporaryDirectory() as folder:
            cost, floor = cost_of(language, Path(folder))
        print(f"{language:7} {cost:6.1f} ns a call beyond the floor of {floor:.1f} ns")


if __name__ == "__main__":
    main()
