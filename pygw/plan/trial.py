"""Hooks of a configuration loaded in a process of its own, which may hang or crash.

Owns: that process, and what it tells: which hook it loads, what is wrong, that it came to its end.
Runs in: commands.
Never does: load hook code in the process that asks, or wait for it without end.
Read next: `refusal`.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import select
import signal
import sys
import time
from collections.abc import Collection, Iterator
from importlib import import_module
from typing import Any, NoReturn

from ..config.errors import ConfigError, Path, Problem
from ..config.load import Loaded
from . import build_plan, serialise_plan
from .refusal import document_of, hook_problems, hooks_of, problem_at, refusal

LOAD_S = 10.0
"""How long one hook may take to load; what is left then is killed."""

_PIECE = 65536


def check_plan(loaded: Loaded) -> None:
    """Build the plan and let the data plane compile it, here; ConfigError is what it refuses."""
    core = import_module("pygw._core.worker")
    try:
        core.plan_check(serialise_plan(build_plan(loaded.config, 1, "pygw-check")))
    except ValueError as error:
        raise refusal(loaded, error) from None


def check_apart(loaded: Loaded, load_s: float = LOAD_S) -> None:
    """The same, with the code of hooks loaded in another process: one that hangs, exits or crashes
    is an error like others."""
    hooks = list(hooks_of(loaded))
    if not hooks:
        check_plan(loaded)
        return
    document = document_of(loaded)
    bad: dict[int, tuple[Path, str]] = {}
    while True:
        place, told, end = _attempt(loaded, bad, load_s)
        if end is None or place in bad or not 0 <= place < len(hooks):
            break
        path, key = hooks[place][0], hooks[place][3]
        bad[place] = ((*path, key), f"{hooks[place][2]}: {end}")
    if end is not None:
        raise ConfigError([Problem((), f"the check {end}")], loaded.file, loaded.text)
    found = [*told, *bad.values()]
    problems: dict[str, Problem] = {}
    for path, message in found:
        problems.setdefault(f"{path} {message}", problem_at(loaded, document, path, message))
    if problems:
        raise ConfigError(list(problems.values()), loaded.file, loaded.text)


def _attempt(
    loaded: Loaded, skipped: Collection[int], load_s: float
) -> tuple[int, list[tuple[Path, str]], str | None]:
    """The hook that was loaded last, what is wrong, and how the process ended before its time."""
    sys.stdout.flush()
    sys.stderr.flush()
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        _child(loaded, skipped, write)
    os.close(write)
    place, told, whole, late = -1, [], False, False
    try:
        for line in _lines(pid, read, load_s):
            if line is None:
                late = True
                break
            said = json.loads(line)
            place = said.get("at", place)
            whole = whole or "over" in said
            if "problem" in said:
                path, message = said["problem"]
                told.append((tuple(path), message))
    finally:
        os.close(read)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    if late:
        return place, told, f"did not come to an end within {load_s:g} s of being loaded"
    return place, told, None if whole else _ended(status)


def _ended(status: int) -> str:
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        return f"ended the process while it was loaded ({name})"
    return f"ended the process while it was loaded (exit code {os.WEXITSTATUS(status)})"


def _lines(pid: int, read: int, load_s: float) -> Iterator[bytes | None]:
    """What comes line by line until the process is over; None, the last, when nothing comes for so
    long. Whatever the process started may hold the pipe open."""
    left = b""
    end = time.monotonic() + load_s
    over = os.pidfd_open(pid)
    os.set_blocking(read, False)
    try:
        while True:
            ready, _, _ = select.select([read, over], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                yield None
                return
            piece = b""
            with contextlib.suppress(BlockingIOError):
                piece = os.read(read, _PIECE)
            if not piece:
                return
            *lines, left = (left + piece).split(b"\n")
            if lines:
                end = time.monotonic() + load_s
            yield from lines
    finally:
        os.close(over)


# --- the other process ----------------------------------------------------------------------------


def _child(loaded: Loaded, skipped: Collection[int], write: int) -> NoReturn:
    """Ends with a word, or without one when hook code ends it."""
    try:
        faulthandler.disable()  # a crash is told in a sentence
        os.setpgid(0, 0)  # what hooks start ends with it
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        fine = True
        for place, _ in enumerate(hooks_of(loaded)):
            _say(write, {"at": place})
            if place in skipped:
                continue
            for path, message in hook_problems(loaded, place):
                fine = False
                _say(write, {"problem": [path, message]})
        if fine and not skipped:
            _say(write, {"at": len(list(hooks_of(loaded)))})
            try:
                check_plan(loaded)
            except ConfigError as error:
                for one in error.problems:
                    _say(write, {"problem": [one.path, one.message]})
        _say(write, {"over": True})
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
        with contextlib.suppress(BaseException):
            sys.stderr.flush()
        os._exit(1)


def _say(write: int, what: dict[str, Any]) -> None:
    os.write(write, json.dumps(what).encode() + b"\n")
