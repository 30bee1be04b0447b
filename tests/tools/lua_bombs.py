"""Memory bombs in Lua, in processes of their own: `python -m tests.tools.lua_bombs --runs 100`.

LuaJIT dies if memory is refused within a collection that compiled code began (see `is_reserved` in
`pygw/_core/runtimes/lua_state.pyx`). Each form runs so many times, with other requests around it,
at deadlines and heaps of chance; processes that die are counted. Exit status: 0 if none did.

Owns: the forms.
Runs in: a child process for each ten runs.
Never does: look at how fast it is.
Read next: `tests/unit/test_lua_hostile.py`.
"""

from __future__ import annotations

import argparse
import os
import random
import sys

from tests.unit.lua_hooks import request
from tests.unit.memory import GET, serving
from tests.unit.test_lua_hostile import BOMBS, GOOD, LOOPS

BATCH = 10
TAKING = ("coroutines made for ever", "long copies", "json of much", "upper in a loop",
          "sort of much", "rep in a loop")  # fmt: skip
MORE = {
    "interned and dropped": (
    "local t, n = {}, 0 while true do n = n + 1 t[n] = {n} if n > 16384 then t[n - "
    "16384] = nil end x = tostring(n) .. ('y'):rep(n % 5000) end"),
    "interned and kept": "local t, n = {}, 0 while true do n = n + 1 t[n] = 'k' .. n end",
    "interned keys": "local t, n = {}, 0 while true do n = n + 1 t['k' .. n] = n end",
    "hash growth": "local t = {} for i = 1, 1e18 do t[i * 7.5] = i end",
    "nested tables": "local t = {} while true do t = {t, t} end",
    "list of lists": (
    "local t = {} while true do local u = {} for i = 1, 100 do u[i] = i end t[#t + "
    "1] = u end"),
    "closures of loops": "local t = {} for i = 1, 1e18 do t[i] = function() return i end end",
    "numbers to text": "local t = {} for i = 1, 1e18 do t[#t + 1] = i * 1.1 .. '' end",
    "sub": (
    "local s, t = ('abcdefghij'):rep(1e5), {} for i = 1, 1e18 do t[i] = s:sub(i % "
    "1000000 + 1, i % 1000000 + 9 + i % 77) end"),
    "format": "local t = {} for i = 1, 1e18 do t[i] = ('%d-%s'):format(i, i) end",
    "concat of table": (
    "local t = {} for i = 1, 1e18 do t[i] = table.concat({i, i + 1, i + 2}, ',') "
    "end"),
    "coroutines kept": (
    "local t = {} for i = 1, 1e18 do t[i] = coroutine.create(function() "
    "coroutine.yield(i) end) coroutine.resume(t[i]) end"),
    "gmatch kept": (
    "local t, s = {}, ('word '):rep(1e4) while true do for w in s:gmatch('%a+ ?') "
    "do t[#t + 1] = w .. #t end end"),
    "base64": "local t = {} for i = 1, 1e18 do t[i] = gw.base64.encode('x' .. i) end",
    "headers": "local t = {} for i = 1, 1e18 do t[i] = req.headers() end",
    "pcall interned": (
    "local t, n = {}, 0 while true do pcall(function() while true do n = n + 1 t[n] "
    "= 'k' .. n end end) t = {} end"),
    "pcall tables": (
    "while true do pcall(function() local t = {} while true do t[#t + 1] = {#t} end "
    "end) end"),
    "array doubling": (
    "local t = {} for i = 1, 1e18 do local u = {} for j = 1, 300000 do u[j] = j end "
    "t[i] = u end"),
    "string doubling beside": (
    "local k = {} for i = 1, 2e5 do k[i] = 'q' .. i end local s = 'x' while true do "
    "s = s .. s .. #k end"),
}  # fmt: skip
FORMS = BOMBS | {name: LOOPS[name] for name in TAKING} | MORE


def play(code: str, heap: int) -> None:
    """The bomb twice, with requests of others before, between and after."""
    kept = f"local kept = {{}} for i = 1, {heap} do kept[i] = 'p' .. i end "
    deadline_ms = random.choice([50, 200, 1000])
    hostile = request(f"if req.path == '/bad' then {kept}{code} end", deadline_ms=deadline_ms)
    with serving(hostile, GOOD) as gate:
        client = gate.client(GET * 100)
        for _ in range(2):
            assert gate.client(GET.replace(b"/ ", b"/bad ")).answer.status in (500, 504)
            client.send(GET * 20)
        assert client.statuses == [200] * 140


def batch(code: str) -> int:
    """How a process ended that played the bomb `BATCH` times."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        random.seed(os.getpid())
        status = 1
        try:
            for n in range(BATCH):
                play(code, random.randint(0, 60000) if n % 2 else 0)
            status = 0
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1]


def main() -> int:
    """Play all, tell, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.lua_bombs", description=__doc__)
    parser.add_argument("--runs", type=int, default=100, help="of each form")
    parser.add_argument("form", nargs="*", help="all if not said")
    options = parser.parse_args()
    bad = 0
    for name in options.form or FORMS:
        ended = [batch(FORMS[name]) for _ in range(max(1, options.runs // BATCH))]
        wrong = [status for status in ended if status != 0]
        bad += len(wrong)
        print(f"{name}: {len(ended) * BATCH} runs, {len(wrong)} processes ended badly", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
