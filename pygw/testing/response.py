"""What a client got, with all that hooks did on the way.

Owns: the answer as a test looks at it, and reading it off the connection.
Runs in: tests of hooks.
Never does: wait for one; `gateway` does.
Read next: `messages`, `runs`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .messages import Headers, Message, Seen, read_message
from .runs import Deeds, HookRun, LogLine, Outcome


@dataclass
class Response(Message):
    """The answer that the client got, and all that hooks did on its way."""

    status: int = 0
    """0: the connection ended without an answer."""
    seen: list[Seen] = field(default_factory=list)
    """What services got for it: one for each attempt, and for each call that a hook made."""
    hooks: list[HookRun] = field(default_factory=list)
    """The calls of hooks, in order."""
    log: list[LogLine] = field(default_factory=list)
    """What hooks logged."""
    vars: dict[str, str] = field(default_factory=dict)
    """The exchange's variables at its end."""
    route: str = ""
    cause: str = "-"
    """Why it failed, as in the access log; - when it did not."""
    access: dict[str, Any] = field(default_factory=dict)
    """Its line of the access log."""

    @property
    def origin(self) -> Seen | None:
        """The request as a service got it last; None when none came there."""
        return self.seen[-1] if self.seen else None

    @property
    def sent(self) -> Seen:
        """The same, where a test knows that one came: AssertionError says what happened if not."""
        assert self.seen, f"no request came to a service: {self!r}"
        return self.seen[-1]

    def outcome(self, hook: str | None = None, phase: str = "request") -> Outcome | None:
        """What the last call of a hook in a phase came to; None: it was not called there."""
        for run in reversed(self.hooks):
            if run.phase == phase and hook in (None, run.hook):
                return run.outcome
        return None

    def __repr__(self) -> str:
        told = [f"<Response {self.status}", repr(self.text[:60])]
        if self.cause != "-":
            told.append(f"cause={self.cause}")
        told += [f"{run.hook} {run.phase}: {run.outcome} {run.error}".strip() for run in self.hooks]
        return ", ".join(told) + ">"


def read_response(data: bytes, method: str, deeds: Deeds) -> Response:
    """The final answer in what the client received."""
    at = 0
    while True:
        found = read_message(data, at, method=method, closed=True)
        if found is None:
            return _with(Response(Headers(), b"", complete=False), deeds)
        status = int(found.line.split(" ")[1])
        if status >= 200 or status == 101:
            break
        at = found.end
    message = found.message
    answer = Response(
        message.headers,
        message.body,
        message.chunks,
        message.trailers,
        message.complete,
        status,
    )
    return _with(answer, deeds)


def _with(answer: Response, deeds: Deeds) -> Response:
    answer.hooks, answer.log, answer.vars = deeds.runs, deeds.lines, deeds.vars
    answer.route, answer.cause = deeds.route, deeds.cause
    return answer
