"""What stays behind after a million requests with a hook: `python -m benchmarks.growth --hook lua`.

One worker in memory, one client and one service on connections that stay. Each request passes a
hook in the phases request and response: natively in C, in Lua, in Python as `def`, and as `async
def` that waits for a turn of the loop. After a tenth of the requests, and after all, it is told
what there is: the process's memory, the bytes malloc has given out, those of Lua at their most,
Python's objects, what the worker counts as alive. Exit status: 0 if nothing grew beyond `SLACK`.

Owns: the hooks and the rule what growth is.
Runs in: this process, on an event loop of its own; no socket.
Never does: measure time.
Read next: `pygw._core.memory_worker`.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import gc
import json
import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

REQUEST = b"GET /a HTTP/1.1\r\nHost: a\r\nX-API-Key: 0123456789abcdef01234567\r\nX-Other: 1\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
# What may be more at the end than after a tenth of the requests: bytes, objects.
SLACK = {"rss": 1 << 20, "heap": 64 << 10, "lua": 256 << 10, "objects": 100, "live": 0}
LUA = """
return {
  request = function(req)
    if req.header("x-api-key") then req.set_header("x-user", "user of " .. req.path) end
  end,
  response = function(req, resp) resp.set_header("x-hook", tostring(resp.status)) end,
}"""
PYTHON = """
class Hook:
    def request(self, req):
        if "x-api-key" in req.headers:
            req.headers["x-user"] = f"user of {req.path}"

    def response(self, req, resp):
        resp.headers["x-hook"] = str(resp.status)
"""
ASYNC = PYTHON.replace("    def", "    async def").replace(
    "resp):\n", "resp):\n        await asyncio.sleep(0)\n"
)
NATIVE = {
    "request": """
        const pygw_header *key = H->header_find(C, PYGW_REQUEST, "x-api-key", 9, NULL);
        if (key) { H->header_set(C, PYGW_REQUEST, "x-user", 6, key->value.ptr, 24); }""",
    "response": """H->header_set(C, PYGW_RESPONSE, "x-hook", 6, "1", 1);""",
}

Entry = dict[str, Any]


def _native() -> Entry:
    native: Any = import_module("tests.unit.native_hooks")
    entry: Entry = native.entry(native.built(native.plugin(**NATIVE)))
    return entry


def _lua() -> Entry:
    entry: Entry = import_module("tests.unit.lua_hooks").lua(LUA)
    return entry


def _python(source: str) -> Entry:
    entry: Entry = import_module("tests.unit.python_hooks").python(source, "Hook")
    return entry


HOOKS: dict[str, Callable[[], Entry]] = {
    "native": _native,
    "lua": _lua,
    "python": lambda: _python(PYTHON),
    "async": lambda: _python("import asyncio\n" + ASYNC),
}


class _MallInfo(ctypes.Structure):
    """struct mallinfo2 of glibc."""

    _fields_ = [(f"word{n}", ctypes.c_size_t) for n in range(10)]


def heap_bytes() -> int:
    """What malloc has given out; 0 where the libc does not tell."""
    ask = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if ask is None:
        return 0
    ask.restype = _MallInfo
    told = ask()
    return int(told.word7 + told.word4)  # uordblks, and hblkhd of what is mapped


def _rss_bytes() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


class Run:
    """A worker with this hook on its only route, and the two who talk through it."""

    def __init__(self, entry: Entry) -> None:
        memory: Any = import_module("tests.unit.memory")
        self.worker: Any = import_module("pygw._core.memory_worker").MemoryWorker()
        plan = memory.plan_of(entry, access_log=None)
        self.worker.publish(json.dumps(plan).encode())
        self.client = self.worker.connect()
        self.loop = asyncio.new_event_loop()
        self.done = 0
        self.lua_most = 0

    def _turn(self, until: int) -> None:
        """What is due on both sides; the next turn is a callback of the loop's again."""
        self.worker.settle()
        services = self.worker.connections
        if services and services[0].received():
            assert b"\r\nx-user: " in services[0].received()
            services[0].forget()
            services[0].send(ANSWER)
            self.worker.settle()
        if self.client.received():
            assert self.client.received().startswith(b"HTTP/1.1 200 OK")
            assert b"\r\nx-hook: " in self.client.received()
            self.client.forget()
            self.done += 1
            self.lua_most = max(self.lua_most, self.worker.lua_bytes())
            if self.done == until:
                self.loop.stop()
                return
            self.client.send(REQUEST)
            self.worker.settle()
        self.loop.call_soon(self._turn, until)

    def play(self, count: int) -> None:
        """So many requests, one after the other."""
        self.lua_most = 0
        self.client.send(REQUEST)
        self.loop.call_soon(self._turn, self.done + count)
        self.loop.run_forever()

    def told(self) -> dict[str, int]:
        """What there is now."""
        for _ in range(3):
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()
            gc.collect()
        return {
            "rss": _rss_bytes(),
            "heap": heap_bytes(),
            "lua": self.lua_most,
            "objects": sys.getallocatedblocks(),
            "live": sum(self.worker.live().values()),
        }

    def close(self) -> None:
        """Ends the worker and the loop."""

        def end() -> None:
            self.worker.close()
            self.loop.stop()

        self.loop.call_soon(end)
        self.loop.run_forever()
        self.loop.close()


def growth(entry: Entry, requests: int) -> dict[str, tuple[int, int]]:
    """By kind: what there was after a tenth of the requests, and after all."""
    run = Run(entry)
    try:
        run.play(requests // 10)
        run.told()  # what telling itself needs is there from now on
        first = run.told()
        run.play(requests - requests // 10)
        last = run.told()
    finally:
        run.close()
    return {kind: (first[kind], last[kind]) for kind in SLACK}


def grown(found: dict[str, tuple[int, int]]) -> dict[str, int]:
    """By kind what grew by more than its slack, and by how much."""
    more = {kind: last - first for kind, (first, last) in found.items()}
    return {kind: by for kind, by in more.items() if by > SLACK[kind]}


def main() -> int:
    """Play, tell, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--hook", choices=HOOKS, action="append", help="all if not said")
    parser.add_argument("--requests", type=int, default=1_000_000)
    options = parser.parse_args()
    status = 0
    for hook in options.hook or HOOKS:
        found = growth(HOOKS[hook](), options.requests)
        bad = grown(found)
        told = ", ".join(f"{kind} {first} -> {last}" for kind, (first, last) in found.items())
        verdict = f"GREW: {', '.join(bad)}" if bad else "no growth"
        print(f"{hook:7} {options.requests} requests: {told}: {verdict}", flush=True)
        status |= bool(bad)
    return status


if __name__ == "__main__":
    sys.exit(main())
