"""What one fuzz case is: a plan and the events of both sides, in order, as plain data.

Owns: the shape of a case and its text. Never does: run one (`play` does).
Read next: `seeds`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

# Plans a case may run with; see `play.PLANS`.
PLANS = ("bare", "bare", "bare", "edits", "waits", "holds", "answer", "mirror", "copies")
# What may happen. Clients are numbered as they come; origins by age, 0 being the newest.
# send: data, size of its reads (0: whole) · finish, reset · window: bytes or -1 · take: bytes
# time: ms · connects: accept | hold | refuse · accept: what hangs · answer: all that is whole
# shortage: after so many allocations one fails (debug builds)
KINDS = ("send", "finish", "reset", "window", "take", "time", "connects", "accept", "answer",
         "shortage")  # fmt: skip
SIDES = ("client", "origin")


@dataclass(frozen=True)
class Event:
    """One thing that happens; fields without a meaning for its kind are left as they are."""

    kind: str
    side: str = "client"
    who: int = 0
    data: bytes = b""
    number: int = 0
    word: str = ""


@dataclass(frozen=True)
class Case:
    """A plan's name and what happens."""

    plan: str = "bare"
    events: tuple[Event, ...] = field(default=())

    def dump(self) -> str:
        """As JSON, bytes as Latin-1."""
        rows = [[e.kind, e.side, e.who, e.data.decode("latin-1"), e.number, e.word]
                for e in self.events]  # fmt: skip
        return json.dumps({"plan": self.plan, "events": rows})


def load(text: str) -> Case:
    """A case from its text."""
    read: dict[str, Any] = json.loads(text)
    return Case(read["plan"], tuple(
        Event(kind, side, who, data.encode("latin-1"), number, word)
        for kind, side, who, data, number, word in read["events"]))  # fmt: skip


def client(data: bytes, size: int = 0, who: int = 0) -> Event:
    """A client sends."""
    return Event("send", "client", who, data, size)


def origin(data: bytes, size: int = 0, who: int = 0) -> Event:
    """An origin sends."""
    return Event("send", "origin", who, data, size)


ANSWER = Event("answer")
