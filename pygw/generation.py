"""A generation: everything that the workers serve by at one time.

Owns: the plan's text in memory that workers read, the listeners and the access log that belong to a
configuration, and what passes from one generation to the next.
Runs in: the supervisor.
Never does: tell a worker; `reload` does.
Read next: `reload`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .access_log import LogFile
from .config import Config
from .listeners import OpenListener, grow_listener, open_listener
from .plan import Plan, build_plan, plan_listener, serialise_plan

RETIRED_MAX = 64
"""Listeners that are gone and whose connections still find their settings in the plan."""


@dataclass(frozen=True)
class Retired:
    """A listener that is gone: its place in plans, and what its connections still go by."""

    slot: int
    settings: Plan


@dataclass(frozen=True)
class Generation:
    """What all workers serve by. Nothing in it changes; the next one takes over what it shares."""

    number: int
    config: Config
    listeners: tuple[OpenListener, ...]
    retired: tuple[Retired, ...]
    log_file: LogFile | None
    plan_fd: int

    def sockets_of(self, worker: int) -> dict[int, str]:
        """What a worker accepts from: descriptors here, which name the sockets, and listeners."""
        return {
            sock.fileno(): one.name
            for one in self.listeners
            for sock in one.sockets_of(worker, self.config.workers)
        }

    @property
    def sockets(self) -> set[int]:
        """Every listening socket."""
        return {sock.fileno() for one in self.listeners for sock in one.sockets}

    def let_go(self, kept: Generation | None) -> None:
        """Close what `kept` does not have."""
        os.close(self.plan_fd)
        theirs = {sock for one in kept.listeners for sock in one.sockets} if kept else set()
        for listener in self.listeners:
            mine = [sock for sock in listener.sockets if sock not in theirs]
            if len(mine) == len(listener.sockets):
                listener.close()
            for sock in mine:
                sock.close()
        if self.log_file is not None and (kept is None or kept.log_file is not self.log_file):
            self.log_file.close()


def make_generation(config: Config, pseudonym: str, before: Generation | None) -> Generation:
    """The generation of a configuration: it opens what `before` does not have.

    ListenError or OSError leave nothing behind. Two generations may be there at a time; whichever
    is not wanted lets go.
    """
    with contextlib.ExitStack() as undo:
        listeners = _listeners(config, before, undo)
        retired = _retired(listeners, before)
        log_file = _log_file(config, before, undo)
        number = 1 if before is None else before.number + 1
        plan = build_plan(config, number, pseudonym)
        plan["listeners"] = _places(config, listeners, retired)
        plan_fd = _keep_text(serialise_plan(plan))
        undo.pop_all()
    return Generation(number, config, listeners, retired, log_file, plan_fd)


def _listeners(
    config: Config, before: Generation | None, undo: contextlib.ExitStack
) -> tuple[OpenListener, ...]:
    """A listener that asks for the same address goes on with its sockets, whatever its name."""
    there = list(before.listeners) if before is not None else []
    ours = {one.bind.port for one in there if one.bind.family != "unix"}
    used = {one.slot for one in there}
    if before is not None:
        used |= {one.slot for one in before.retired}
    opened = []
    for number, listener in enumerate(config.listeners, 1):
        name = listener.name or f"l{number}"
        same = next((one for one in there if one.wanted == listener.bind), None)
        if same is None:
            beside = listener.bind.port in ours
            same = open_listener(name, listener.bind, config.workers, beside)
            undo.callback(same.close)
            same = replace(same, slot=_free_slot(used))
            used.add(same.slot)
        else:
            there.remove(same)
            more = grow_listener(same, config.workers)
            for sock in more:
                undo.callback(sock.close)
            same = replace(same, name=name, sockets=(*same.sockets, *more))
        opened.append(same)
    return tuple(opened)


def _free_slot(used: set[int]) -> int:
    return next(slot for slot in range(len(used) + 1) if slot not in used)


def _retired(listeners: Sequence[OpenListener], before: Generation | None) -> tuple[Retired, ...]:
    """Who is gone, oldest first; beyond the bound the oldest is forgotten."""
    if before is None:
        return ()
    kept = {one.slot for one in listeners}
    gone = [
        Retired(one.slot, plan_listener(before.config.listeners[n]))
        for n, one in enumerate(before.listeners)
        if one.slot not in kept
    ]
    return (*before.retired, *gone)[-RETIRED_MAX:]


def _places(
    config: Config, listeners: Sequence[OpenListener], retired: Sequence[Retired]
) -> list[Plan]:
    """The plan's listeners, each at its slot; a connection knows its listener by that number."""
    rows: dict[int, Plan] = {
        # No configured name ends with a dot.
        one.slot: {"name": f"gone-{one.slot}.", **one.settings}
        for one in retired
    }
    for listener, one in zip(config.listeners, listeners, strict=True):
        rows[one.slot] = {"name": one.name, **plan_listener(listener)}
    empty = {"half_close": "abort"}
    return [rows.get(slot, {"name": f"gone-{slot}.", **empty}) for slot in range(max(rows) + 1)]


def _log_file(
    config: Config, before: Generation | None, undo: contextlib.ExitStack
) -> LogFile | None:
    if config.access_log is None:
        return None
    old = before.log_file if before is not None else None
    if old is not None and old.path == config.access_log.path:
        return old
    file = LogFile(config.access_log.path)
    undo.callback(file.close)
    return file


def _keep_text(text: bytes) -> int:
    """A descriptor of the text, which workers read without a turn of their loop."""
    fd = os.memfd_create("pygw-plan", os.MFD_CLOEXEC)
    try:
        at = 0
        while at < len(text):
            at += os.pwrite(fd, text[at:], at)
    except BaseException:
        os.close(fd)
        raise
    return fd
