"""The standard hook in each language: find one of 20 headers, compare 24 bytes, set one header.

`hook (none)` is the same loop over a chain without a hook: the floor, to be taken off the others.
Runs in the main thread. Read next: `test_codecs.py` for the ways across a process boundary.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module, util
from pathlib import Path
from typing import Any

import pytest

from pygw.config.interpolate import Sources
from pygw.config.load import parse_config
from pygw.plan import build_plan

hook_bench: Any = import_module("pygw._core.probe.hook_bench")
native_hooks: Any = pytest.importorskip("tests.unit.native_hooks")

OPERATIONS = 2000
ROUNDS = 60
KEY = "0123456789abcdef01234567"
FIELDS = [(b"X-Custom-Header-%02d" % i, b"value-%02d" % i) for i in range(19)]
FIELDS.append((b"X-Key", KEY.encode()))

LUA = f"""\
return function(req)
  if req.header("x-key") == "{KEY}" then req.set_header("x-user", "1") end
end
"""
PYTHON = f"""\
def hook(req):
    if req.headers.get("x-key") == "{KEY}":
        req.headers["x-user"] = "1"
"""
NATIVE = f"""\
    const pygw_header *key = H->header_find(C, PYGW_REQUEST, "x-key", 5, NULL);
    if (key && key->value.len == 24 && !memcmp(key->value.ptr, "{KEY}", 24))
        H->header_set(C, PYGW_REQUEST, "x-user", 6, "1", 1);
"""

Benchmark = Any  # pytest-benchmark's fixture has no types


def native(folder: Path) -> str:
    """The entry of the hook in C."""
    return f"native: {native_hooks.built(native_hooks.plugin(request=NATIVE))}"


def lua(folder: Path) -> str:
    """The entry of the hook in Lua."""
    (folder / "hook.lua").write_text(LUA)
    return f"lua: {folder}/hook.lua"


def python(folder: Path) -> str:
    """The entry of the hook in Python."""
    (folder / "hook.py").write_text(PYTHON)
    return f"python: {folder}/hook.py:hook"


def plan_of(entry: str) -> bytes:
    """A plan with one route and this entry of its middleware."""
    middleware = f"    middleware:\n      - {entry}\n" if entry else ""
    text = (
        'listeners:\n  - bind: 127.0.0.1:1\nupstreams:\n  a:\n    targets: ["http://127.0.0.1:2"]\n'
        f"routes:\n  - match: {{path: /*}}\n    upstream: a\n{middleware}"
    )
    config = parse_config(text, "pygw.yaml", Sources({}))
    return json.dumps(build_plan(config, 1, "pygw-bench")).encode()


def measure(benchmark: Benchmark, entry: str) -> None:
    """Time the request phase of a chain with this entry."""
    chain = hook_bench.HookChain(plan_of(entry), FIELDS)
    benchmark.extra_info["operations"] = OPERATIONS
    benchmark.pedantic(chain.run, (OPERATIONS,), rounds=ROUNDS, warmup_rounds=5)
    chain.close()


@pytest.mark.parametrize("language", [native, lua, python])
def test_hook(benchmark: Benchmark, language: Callable[[Path], str], tmp_path: Path) -> None:
    if util.find_spec(f"pygw._core.runtimes.{language.__name__}") is None:
        pytest.skip(f"this pygw has no hooks in {language.__name__}")
    measure(benchmark, language(tmp_path))


def test_hook_none(benchmark: Benchmark) -> None:
    measure(benchmark, "")
