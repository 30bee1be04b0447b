"""Python hooks that would end or stop the process they are in: the same worker serves on."""

from __future__ import annotations

import json
import re
import signal
import time
import urllib.error
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.commands import Run, get
from tests.peers.link import until

HOOK = """
import asyncio, os, signal, sys, threading
from pygw.hooks import Reply

async def leave():
    await asyncio.sleep(0)
    sys.exit(3)

async def interrupt():
    raise KeyboardInterrupt

async def grouped():
    async with asyncio.TaskGroup() as group:
        group.create_task(leave())

kept = []

async def hook(req):
    loop = asyncio.get_running_loop()
    what = req.path[1:]
    if what == "task":
        kept.append(loop.create_task(leave()))
    elif what == "interrupt":
        kept.append(loop.create_task(interrupt()))
    elif what == "group":
        await grouped()
    elif what == "callback":
        loop.call_soon(sys.exit, 3)
    elif what == "stop":
        loop.stop()
    elif what == "thread":
        threading.Thread(target=sys.exit).start()
    elif what == "all":
        await asyncio.sleep(0)
        for task in asyncio.all_tasks():
            task.cancel()
        await asyncio.sleep(0)
    elif what == "signal":
        signal.raise_signal(signal.SIGINT)
    return Reply(200, str(os.getpid()))
"""
CASES = ("task", "interrupt", "group", "callback", "stop", "thread", "all", "signal")


@pytest.fixture
def started(run: Callable[..., Run], tmp_path: Path) -> Run:
    """One worker with the hook on every path."""
    (tmp_path / "hook.py").write_text(HOOK)
    config = tmp_path / "pygw.yaml"
    config.write_text(
        "access_log: off\nlisteners: [{bind: 127.0.0.1:0}]\n"
        "routes: [{match: {path: /*}, middleware: [{python: hook.py:hook}]}]\n"
    )
    return run(str(config), "--workers", "1")


def test_the_same_worker_serves_on_after_code_that_ends_a_process(started: Run) -> None:
    url = started.wait_url()
    worker = get(url)
    assert json.loads(worker) > 0
    for case in CASES:
        try:
            get(f"{url}/{case}")
        except urllib.error.HTTPError as error:
            assert (case, error.code) in (("group", 500), ("all", 500))
        assert {get(url) for _ in range(100)} == {worker}, case
    started.process.send_signal(signal.SIGHUP)  # and it obeys
    until(lambda: "reload ok" in started.err.read_text(), "the reload", 20)
    assert get(url) == worker
    assert started.end() == 0


SPIN = """
def spin(req):
    while req.path == "/spin":
        pass
"""


def test_worker_that_a_hook_keeps_is_replaced_and_the_log_names_the_line(
    run: Callable[..., Run], tmp_path: Path
) -> None:
    (tmp_path / "hook.py").write_text(SPIN)
    config = tmp_path / "pygw.yaml"
    config.write_text(
        "access_log: off\nheartbeat: 1s\nlisteners: [{bind: 127.0.0.1:0}]\n"
        "routes: [{match: {path: /*}, middleware: [{python: hook.py:spin}, {respond: {body: ok}}]}]"
    )
    started = run(str(config), "--workers", "1")
    url = started.wait_url()
    began_s = time.monotonic()
    with pytest.raises(OSError):  # the exchange of the worker that was ended
        get(f"{url}/spin")
    assert time.monotonic() - began_s < 10
    assert get(url) == "ok"
    told = started.err.read_text()
    assert re.search(r"worker 0 \(pid \d+\) gave no sign of life for 1 s", told)
    assert re.search(r'hook\.py", line [34] in spin', told)
    assert started.end() == 0
