"""Reloads of a hook under load: `python -m benchmarks.hook_reload lua def async native`.

One gateway with one worker serves requests that are due at fixed times; meanwhile the hook's file
is replaced and HUP sent, again and again. After each reload the new version must answer at once; at
the end it is told how many requests failed and how many of the old versions are still there:

- Lua: each version holds `BALLAST` bytes of its own. What Lua has after the last reload, whose end
  is a full collection, may be half of that more than after the first.
- Python: a module beside the hook, which reloads leave alone, knows each version's class and code
  by weak references.
- native: mapped copies of the shared object in /proc/PID/maps.

Results go into results/hook-reload.json, by runtime. Exit status: 0 if no request failed, no reload
was refused, and no old version is there.

Owns: the hooks, the count of what is left of them, and the rule.
Runs in: the main thread; the load is a program of its own, reloads are asked for by a thread.
Never does: measure latency (`python -m benchmarks.reload` does).
Read next: `benchmarks/reload/__main__.py`.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import sys
import tempfile
import threading
import time
import urllib.request
from array import array
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks import machine, process
from benchmarks.macro import native as programs
from benchmarks.reload.__main__ import PATHS, SAID, load_run

RESULT = Path(__file__).parent / "results" / "hook-reload.json"
BALLAST = 256 << 10
SETTLE_S = 10.0
LUA = """
local ballast = {{}}
for i = 1, {ballast} / 1024 do ballast[i] = ("{turn} %08d"):format(i):rep(64):sub(1, 1000) end
return {{
  request = function(req)
    if req.path == "/left" then
      gw.reply(200, nil, tostring(collectgarbage("count") * 1024))
      return
    end
    req.set_header("x-lines", tostring(#ballast))
    if req.path == "/r1" then gw.sleep(0.02) end
  end,
  response = function(req, resp) resp.set_header("x-version", "{turn}") end,
}}"""
CENSUS = """
import weakref
living = weakref.WeakSet()
"""
PYTHON = """
import asyncio
import gc
import census
from pygw.hooks import Reply

class Hook:
    ballast = "{turn}" * 10000

    {head} request(self, req):
        if req.path == "/left":
            return Reply(200, str(len(census.living)))
        req.headers["x-lines"] = str(len(self.ballast))
        {wait}

    {head} response(self, req, resp):
        resp.headers["x-version"] = "{turn}"

census.living.update([Hook, Hook.request, Hook.response])
"""
NATIVE = {
    "request": 'H->header_set(C, PYGW_REQUEST, "x-lines", 7, version, 9);',
    "response": 'H->header_set(C, PYGW_RESPONSE, "x-version", 9, version, 9);',
    "before": 'static const char version[] = "T00000000";',
}
OF_ONE_VERSION = {"lua": 0, "def": 3, "async": 3, "native": 1}
"""What `left` counts while one version is there; Lua's memory has no such number."""


class Hook:
    """The hook of one runtime in a folder: its versions, and what is left of them."""

    def __init__(self, runtime: str, folder: Path) -> None:
        self.runtime, self.folder = runtime, folder
        self.object = b""
        if runtime == "native":
            made: Any = import_module("tests.unit.native_hooks")
            self.object = made.built(made.plugin(**NATIVE)).read_bytes()
        elif runtime != "lua":
            (folder / "census.py").write_text(CENSUS)

    @property
    def entry(self) -> str:
        """Its entry in a route's middleware."""
        if self.runtime == "lua":
            return "{lua: {file: hook.lua, deadline: 1s}}"
        return "{native: hook.so}" if self.runtime == "native" else "{python: 'hook.py:Hook'}"

    def version(self, turn: int) -> str:
        """What a version puts into x-version."""
        return f"T{turn:08}" if self.runtime == "native" else str(turn)

    def write(self, turn: int) -> None:
        """Puts a version in place of the one before, at once."""
        if self.runtime == "native":
            name, content = "hook.so", self.object.replace(b"T00000000", b"T%08d" % turn)
        elif self.runtime == "lua":
            name, content = "hook.lua", LUA.format(turn=turn, ballast=BALLAST).encode()
        else:
            waits = self.runtime == "async"
            text = PYTHON.format(
                turn=turn,
                head="async def" if waits else "def",
                wait="await asyncio.sleep(0.02 if req.path == '/r1' else 0)" if waits else "pass",
            )
            name, content = "hook.py", text.encode()
        fresh = self.folder / f"{name}.new"
        fresh.write_bytes(content)
        fresh.rename(self.folder / name)

    def left(self, port: int, worker: int) -> int:
        """What there is now of all versions: bytes in Lua, objects in Python, mapped copies."""
        if self.runtime == "native":
            maps = Path(f"/proc/{worker}/maps").read_text()
            return len(set(re.findall(r" (\d+) +/memfd:pygw-plugin", maps)))
        return int(float(get(port, "/left")[1]))


def get(port: int, path: str) -> tuple[str, str]:
    """The x-version and the body of an answer."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as got:
        return got.headers.get("x-version", ""), got.read().decode()


def worker_of(gateway: process.Child) -> int:
    """The process id of the only worker."""
    children = Path(f"/proc/{gateway.pid}/task/{gateway.pid}/children").read_text().split()
    if len(children) != 1:
        raise process.StartError(f"one worker was expected:\n{gateway.describe_log()}")
    return int(children[0])


def rss_bytes(pid: int) -> int:
    """What a process has in memory."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) << 10 if found else 0


class Session:
    """A gateway that serves the hook, and what was seen of it."""

    def __init__(self, hook: Hook, port: int, gateway: process.Child) -> None:
        self.hook, self.port, self.gateway = hook, port, gateway
        self.worker = worker_of(gateway)
        self.turn = 0
        self.refused = 0
        self.stale = 0  # reloads after which the old version answered
        self.records: array[int] = array("Q")

    def reload(self) -> None:
        """One more version; it must answer once the log says so."""
        self.turn += 1
        self.hook.write(self.turn)
        self.gateway.popen.send_signal(signal.SIGHUP)
        end = time.monotonic() + 20
        while len(said := SAID.findall(self.gateway.log.read_bytes())) < self.turn:
            if time.monotonic() > end:
                raise process.StartError(f"reload {self.turn} was not done within 20 s")
            time.sleep(0.001)
        self.refused += said[-1][0] == b"refused"
        self.stale += get(self.port, "/r0")[0] != self.hook.version(self.turn)

    def load(self, rate: float, seconds: float) -> None:
        """Requests at fixed times."""
        self.records = load_run(self.port, rate, seconds, self.hook.folder, None)

    def left(self, wanted: int) -> int:
        """What is left of all versions, when it is as wanted or `SETTLE_S` are over."""
        end = time.monotonic() + SETTLE_S
        while True:
            found = self.hook.left(self.port, self.worker)
            if found <= wanted or time.monotonic() > end:
                return found
            time.sleep(0.05)

    def play(self, options: argparse.Namespace) -> dict[str, Any]:
        """A reload, many under load, and one more: what there is after the first and the last."""
        self.reload()
        one = OF_ONE_VERSION[self.hook.runtime]
        first, first_rss = self.left(one), rss_bytes(self.worker)
        wanted = one or first + BALLAST // 2
        loading = threading.Thread(
            target=self.load, args=(options.rate, options.reloads * options.every + 1)
        )
        loading.start()
        started = time.monotonic()
        for turn in range(options.reloads):
            time.sleep(max(0.0, started + (turn + 0.5) * options.every - time.monotonic()))
            self.reload()
        took = time.monotonic() - started
        loading.join(took + 60)
        self.reload()
        last = self.left(wanted)
        statuses = self.records[2::3]
        return {
            "reloads": options.reloads,
            "refused": self.refused,
            "stale": self.stale,
            "seconds": round(took, 1),
            "requests": len(statuses),
            "failed": sum(status != 200 for status in statuses),
            "left": {"first": first, "last": last, "at_most": wanted},
            "rss": {"first": first_rss, "last": rss_bytes(self.worker)},
            "same_worker": worker_of(self.gateway) == self.worker,
        }


def measure(runtime: str, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Serve, load and reload; what came of it."""
    hook, port, config = Hook(runtime, folder), process.port_find(), folder / "pygw.yaml"
    answers = [f"/r{n}=100" for n in range(PATHS)]
    with programs.program_run("origin", answers, core=None, directory=folder) as (_, origin):
        config.write_text(
            f"workers: 1\naccess_log: off\nlisteners: [{{bind: '127.0.0.1:{port}'}}]\n"
            f"upstreams: {{u: {{targets: ['http://127.0.0.1:{origin}']}}}}\n"
            f"routes: [{{match: {{path: /*}}, middleware: [{hook.entry}], upstream: u}}]\n"
        )
        hook.write(0)
        with process.child_run(
            "pygw",
            [machine.python_command(), "-m", "pygw", "run", str(config)],
            core=None,
            directory=folder,
            env=machine.python_environment(),
        ) as gateway:
            process.port_wait(gateway, port)
            get(port, "/r0")  # its worker serves
            return Session(hook, port, gateway).play(options)


def is_good(found: dict[str, Any]) -> bool:
    """Whether nothing failed and nothing old is there."""
    fine = found["left"]["last"] <= found["left"]["at_most"] and found["same_worker"]
    return fine and not (found["failed"] or found["refused"] or found["stale"])


def main() -> int:
    """Play each, tell, record, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hook_reload", description=__doc__)
    parser.add_argument("runtime", nargs="*", help=f"{', '.join(OF_ONE_VERSION)}; all if not said")
    parser.add_argument("--reloads", type=int, default=200)
    parser.add_argument("--every", type=float, default=0.1, help="seconds between two reloads")
    parser.add_argument("--rate", type=float, default=2000, help="requests a second")
    parser.add_argument("--no-record", action="store_true", help="leave results/ alone")
    options = parser.parse_args()
    results = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    status = 0
    for runtime in options.runtime or OF_ONE_VERSION:
        if runtime not in OF_ONE_VERSION:
            parser.error(f"{runtime} is none of {', '.join(OF_ONE_VERSION)}")
        with tempfile.TemporaryDirectory(prefix="pygw-hook-reload-") as folder:
            found = measure(runtime, options, Path(folder))
        status |= not is_good(found)
        print(f"{runtime:6} {tell(found)}", flush=True)
        results[runtime] = found
    if not options.no_record:
        results["machine"] = machine.machine_facts()
        RESULT.write_text(json.dumps(results, indent=1) + "\n")
    return status


def tell(found: dict[str, Any]) -> str:
    """A line for people."""
    left, rss = found["left"], found["rss"]
    return (
        f"{found['reloads']} reloads in {found['seconds']} s, {found['refused']} refused,"
        f" {found['stale']} stale; {found['requests']} requests, {found['failed']} failed;"
        f" left {left['first']} -> {left['last']} (at most {left['at_most']}),"
        f" RSS {rss['first'] >> 10} -> {rss['last'] >> 10} KiB:"
        f" {'good' if is_good(found) else 'BAD'}"
    )


if __name__ == "__main__":
    sys.exit(main())
