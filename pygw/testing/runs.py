"""What hooks did with a request, from the events of a watched worker.

Owns: runs, log lines and variables by the exchange they belong to, and the error for failures.
Runs in: tests of hooks.
Never does: run anything.
Read next: `pygw/_core/watched_worker.pyx`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from pygw._core.watched_worker import Event

Outcome = Literal["next", "reply", "abort", "failed", "wait", "cancelled"]
"""`next`: it went on; `reply`: the answer is the hook's; `abort`: it cut the connection; `failed`:
it raised, was late or answered nonsense; `cancelled`: it was ended while it waited; `wait`: it
still does."""

RUNTIMES = ("native", "lua", "python")
_LINE = re.compile(r"\d\d:\d\d:\d\d (\w+) hook ([^:]*): (.*)", re.S)


@dataclass
class HookRun:
    """One call of a hook in one phase."""

    hook: str
    phase: str
    outcome: Outcome
    runtime: str = ""
    error: str = ""
    """Why it failed, with file and line."""
    fault: str = ""
    """Of a failure: `raised`, `late`, `memory` or `wrong` (its answer means nothing)."""
    waited: bool = False
    seconds: float = 0.0
    """What the call took until it returned or first waited."""


@dataclass(frozen=True)
class LogLine:
    """A line that a hook wrote, or that was written about it."""

    level: str
    hook: str
    text: str

    def __str__(self) -> str:
        return f"{self.level} hook {self.hook}: {self.text}"


@dataclass
class Deeds:
    """All that hooks did in one exchange."""

    runs: list[HookRun] = field(default_factory=list)
    lines: list[LogLine] = field(default_factory=list)
    vars: dict[str, str] = field(default_factory=dict)
    route: str = ""
    cause: str = "-"
    over: bool = False
    number: int = 0
    """Which of all exchanges it was to end, from 0: the place of its line in the access log."""


class HookFailed(AssertionError):
    """A hook failed; the message has its error and what was logged, tracebacks included.

    A gateway made with `raise_errors=False` answers as one in production does instead.
    """

    def __init__(self, runs: Iterable[HookRun], lines: Iterable[LogLine]) -> None:
        self.runs = [run for run in runs if run.outcome == "failed"]
        self.lines = list(lines)
        told = [
            f"hook {run.hook} failed in phase {run.phase} ({run.fault}): {run.error}"
            for run in self.runs
        ]
        known = {run.error for run in self.runs}
        logged = [f"  {line}" for line in self.lines if line.text not in known]
        super().__init__("\n".join([*told, *(["its log:"] if logged else []), *logged]))


class Book:
    """Events sorted by the connection on which they happened."""

    def __init__(self) -> None:
        self._open: dict[int, Deeds] = {}
        self._waiting: dict[int, HookRun] = {}
        self.lines: list[LogLine] = []
        self._over = 0

    def take(self, events: Iterable[Event]) -> None:
        """Enter what happened since."""
        for event in events:
            self._enter(event)

    def deeds(self, connection: int) -> Deeds:
        """What happened on a connection since `forget`."""
        return self._open.setdefault(connection, Deeds())

    def waits(self, runtime: str) -> bool:
        """Whether a hook in this language waits."""
        return any(
            run.outcome == "wait" and run.runtime == runtime for run in self._waiting.values()
        )

    def forget(self, connection: int) -> None:
        """The connection is a new one."""
        self._open.pop(connection, None)

    def _enter(self, event: Event) -> None:
        deeds = self.deeds(event.connection)
        text = event.text.decode("utf-8", "replace")
        if event.kind == "line":
            line = line_of(text)
            self.lines.append(line)
            deeds.lines.append(line)
        elif event.kind == "var":
            deeds.vars[event.name.decode("utf-8", "replace")] = event.text.decode(
                "utf-8", "surrogateescape"
            )
        elif event.kind == "over":
            deeds.over, deeds.cause, deeds.route = True, text, event.name.decode()
            deeds.number = self._over
            self._over += 1
        else:
            self._run(deeds, event, text)

    def _run(self, deeds: Deeds, event: Event, text: str) -> None:
        run = self._waiting.get(event.call)
        if event.kind == "run" or run is None:
            run = HookRun(event.name.decode(), event.phase, "next", RUNTIMES[event.runtime])
            run.seconds = event.ns / 1e9
            deeds.runs.append(run)
            self._waiting[event.call] = run
        run.outcome = "cancelled" if event.kind == "cancelled" else outcome_of(event.outcome)
        run.waited = run.waited or event.outcome == "wait"
        run.error, run.fault = text, event.fault


def outcome_of(word: str) -> Outcome:
    """The event's word as the type that tests compare with."""
    found: Outcome = word  # type: ignore[assignment]
    return found


def line_of(text: str) -> LogLine:
    """A line of standard error without its time."""
    match = _LINE.match(text.rstrip("\n"))
    return LogLine(match[1], match[2], match[3]) if match else LogLine("info", "", text.strip())
