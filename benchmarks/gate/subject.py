"""The process under observation: one pygw worker, as the supervisor would start it.

Usage: subject.py ORIGIN_PORT ACCESS_LOG [LANGUAGE=HOOK]...; each hook gets a route /LANGUAGE. It
prints the port it serves. For each byte on stdin it calls getpgid(2), which nothing else here
calls: the mark that callgrind and strace see between two runs of requests; then it answers with a
line. The end of stdin ends it.
Runs one uvloop in one thread, access log and counters on. Read next: drive.py.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from importlib import import_module
from typing import Any

import uvloop

DRAIN_S = 1.0


def config_text(origin_port: int, hooks: dict[str, str]) -> str:
    """Return the configuration (JSON is YAML): one upstream, one route and one for each hook."""
    routes: list[dict[str, Any]] = [
        {"match": {"path": f"/{name}"}, "upstream": "origin", "middleware": [{name: hook}]}
        for name, hook in hooks.items()
    ]
    return json.dumps(
        {
            "workers": 1,
            "access_log": {"path": "-", "format": "combined"},
            "forwarding": {"via": "gate"},
            "listeners": [{"name": "http", "bind": "127.0.0.1:0"}],
            "upstreams": {"origin": {"targets": [f"http://127.0.0.1:{origin_port}"]}},
            "routes": [*routes, {"match": {"path": "/*"}, "upstream": "origin"}],
        }
    )


def plan_make(origin_port: int, hooks: dict[str, str]) -> bytes:
    """Return the plan for a worker, made by the control plane itself."""
    config = import_module("pygw.config")
    interpolate = import_module("pygw.config.interpolate")
    plan = import_module("pygw.plan")
    sources = interpolate.Sources({}, ".")
    checked = config.parse_config(config_text(origin_port, hooks), "gate", sources)
    text: bytes = plan.serialise_plan(plan.build_plan(checked, 1, "gate"))
    return text


def worker_make(loop: asyncio.AbstractEventLoop, plan: bytes, log_fd: int) -> Any:
    """Return a worker that serves the plan, with shared memory for its counters."""
    shared_fd = os.memfd_create("pygw-shared", os.MFD_CLOEXEC)
    os.ftruncate(shared_fd, int(import_module("pygw._core.stats").SHARED_BYTES_PER_WORKER))
    worker = import_module("pygw._core.worker").Worker(loop, 0, shared_fd, log_fd)
    worker.publish(plan)
    return worker


async def serve(origin_port: int, access_log: str, hooks: dict[str, str]) -> None:
    """Serve until stdin ends."""
    loop = asyncio.get_running_loop()
    log_fd = os.open(access_log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    listener = socket.create_server(("127.0.0.1", 0))
    worker = worker_make(loop, plan_make(origin_port, hooks), log_fd)
    worker.listen(listener.fileno(), "http")
    ended = loop.create_future()

    def on_stdin() -> None:
        if os.read(0, 1):
            os.getpgid(0)
            os.write(1, b"marked\n")
        else:
            loop.remove_reader(0)
            ended.set_result(None)

    loop.add_reader(0, on_stdin)
    os.write(1, b"%d\n" % listener.getsockname()[1])
    listener.close()
    await ended
    await worker.drain(DRAIN_S)
    await worker.stop()


if __name__ == "__main__":
    entries = dict(one.split("=", 1) for one in sys.argv[3:])
    uvloop.run(serve(int(sys.argv[1]), sys.argv[2], entries))
