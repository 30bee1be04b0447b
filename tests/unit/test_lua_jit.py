"""The standard hook in Lua is machine code: LuaJIT's own log of traces says so.

Runs a request chain again and again without a server; the log is read by code that no sandbox
holds, in the worker's own Lua state. Read next: ``pygw/_core/probe/hook_bench.pyx``.
"""

from __future__ import annotations

import pytest

from tests.unit.lua_hooks import needs_lua

pytest.importorskip("pygw._core.probe.hook_bench")

from benchmarks.macro.hook_peers import LUA_HOOK
from benchmarks.micro import hooks

WATCH = b"""
local util = debug.getregistry()._PRELOAD["jit.util"]("jit.util")
traces, exits = {}, 0
jit.attach(function(what, trace, func, pc, reason)
  local place = func and util.funcinfo(func, pc).loc or "?"
  traces[#traces + 1] = what .. " " .. place .. (what == "abort" and " " .. reason or "")
end, "trace")
jit.attach(function() exits = exits + 1 end, "texit")
"""
TRACES = b"return table.concat(traces, '\\n')"
EXITS = b"return tostring(exits)"
WARM_UP, RUNS = 30_000, 20_000


@needs_lua
@pytest.mark.parametrize("code", [hooks.LUA, LUA_HOOK])
def test_the_standard_hook_is_compiled_without_an_abort_and_stays_in_its_traces(code: str) -> None:
    chain = hooks.chain_of(hooks.lua_entry(code))
    try:
        chain.lua(WATCH)
        chain.run(WARM_UP)
        traces = chain.lua(TRACES).splitlines()
        assert [line for line in traces if line.startswith(("abort", "flush"))] == []
        begun = [line for line in traces if line.startswith("start hook.lua:")]
        ended = [line for line in traces if line.startswith("stop")]
        assert begun, traces
        assert len(ended) == len(traces) // 2, traces
        exits = int(chain.lua(EXITS))
        chain.run(RUNS)
        assert chain.lua(TRACES).splitlines() == traces
        assert int(chain.lua(EXITS)) - exits <= RUNS // 1000
    finally:
        chain.close()


@needs_lua
def test_a_hook_that_cannot_be_compiled_is_an_abort_in_that_log() -> None:
    code = (
        "return function(req) local f = function() end for i = 1, 2 do f = function() end end end"
    )
    chain = hooks.chain_of(hooks.lua_entry(code))
    try:
        chain.lua(WATCH)
        chain.run(WARM_UP // 10)
        assert "abort" in chain.lua(TRACES)
    finally:
        chain.close()
